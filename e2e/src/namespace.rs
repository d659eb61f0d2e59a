//! A Docker of one's own, on a file system of one's own, that may be filled and killed: in namespaces of its own, so
//! that neither its bridges and rules nor its mounts are the host's. Needs root.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::docker::Docker;
use crate::wait;

const STARTING: Duration = Duration::from_mins(1);

/// A Docker that nobody else uses.
#[derive(Debug)]
pub struct PrivateDocker {
    /// Keeps the namespaces, until its standard input is closed.
    holder: Child,
    /// Apart from the daemon, as packages have it: it lives on when the daemon dies.
    containerd: Option<Child>,
    daemon: Option<Child>,
    directory: TempDir,
}

/// For containerd as Docker uses it.
const CONTAINERD: &str = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";

impl PrivateDocker {
    /// Starts one on an empty file system of this size, in the notation of tmpfs.
    pub fn start(size: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut holder = Command::new("unshare");
        holder.args(["--net", "--mount", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let holder = holder.spawn().expect("unshare starts");
        let mut docker = Self { holder, containerd: None, daemon: None, directory };
        let data = docker.data();
        std::fs::create_dir(&data).expect("a directory is made");
        let own = |name: &str| std::fs::read_link(format!("/proc/{name}/ns/mnt")).ok();
        wait::until("unshare to make namespaces", STARTING, || {
            (own(&docker.holder.id().to_string())? != own("self")?).then_some(())
        });
        docker.inside(&["ip", "link", "set", "lo", "up"]);
        docker.inside(&["mount", "-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", path(&data)]);
        docker.start_containerd();
        docker.start_daemon();
        docker
    }

    /// Its client.
    pub fn client(&self) -> Docker {
        Docker::at(&self.host())
    }

    /// Its socket, as qbo-api is told it.
    pub fn host(&self) -> String {
        format!("unix://{}", path(&self.directory.path().join("docker.sock")))
    }

    /// The words before a command that runs where its file system and its networks are.
    pub fn enter(&self) -> Vec<String> {
        let target = self.holder.id().to_string();
        ["nsenter", "--net", "--mount", "--target", &target, "--"].map(str::to_owned).to_vec()
    }

    /// Gives its file system another size.
    pub fn resize(&self, size: &str) {
        self.inside(&["mount", "-o", &format!("remount,size={size}"), path(&self.data())]);
    }

    /// The bytes its file system holds.
    pub fn used(&self) -> u64 {
        let output = self.inside(&["df", "--output=used", "--block-size=1", path(&self.data())]);
        output.lines().last().and_then(|line| line.trim().parse().ok()).expect("df prints a number")
    }

    /// Ends the daemon the way a crash does; its containers live on.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("the daemon runs");
        daemon.kill().expect("the daemon runs");
        daemon.wait().expect("the daemon is our child");
    }

    /// Starts the daemon again.
    pub fn start_daemon(&mut self) {
        self.spawn_daemon();
        let client = self.client();
        wait::until("a Docker of our own to answer", STARTING, || client.attempt(&["info"]).ok());
    }

    fn spawn_daemon(&mut self) {
        let words = ["dockerd", "--host", &self.host(), "--containerd", &self.at("containerd.sock")];
        let places =
            ["--data-root", &self.at("data/docker"), "--exec-root", &self.at("exec"), "--pidfile", &self.at("pid")];
        self.daemon = Some(self.spawn(&[&words[..], &places].concat()));
    }

    fn start_containerd(&mut self) {
        std::fs::write(self.directory.path().join("containerd.toml"), CONTAINERD).expect("a file is written");
        let words = ["containerd", "--config", &self.at("containerd.toml"), "--address", &self.at("containerd.sock")];
        let places = ["--root", &self.at("data/containerd"), "--state", &self.at("containerd")];
        self.containerd = Some(self.spawn(&[&words[..], &places].concat()));
    }

    /// Starts a program in the namespaces, with a log of its own.
    fn spawn(&self, words: &[&str]) -> Child {
        let log = self.directory.path().join(format!("{}.log", words[0]));
        let log = File::options().append(true).create(true).open(log).expect("a log is written");
        let enter = self.enter();
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().expect("nsenter starts")
    }

    fn at(&self, name: &str) -> String {
        path(&self.directory.path().join(name)).to_owned()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What a command prints that runs in the namespaces.
    #[track_caller]
    fn inside(&self, words: &[&str]) -> String {
        let enter = self.enter();
        let output = Command::new(&enter[0]).args(&enter[1..]).args(words).output().expect("nsenter starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for PrivateDocker {
    fn drop(&mut self) {
        let client = self.client();
        // What is left of a test that failed while its daemon was dead lives on in namespaces of its own.
        if self.daemon.is_none() {
            self.spawn_daemon();
            let _ = wait::within(STARTING, || client.attempt(&["info"]));
        }
        let containers = client.attempt(&["ps", "--all", "--quiet"]).unwrap_or_default();
        let containers: Vec<&str> = containers.lines().collect();
        if !containers.is_empty() {
            let _ = client.attempt(&[&["rm", "--force", "--volumes"], containers.as_slice()].concat());
        }
        for process in [&mut self.daemon, &mut self.containerd].into_iter().flatten() {
            crate::server::terminate(process);
        }
        // The last process of the namespaces takes the file system with it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}
