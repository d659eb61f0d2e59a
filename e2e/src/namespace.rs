//! A Docker of one's own, on a file system of one's own, that may be filled and killed: in namespaces of its own, so
//! that neither its bridges and rules nor its mounts are the host's. Needs root.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::docker::Docker;
use crate::{cgroups, wait};

const STARTING: Duration = Duration::from_mins(5);
/// For the size of a file system to be changed while others write to it.
const RESIZING: Duration = Duration::from_mins(1);

/// A Docker that nobody else uses, on a machine that nobody else uses.
#[derive(Debug)]
pub struct PrivateDocker {
    /// Keeps the file system that Docker's data is on, until its standard input is closed.
    disk: Child,
    /// None while it has no power.
    machine: Option<Machine>,
    directory: TempDir,
}

/// What a machine loses with its power: its network, its mounts, its `/run`, and all that runs.
#[derive(Debug)]
struct Machine {
    /// Keeps the namespaces, until its standard input is closed.
    holder: Child,
    /// Apart from the daemon, as packages have it: it lives on when the daemon dies.
    containerd: Option<Child>,
    daemon: Option<Child>,
}

/// For containerd as Docker uses it.
const CONTAINERD: &str = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";

impl PrivateDocker {
    /// Starts one on an empty file system of this size, in the notation of tmpfs.
    pub fn start(size: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["data", "run"] {
            std::fs::create_dir(directory.path().join(name)).expect("a directory is made");
        }
        let mut docker = Self { disk: hold(&["unshare", "--mount", "cat"]), machine: None, directory };
        let data = docker.at("data");
        let mount = ["mount", "-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", &data];
        run(&[&["nsenter", "--mount", "--target", &docker.disk.id().to_string(), "--"], &mount[..]].concat());
        docker.power_on();
        docker.start_daemon();
        docker
    }

    /// Gives its machine power; nothing runs there yet.
    pub fn power_on(&mut self) {
        let disk = self.disk.id().to_string();
        let holder = hold(&["nsenter", "--mount", "--target", &disk, "--", "unshare", "--net", "--mount", "cat"]);
        self.machine = Some(Machine { holder, containerd: None, daemon: None });
        self.inside(&["ip", "link", "set", "lo", "up"]);
        self.inside(&["mount", "-t", "tmpfs", "tmpfs", &self.at("run")]);
    }

    /// Ends all that runs on the machine at once, without a word to it: Docker, its containers, and who was started there with
    /// [`Self::enter`].
    pub fn lose_power(&mut self) {
        let containers = self.client().run(&["ps", "--all", "--quiet", "--no-trunc"]);
        let namespace = self.namespace();
        let machine = self.machine.take().expect("the machine has power");
        wait::until("all processes to end", STARTING, || {
            let processes = processes_of(&namespace);
            for process in processes.iter().filter_map(|process| Pid::from_raw(*process)) {
                // It may have ended with another.
                let _ = kill_process(process, Signal::KILL);
            }
            processes.is_empty().then_some(())
        });
        for mut child in [Some(machine.holder), machine.containerd, machine.daemon].into_iter().flatten() {
            child.wait().expect("it is our child");
        }
        cgroups::remove(&containers.lines().collect::<Vec<_>>());
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
        let target = self.powered().holder.id().to_string();
        ["nsenter", "--net", "--mount", "--target", &target, "--"].map(str::to_owned).to_vec()
    }

    /// Gives its file system another size.
    pub fn resize(&self, size: &str) {
        self.attempt_resize(size).expect("it holds no more than that");
    }

    /// Leaves this many bytes of its file system free. No size is taken that is less than what Docker has written meanwhile.
    pub fn leave(&self, bytes: u64) {
        wait::until_ok("the file system to be resized", RESIZING, || {
            self.attempt_resize(&(self.used() + bytes).to_string())
        });
    }

    fn attempt_resize(&self, size: &str) -> Result<String, String> {
        let words = ["mount", "-o", &format!("remount,size={size}"), &self.at("data")];
        attempt(&self.entered(&words))
    }

    /// The bytes its file system holds.
    fn used(&self) -> u64 {
        let output = self.inside(&["df", "--output=used", "--block-size=1", &self.at("data")]);
        output.lines().last().and_then(|line| line.trim().parse().ok()).expect("df prints a number")
    }

    /// Ends the daemon the way a crash does; its containers live on.
    pub fn kill(&mut self) {
        let mut daemon = self.powered_mut().daemon.take().expect("the daemon runs");
        daemon.kill().expect("the daemon runs");
        daemon.wait().expect("the daemon is our child");
    }

    /// Ends the daemon the way a service manager does: its containers end first, while it still answers.
    pub fn stop_daemon(&mut self) {
        let mut daemon = self.powered_mut().daemon.take().expect("the daemon runs");
        crate::server::terminate(&mut daemon);
    }

    /// Starts the daemon, and containerd where that does not run.
    pub fn start_daemon(&mut self) {
        if self.powered().containerd.is_none() {
            self.start_containerd();
        }
        self.spawn_daemon();
        let client = self.client();
        wait::until("a Docker of our own to answer", STARTING, || client.attempt(&["info"]).ok());
    }

    fn spawn_daemon(&mut self) {
        let words = ["dockerd", "--host", &self.host(), "--containerd", &self.at("run/containerd.sock")];
        let [data, run, pid] = ["data/docker", "run/docker", "run/docker.pid"].map(|name| self.at(name));
        let places = ["--data-root", &data, "--exec-root", &run, "--pidfile", &pid];
        self.powered_mut().daemon = Some(self.spawn(&[&words[..], &places].concat()));
    }

    fn start_containerd(&mut self) {
        std::fs::write(self.directory.path().join("containerd.toml"), CONTAINERD).expect("a file is written");
        let words = ["containerd", "--config", &self.at("containerd.toml")];
        let [socket, data, run] =
            ["run/containerd.sock", "data/containerd", "run/containerd"].map(|name| self.at(name));
        let places = ["--address", &socket, "--root", &data, "--state", &run];
        self.powered_mut().containerd = Some(self.spawn(&[&words[..], &places].concat()));
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

    /// What a command prints that runs in the namespaces.
    #[track_caller]
    fn inside(&self, words: &[&str]) -> String {
        run(&self.entered(words))
    }

    /// The words of a command that runs there.
    fn entered(&self, words: &[&str]) -> Vec<String> {
        self.enter().into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect()
    }

    fn powered(&self) -> &Machine {
        self.machine.as_ref().expect("the machine has power")
    }

    fn powered_mut(&mut self) -> &mut Machine {
        self.machine.as_mut().expect("the machine has power")
    }

    fn namespace(&self) -> PathBuf {
        namespace_of(&self.powered().holder.id().to_string()).expect("the machine has namespaces")
    }

    /// Removes all containers, and ends Docker.
    fn shut_down(&mut self) {
        let client = self.client();
        // What is left of a test that failed while its daemon was dead lives on in namespaces of its own.
        if self.powered().daemon.is_none() {
            self.spawn_daemon();
            let _ = wait::within(STARTING, || client.attempt(&["info"]));
        }
        let containers = client.attempt(&["ps", "--all", "--quiet"]).unwrap_or_default();
        let containers: Vec<&str> = containers.lines().collect();
        if !containers.is_empty() {
            let _ = client.attempt(&[&["rm", "--force", "--volumes"], containers.as_slice()].concat());
        }
        let machine = self.powered_mut();
        for process in [&mut machine.daemon, &mut machine.containerd].into_iter().flatten() {
            crate::server::terminate(process);
        }
        release(&mut machine.holder);
    }
}

impl Drop for PrivateDocker {
    fn drop(&mut self) {
        if self.machine.is_some() {
            self.shut_down();
        }
        // The last process of the namespace takes the file system with it.
        release(&mut self.disk);
    }
}

/// Starts something that makes namespaces of mounts and waits in them, and waits until it has.
fn hold(words: &[&str]) -> Child {
    let mut command = Command::new(words[0]);
    let holder = command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let cat = || std::fs::read_to_string(format!("/proc/{}/comm", holder.id())).ok().filter(|name| name == "cat\n");
    wait::until("namespaces to be made", STARTING, cat);
    holder
}

fn release(holder: &mut Child) {
    drop(holder.stdin.take());
    let _ = holder.wait();
}

/// What a command prints.
#[track_caller]
fn run(words: &[impl AsRef<OsStr> + Debug]) -> String {
    attempt(words).unwrap_or_else(|said| panic!("{words:?}: {said}"))
}

/// What a command prints, or what it says on standard error.
fn attempt(words: &[impl AsRef<OsStr>]) -> Result<String, String> {
    let output = Command::new(&words[0]).args(&words[1..]).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A process's namespace of mounts; none where it has ended.
fn namespace_of(process: &str) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{process}/ns/mnt")).ok()
}

/// The processes in a namespace of mounts; then their children in others, which are the first processes of containers: all others in
/// those end with them.
fn processes_of(namespace: &Path) -> Vec<i32> {
    let listed = std::fs::read_dir("/proc").expect("processes are listed").flatten();
    let processes = listed.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (id, own) = (name.parse::<i32>().ok()?, namespace_of(&name)?);
        // Behind the name of the program, which may hold anything, stand its state and its parent (proc_pid_stat(5)).
        let status = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = status.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()?;
        Some((id, parent, own == namespace))
    });
    let (inside, outside): (Vec<_>, Vec<_>) = processes.partition(|(_, _, is_inside)| *is_inside);
    let inside: Vec<i32> = inside.into_iter().map(|(id, ..)| id).collect();
    let children = outside.into_iter().filter(|(_, parent, _)| inside.contains(parent)).map(|(id, ..)| id);
    inside.iter().copied().chain(children).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}
