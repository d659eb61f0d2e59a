//! The programs that tests and benchmarks start: built from this tree when they are first asked for, so that
//! nothing out of date is looked at unless it is asked for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Names a directory with qbo's programs where those are to be looked at, as after an installation.
const DIRECTORY: &str = "QBO_PROGRAMS";
/// Of the host, for programs that run where no library is: in pods of any image.
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

/// qbo's own programs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The CLI.
    pub qbo: PathBuf,
    /// The API server.
    pub qbo_api: PathBuf,
}

impl Programs {
    /// Those of the directory that `QBO_PROGRAMS` names, else those of this tree, built with this profile of cargo.
    pub fn find(profile: &str) -> Self {
        if let Some(directory) = std::env::var_os(DIRECTORY) {
            let named = |name: &str| {
                let path = Path::new(&directory).join(name);
                assert!(path.is_file(), "{DIRECTORY} names a directory without {name}: {}", path.display());
                path
            };
            return Self { qbo: named("qbo"), qbo_api: named("qbo-api") };
        }
        let mut words = vec!["-p", "qbo-cli", "-p", "qbo-server", "--bins", "--profile", profile];
        // With the console, where that is built.
        if repository().join("web/dist/index.html").is_file() {
            words.extend(["--features", "qbo-server/console"]);
        }
        let built = cargo(&words, "");
        let named = |name: &str| {
            let found = built.iter().find(|path| path.file_name().is_some_and(|file| file == name));
            found.unwrap_or_else(|| panic!("cargo did not build {name}")).clone()
        };
        Self { qbo: named("qbo"), qbo_api: named("qbo-api") }
    }
}

/// Builds what runs inside pods.
pub fn probe() -> PathBuf {
    let words = ["-p", "qbo-probe", "--bins", "--profile", "small", "--target", STATIC_TARGET];
    cargo(&words, "-C target-feature=+crt-static").pop().expect("cargo builds the probe")
}

/// The peer `kind`, as Debian has it: static, so it runs on older releases too.
pub fn kind() -> PathBuf {
    fetch("forky", "kind")
}

/// A registry, as Debian has it. The package is not installed: it would start a service.
pub fn docker_registry() -> PathBuf {
    fetch("bookworm", "docker-registry")
}

fn fetch(release: &str, package: &str) -> PathBuf {
    let script = repository().join("e2e/fetch-program");
    let output = Command::new(&script).args([release, package]).stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{} cannot be started: {error}", script.display()));
    let name = script.display();
    assert!(output.status.success(), "{name} {release} {package} failed; is a Debian mirror in reach?");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// The root of this repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a directory of the repository")
}

/// Builds, and returns the programs built.
fn cargo(words: &[&str], flags: &str) -> Vec<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--message-format", "json-render-diagnostics"]).args(words);
    if !flags.is_empty() {
        command.env("RUSTFLAGS", flags);
    }
    let output = command.current_dir(repository()).stderr(Stdio::inherit()).output().expect("cargo starts");
    assert!(output.status.success(), "cargo build {} failed", words.join(" "));
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?))).collect()
}
