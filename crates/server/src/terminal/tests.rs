//! Sessions over programs that the tests themselves are.

mod opening;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use qbo_api::terminal::{TerminalKind, WINDOW};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

use super::*;

/// Programs that are started here come out of `started`.
struct Stage {
    started: mpsc::UnboundedSender<DuplexStream>,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    sizes: Mutex<Vec<Size>>,
    ended: AtomicUsize,
}

struct Ruled(Arc<Log>);

#[async_trait]
impl Programs for Stage {
    async fn start(&self, opening: &Opening, _session: Uuid) -> Result<Started, Failure> {
        let (theirs, ours) = duplex(4096);
        self.started.send(theirs).unwrap();
        let (output, input) = split(ours);
        let title = format!("{:?}", opening.request().kind);
        let control = Box::new(Ruled(Arc::clone(&self.log)));
        Ok(Started { title, output: Box::pin(output), input: Box::pin(input), control })
    }
}

#[async_trait]
impl Control for Ruled {
    async fn resize(&self, size: Size) -> Result<(), Failure> {
        self.0.sizes.lock().unwrap().push(size);
        Ok(())
    }

    async fn exit_code(&self) -> Result<i64, Failure> {
        Ok(7)
    }

    async fn end(&self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

struct Scene {
    sessions: Arc<Sessions>,
    started: mpsc::UnboundedReceiver<DuplexStream>,
    log: Arc<Log>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let (started, starting) = mpsc::unbounded_channel();
        let log = Arc::<Log>::default();
        let programs = Arc::new(Stage { started, log: Arc::clone(&log) });
        Self { sessions: Sessions::new(limits, programs), started: starting, log }
    }

    async fn open(&mut self) -> (Attachment, DuplexStream) {
        let attachment = self.sessions.open(&user("alex"), OpenRequest::new(TerminalKind::Shell)).await.unwrap();
        (attachment, self.started.recv().await.unwrap())
    }

    async fn take_up(&self, user: &User, session: Uuid) -> Result<Attachment, Failure> {
        let request = OpenRequest { session: Some(session), ..OpenRequest::new(TerminalKind::Shell) };
        self.sessions.open(user, request).await
    }

    /// Waits until so many sessions are left.
    async fn until(&self, count: usize) {
        while self.sessions.count() != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn ended(&self) -> usize {
        self.log.ended.load(Ordering::SeqCst)
    }
}

fn user(name: &str) -> User {
    User { email: format!("{name}@example.com") }
}

/// So many bytes of output, acknowledged or not.
async fn read(attachment: &mut Attachment, length: usize, acknowledge: bool) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < length {
        if let Some(Event::Output(bytes)) = attachment.next().await {
            if acknowledge {
                attachment.acknowledge(bytes.len() as u64).await;
            }
            read.extend_from_slice(&bytes);
        }
    }
    read
}

#[tokio::test]
async fn bytes_go_both_ways_as_they_are_and_the_end_is_told() {
    let mut scene = Scene::new();
    let (mut attachment, mut program) = scene.open().await;
    assert_eq!(attachment.title, "Shell");
    attachment.input(Bytes::from_static(b"\x00\x01\xff")).await;
    let mut typed = [0; 3];
    program.read_exact(&mut typed).await.unwrap();
    assert_eq!(&typed, b"\x00\x01\xff");
    assert_eq!(attachment.next().await, Some(Event::Consumed(3)));
    program.write_all(b"\x02\x1b[31mred").await.unwrap();
    assert_eq!(read(&mut attachment, 9, true).await, b"\x02\x1b[31mred");
    attachment.resize(Size { columns: 132, rows: 43 }).await;
    // A program that has ended has no size.
    while scene.log.sizes.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(program);
    assert_eq!(attachment.next().await, Some(Event::Exit(7)));
    assert_eq!(attachment.next().await, None);
    scene.until(0).await;
    assert_eq!(scene.ended(), 1);
    assert_eq!(*scene.log.sizes.lock().unwrap(), [Size { columns: 80, rows: 24 }, Size { columns: 132, rows: 43 }]);
}

#[tokio::test]
async fn who_comes_back_sees_what_was_written_meanwhile_and_nobody_else_does() {
    let mut scene = Scene::new();
    let (mut attachment, mut program) = scene.open().await;
    program.write_all(b"before ").await.unwrap();
    read(&mut attachment, 7, true).await;
    let session = attachment.session;
    drop(attachment);
    program.write_all(b"meanwhile ").await.unwrap();
    assert_eq!(scene.take_up(&user("sam"), session).await.unwrap_err().code, Code::NOT_FOUND);
    let mut again = scene.take_up(&user("alex"), session).await.unwrap();
    assert_eq!(read(&mut again, 17, true).await, b"before meanwhile ");
    program.write_all(b"after").await.unwrap();
    assert_eq!(read(&mut again, 5, true).await, b"after");
    assert_eq!((scene.sessions.count(), scene.ended()), (1, 0));
}

#[tokio::test]
async fn an_end_that_nobody_saw_is_told_to_who_comes_back() {
    let mut scene = Scene::new();
    let (attachment, mut program) = scene.open().await;
    let session = attachment.session;
    drop(attachment);
    program.write_all(b"bye").await.unwrap();
    drop(program);
    let mut again = scene.take_up(&user("alex"), session).await.unwrap();
    assert_eq!(read(&mut again, 3, true).await, b"bye");
    assert_eq!(again.next().await, Some(Event::Exit(7)));
    scene.until(0).await;
    assert_eq!(scene.take_up(&user("alex"), session).await.unwrap_err().code, Code::NOT_FOUND);
}

#[tokio::test]
async fn the_last_window_to_come_sees_it_and_the_other_is_told() {
    let mut scene = Scene::new();
    let (mut first, mut program) = scene.open().await;
    let mut second = scene.take_up(&user("alex"), first.session).await.unwrap();
    let Some(Event::Lost(failure)) = first.next().await else { panic!("it is seen twice") };
    assert_eq!(failure.code, Code::CONFLICT);
    assert_eq!(first.next().await, None);
    first.input(Bytes::from_static(b"unheard")).await;
    second.input(Bytes::from_static(b"heard")).await;
    let mut typed = [0; 5];
    program.read_exact(&mut typed).await.unwrap();
    assert_eq!(&typed, b"heard");
    drop(first);
    program.write_all(b"x").await.unwrap();
    assert_eq!(read(&mut second, 1, true).await, b"x");
}

#[tokio::test(start_paused = true)]
async fn a_program_waits_for_who_reads_slowly_and_for_nobody_who_is_gone() {
    let mut scene = Scene::new();
    let (mut attachment, mut program) = scene.open().await;
    let total = 4 * usize::try_from(WINDOW).unwrap();
    let writing = tokio::spawn(async move {
        program.write_all(&vec![b'x'; total]).await.unwrap();
        program
    });
    let window = usize::try_from(WINDOW).unwrap();
    let mut seen = read(&mut attachment, window, false).await.len();
    // Nothing more comes, however long one waits: time passes only once nobody has anything to do.
    while let Ok(Some(Event::Output(bytes))) = timeout(Duration::from_secs(5), attachment.next()).await {
        seen += bytes.len();
    }
    assert!(seen < window + 32 * 1024 && !writing.is_finished(), "{seen}");
    attachment.acknowledge(seen as u64).await;
    read(&mut attachment, window, false).await;
    assert!(!writing.is_finished());
    let session = attachment.session;
    drop(attachment);
    let _program = timeout(Duration::from_secs(5), writing).await.unwrap().unwrap();
    let mut again = scene.take_up(&user("alex"), session).await.unwrap();
    // No more than is kept.
    assert!(read(&mut again, 200 * 1024, true).await.len() <= 256 * 1024);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_reads_nothing_holds_nothing_up() {
    let mut scene = Scene::new();
    let (mut attachment, mut program) = scene.open().await;
    for _ in 0..=WINDOW / 4096 + 1 {
        attachment.input(vec![b'x'; 4096].into()).await;
    }
    program.write_all(b"busy").await.unwrap();
    let failure = loop {
        match attachment.next().await {
            Some(Event::Lost(failure)) => break failure,
            Some(_) => {}
            None => panic!("it is not told"),
        }
    };
    assert_eq!(failure.code, Code::TOO_LARGE);
    let mut again = scene.take_up(&user("alex"), attachment.session).await.unwrap();
    assert_eq!(read(&mut again, 4, true).await, b"busy");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_for_ever() {
    let mut scene = Scene::new();
    let (attachment, _program) = scene.open().await;
    drop(attachment);
    tokio::time::sleep(Limits::default().detached / 2).await;
    assert_eq!(scene.sessions.count(), 1);
    tokio::time::sleep(Limits::default().detached).await;
    scene.until(0).await;
    let (mut idle, _program) = scene.open().await;
    let Some(Event::Lost(failure)) = idle.next().await else { panic!("it goes on for ever") };
    assert_eq!((failure.code, failure.problem.as_str()), (Code::TIMEOUT, "nothing happened here for 12 hours"));
    scene.until(0).await;
    assert_eq!(scene.ended(), 2);
}

#[tokio::test]
async fn sessions_of_a_user_are_bounded() {
    let mut scene = Scene::with(Limits { sessions: 2, ..Limits::default() });
    let (first, _one) = scene.open().await;
    let (_second, _two) = scene.open().await;
    let request = || OpenRequest::new(TerminalKind::Shell);
    let refused = scene.sessions.open(&user("alex"), request()).await.unwrap_err();
    assert_eq!(refused.code, Code::TOO_MANY);
    assert!(scene.sessions.open(&user("sam"), request()).await.is_ok());
    first.close().await;
    scene.until(2).await;
    assert!(scene.sessions.open(&user("alex"), request()).await.is_ok());
    let none = OpenRequest { rows: 0, ..request() };
    assert_eq!(scene.sessions.open(&user("lou"), none).await.unwrap_err().code, Code::BAD_REQUEST);
}

#[tokio::test]
async fn a_stop_ends_all() {
    let mut scene = Scene::new();
    let (mut seen, _one) = scene.open().await;
    let (left, _two) = scene.open().await;
    drop(left);
    scene.sessions.stop().await;
    scene.until(0).await;
    assert_eq!(scene.ended(), 2);
    assert_eq!(seen.next().await, None);
    let refused = scene.sessions.open(&user("alex"), OpenRequest::new(TerminalKind::Shell)).await.unwrap_err();
    assert_eq!(refused.code, Code::UNAVAILABLE);
}
