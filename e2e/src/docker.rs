//! Docker through its own client.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::registry::sha256;

/// In the names of the containers with which a server looks into images.
const PROBE: &str = "qbo-probe-";

/// A Docker.
#[derive(Debug, Clone, Default)]
pub struct Docker {
    /// Its socket where it is not the usual one.
    host: Option<String>,
}

/// All that Docker holds, by id and name, but for the containers with which a server looks into images: those come and
/// go on its own account, see [`Docker::probes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    containers: BTreeSet<String>,
    networks: BTreeSet<String>,
    volumes: BTreeSet<String>,
    images: BTreeSet<String>,
}

impl Inventory {
    /// What is in one of two alone, a line each; empty where they are the same.
    pub fn difference(&self, before: &Self) -> String {
        let pairs = [
            (&self.containers, &before.containers),
            (&self.networks, &before.networks),
            (&self.volumes, &before.volumes),
            (&self.images, &before.images),
        ];
        let of_pair = |(now, before): (&BTreeSet<String>, &BTreeSet<String>)| {
            let more = now.difference(before).map(|line| format!("\n  more: {line}"));
            let less = before.difference(now).map(|line| format!("\n  less: {line}"));
            more.chain(less).collect::<String>()
        };
        pairs.map(of_pair).concat()
    }
}

impl Docker {
    /// The one at this socket.
    pub fn at(host: &str) -> Self {
        Self { host: Some(host.into()) }
    }

    /// What a command prints; it must succeed.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> String {
        self.attempt(words).unwrap_or_else(|said| panic!("docker {}: {said}", words.join(" ")))
    }

    /// What a command prints, or what it says on standard error.
    pub fn attempt(&self, words: &[&str]) -> Result<String, String> {
        let output = self.command(words).stdin(Stdio::null()).output().expect("docker starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Makes an image of one layer, for processors of this architecture, without any registry.
    pub fn load(&self, name: &str, architecture: &str, layer: &[u8]) {
        let configuration = serde_json::json!({
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]},
        });
        let manifest = serde_json::json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
        let mut archive = tar::Builder::new(Vec::new());
        let files = [
            ("config.json", configuration.to_string().into_bytes()),
            ("manifest.json", manifest.to_string().into_bytes()),
            ("layer.tar", layer.to_vec()),
        ];
        for (path, contents) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, contents.as_slice()).expect("a file is written");
        }
        let archive = archive.into_inner().expect("an archive is written");
        let mut load = self.command(&["load"]);
        let mut load = load.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("docker starts");
        let written = load.stdin.take().expect("its input is a pipe").write_all(&archive);
        assert!(written.is_ok() && load.wait().is_ok_and(|status| status.success()), "docker load {name}");
    }

    /// The client with these words.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(words).envs(self.host.iter().map(|host| ("DOCKER_HOST", host)));
        command
    }

    /// All that it holds.
    pub fn inventory(&self) -> Inventory {
        let list = |words: &[&str]| {
            let listed = self.run(words);
            listed.lines().filter(|line| !line.contains(PROBE)).map(str::to_owned).collect()
        };
        Inventory {
            containers: list(&["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]),
            // Those that Docker makes for itself are made anew whenever it starts.
            networks: list(&[
                "network",
                "ls",
                "--filter",
                "type=custom",
                "--no-trunc",
                "--format",
                "{{.ID}} {{.Name}}",
            ]),
            volumes: list(&["volume", "ls", "--format", "{{.Name}}"]),
            images: list(&["image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]),
        }
    }

    /// The containers with which a server looks into images just now.
    pub fn probes(&self) -> Vec<String> {
        let names = self.run(&["ps", "--all", "--filter", &format!("name={PROBE}"), "--format", "{{.Names}}"]);
        names.lines().map(str::to_owned).collect()
    }

    /// The names of the containers with this label.
    pub fn labelled(&self, label: &str) -> Vec<String> {
        let filter = format!("label={label}");
        let names = self.run(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
        names.lines().map(str::to_owned).collect()
    }

    /// The address of a running container on the network of this name.
    pub fn address(&self, container: &str, network: &str) -> String {
        let format = format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}");
        self.run(&["inspect", "--format", &format, container])
    }

    /// Puts a file into containers, as a directory of their own file system may be mounted into pods.
    pub fn copy_in(&self, file: &Path, containers: &[String], path: &str) {
        let directory = Path::new(path).parent().and_then(Path::to_str).expect("an absolute path");
        for container in containers {
            self.run(&["exec", container, "mkdir", "-p", directory]);
            self.run(&["cp", file.to_str().expect("a path of UTF-8"), &format!("{container}:{path}")]);
        }
    }
}
