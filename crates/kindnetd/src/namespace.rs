//! Network namespaces for tests: each is held by a thread of its own and vanishes with it.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, gettid};

type Task = Box<dyn FnOnce() + Send>;

/// A network namespace with loopback up.
pub(crate) struct Namespace {
    holder: Pid,
    tasks: Sender<Task>,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let (tasks, received) = channel::<Task>();
        let (started, holder) = channel();
        thread::spawn(move || {
            let unshared = unshare(CloneFlags::CLONE_NEWNET).map(|()| gettid());
            started.send(unshared).expect("the maker waits for its namespace");
            for task in received {
                task();
            }
        });
        let holder = holder
            .recv()
            .expect("the holder tells of its namespace")
            .unwrap_or_else(|error| panic!("these tests make network namespaces and so need root: {error}"));
        let namespace = Self { holder, tasks };
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs a task inside, and passes on its panic.
    pub(crate) fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        let task = move || {
            let result = catch_unwind(AssertUnwindSafe(task));
            done.send(result).expect("the caller waits for the result");
        };
        self.tasks.send(Box::new(task)).expect("the holder lives");
        match result.recv().expect("the holder answers") {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Runs asynchronous work inside, on a runtime of its own.
    pub(crate) fn run_async<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        self.run(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async { work().await })
        })
    }

    /// Runs iproute2's `ip` inside and returns what it prints.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        self.run(move || {
            let output = Command::new("ip").args(&arguments).output().expect("run ip");
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "ip {}: {complaint}", arguments.join(" "));
            String::from_utf8(output.stdout).expect("UTF-8")
        })
    }

    /// Sets a kernel parameter of this namespace, named by its path under `/proc/sys/net`.
    pub(crate) fn set(&self, parameter: &str, value: &'static str) {
        let path = format!("/proc/sys/net/{parameter}");
        self.run(move || fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}")));
    }

    /// Adds an interface that is up, with this MTU and these addresses. It leads nowhere.
    pub(crate) fn add_interface(&self, interface: &str, mtu: u32, addresses: &[&str]) {
        self.ip(&format!("link add {interface} mtu {mtu} type veth peer name {interface}-end mtu {mtu}"));
        self.ip(&format!("link set {interface}-end up"));
        self.ip(&format!("link set {interface} up"));
        for address in addresses {
            self.add_address(interface, address);
        }
    }

    /// Adds an address that is usable at once.
    pub(crate) fn add_address(&self, interface: &str, address: &str) {
        // Duplicate address detection of IPv6 would take a second.
        let detection = if address.contains(':') { " nodad" } else { "" };
        self.ip(&format!("address add {address} dev {interface}{detection}"));
    }

    /// Joins two namespaces by a veth pair, with these interface names.
    pub(crate) fn join(&self, interface: &str, peer: &Self, peer_interface: &str) {
        let holder = peer.holder;
        self.ip(&format!("link add {interface} type veth peer name {peer_interface} netns {holder}"));
        self.ip(&format!("link set {interface} up"));
        peer.ip(&format!("link set {peer_interface} up"));
    }
}
