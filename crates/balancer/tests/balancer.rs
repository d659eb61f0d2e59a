//! The balancer in front of real servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A server that says its name to whoever connects, and then returns each byte.
struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// An address that refuses connections, and that nobody else gets.
struct Nobody {
    address: SocketAddr,
    socket: TcpSocket,
}

impl Nobody {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self { address: socket.local_addr().unwrap(), socket }
    }

    /// From now on somebody.
    fn start(self, name: u8) -> Server {
        Server::accept(name, self.socket.listen(64).unwrap())
    }
}

impl Server {
    fn start(name: u8) -> Self {
        Nobody::new().start(name)
    }

    fn accept(name: u8, listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    stream.write_all(&[name]).await.unwrap();
                    let (mut read, mut write) = stream.split();
                    if tokio::io::copy(&mut read, &mut write).await.is_ok() {
                        // What comes after the client's end shows that the end was passed on.
                        let _ = write.write_all(b".").await;
                    }
                });
            }
        });
        Self { address, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A balancer within the test, and its list.
struct Balancer {
    address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Balancer {
    async fn start(servers: &[SocketAddr], limit: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let balancer = Self { address: listener.local_addr().unwrap(), directory };
        balancer.list(servers);
        let path = balancer.path();
        tokio::spawn(async move { qbo_balancer::run(vec![listener], &path, limit).await });
        balancer
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("balancer")
    }

    /// Replaces the list as the container engine does: the old file is removed, a new one made and written.
    fn list(&self, servers: &[SocketAddr]) {
        drop(std::fs::remove_file(self.path()));
        std::fs::write(self.path(), text(servers)).unwrap();
    }

    /// A connection, and the name of its server; none where it was closed instead.
    async fn connect(&self) -> Option<(u8, TcpStream)> {
        within("an answer", async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.read_u8().await.ok().map(|name| (name, stream))
        })
        .await
    }

    /// Connects until a server of this name answers.
    async fn reaches(&self, name: u8) -> TcpStream {
        within("the server's turn", async {
            loop {
                match self.connect().await {
                    Some((answered, stream)) if answered == name => return stream,
                    _ => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        })
        .await
    }

    async fn names(&self, count: usize) -> Vec<u8> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.connect().await.unwrap().0);
        }
        names
    }
}

fn text(servers: &[SocketAddr]) -> String {
    servers.iter().map(|server| server.to_string() + "\n").collect()
}

async fn returns(stream: &mut TcpStream) -> bool {
    let echo = async {
        stream.write_all(b"?").await?;
        stream.read_u8().await
    };
    within("a byte or an end", echo).await.is_ok()
}

#[tokio::test]
async fn servers_take_turns() {
    let (first, second) = (Server::start(1), Server::start(2));
    let balancer = Balancer::start(&[first.address, second.address], 64).await;
    assert_eq!(balancer.names(6).await, [1, 2, 1, 2, 1, 2]);
}

#[tokio::test]
async fn no_client_notices_a_server_that_is_down() {
    let (first, nobody, second) = (Server::start(1), Nobody::new(), Server::start(2));
    let balancer = Balancer::start(&[first.address, nobody.address, second.address], 64).await;
    let mut names = balancer.names(6).await;
    names.sort_unstable();
    assert_eq!(names, [1, 1, 1, 2, 2, 2]);
}

#[tokio::test]
async fn a_server_that_hangs_is_left_out() {
    // Its queue is full, and nobody takes anything out of it: the kernel leaves further clients without an answer.
    let hanging = Nobody::new();
    let _listener = hanging.socket.listen(0).unwrap();
    let _waiting = TcpStream::connect(hanging.address).await.unwrap();
    let server = Server::start(1);
    let balancer = Balancer::start(&[hanging.address, server.address], 64).await;
    assert_eq!(balancer.names(1).await, [1]);
    // If it was not left out, every other client would wait for it for 2 s.
    let begun = std::time::Instant::now();
    assert_eq!(balancer.names(40).await, [1; 40]);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_is_back_is_found_without_a_client() {
    let (first, second) = (Server::start(1), Nobody::new());
    let balancer = Balancer::start(&[first.address, second.address], 64).await;
    assert_eq!(balancer.names(4).await, [1, 1, 1, 1]);
    let _second = second.start(2);
    balancer.reaches(2).await;
}

#[tokio::test]
async fn where_no_server_answers_the_connection_ends_until_one_does() {
    let server = Nobody::new();
    let balancer = Balancer::start(&[server.address], 64).await;
    assert!(balancer.connect().await.is_none());
    // The next client is as good as a look of the balancer's own.
    let _server = server.start(1);
    assert_eq!(balancer.connect().await.map(|(name, _)| name), Some(1));
}

#[tokio::test]
async fn a_new_list_ends_connections_to_removed_servers_alone() {
    let (first, second, third) = (Server::start(1), Server::start(2), Server::start(3));
    let balancer = Balancer::start(&[first.address, second.address], 64).await;
    let (mut to_first, mut to_second) = (balancer.reaches(1).await, balancer.reaches(2).await);
    balancer.list(&[second.address, third.address]);
    let ended = within("the end of the connection", to_first.read_u8()).await;
    assert!(ended.is_err());
    assert!(returns(&mut to_second).await);
    balancer.reaches(3).await;
    let mut names = balancer.names(4).await;
    names.sort_unstable();
    assert_eq!(names, [2, 2, 3, 3]);
}

#[tokio::test]
async fn a_list_that_comes_later_is_found() {
    let server = Server::start(1);
    let balancer = Balancer::start(&[], 64).await;
    assert!(balancer.connect().await.is_none());
    balancer.list(&[server.address]);
    balancer.reaches(1).await;
}

#[tokio::test]
async fn one_direction_may_end_before_the_other() {
    let server = Server::start(1);
    let balancer = Balancer::start(&[server.address], 64).await;
    let (_, mut stream) = balancer.connect().await.unwrap();
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    within("the server's end", stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "last words.");
}

#[tokio::test]
async fn much_data_arrives_whole() {
    let server = Server::start(1);
    let balancer = Balancer::start(&[server.address], 64).await;
    let (_, mut stream) = balancer.connect().await.unwrap();
    let data: Vec<u8> = (0..4_000_000_u32).map(|index| index.to_le_bytes()[index as usize % 3]).collect();
    let (mut read, mut write) = stream.split();
    let send = async {
        write.write_all(&data).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let ((), read) = within("the data", async { tokio::join!(send, read.read_to_end(&mut received)) }).await;
    assert_eq!(read.unwrap(), data.len() + 1);
    assert!(received[..data.len()] == data[..]);
}

#[tokio::test]
async fn more_connections_than_the_limit_wait_for_one_to_end() {
    let server = Server::start(1);
    let balancer = Balancer::start(&[server.address], 2).await;
    let (first, _second) = (balancer.connect().await.unwrap(), balancer.connect().await.unwrap());
    let mut third = TcpStream::connect(balancer.address).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), third.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert_eq!(within("its turn", third.read_u8()).await.unwrap(), 1);
}

/// The program itself.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// A loopback address for each it listens at.
    addresses: Vec<SocketAddr>,
    list: PathBuf,
    _directory: tempfile::TempDir,
}

impl Program {
    async fn start(servers: &[SocketAddr]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("balancer");
        std::fs::write(&list, text(servers)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_qbo-balancer"));
        let mut child = command.arg("0").arg(&list).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut program = Self { child, lines, addresses: Vec::new(), list, _directory: directory };
        // It listens before it looks at the list.
        while let Some(address) = program.line().await.strip_prefix("listening on ") {
            program.addresses.push(match address.parse().unwrap() {
                SocketAddr::V4(address) => (Ipv4Addr::LOCALHOST, address.port()).into(),
                SocketAddr::V6(address) => (Ipv6Addr::LOCALHOST, address.port()).into(),
            });
        }
        program
    }

    async fn line(&mut self) -> String {
        within("a line", self.lines.next_line()).await.unwrap().unwrap()
    }

    /// The next line with these words.
    async fn says(&mut self, words: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(words) {
                return line;
            }
        }
    }

    async fn connect(&self, address: SocketAddr) -> (u8, TcpStream) {
        let mut stream = within("the program", TcpStream::connect(address)).await.unwrap();
        (within("the server", stream.read_u8()).await.unwrap(), stream)
    }
}

#[tokio::test]
async fn the_program_tells_how_servers_are_and_ends_at_once() {
    let (server, nobody) = (Server::start(1), Nobody::new());
    let mut program = Program::start(&[server.address, nobody.address]).await;
    for address in program.addresses.clone() {
        for _ in 0..2 {
            assert_eq!(program.connect(address).await.0, 1);
        }
    }
    let told = program.says(" down: ").await;
    let expected = "down: Connection refused (os error 111) (connections: 0; servers up: 1 of 2)";
    assert_eq!(told, format!("{} {expected}", nobody.address));
    let id = rustix::process::Pid::from_raw(program.child.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(within("the program's end", program.child.wait()).await.unwrap().success());
}

#[tokio::test]
async fn a_list_that_is_wrong_or_missing_is_told_and_changes_nothing() {
    let server = Server::start(1);
    let mut program = Program::start(&[server.address]).await;
    let (_, mut stream) = program.connect(program.addresses[0]).await;
    std::fs::write(&program.list, "nonsense\n").unwrap();
    program.says("'nonsense' is no address").await;
    std::fs::write(&program.list, "").unwrap();
    program.says("0 servers").await;
    std::fs::remove_file(&program.list).unwrap();
    std::fs::write(program.list.with_file_name("other"), "").unwrap();
    program.says("cannot read it").await;
    assert!(returns(&mut stream).await);
    assert_eq!(program.connect(program.addresses[0]).await.0, 1);
}

#[tokio::test]
async fn the_program_says_what_is_wrong() {
    for (arguments, message) in [
        (&["6443"][..], "qbo-balancer: usage: qbo-balancer [PORT LIST]\n"),
        (&["https", "list"][..], "qbo-balancer: 'https' is no port\n"),
        (
            &["0", "/nonexistent/list"][..],
            "qbo-balancer: /nonexistent: cannot watch it: No such file or directory (os error 2)\n",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_qbo-balancer")).args(arguments).output();
        let output = within("the program's end", output).await.unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(1), message));
    }
}
