//! Findings about a host: a line each, and what to do about it beneath.

use super::style::{Colour, Paint};

/// Where a finding's cure begins: beneath its first letter.
const INDENT: &str = "  ";

/// The lines of a finding.
pub(crate) fn lines(paint: Paint, level: &str, message: &str, cure: Option<&str>) -> Vec<String> {
    let (colour, mark) = match level {
        "good" => (Colour::Green, "✓"),
        "warning" => (Colour::Yellow, "!"),
        _ => (Colour::Red, "✗"),
    };
    let cure = cure.into_iter().flat_map(str::lines).map(|line| format!("{INDENT}{}", paint.paint(Colour::Dim, line)));
    std::iter::once(format!("{} {message}", paint.paint(colour, mark))).chain(cure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cure_stands_beneath_its_finding() {
        assert_eq!(lines(Paint(false), "good", "kernel: 6.18", None), ["✓ kernel: 6.18"]);
        assert_eq!(
            lines(Paint(false), "warning", "inotify: 128 instances", Some("sysctl -w a=1\nor so")),
            ["! inotify: 128 instances", "  sysctl -w a=1", "  or so"]
        );
        assert_eq!(lines(Paint(true), "bad", "docker: none", None), ["\x1b[1;31m✗\x1b[0m docker: none"]);
    }
}
