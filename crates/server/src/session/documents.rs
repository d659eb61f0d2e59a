//! The contract as documents, which `qbo-contract` makes: the same for everybody, and in need of nothing else.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Where the page is.
pub(super) const PAGE: &str = "/docs";

/// The policy of what is no page.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

struct Document {
    path: &'static str,
    media_type: &'static str,
    policy: &'static str,
    text: &'static str,
}

macro_rules! generated {
    ($name:literal) => {
        include_str!(concat!("../../../contract/generated/", $name))
    };
}

const DOCUMENTS: &[Document] = &[
    Document {
        path: PAGE,
        media_type: "text/html; charset=utf-8",
        policy: generated!("docs.csp"),
        text: generated!("docs.html"),
    },
    Document {
        path: "/asyncapi.yaml",
        media_type: "application/yaml",
        policy: NOTHING,
        text: generated!("asyncapi.yaml"),
    },
    Document {
        path: "/message.schema.json",
        media_type: "application/schema+json",
        policy: NOTHING,
        text: generated!("message.schema.json"),
    },
    Document {
        path: "/request.schema.json",
        media_type: "application/schema+json",
        policy: NOTHING,
        text: generated!("request.schema.json"),
    },
    Document {
        path: "/terminal-answer.schema.json",
        media_type: "application/schema+json",
        policy: NOTHING,
        text: generated!("terminal-answer.schema.json"),
    },
    Document {
        path: "/terminal-request.schema.json",
        media_type: "application/schema+json",
        policy: NOTHING,
        text: generated!("terminal-request.schema.json"),
    },
    Document { path: "/qbo.ts", media_type: "text/plain; charset=utf-8", policy: NOTHING, text: generated!("qbo.ts") },
];

/// The documents at their paths.
pub(super) fn routes<State: Clone + Send + Sync + 'static>() -> Router<State> {
    DOCUMENTS.iter().fold(Router::new(), |router, document| {
        let tag = document.tag();
        router.route(document.path, get(async move |headers: HeaderMap| document.answer(&tag, &headers)))
    })
}

impl Document {
    /// Its `ETag`: other text, other tag.
    fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }

    fn answer(&self, tag: &str, headers: &HeaderMap) -> Response {
        // Asked for each time, for another version may be here by then; mostly answered without the text.
        let caching = [(ETAG, tag), (CACHE_CONTROL, "no-cache")];
        if is_known(tag, headers) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        let content = [
            (CONTENT_TYPE, self.media_type),
            (CONTENT_SECURITY_POLICY, self.policy),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (caching, content, self.text).into_response()
    }
}

/// Whether the client holds the text of this tag (RFC 9110, section 13.1.2).
pub(super) fn is_known(tag: &str, headers: &HeaderMap) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut known = lists.flat_map(|list| list.split(',')).map(str::trim);
    known.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}
