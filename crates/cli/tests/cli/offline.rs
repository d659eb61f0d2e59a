//! What needs no server, and what is said where there is none.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use super::Qbo;

/// The CLI with a port nobody listens on, and what keeps it from being given to somebody else.
fn without_a_server() -> (Qbo, TcpSocket) {
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
    (Qbo::new(nobody.local_addr().unwrap().port()), nobody)
}

#[tokio::test]
async fn without_a_server_it_says_how_to_start_one() {
    let (qbo, _nobody) = without_a_server();
    let ended = qbo.run("get cluster").await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
    assert!(ended.errors.contains(&format!("no API server answers at 127.0.0.1:{}", qbo.port)), "{}", ended.errors);
    assert!(ended.errors.contains("qbo-api"), "{}", ended.errors);
}

#[tokio::test]
async fn version_works_without_a_server() {
    let (qbo, _nobody) = without_a_server();
    let ended = qbo.run("version").await;
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.output, concat!(r#"{"version":[{"qbo_cli":""#, env!("CARGO_PKG_VERSION"), "\"}]}\n"));
    assert!(ended.errors.contains("no API server"), "{}", ended.errors);
}

#[tokio::test]
async fn the_host_is_tested_without_a_server() {
    let (qbo, _nobody) = without_a_server();
    let ended = qbo.run("test host").await;
    assert!(ended.errors.contains("checking this host without it"), "{}", ended.errors);
    let bad = ended.output.contains(r#""level":"bad""#);
    assert_eq!(ended.code, Some(if bad { 2 } else { 0 }), "{}", ended.output);
    assert!(ended.output.contains(r#"{"output":[{"message":"#), "{}", ended.output);
}

#[tokio::test]
async fn a_wrong_line_is_marked_and_not_sent() {
    // There is no server, and it is not missed.
    let (qbo, _nobody) = without_a_server();
    let ended = qbo.run("add cluster alex -n 0 -o json").await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(1), ""));
    assert_eq!(
        ended.errors,
        "\
error: '0' is no number of nodes for a cluster
  qbo add cluster alex -n 0
                          ^
  -n takes 1 to 240
"
    );
}

#[tokio::test]
async fn something_else_that_listens_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let qbo = Qbo::new(listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    });
    let ended = qbo.run("get cluster").await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("is no qbo API server: it answered the upgrade with HTTP 404"), "{}", ended.errors);
    server.await.unwrap();
}

#[tokio::test]
async fn a_broken_configuration_is_told_with_its_place() {
    let qbo = Qbo::new(1);
    std::fs::create_dir(qbo.home.path().join(".qbo")).unwrap();
    std::fs::write(qbo.home.path().join(".qbo/cli.json"), "{\n oops").unwrap();
    let ended = qbo.run("get cluster").await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.errors.contains(".qbo/cli.json is not what qbo expects: key must be a string at line 2"),
        "{}",
        ended.errors
    );
}

#[tokio::test]
async fn help_is_at_every_level() {
    let qbo = Qbo::new(1);
    for (words, says) in [
        ("--help", "Usage: qbo COMMAND"),
        ("help", "Usage: qbo COMMAND"),
        ("add --help", "qbo add image IMAGE…"),
        ("add cluster alex -h", "Usage: qbo add cluster NAME…"),
        ("help add cluster", "Usage: qbo add cluster NAME…"),
        ("--version", concat!("qbo ", env!("CARGO_PKG_VERSION"))),
        ("man", ".TH QBO 1"),
        ("completion fish", "complete -c qbo"),
    ] {
        let ended = qbo.run(words).await;
        assert_eq!(ended.code, Some(0), "{words}: {}", ended.errors);
        assert!(ended.output.contains(says), "{words}: {}", ended.output);
    }
}
