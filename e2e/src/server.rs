//! A qbo-api of one's own: on a free port, with a home directory and a range of networks of its own, ended with its
//! value.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{Ended, Running};
use crate::programs::Programs;

/// Where no other Docker network is expected, nor any other qbo-api's.
pub const NETWORK_RANGE: &str = "10.222.0.0/16";

/// The driver's log tells of every attempt at an API server that does not answer yet.
const LOG: &str = "info,qbo_server=debug,qbo_server::session::connection=info,kube_client=off";
/// For a server to listen, and to undo what runs when it is ended.
const STARTING: Duration = Duration::from_mins(1);
const ENDING: Duration = Duration::from_mins(2);

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its range of networks.
    pub network_range: String,
    /// The image of nodes where a command names none; found out by the server where none is named here either.
    pub image: Option<String>,
    /// Docker's socket where it is not the usual one, as `unix:///var/run/docker.sock`.
    pub docker: Option<String>,
    /// The words before the commands that start it and the CLI, where they run in namespaces other than ours.
    pub enter: Vec<String>,
    /// What stands in its `api.json`; without one it does with its defaults.
    pub configuration: Option<Value>,
    /// More of its command line.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            network_range: NETWORK_RANGE.into(),
            image: None,
            docker: None,
            enter: Vec::new(),
            configuration: None,
            arguments: Vec::new(),
        }
    }
}

impl Options {
    fn command(&self, program: &Path) -> Command {
        let mut words = self.enter.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().expect("the program is one of them"));
        command.args(words);
        command
    }
}

/// A running qbo-api.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    options: Options,
    process: Child,
    port: u16,
    home: TempDir,
}

impl Server {
    /// Starts one, and waits until it listens.
    pub fn start(programs: &Programs, options: &Options) -> Self {
        Self::start_in(programs, options, tempfile::tempdir().expect("a temporary directory"))
    }

    /// The same with the home directory of another that has ended.
    pub fn start_in(programs: &Programs, options: &Options, home: TempDir) -> Self {
        if let Some(configuration) = &options.configuration {
            let directory = home.path().join(".qbo");
            std::fs::create_dir_all(&directory).expect("a directory is made");
            std::fs::write(directory.join("api.json"), configuration.to_string())
                .expect("its configuration is written");
        }
        let mut command = options.command(&programs.qbo_api);
        command.args(["--listen", "127.0.0.1:0", "--network-range", &options.network_range]);
        command.args(options.image.iter().flat_map(|image| ["--image", image]));
        command.args(options.docker.iter().flat_map(|docker| ["--docker", docker]));
        command.args(&options.arguments);
        command.env("HOME", home.path()).env("RUST_LOG", LOG).env("NO_COLOR", "1");
        // Of no use for anything on this host, and nobody is to use it for that.
        command.env("HTTPS_PROXY", "http://127.0.0.1:1");
        let mut process = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("qbo-api starts");
        let log = BufReader::new(process.stderr.take().expect("its standard error is a pipe"));
        let file = File::options().append(true).create(true).open(log_path(home.path())).expect("its log is written");
        let (found, listening) = mpsc::channel();
        std::thread::spawn(move || keep_log(log, file, &found));
        let Ok(port) = listening.recv_timeout(STARTING) else {
            let _ = process.kill();
            let log = std::fs::read_to_string(log_path(home.path())).unwrap_or_default();
            panic!("qbo-api did not listen within {} s; its log:\n{log}", STARTING.as_secs());
        };
        Self { programs: programs.clone(), options: options.clone(), process, port, home }
    }

    /// The CLI with these words, for this server.
    pub fn qbo(&self, words: &str) -> Command {
        let mut command = self.options.command(&self.programs.qbo);
        command.args(words.split_whitespace());
        self.address(&mut command);
        command
    }

    /// A shell with the CLI in its path, for this server.
    pub fn shell(&self, script: &str) -> Command {
        let mut directories = vec![self.programs.qbo.parent().expect("the CLI is in a directory").to_owned()];
        directories.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let path = std::env::join_paths(directories).expect("directories of a path are one");
        let mut command = self.options.command(Path::new("bash"));
        command.args(["-o", "pipefail", "-c", script]).env("PATH", path).current_dir(self.home());
        self.address(&mut command);
        command
    }

    fn address(&self, command: &mut Command) {
        command.env("HOME", self.home.path()).env_remove("QBO_UID").env_remove("KUBECONFIG");
        command.env("QBO_HOST", "127.0.0.1").env("QBO_PORT", self.port.to_string()).stdin(Stdio::null());
    }

    /// Runs the CLI to its end.
    #[track_caller]
    pub fn run(&self, words: &str) -> Ended {
        Running::start(self.qbo(words)).end()
    }

    /// Runs the CLI for something that is to be done.
    #[track_caller]
    pub fn done(&self, words: &str) -> Ended {
        let ended = self.run(words);
        ended.assert_done();
        ended
    }

    /// Runs the CLI for something that the server is to refuse, with this exit code, code and these words.
    #[track_caller]
    pub fn refuses(&self, words: &str, exit: i32, code: u16, said: &str) {
        self.run(words).assert_failed(exit, code, said);
    }

    /// The status and the body of its answer to a GET of plain HTTP.
    pub fn http(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("qbo-api listens");
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("a request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer is read");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status");
        (status, body.to_owned())
    }

    /// The home directory of its user.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_path(self.home())).unwrap_or_default()
    }

    /// Ends it the way a crash does, and leaves its home directory.
    pub fn crash(mut self) -> TempDir {
        self.process.kill().expect("qbo-api runs");
        self.process.wait().expect("qbo-api is our child");
        std::mem::replace(&mut self.home, tempfile::tempdir().expect("a temporary directory"))
    }

    /// Ends it the way a service manager does.
    pub fn end(mut self) -> ExitStatus {
        terminate(&mut self.process)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            terminate(&mut self.process);
        }
    }
}

fn log_path(home: &Path) -> PathBuf {
    home.join("qbo-api.log")
}

/// Keeps what is logged, and tells the port once it is known.
fn keep_log(log: impl BufRead, mut file: File, found: &mpsc::Sender<u16>) {
    for line in log.lines().map_while(Result::ok) {
        // The log is for the eyes of whoever looks into a failure.
        let _ = writeln!(file, "{line}");
        // In a line of JSON a quotation mark is behind it.
        let address = line.split_once("listening on ").and_then(|(_, address)| address.split('"').next());
        let port = address.and_then(|address| address.rsplit(':').next()?.parse().ok());
        if let Some(port) = port {
            // Nobody waits for it a second time.
            let _ = found.send(port);
        }
    }
}

/// Presses Ctrl-C in a program.
pub fn interrupt(process: &Child) {
    kill_process(Pid::from_child(process), Signal::INT).expect("it runs");
}

/// Asks a process to end, and waits until it has.
pub(crate) fn terminate(process: &mut Child) -> ExitStatus {
    let pid = Pid::from_child(process);
    // It may have ended by itself.
    let _ = kill_process(pid, Signal::TERM);
    crate::wait::until("a process to end", ENDING, || process.try_wait().expect("it is our child"))
}
