//! Registries of the distribution specification, and the ways they ask who is there.

use axum::body::Body;
use axum::http::Response;
use qbo_api::message::Code;

use super::server::{Asked, Server, answer};
use super::{TOKEN, failure, registry};
use crate::config::RegistryKind;

const LIST: &str = "GET /v2/kindest/node/tags/list?n=100";
/// `alex:glpat-d0nttell` in base64.
const BASIC: &str = "Basic YWxleDpnbHBhdC1kMG50dGVsbA==";

/// Two pages, the first with a link to the second.
fn list(asked: &Asked) -> Response<Body> {
    if asked.line.contains("last=") {
        return answer(200, &[], r#"{"name":"kindest/node","tags":["v1.37.2","v1.9.0"]}"#);
    }
    let link = r#"</v2/kindest/node/tags/list?last=v1.10.0&n=100>; rel="next""#;
    answer(200, &[("link", link)], r#"{"name":"kindest/node","tags":["latest","v1.10.0"]}"#)
}

/// The same for who has a token that is good for one page, so that each page needs another one.
fn guarded(asked: &Asked) -> Response<Body> {
    let page = if asked.line.contains("last=") { "2" } else { "1" };
    if asked.authorization.as_deref() == Some(&format!("Bearer {page}")) {
        return list(asked);
    }
    let realm = format!("{}/tokens?page={page}", asked.base);
    let challenge =
        format!(r#"Bearer realm="{realm}",service="registry",scope="repository:kindest/node:metadata_read""#);
    answer(401, &[("www-authenticate", &challenge)], r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#)
}

/// The server of tokens beside it.
fn tokens(asked: &Asked) -> Response<Body> {
    let Some(page) = asked.line.strip_prefix("GET /tokens?page=") else { return guarded(asked) };
    if asked.authorization.as_deref() == Some(BASIC) {
        return answer(200, &[], &format!(r#"{{"access_token":"{}","expires_in":60}}"#, &page[..1]));
    }
    answer(401, &[], "")
}

#[tokio::test]
async fn an_open_registry_is_read_page_by_page() {
    let server = Server::start(list).await;
    let registry = registry(RegistryKind::Oci, &server, None);
    assert_eq!(registry.tags().await.unwrap().tags, ["v1.37.2", "v1.10.0", "v1.9.0", "latest"]);
    assert_eq!(server.asked(), [LIST, "GET /v2/kindest/node/tags/list?last=v1.10.0&n=100"]);
    let empty = Server::start(|_| answer(200, &[], r#"{"name":"kindest/node","tags":null}"#)).await;
    let nothing = super::registry(RegistryKind::Oci, &empty, None).tags().await.unwrap();
    assert!(nothing.tags.is_empty() && nothing.remark.is_none(), "{nothing:?}");
}

#[tokio::test]
async fn a_token_is_fetched_where_the_challenge_says_and_anew_when_it_is_spent() {
    let server = Server::start(tokens).await;
    let registry = registry(RegistryKind::Oci, &server, Some(("alex", TOKEN)));
    assert_eq!(registry.tags().await.unwrap().tags.len(), 4);
    let token = |page| {
        format!(
            "GET /tokens?page={page}&service=registry&scope=repository%3Akindest%2Fnode%3Ametadata_read&account=alex {BASIC}"
        )
    };
    let second = "GET /v2/kindest/node/tags/list?last=v1.10.0&n=100";
    let expected = [
        LIST.to_owned(),
        token(1),
        format!("{LIST} Bearer 1"),
        format!("{second} Bearer 1"),
        token(2),
        format!("{second} Bearer 2"),
    ];
    assert_eq!(server.asked(), expected);
}

#[tokio::test]
async fn wrong_credentials_and_none_are_told_apart() {
    let server = Server::start(tokens).await;
    for (credentials, problem, cure) in [
        (Some(("sam", TOKEN)), "refuses the login 'sam'", "check registry_token"),
        (None, "wants a login", "give registry_user and registry_token"),
    ] {
        let failure = failure(&*registry(RegistryKind::Oci, &server, credentials)).await;
        assert_eq!(failure.code, Code::BAD_GATEWAY);
        assert!(failure.problem.contains("127.0.0.1, where the registry 127.0.0.1:"), "{failure:?}");
        assert!(failure.problem.contains(problem) && failure.cure.contains(cure), "{failure:?}");
    }
    // The token was given, but it does not let anybody in.
    let useless = |asked: &Asked| {
        let is_for_token = asked.line.starts_with("GET /tokens");
        if is_for_token { answer(200, &[], r#"{"token":"0"}"#) } else { guarded(asked) }
    };
    let server = Server::start(useless).await;
    let failure = failure(&*registry(RegistryKind::Oci, &server, Some(("alex", TOKEN)))).await;
    assert!(failure.problem.contains("refuses the login 'alex'"), "{failure:?}");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn name_and_password_are_shown_to_a_registry_that_wants_them() {
    let basic = |asked: &Asked| match asked.authorization.as_deref() {
        Some(BASIC) => list(asked),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"Registry\"")], ""),
    };
    let server = Server::start(basic).await;
    assert_eq!(registry(RegistryKind::Oci, &server, Some(("alex", TOKEN))).tags().await.unwrap().tags.len(), 4);
    assert_eq!(server.asked()[..2], [LIST.to_owned(), format!("{LIST} {BASIC}")]);
    let nobody = failure(&*registry(RegistryKind::Oci, &server, None)).await;
    assert!(nobody.problem.contains("wants a login"), "{nobody:?}");
}

#[tokio::test]
async fn credentials_are_not_sent_through_the_net_in_the_clear() {
    let challenge = r#"Bearer realm="http://registry.example.com/token",service="x""#;
    let server = Server::start(move |_| answer(401, &[("www-authenticate", challenge)], "")).await;
    let failure = failure(&*registry(RegistryKind::Oci, &server, Some(("alex", TOKEN)))).await;
    assert!(failure.problem.contains("http://registry.example.com without encryption"), "{failure:?}");
    assert_eq!(server.asked(), [LIST]);
}

#[tokio::test]
async fn an_endless_list_is_cut_and_that_is_said() {
    let endless = |asked: &Asked| {
        let page: usize = asked.line.rsplit_once("last=").map_or(0, |(_, last)| last.parse().unwrap());
        let link = format!("</v2/kindest/node/tags/list?last={}>; rel=\"next\"", page + 1);
        answer(200, &[("link", &link)], &format!(r#"{{"tags":["v1.{page}.0"]}}"#))
    };
    let server = Server::start(endless).await;
    let listing = registry(RegistryKind::Oci, &server, None).tags().await.unwrap();
    assert_eq!((listing.tags.len(), server.asked().len()), (super::super::PAGES, super::super::PAGES));
    assert_eq!(listing.remark.as_deref(), Some("the registry has more tags than the 100 that were read"));
}

#[tokio::test]
async fn gitlab_gives_its_tokens_at_gitlab() {
    let token = "GET /jwt/auth?service=container_registry&scope=repository%3Akindest%2Fnode%3Apull";
    let gitlab = move |asked: &Asked| match (asked.line.as_str(), asked.authorization.as_deref()) {
        (line, Some(BASIC)) if line == format!("{token}&account=alex") => answer(200, &[], r#"{"token":"jwt"}"#),
        (line, _) if line.starts_with(token) => {
            answer(403, &[], r#"{"errors":[{"code":"DENIED","message":"access forbidden"}]}"#)
        }
        (_, Some("Bearer jwt")) => list(asked),
        (line, _) => panic!("{line}"),
    };
    let server = Server::start(gitlab).await;
    let private = registry(RegistryKind::Gitlab, &server, Some(("alex", TOKEN)));
    assert_eq!(private.tags().await.unwrap().tags, ["v1.37.2", "v1.10.0", "v1.9.0", "latest"]);
    assert_eq!(server.asked()[..2], [format!("{token}&account=alex {BASIC}"), format!("{LIST} Bearer jwt")]);
    let refused = failure(&*registry(RegistryKind::Gitlab, &server, Some(("alex", "other")))).await;
    assert!(refused.problem.contains("refuses the login 'alex'"), "{refused:?}");
    let nobody = failure(&*registry(RegistryKind::Gitlab, &server, None)).await;
    assert!(nobody.problem.contains("wants a login"), "{nobody:?}");
}
