//! The terminal: lines that stay, and below them a picture that is drawn anew.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Where the size cannot be told.
const SIZE: (usize, usize) = (80, 24);

/// Writes lines, and keeps one picture beneath the last.
#[derive(Debug)]
pub(crate) struct Screen<W> {
    output: W,
    live: bool,
    /// Lines of the picture that are on the screen.
    drawn: usize,
}

impl<W: Write> Screen<W> {
    /// A screen; where it is not live, pictures are left out.
    pub(crate) fn new(output: W, live: bool) -> Self {
        Self { output, live, drawn: 0 }
    }

    /// Whether pictures are drawn.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Puts lines where the picture is, and a new picture beneath: in one write, so that nothing flickers.
    pub(crate) fn draw(&mut self, lines: &[String], picture: &[String]) -> io::Result<()> {
        let picture = if self.live { picture } else { &[] };
        if lines.is_empty() && picture.is_empty() && self.drawn == 0 {
            return Ok(());
        }
        let mut text = String::new();
        if self.drawn > 0 {
            // CUU to the picture's first line, ED from there to the end of the screen.
            // Writing to a String cannot fail.
            let _ = write!(text, "\r\x1b[{}A\x1b[J", self.drawn);
        }
        for line in lines.iter().chain(picture) {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = picture.len();
        self.output.write_all(text.as_bytes())?;
        self.output.flush()
    }
}

/// Columns and rows of the terminal.
pub(crate) fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => SIZE,
    }
}

#[cfg(test)]
impl Screen<Vec<u8>> {
    /// What was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.output.clone()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_replaced_and_lines_stay() {
        let mut screen = Screen::new(Vec::new(), true);
        let lines = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        screen.draw(&[], &lines(&["a…", "b…"])).unwrap();
        screen.draw(&lines(&["a"]), &lines(&["b…"])).unwrap();
        screen.draw(&lines(&["b"]), &[]).unwrap();
        screen.draw(&[], &[]).unwrap();
        assert_eq!(screen.text(), "a…\nb…\n\r\x1b[2A\x1b[Ja\nb…\n\r\x1b[1A\x1b[Jb\n");
    }

    #[test]
    fn without_a_terminal_only_lines_are_written() {
        let mut screen = Screen::new(Vec::new(), false);
        screen.draw(&["a".into()], &["b…".into()]).unwrap();
        screen.draw(&[], &["b…".into()]).unwrap();
        assert_eq!(screen.text(), "a\n");
    }
}
