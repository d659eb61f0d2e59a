//! As much of Markdown as the document's prose has: headings, paragraphs, links, `code` and *emphasis*.

use super::html::text;

/// Paragraphs and headings as HTML.
pub(super) fn blocks(markdown: &str) -> String {
    let block = |block: &str| match heading(block) {
        Some(heading) => format!("<h2 id=\"{}\">{}</h2>\n", text(&anchor(heading)), inline(heading)),
        None => format!("<p>{}</p>\n", inline(block)),
    };
    markdown.split("\n\n").map(block).collect()
}

/// All headings.
pub(super) fn headings(markdown: &str) -> Vec<&str> {
    markdown.split("\n\n").filter_map(heading).collect()
}

/// The anchor of a heading.
pub(super) fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

/// Text with links, `code` and *emphasis* as HTML.
pub(super) fn inline(markdown: &str) -> String {
    let code = |(index, part): (usize, &str)| match index % 2 {
        0 => emphasis(&links(&text(part))),
        _ => format!("<code>{}</code>", text(part)),
    };
    markdown.split('`').enumerate().map(code).collect()
}

fn links(html: &str) -> String {
    let part = |(index, part): (usize, &str)| {
        let link = part.split_once("](").and_then(|(label, rest)| Some((label, rest.split_once(')')?)));
        match (index, link) {
            (0, _) => part.to_owned(),
            (_, Some((label, (target, rest)))) => format!("<a href=\"{target}\">{label}</a>{rest}"),
            (_, None) => format!("[{part}"),
        }
    };
    html.split('[').enumerate().map(part).collect()
}

fn emphasis(html: &str) -> String {
    let part = |(index, part): (usize, &str)| if index % 2 == 0 { part.to_owned() } else { format!("<em>{part}</em>") };
    html.split('*').enumerate().map(part).collect()
}

fn heading(block: &str) -> Option<&str> {
    block.strip_prefix("## ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_becomes_html() {
        let markdown = "a *b* `c*d*<e>` & f\n\n## On it\n\n[g](/h) [i] j";
        let html = "<p>a <em>b</em> <code>c*d*&lt;e&gt;</code> &amp; f</p>\n<h2 id=\"on-it\">On it</h2>\n<p><a href=\"/h\">g</a> [i] j</p>\n";
        assert_eq!(blocks(markdown), html);
        assert_eq!(headings(markdown), ["On it"]);
    }
}
