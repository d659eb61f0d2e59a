//! HTML as text.

/// A page that grows.
#[derive(Debug, Default)]
pub(super) struct Html {
    text: String,
}

impl Html {
    /// Adds HTML as it is.
    pub(super) fn raw(&mut self, html: impl AsRef<str>) -> &mut Self {
        self.text.push_str(html.as_ref());
        self
    }

    /// Adds an element on a line of its own; `content` is HTML.
    pub(super) fn element(&mut self, name: &str, attributes: &str, content: impl AsRef<str>) -> &mut Self {
        let blank = if attributes.is_empty() { "" } else { " " };
        self.raw(format!("<{name}{blank}{attributes}>{}</{name}>\n", content.as_ref()))
    }

    /// The page.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// Text as HTML, in attributes too.
pub(super) fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
