//! Colours, by the escape sequences of ECMA-48 (SGR) that every terminal knows.

/// Colours by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Well.
    Green,
    /// Under way, or to be looked at.
    Yellow,
    /// Failed.
    Red,
    /// Of little weight.
    Dim,
    /// Of much weight.
    Bold,
}

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    /// The text, coloured where colours are used.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "1;31",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
