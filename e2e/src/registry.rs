//! A registry of one's own: Debian's `docker-registry` on loopback, with a server of tokens in front that lets one login
//! in. Spoken to by hand, so that its tests do not lean on what they test.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::programs;

/// Whom it lets in.
pub const LOGIN: &str = "alex";
/// With letters that are special in addresses, in JSON and in base64.
pub const TOKEN: &str = "~?>&%+/\"\\ token";

/// Of a registry alone.
const OWN: Counter = Counter { path: "/token", service: "qbo-e2e" };
/// As GitLab has it, on a host other than its registry's.
const GITLAB: Counter = Counter { path: "/jwt/auth", service: "container_registry" };
/// For the registry to listen, and for each of its answers.
const STARTING: Duration = Duration::from_mins(1);
const ANSWER: Duration = Duration::from_mins(1);
/// For how long a token is good, in seconds.
const TOKEN_LIFETIME: u64 = 60;

/// A running registry. Its server of tokens ends with the test's process: it only waits to be asked.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    port: u16,
    /// Where its tokens are given, on which port; none where it asks for none.
    tokens: Option<(Counter, u16)>,
    _directory: TempDir,
}

/// Where tokens are given.
#[derive(Debug, Clone, Copy)]
struct Counter {
    path: &'static str,
    /// As the registry and the server of tokens call each other.
    service: &'static str,
}

/// What signs tokens.
struct Signer {
    counter: Counter,
    key: KeyPair,
    /// The certificate of the key, as the header of a token has it.
    certificate: String,
}

/// An answer, its headers by their names in lower case.
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Registry {
    /// Starts one, and waits until it listens.
    pub fn start() -> Self {
        Self::guarded(OWN)
    }

    /// The same with its tokens where GitLab has them, see [`Self::tokens_host`].
    pub fn start_as_gitlab() -> Self {
        Self::guarded(GITLAB)
    }

    fn guarded(counter: Counter) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (port, bundle) = Self::tokens(&directory, counter);
        let authentication = json!({"token": {
            "realm": format!("http://127.0.0.1:{port}{}", counter.path),
            "service": counter.service,
            "issuer": counter.service,
            "rootcertbundle": bundle,
        }});
        Self::serve(directory, Some((counter, port)), &json!({"auth": authentication}))
    }

    /// Starts one that lets everybody in.
    pub fn open() -> Self {
        Self::serve(tempfile::tempdir().expect("a temporary directory"), None, &json!({}))
    }

    /// Starts a server of tokens; returns its port, and what they are checked by.
    fn tokens(directory: &TempDir, counter: Counter) -> (u16, std::path::PathBuf) {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key is made");
        let certificate = CertificateParams::default().self_signed(&key).expect("a certificate is made");
        let bundle = directory.path().join("tokens.pem");
        std::fs::write(&bundle, certificate.pem()).expect("a certificate is written");
        (serve_tokens(Signer { counter, key, certificate: STANDARD.encode(certificate.der()) }), bundle)
    }

    fn serve(directory: TempDir, tokens: Option<(Counter, u16)>, more: &Value) -> Self {
        let mut configuration = json!({
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": directory.path().join("data")}},
            "http": {"addr": "127.0.0.1:0"},
        });
        let (all, more) = (configuration.as_object_mut(), more.as_object());
        all.expect("a map").extend(more.expect("a map").clone());
        // YAML holds JSON.
        let file = directory.path().join("config.yml");
        std::fs::write(&file, configuration.to_string()).expect("a configuration is written");
        let mut command = Command::new(programs::docker_registry());
        command.arg("serve").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("docker-registry starts");
        let log = BufReader::new(process.stderr.take().expect("its standard error is a pipe"));
        let (found, listening) = mpsc::channel();
        std::thread::spawn(move || {
            // All of it is read, so that the registry can write it.
            for port in log.lines().map_while(Result::ok).filter_map(|line| port(&line)) {
                // Nobody waits for it a second time.
                let _ = found.send(port);
            }
        });
        let port = listening.recv_timeout(STARTING);
        let port = port.unwrap_or_else(|_| {
            let _ = process.kill();
            panic!("docker-registry did not listen within {} s", STARTING.as_secs())
        });
        Self { process, port, tokens, _directory: directory }
    }

    /// Its host as images have it before their names.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The host of its tokens.
    pub fn tokens_host(&self) -> String {
        let (_, port) = self.tokens.expect("it asks for tokens");
        format!("127.0.0.1:{port}")
    }

    /// Puts an image of one file into it.
    pub fn push(&self, repository: &str, tag: &str, path: &str, text: &str) {
        self.push_layer(repository, tag, &archive(path, 0o644, text.as_bytes()));
    }

    /// Puts an image of one program into it.
    pub fn push_program(&self, repository: &str, tag: &str, path: &str, program: &[u8]) {
        self.push_layer(repository, tag, &archive(path, 0o755, program));
    }

    fn push_layer(&self, repository: &str, tag: &str, layer: &[u8]) {
        let configuration = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]},
        });
        let configuration = configuration.to_string().into_bytes();
        let descriptor = |kind: &str, contents: &[u8]| {
            json!({
                "mediaType": format!("application/vnd.oci.image.{kind}"),
                "digest": sha256(contents),
                "size": contents.len(),
            })
        };
        let manifest_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": descriptor("config.v1+json", &configuration),
            "layers": [descriptor("layer.v1.tar", layer)],
        });
        let authorization = self.authorization(repository);
        for blob in [layer, &configuration] {
            let begun =
                request(self.port, "POST", &format!("/v2/{repository}/blobs/uploads/"), &authorization, "", &[]);
            assert_eq!(begun.status, 202, "{}", begun.body);
            let location = begun.headers.get("location").expect("an upload has a place");
            let path = &location[location.find("/v2/").expect("it is the registry's")..];
            let path = format!("{path}&digest={}", sha256(blob));
            let put = request(self.port, "PUT", &path, &authorization, "application/octet-stream", blob);
            assert_eq!(put.status, 201, "{}", put.body);
        }
        let path = format!("/v2/{repository}/manifests/{tag}");
        let put = request(self.port, "PUT", &path, &authorization, manifest_type, manifest.to_string().as_bytes());
        assert_eq!(put.status, 201, "{}", put.body);
    }

    fn authorization(&self, repository: &str) -> String {
        let Some((Counter { path, service }, tokens)) = self.tokens else { return String::new() };
        let path = format!("{path}?service={service}&scope=repository:{repository}:pull,push");
        let basic = format!("Basic {}", STANDARD.encode(format!("{LOGIN}:{TOKEN}")));
        let granted = request(tokens, "GET", &path, &basic, "", &[]);
        let granted: Value = serde_json::from_str(&granted.body).expect("a token is JSON");
        format!("Bearer {}", granted["token"].as_str().expect("a token is given"))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Signer {
    /// A token for these rights (<https://distribution.github.io/distribution/spec/auth/jwt/>).
    fn token(&self, access: &[Value]) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970").as_secs();
        let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": self.counter.service, "sub": LOGIN, "aud": self.counter.service, "jti": now.to_string(),
            // Clocks are the same; seconds may have been cut.
            "iat": now, "nbf": now - 1, "exp": now + TOKEN_LIFETIME,
            "access": access,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(signed.as_bytes()).expect("a token is signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Starts a server of tokens and returns its port. Whoever comes without a login gets a token without rights, as from
/// Docker Hub.
fn serve_tokens(signer: Signer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    let signer = Arc::new(signer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let signer = Arc::clone(&signer);
            // Who goes away before the answer does not want it.
            std::thread::spawn(move || grant(&signer, stream));
        }
    });
    port
}

/// Answers one request.
fn grant(signer: &Signer, stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(ANSWER))?;
    let mut reader = BufReader::new(stream);
    let (line, headers) = read_head(&mut reader)?;
    let expected = format!("Basic {}", STANDARD.encode(format!("{LOGIN}:{TOKEN}")));
    let target = line.split_whitespace().nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_for_us = path == signer.counter.path
        && query.split('&').any(|pair| pair.strip_prefix("service=") == Some(signer.counter.service));
    let scopes = query.split('&').filter_map(|pair| pair.strip_prefix("scope=")).map(decode);
    let access = scopes.filter_map(|scope| {
        let (kind, rest) = scope.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        Some(json!({"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()}))
    });
    let (status, body) = match headers.get("authorization") {
        // A client may try OAuth 2 first.
        _ if !line.starts_with("GET ") => ("405 Method Not Allowed", json!({})),
        _ if !is_for_us => ("404 Not Found", json!({})),
        None => ("200 OK", json!({"token": signer.token(&[])})),
        Some(shown) if *shown == expected => {
            ("200 OK", json!({"token": signer.token(&access.collect::<Vec<_>>()), "expires_in": TOKEN_LIFETIME}))
        }
        Some(_) => ("401 Unauthorized", json!({"details": "incorrect username or password"})),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
    write!(reader.get_mut(), "{head}\r\nconnection: close\r\n\r\n{body}")
}

/// Makes a request of a server on loopback.
fn request(port: u16, method: &str, path: &str, authorization: &str, content_type: &str, body: &[u8]) -> Answer {
    let exchange = || -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: {authorization}");
        let length = body.len();
        write!(
            stream,
            "{head}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        stream.write_all(body)?;
        let mut reader = BufReader::new(stream);
        let (line, headers) = read_head(&mut reader)?;
        let mut body = String::new();
        reader.read_to_string(&mut body)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Ok(Answer { status, headers, body })
    };
    exchange().unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// The first line, and the headers.
fn read_head(reader: &mut impl BufRead) -> std::io::Result<(String, HashMap<String, String>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let header = |line: String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    Ok((first, lines.filter_map(header).collect()))
}

/// The text of a query's percent-encoding.
fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()).expect("two hexadecimal digits");
        decoded.push(char::from(code));
        decoded.push_str(&part[2..]);
    }
    decoded
}

/// A tar archive of one file.
pub fn archive(path: &str, mode: u32, contents: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(contents.len() as u64);
    header.set_mode(mode);
    archive.append_data(&mut header, path, contents).expect("a file is written");
    archive.into_inner().expect("an archive is written")
}

/// The digest of bytes, as images tell it.
pub fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The port of the line in the log that tells it: `… msg="listening on 127.0.0.1:5000" …`.
fn port(line: &str) -> Option<u16> {
    let (_, address) = line.split_once("listening on ")?;
    address.split('"').next()?.rsplit(':').next()?.parse().ok()
}
