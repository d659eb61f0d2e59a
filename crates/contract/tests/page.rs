//! The page: complete, and in need of nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers too")]

use std::collections::HashSet;
use std::fs;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use qbo_api::grammar::FORMS;

fn page() -> String {
    fs::read_to_string(qbo_contract::directory().join("docs.html")).unwrap()
}

/// The values of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    page.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn it_asks_for_nothing_and_runs_nothing() {
    let page = page();
    let harmless = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "nav", "main", "section", "h1", "h2", "h3", "h4",
        "p", "a", "em", "code", "pre", "span", "dl", "dt", "dd", "details", "summary",
    ];
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let mut words = tag.trim_start_matches('/').split(' ');
        let name = words.next().unwrap();
        assert!(harmless.contains(&name), "{tag}");
        let attributes = tag.split("=\"").count() - 1;
        let known = ["id", "class", "href", "lang", "charset", "name", "content"];
        let found: usize = known.iter().map(|name| tag.matches(&format!(" {name}=\"")).count()).sum();
        assert_eq!(attributes, found, "{tag}");
    }
    let elsewhere: Vec<&str> =
        attributes(&page, "href").into_iter().filter(|target| !target.starts_with('#')).collect();
    assert_eq!(elsewhere, ["/asyncapi.yaml", "/request.schema.json", "/message.schema.json", "/qbo.ts", "/docs"]);
    assert!(!page.contains("@import") && !page.contains("url("));
}

#[test]
fn its_policy_allows_its_own_style_and_nothing_else() {
    let page = page();
    let policy = fs::read_to_string(qbo_contract::directory().join("docs.csp")).unwrap();
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, style.as_bytes()));
    assert!(policy.starts_with(&format!("default-src 'none'; style-src 'sha256-{hash}';")), "{policy}");
    assert!(!policy.contains("unsafe") && policy.is_ascii() && !policy.contains('\n'), "{policy}");
}

#[test]
fn its_links_lead_somewhere_and_no_anchor_is_there_twice() {
    let page = page();
    let anchors = attributes(&page, "id");
    let known: HashSet<&str> = anchors.iter().copied().collect();
    assert_eq!(anchors.len(), known.len());
    for target in attributes(&page, "href").iter().filter_map(|target| target.strip_prefix('#')) {
        assert!(known.contains(target), "{target}");
    }
}

#[test]
fn its_elements_are_closed_in_order() {
    let page = page();
    let mut open = Vec::new();
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.split(' ').next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{:?}", &open),
            None if !matches!(name, "!doctype" | "meta") => open.push(name),
            None => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn every_command_is_in_it_with_its_options_and_examples() {
    let page = page().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    for form in FORMS {
        assert!(page.contains(&format!("<code>{}</code>", form.usage())), "{}", form.usage());
        assert!(page.contains(form.about), "{}", form.about);
        for option in form.options {
            assert!(page.contains(&format!("--{}", option.long)) && page.contains(option.about), "{option}");
        }
        for example in form.examples {
            assert!(page.contains(&format!("qbo {example}")), "{example}");
        }
    }
}
