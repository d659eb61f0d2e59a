//! The parts of `bench/README.md` that the benchmarks write.

use std::path::Path;

use anyhow::Context as _;

/// What ends such a part.
const END: &str = "<!-- end -->";

/// Writes the tables of a benchmark into the file, between its marks there.
pub fn write(path: &Path, benchmark: &str, tables: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let text = replaced(&text, benchmark, tables).with_context(|| path.display().to_string())?;
    Ok(std::fs::write(path, text)?)
}

fn replaced(text: &str, benchmark: &str, tables: &str) -> anyhow::Result<String> {
    let begin = format!("<!-- written by bench/{benchmark} -->");
    let marks = || format!("it has no '{begin}' before a '{END}'");
    let (before, rest) = text.split_once(&begin).with_context(marks)?;
    let (_, after) = rest.split_once(END).with_context(marks)?;
    Ok(format!("{before}{begin}\n\n{tables}\n{END}{after}"))
}

/// How many processors there are.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_the_benchmark_is_replaced() {
        let text = "<!-- written by bench/a -->\nold\n<!-- end -->\n<!-- written by bench/b -->\nold\n<!-- end -->\n";
        let new = "<!-- written by bench/a -->\nold\n<!-- end -->\n<!-- written by bench/b -->\n\nnew\n<!-- end -->\n";
        assert_eq!(replaced(text, "b", "new").unwrap(), new);
        assert!(replaced(text, "c", "new").unwrap_err().to_string().contains("bench/c"));
    }
}
