//! Docker Hub, as its site answers.

use qbo_api::message::Code;

use super::server::{Asked, Server, answer};
use super::{TOKEN, failure, registry};
use crate::config::RegistryKind;

const PAGES: [&str; 2] = [include_str!("docker_hub_page_1.json"), include_str!("docker_hub_page_2.json")];

/// The pages name the site; this server is it.
fn page(asked: &Asked) -> axum::http::Response<axum::body::Body> {
    let page = match asked.line.as_str() {
        "GET /v2/repositories/kindest/node/tags?page_size=100" => PAGES[0],
        "GET /v2/repositories/kindest/node/tags?page=2&page_size=100" => PAGES[1],
        other => panic!("{other}"),
    };
    answer(200, &[], &page.replace("https://hub.docker.com", &asked.base))
}

#[tokio::test]
async fn all_pages_are_read_and_put_in_order() {
    let server = Server::start(page).await;
    let registry = registry(RegistryKind::Docker, &server, None);
    let listing = registry.tags().await.unwrap();
    assert_eq!(listing.tags, ["v1.33.1", "v1.33.1-beta.0", "v1.30.13", "v1.9.11", "latest"]);
    assert_eq!(listing.remark, None);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn pages_of_another_site_are_not_read() {
    let server = Server::start(|_| answer(200, &[], PAGES[0])).await;
    let registry = registry(RegistryKind::Docker, &server, None);
    assert_eq!(registry.tags().await.unwrap().tags, ["v1.33.1", "v1.30.13", "latest"]);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_login_is_changed_for_a_token() {
    let log_in = |asked: &Asked| match asked.line.as_str() {
        "POST /v2/auth/token" if asked.body == format!(r#"{{"identifier":"alex","secret":"{TOKEN}"}}"#) => {
            answer(200, &[], r#"{"access_token":"jwt"}"#)
        }
        "POST /v2/auth/token" => answer(401, &[], r#"{"detail":"Incorrect authentication credentials"}"#),
        _ if asked.authorization.as_deref() == Some("Bearer jwt") => page(asked),
        // The Hub does not tell of private repositories.
        _ => answer(404, &[], r#"{"message":"object not found","errinfo":{}}"#),
    };
    let server = Server::start(log_in).await;
    let tags = registry(RegistryKind::Docker, &server, Some(("alex", TOKEN))).tags().await.unwrap().tags;
    assert_eq!(tags.len(), 5);

    let wrong = registry(RegistryKind::Docker, &server, Some(("sam", TOKEN)));
    let refused = failure(&*wrong).await;
    assert_eq!(refused.code, Code::BAD_GATEWAY);
    assert!(refused.problem.contains("refuses the login 'sam'"), "{refused:?}");
    assert!(refused.cure.contains("registry_token"), "{refused:?}");
    let nobody = registry(RegistryKind::Docker, &server, None);
    assert_eq!(failure(&*nobody).await.code, Code::NOT_FOUND);
    assert!(nobody.answers().await, "it is there all the same");
}

#[tokio::test]
async fn one_that_is_asked_too_often_or_is_ill_is_there_all_the_same() {
    for status in [429, 500, 503] {
        let server = Server::start(move |_| answer(status, &[], "")).await;
        assert!(registry(RegistryKind::Docker, &server, None).answers().await, "{status}");
    }
}

#[tokio::test]
async fn a_login_is_sent_nowhere_else() {
    let elsewhere = Server::start(|_| answer(200, &[], r#"{"access_token":"jwt"}"#)).await;
    for status in [307, 308] {
        let location = format!("http://{}/v2/auth/token", elsewhere.host());
        let server = Server::start(move |_| answer(status, &[("location", &location)], "")).await;
        let failure = failure(&*registry(RegistryKind::Docker, &server, Some(("alex", TOKEN)))).await;
        assert!(failure.problem.contains("wants credentials sent on to another address"), "{failure:?}");
        assert!(failure.cure.contains("registry_auth"), "{failure:?}");
    }
    assert!(elsewhere.asked().is_empty(), "{:?}", elsewhere.asked());
}
