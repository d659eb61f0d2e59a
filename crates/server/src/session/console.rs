//! The web console: the files that `web/build` made, which are in the program where its feature `console` is on.
//!
//! What bears the hash of its contents in its name never changes; the page, which names those, is asked for each time.
//! Every path that nobody else claims and that is no file is a place within the console, and so the page.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::documents;

/// A file of the console.
#[derive(Debug, Clone, Copy)]
struct File {
    /// As clients call it.
    path: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// The files of this program's console; none where it has none.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

const PAGE: &str = "/index.html";

/// Files below this have the hash of their contents in their names.
const HASHED: &str = "/assets/";

/// Scripts, styles and connections are the server's own, and nothing is inline; pictures of users may be elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
    img-src 'self' data: https:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Answers all that nothing else of `router` does.
pub(super) fn behind<State: Clone + Send + Sync + 'static>(router: Router<State>) -> Router<State> {
    router.fallback_service(get(async |uri: Uri, headers: HeaderMap| answer(FILES, uri.path(), &headers)))
}

fn answer(files: &[File], path: &str, headers: &HeaderMap) -> Response {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    if let Some(file) = find(path) {
        return file.answer(headers);
    }
    match find(PAGE) {
        Some(page) if is_place(path, headers) => page.answer(headers),
        // Without a console the contract is what there is to read.
        None if path == "/" => Redirect::temporary(documents::PAGE).into_response(),
        Some(_) | None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Whether a path is a place within the console, as `/nodes`: no file's name, but for names with a dot in them that a
/// browser goes to.
fn is_place(path: &str, headers: &HeaderMap) -> bool {
    let is_visit = || {
        let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        accepted.is_some_and(|accepted| accepted.contains("text/html"))
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    !path.starts_with(HASHED) && (!last.contains('.') || is_visit())
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let (encoding, contents) = self.encoded(headers);
        let tag = tag(contents);
        let lifetime = if self.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let caching = [(ETAG, tag.as_str()), (CACHE_CONTROL, lifetime), (VARY, "accept-encoding")];
        if documents::is_known(&tag, headers) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        let content = [
            (CONTENT_TYPE, media_type(self.path)),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (OPENER_POLICY, "same-origin"),
        ];
        let mut response = (caching, content, contents).into_response();
        if let Some(encoding) = encoding {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }

    /// Its contents in the smallest form that the client reads.
    fn encoded(&self, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
        match (self.brotli, self.gzip) {
            (Some(contents), _) if accepts(headers, "br") => (Some("br"), contents),
            (_, Some(contents)) if accepts(headers, "gzip") => (Some("gzip"), contents),
            _ => (None, self.plain),
        }
    }
}

/// Whether a client reads an encoding (RFC 9110, section 12.5.3).
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    let mut choices = lists.flat_map(|list| list.split(','));
    choices.any(|choice| {
        let mut parts = choice.split(';').map(str::trim);
        let refused = |weight: &str| {
            weight.strip_prefix("q=").is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
        };
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding)) && !parts.any(refused)
    })
}

/// Other contents, other tag.
fn tag(contents: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::{IF_NONE_MATCH, LOCATION};

    use super::*;

    const CONSOLE: &[File] = &[
        File { path: "/index.html", plain: b"page", brotli: Some(b"br"), gzip: Some(b"gz") },
        File { path: "/icon.svg", plain: b"icon", brotli: None, gzip: None },
        File { path: "/assets/index-1a2b.js", plain: b"script", brotli: None, gzip: Some(b"gz") },
    ];

    fn headers(named: &[(HeaderName, &str)]) -> HeaderMap {
        named.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), 100).await.unwrap().to_vec()
    }

    #[tokio::test]
    async fn places_within_the_console_are_its_page_and_files_are_files() {
        let browser = headers(&[(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")]);
        let none = HeaderMap::new();
        for (path, headers, expected) in [
            ("/", &none, Some("page")),
            ("/index.html", &none, Some("page")),
            ("/nodes", &none, Some("page")),
            ("/pods/alex/kube-system", &none, Some("page")),
            ("/nodes/control-41992b42.localhost", &browser, Some("page")),
            ("/nodes/control-41992b42.localhost", &none, None),
            ("/icon.svg", &none, Some("icon")),
            ("/assets/index-1a2b.js", &none, Some("script")),
            ("/assets/index-0000.js", &browser, None),
            ("/assets/none", &browser, None),
            ("/favicon.ico", &none, None),
        ] {
            let response = answer(CONSOLE, path, headers);
            match expected {
                Some(text) => {
                    assert_eq!(response.status(), StatusCode::OK, "{path}");
                    assert_eq!(body(response).await, text.as_bytes(), "{path}");
                }
                None => assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}"),
            }
        }
    }

    #[tokio::test]
    async fn a_client_gets_the_smallest_it_reads() {
        for (path, accepted, encoding, contents) in [
            ("/", "gzip, deflate, br, zstd", Some("br"), "br"),
            ("/", "gzip;q=1.0, br;q=0", Some("gzip"), "gz"),
            ("/", "identity", None, "page"),
            ("/assets/index-1a2b.js", "br, GZIP", Some("gzip"), "gz"),
            ("/icon.svg", "br, gzip", None, "icon"),
        ] {
            let response = answer(CONSOLE, path, &headers(&[(ACCEPT_ENCODING, accepted)]));
            let found = response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(found.as_deref(), encoding, "{path} {accepted}");
            assert_eq!(response.headers()[VARY], "accept-encoding");
            assert_eq!(body(response).await, contents.as_bytes(), "{path} {accepted}");
        }
    }

    #[test]
    fn the_page_is_asked_for_each_time_and_what_is_hashed_never_again() {
        let page = answer(CONSOLE, "/clusters", &HeaderMap::new());
        assert_eq!(page.headers()[CACHE_CONTROL], "no-cache");
        let known = headers(&[(IF_NONE_MATCH, page.headers()[ETAG].to_str().unwrap())]);
        assert_eq!(answer(CONSOLE, "/", &known).status(), StatusCode::NOT_MODIFIED);
        let script = answer(CONSOLE, "/assets/index-1a2b.js", &known);
        assert_eq!(script.status(), StatusCode::OK);
        assert!(script.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }

    #[test]
    fn nothing_inline_runs_and_nobody_frames_it() {
        let page = answer(CONSOLE, "/", &HeaderMap::new());
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(!policy.contains("unsafe"), "{policy}");
        for part in ["default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert_eq!(page.headers()[OPENER_POLICY], "same-origin");
        assert_eq!(page.headers()[REFERRER_POLICY], "no-referrer");
        assert_eq!(page.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }

    #[test]
    fn without_a_console_the_contract_is_there_to_read() {
        let response = answer(&[], "/", &HeaderMap::new());
        assert_eq!(response.headers()[LOCATION], documents::PAGE);
        assert_eq!(answer(&[], "/nodes", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
    }
}
