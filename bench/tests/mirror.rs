//! The helpers of `bench/mirror`, so that what is measured with them is what is meant.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tungstenite::Message;

/// A helper, spoken with by lines.
struct Helper {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Helper {
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mirror"));
        let mut process =
            command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the helper starts");
        let (input, output) =
            (process.stdin.take().expect("it is a pipe"), BufReader::new(process.stdout.take().expect("it is a pipe")));
        Self { process, input, output }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the helper reads");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the helper writes");
        line.trim().to_owned()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn subscribers_are_done_when_the_last_has_the_last_message() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut helper = Helper::start(&["subscribe", &listener.local_addr().unwrap().to_string(), "3", "--raw"]);
    let mut sockets: Vec<TcpStream> = (0..3).map(|_| listener.accept().unwrap().0).collect();
    assert_eq!(helper.hear(), "connected");
    let mut times = vec![0];
    for _ in 0..2 {
        helper.tell("expect 2");
        assert_eq!(helper.hear(), "ready");
        for (number, socket) in sockets.iter_mut().enumerate() {
            socket.write_all(b"\x81\x05hello").unwrap();
            if number > 0 {
                socket.write_all(b"\x81\x05hel").unwrap();
                socket.write_all(b"lo").unwrap();
            }
        }
        // All but one message have been sent.
        sockets[0].write_all(b"\x81\x00").unwrap();
        let done: i64 = helper.hear().strip_prefix("done ").unwrap().parse().unwrap();
        assert!(done > *times.last().unwrap());
        times.push(done);
    }
}

#[test]
fn the_bare_server_answers_with_the_sizes_it_was_told() {
    let mut bare = Helper::start(&["echo", "20,300,70000"]);
    let port = bare.hear().strip_prefix("listening ").unwrap().to_owned();
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let (mut socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}/qbo"), stream).unwrap();
    // It is a WebSocket for subscribers too.
    let mut subscribers = Helper::start(&["subscribe", &format!("127.0.0.1:{port}"), "2"]);
    assert_eq!(subscribers.hear(), "connected");
    for _ in 0..2 {
        socket.send(Message::text("get nodes")).unwrap();
        let sizes = [(); 3].map(|()| socket.read().unwrap().into_text().unwrap());
        assert_eq!(sizes.each_ref().map(|text| text.len()), [20, 300, 70_000]);
        assert_eq!(sizes.map(|text| text.contains("APICMD_DONE")), [false, false, true]);
    }
}
