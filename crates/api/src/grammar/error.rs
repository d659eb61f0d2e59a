//! Errors of the grammar: which word, what is wrong with it, what would be right.

/// A line that is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {cure}")]
pub struct GrammarError {
    /// The words as read, joined by one blank.
    pub line: String,
    /// Where the wrong word begins in `line`, in bytes; its end where a word is missing.
    pub start: usize,
    /// How many bytes of `line` are wrong; 0 where a word is missing.
    pub length: usize,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub cure: String,
}

impl GrammarError {
    pub(super) fn at(words: &[&str], index: usize, problem: impl Into<String>, cure: impl Into<String>) -> Self {
        let start = words.iter().take(index).map(|word| word.len() + 1).sum::<usize>();
        let length = words.get(index).map_or(0, |word| word.len());
        let line = words.join(" ");
        Self { start: start.min(line.len() + 1), length, line, problem: problem.into(), cure: cure.into() }
    }

    /// The line with the wrong word marked beneath, for people:
    ///
    /// ```text
    /// add cluster alex -x
    ///                  ^^
    /// ```
    pub fn marked(&self) -> String {
        let end = self.start.min(self.line.len());
        let blanks = self.line[..end].chars().count() + usize::from(self.start > self.line.len());
        let wrong = self.line.get(self.start..self.start + self.length).map_or(0, |word| word.chars().count());
        format!("{}\n{}{}", self.line, " ".repeat(blanks), "^".repeat(wrong.max(1)))
    }
}

/// The candidate that was probably meant, where one is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Damerau–Levenshtein distance with adjacent transpositions, for short words.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().take(32).collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let verbs = ["add", "get", "delete"];
        assert_eq!(nearest("delte", verbs.into_iter()), Some("delete"));
        assert_eq!(nearest("dad", verbs.into_iter()), Some("add"));
        assert_eq!(nearest("frobnicate", verbs.into_iter()), None);
    }

    #[test]
    fn the_mark_stands_under_the_word() {
        let error = GrammarError::at(&["add", "cluster", "é", "-x"], 3, "", "");
        assert_eq!(error.marked(), "add cluster é -x\n              ^^");
        let missing = GrammarError::at(&["add", "cluster"], 2, "", "");
        assert_eq!(missing.marked(), "add cluster\n            ^");
    }
}
