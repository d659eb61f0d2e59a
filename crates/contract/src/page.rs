//! The document for people: one page that needs nothing else, neither scripts nor the network.

mod html;
mod markdown;
mod shape;

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::html::{Html, text};
use crate::asyncapi::FORMS_KEY;
use crate::node::Node;
use crate::schema::referred;

const STYLE: &str = include_str!("page/style.css");

/// The page, and how it is to be served.
#[derive(Debug)]
pub(crate) struct Page {
    /// The page.
    pub(crate) html: String,
    /// Its `Content-Security-Policy`: its own style, and nothing else.
    pub(crate) policy: String,
}

/// Makes the page of an AsyncAPI document.
pub(crate) fn print(document: &Node) -> anyhow::Result<Page> {
    let info = document.get("info").context("info")?;
    let title = format!("{} API {}", info.text("title"), info.text("version"));
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .raw("<meta name=\"color-scheme\" content=\"light dark\">\n")
        .raw(format!("<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n", text(&title)));
    navigation(&mut html, document)?;
    html.raw("<main>\n").element("h1", "", text(&title));
    html.raw(markdown::blocks(info.text("description")));
    servers(&mut html, document)?;
    commands(&mut html, document)?;
    messages(&mut html, document)?;
    types(&mut html, document)?;
    html.raw("</main>\n</body>\n</html>\n");
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    Ok(Page {
        html: html.into_text(),
        policy: format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    })
}

fn navigation(html: &mut Html, document: &Node) -> anyhow::Result<()> {
    let link = |(target, label): (String, &str)| format!("<a href=\"#{}\">{}</a>", text(&target), text(label));
    let list = |html: &mut Html, heading: &str, links: Vec<String>| {
        html.element("h2", "", text(heading)).element("p", "", links.join(" "));
    };
    html.raw("<nav>\n");
    let headings = markdown::headings(document.at(&["info", "description"]).and_then(Node::as_str).unwrap_or_default());
    let chapters = headings.into_iter().chain(["Servers"]);
    list(html, "About", chapters.map(|heading| link((markdown::anchor(heading), heading))).collect());
    let named = |operation: &str| -> anyhow::Result<Vec<String>> {
        let messages = listed(document, operation)?;
        Ok(messages.iter().map(|(key, message)| link(((*key).to_owned(), message.text("title")))).collect())
    };
    list(html, "Commands", named("sendCommand")?);
    list(html, "Messages", named("receiveMessage")?);
    let types = schemas(document)?.iter().map(|(name, _)| link((name.clone(), name.as_str()))).collect();
    list(html, "Types", types);
    html.raw("</nav>\n");
    Ok(())
}

fn servers(html: &mut Html, document: &Node) -> anyhow::Result<()> {
    let channel = document.at(&["channels", "qbo"]).context("the channel")?;
    html.element("h2", "id=\"servers\"", "Servers").raw("<dl>\n");
    for (_, server) in document.get("servers").context("servers")?.entries() {
        let address = format!("{}://{}{}", server.text("protocol"), server.text("host"), channel.text("address"));
        html.element("dt", "", format!("<code>{}</code> {}", text(&address), text(server.text("title"))));
        html.element("dd", "", markdown::inline(server.text("description")));
        for scheme in server.get("security").map(Node::items).unwrap_or_default() {
            let scheme = resolved(document, scheme)?;
            html.element("dd", "", markdown::inline(scheme.text("description")));
        }
    }
    html.raw("</dl>\n");
    Ok(())
}

fn commands(html: &mut Html, document: &Node) -> anyhow::Result<()> {
    chapter(html, document, "sendCommand")?;
    for (key, message) in listed(document, "sendCommand")? {
        html.element("h3", &format!("id=\"{}\"", text(key)), text(message.text("title")));
        html.element("p", "", markdown::inline(message.text("summary")));
        let forms = message.get(FORMS_KEY).context("the forms of a command")?.items();
        for form in forms {
            self::form(html, form);
        }
    }
    Ok(())
}

fn form(html: &mut Html, form: &Node) {
    html.raw("<section>\n").element("h4", "", format!("<code>{}</code>", text(form.text("usage"))));
    html.element("p", "", markdown::inline(form.text("about")));
    let also = |key: &str| {
        let names = form.get(key).map(Node::items).unwrap_or_default().iter().skip(1).filter_map(Node::as_str);
        names.map(|name| format!("<code>{}</code>", text(name))).collect::<Vec<_>>()
    };
    let aliases = [also("verbs"), also("subjects")].concat();
    if !aliases.is_empty() {
        html.element("p", "class=\"quiet\"", format!("Also {}", aliases.join(", ")));
    }
    let options = form.get("options").map(Node::items).unwrap_or_default();
    if !options.is_empty() {
        html.raw("<dl>\n");
        for option in options {
            let short = option.get("short").and_then(Node::as_str).map(|short| format!("-{short}, "));
            let value = option.get("value").and_then(Node::as_str).map(|value| format!(" {value}"));
            let name = format!("{}--{}{}", short.unwrap_or_default(), option.text("long"), value.unwrap_or_default());
            html.element("dt", "", format!("<code>{}</code>", text(&name)));
            html.element("dd", "", markdown::inline(option.text("about")));
        }
        html.raw("</dl>\n");
    }
    let examples = form.get("examples").map(Node::items).unwrap_or_default().iter().filter_map(Node::as_str);
    let examples: Vec<String> = examples.map(|line| text(&format!("qbo {line}"))).collect();
    html.element("pre", "", examples.join("\n")).raw("</section>\n");
}

fn messages(html: &mut Html, document: &Node) -> anyhow::Result<()> {
    chapter(html, document, "receiveMessage")?;
    html.element("p", "", "All have the fields of <a href=\"#Envelope\">Envelope</a>, and these rows:");
    for (key, message) in listed(document, "receiveMessage")? {
        html.element("h3", &format!("id=\"{}\"", text(key)), format!("<code>{}</code>", text(message.text("title"))));
        html.element("p", "", markdown::inline(message.text("summary")));
        let parts = message.at(&["payload", "allOf"]).context("a payload")?.items();
        for part in parts.iter().filter(|part| referred(part).is_none()) {
            shape::fields(html, part);
        }
        for example in message.get("examples").map(Node::items).unwrap_or_default() {
            let payload = example.get("payload").context("an example's payload")?.to_json()?;
            let summary = format!("Example: {}", example.text("summary"));
            html.raw("<details>").element("summary", "", text(&summary));
            html.element("pre", "", text(payload.trim_end())).raw("</details>\n");
        }
    }
    Ok(())
}

fn types(html: &mut Html, document: &Node) -> anyhow::Result<()> {
    html.element("h2", "id=\"types\"", "Types");
    for (name, schema) in schemas(document)? {
        html.element("h3", &format!("id=\"{}\"", text(name)), text(name));
        html.element("p", "", markdown::inline(schema.text("description")));
        shape::definition(html, schema);
    }
    Ok(())
}

/// Title and description of an operation.
fn chapter(html: &mut Html, document: &Node, operation: &str) -> anyhow::Result<()> {
    let operation = document.at(&["operations", operation]).with_context(|| operation.to_owned())?;
    html.element("h2", "", text(operation.text("title")));
    html.element("p", "", markdown::inline(operation.text("description")));
    Ok(())
}

/// The messages of an operation with their keys.
fn listed<'a>(document: &'a Node, operation: &str) -> anyhow::Result<Vec<(&'a str, &'a Node)>> {
    let messages = document.at(&["operations", operation, "messages"]).with_context(|| operation.to_owned())?;
    messages
        .items()
        .iter()
        .map(|message| {
            let key = referred(message).context("a message by reference")?;
            // To the channel, and from there to the components.
            Ok((key, resolved(document, resolved(document, message)?)?))
        })
        .collect()
}

fn schemas(document: &Node) -> anyhow::Result<&[(String, Node)]> {
    Ok(document.at(&["components", "schemas"]).context("schemas")?.entries())
}

/// What a reference within the document leads to.
fn resolved<'a>(document: &'a Node, reference: &Node) -> anyhow::Result<&'a Node> {
    let target = reference.text("$ref");
    let keys: Vec<&str> = target.trim_start_matches("#/").split('/').collect();
    ensure!(target.starts_with("#/"), "'{target}' is no reference within the document");
    document.at(&keys).with_context(|| format!("nothing is at '{target}'"))
}
