//! A server's inside for tests: the services over fake drivers, commands run as the session runs them, and what
//! they said.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use ipnet::Ipv4Net;
use qbo_api::message::{Code, Message, Output, Payload, Step, StepState};
use qbo_api::model::{Cluster, Image, Node, State};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::{Drivers, Services};
use crate::access::{Permitted, User, permit};
use crate::config::{Config, Registry, RegistryKind, Runtime};
use crate::driver::fake::{FakeBuilder, FakeEngine, FakeImage, FakeKubernetes, FakeMeter, FakeRegistry, Held};
use crate::error::Failure;
use crate::executor::Executor;
use crate::journal::Journal;
use crate::live::Live;
use crate::mirror::{Feed, Mirrors};
use crate::operations::{Operations, Running};
use crate::recovery;
use crate::report::{Origin, Reporter};
use crate::terminal::shell::Socket;

/// Who runs commands.
pub(crate) const USER: &str = "alex@example.com";
/// The image that the engine holds; its Kubernetes is told by no label, so that it must be looked into.
pub(crate) const IMAGE: &str = "kindest/node:v1.37.0";

/// A server without an outside.
pub(crate) struct Cloud {
    pub(crate) engine: Arc<FakeEngine>,
    pub(crate) kubernetes: Arc<FakeKubernetes>,
    pub(crate) builder: Arc<FakeBuilder>,
    pub(crate) registry: Arc<FakeRegistry>,
    pub(crate) meter: Arc<FakeMeter>,
    pub(crate) services: Arc<Services>,
    drivers: Drivers,
    config: Config,
    mirrors: Arc<Mirrors>,
    /// Ends who follows the engine.
    following: DropGuard,
    /// Of users' shells.
    pub(crate) sockets: Sockets,
    _directory: TempDir,
}

/// The sockets of users' shells, as they come.
type Sockets = mpsc::UnboundedReceiver<Socket>;

/// A command that has begun.
pub(crate) struct Begun {
    services: Arc<Services>,
    permitted: Permitted,
    reporter: Reporter,
    running: Running,
    feed: Feed,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Result<(), Failure>,
    pub(crate) messages: Vec<Message>,
}

/// All that a command can change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Everything {
    pub(crate) held: Held,
    pub(crate) kubeconfigs: BTreeSet<String>,
}

impl Cloud {
    /// A server whose engine holds a node image and nothing else.
    pub(crate) fn new() -> Self {
        Self::with_network_range("198.18.0.0/16")
    }

    /// The same with another range for clusters' networks. Usual is one for benchmarks of networks (RFC 2544): whoever
    /// runs the tests has no route into it.
    pub(crate) fn with_network_range(range: &str) -> Self {
        let engine = Arc::new(FakeEngine::default());
        engine.hold_image(FakeImage::node(IMAGE, "v1.37.0"));
        let (kubernetes, registry) = (Arc::<FakeKubernetes>::default(), Arc::<FakeRegistry>::default());
        let meter = Arc::<FakeMeter>::default();
        let builder = Arc::new(FakeBuilder::new(&engine));
        let drivers = Drivers {
            engine: Arc::clone(&engine) as _,
            transfer: Arc::clone(&engine) as _,
            observer: Arc::clone(&engine) as _,
            terminals: Arc::clone(&engine) as _,
            kubernetes: Arc::clone(&kubernetes) as _,
            builder: Arc::clone(&builder) as _,
            registry: Arc::clone(&registry) as _,
            meter: Arc::clone(&meter) as _,
        };
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path().into(), range.parse().unwrap());
        let mirrors = Arc::default();
        let (services, following, sockets) = serve(&config, &drivers, &mirrors);
        Self {
            following,
            sockets,
            engine,
            kubernetes,
            builder,
            registry,
            meter,
            services,
            drivers,
            config,
            mirrors,
            _directory: directory,
        }
    }

    /// The same host after the server was killed and started again: only what it holds outside is left.
    pub(crate) fn restart(&mut self) {
        (self.services, self.following, self.sockets) = serve(&self.config, &self.drivers, &self.mirrors);
    }

    /// The server is killed while the engine hangs at a command, and starts anew.
    pub(crate) async fn cut_off(&mut self, line: &str) {
        tokio::select! {
            ended = self.run(line) => panic!("{line}: {ended:?}"),
            () = self.engine.hung() => {}
        }
        self.restart();
    }

    /// Begins a command line, as the session does.
    pub(crate) fn begin(&self, line: &str) -> Begun {
        self.begin_with(line, None)
    }

    fn begin_with(&self, line: &str, file: Option<&str>) -> Begun {
        let command = qbo_api::grammar::parse(line).unwrap().with_file(file).unwrap();
        let mirror = Uuid::new_v4();
        let origin = Origin { user: User { email: USER.into() }, ..Origin::example(mirror) };
        let mut feed = self.mirrors.feed(&origin.user);
        feed.join(mirror).unwrap();
        let reporter = Reporter::new(Arc::clone(&self.mirrors), origin, command.kind(), &command.to_string(), 1);
        let permitted = permit(&User { email: USER.into() }, command).unwrap();
        let running = self.services.operations.begin(&permitted, reporter.command_id()).unwrap();
        Begun { services: Arc::clone(&self.services), permitted, reporter, running, feed }
    }

    /// Runs a command line to its end.
    pub(crate) async fn run(&self, line: &str) -> Ended {
        self.begin(line).run().await
    }

    /// Runs a command line that succeeds.
    pub(crate) async fn succeed(&self, line: &str) -> Ended {
        let ended = self.run(line).await;
        assert_eq!(ended.outcome, Ok(()), "{line}");
        ended
    }

    /// Runs a command line with the text of its file, and succeeds.
    pub(crate) async fn succeed_with(&self, line: &str, file: &str) {
        let ended = self.begin_with(line, Some(file)).run().await;
        assert_eq!(ended.outcome, Ok(()), "{line}");
    }

    /// Runs a command line that must fail, with a file beside it.
    pub(crate) async fn fail_with(&self, line: &str, file: &str) -> Failure {
        self.begin_with(line, Some(file)).run().await.outcome.expect_err(line)
    }

    /// Runs a command line that must fail.
    pub(crate) async fn fail(&self, line: &str) -> Failure {
        self.run(line).await.outcome.expect_err(line)
    }

    /// Waits until it is known that a cluster is in this state.
    pub(crate) async fn becomes(&self, cluster: &str, state: State) {
        let is = || {
            let rows = self.services.live.glance(USER).cluster_rows();
            rows.iter().any(|row| row.name == cluster && row.state == state).then_some(())
        };
        let limit = std::time::Duration::from_mins(1);
        self.services.live.wait(&format!("{cluster} to be {state}"), limit, is).await.unwrap();
    }

    /// Waits until a cluster's API server answers.
    pub(crate) async fn answers(&self, cluster: &str) {
        let live = &self.services.live;
        let answers = || {
            let id = live.glance(USER).cluster_rows().into_iter().find(|row| row.name == cluster)?.id;
            live.api_server(id.parse().ok()?).map(drop)
        };
        live.wait("the API server", std::time::Duration::from_mins(1), answers).await.unwrap();
    }

    /// Removes left-overs, as at start.
    pub(crate) async fn sweep(&self) {
        recovery::sweep(&self.services).await.unwrap();
    }

    /// Removes left-overs where a command called for it.
    pub(crate) async fn sweep_if_called(&self) {
        if self.services.left_overs.rung().now_or_never().is_some() {
            self.sweep().await;
        }
    }

    /// All that commands can change, as it is now.
    pub(crate) fn everything(&self) -> Everything {
        let files = std::fs::read_dir(&self.config.state_directory).unwrap();
        let kubeconfigs = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        Everything { held: self.engine.held(), kubeconfigs }
    }

    /// Where a cluster's kubeconfig is.
    pub(crate) fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.services.kubeconfigs.path(cluster)
    }

    /// Whether no command and no claim is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.services.operations.is_idle()
    }
}

/// A server that follows its engine, until the guard is dropped.
fn serve(config: &Config, drivers: &Drivers, mirrors: &Arc<Mirrors>) -> (Arc<Services>, DropGuard, Sockets) {
    let operations = Arc::<Operations>::default();
    let live = Live::new(Arc::clone(mirrors), Arc::clone(&operations), "cloud".into());
    let (services, sockets) = Services::new(config, drivers.clone(), operations, live, Journal::default());
    let services = Arc::new(services);
    let stop = CancellationToken::new();
    let (registries_stop, usage_stop) = (stop.clone(), stop.clone());
    let guard = stop.clone().drop_guard();
    tokio::spawn({
        let services = Arc::clone(&services);
        async move { crate::live::run(&services, &stop).await }
    });
    tokio::spawn({
        let (services, stop) = (Arc::clone(&services), registries_stop);
        async move { crate::registries::run(&services, &stop).await }
    });
    tokio::spawn({
        let (services, stop) = (Arc::clone(&services), usage_stop);
        async move { crate::usage::run(&services, &stop).await }
    });
    (services, guard, sockets)
}

impl Begun {
    /// What cancels the command.
    pub(crate) fn token(&self) -> CancellationToken {
        self.running.token().clone()
    }

    /// The command's id.
    pub(crate) fn id(&self) -> Uuid {
        self.reporter.command_id()
    }

    /// Runs the command to its end.
    pub(crate) async fn run(self) -> Ended {
        let Self { services, permitted, reporter, running, mut feed } = self;
        let outcome = services.execute(permitted, reporter, running).await;
        let messages = std::iter::from_fn(|| feed.waiting()).map(|text| serde_json::from_str(&text).unwrap());
        // What no command asked for is not of this one.
        let messages = messages.filter(|message: &Message| message.envelope.change.is_none()).collect();
        Ended { outcome, messages }
    }
}

impl Ended {
    /// Steps that came to this state, as `object step` or `node-<n> step`.
    pub(crate) fn steps(&self, state: StepState) -> Vec<&Step> {
        let outputs = self.outputs().filter_map(|output| match output {
            Output::Step(step) if step.state == state => Some(step),
            _ => None,
        });
        outputs.collect()
    }

    /// Lines for people.
    pub(crate) fn lines(&self) -> Vec<&str> {
        let lines = self.outputs().filter_map(|output| match output {
            Output::Message { message } => Some(message.as_str()),
            _ => None,
        });
        lines.collect()
    }

    /// Clusters told of, by name.
    pub(crate) fn clusters(&self) -> Vec<(&str, State)> {
        self.cluster_rows().into_iter().map(|cluster| (cluster.name.as_str(), cluster.state)).collect()
    }

    /// Clusters told of.
    pub(crate) fn cluster_rows(&self) -> Vec<&Cluster> {
        self.rows(|payload| match payload {
            Payload::Clusters(rows) => rows.as_slice(),
            _ => &[],
        })
        .collect()
    }

    /// Nodes told of.
    pub(crate) fn nodes(&self) -> Vec<&Node> {
        self.rows(|payload| match payload {
            Payload::Nodes(rows) => rows.as_slice(),
            _ => &[],
        })
        .collect()
    }

    /// Images told of, by name.
    pub(crate) fn images(&self) -> Vec<(&str, bool)> {
        self.rows(|payload| match payload {
            Payload::Images(rows) => rows.as_slice(),
            _ => &[],
        })
        .map(|image: &Image| (image.name.as_str(), image.local))
        .collect()
    }

    fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.rows(|payload| match payload {
            Payload::Output(rows) => rows.as_slice(),
            _ => &[],
        })
    }

    fn rows<'a, T: 'a>(&'a self, rows: impl Fn(&'a Payload) -> &'a [T]) -> impl Iterator<Item = &'a T> {
        assert!(
            self.messages.iter().all(|message| message.envelope.code == Code::CREATED),
            "the rest the session sends"
        );
        self.messages.iter().flat_map(move |message| rows(&message.payload))
    }
}

fn config(state_directory: PathBuf, network_range: Ipv4Net) -> Config {
    Config {
        connections: 512,
        listen: ([127, 0, 0, 1], 0).into(),
        docker: String::new(),
        network_range,
        network_range_v6: "fd00:0:0:8::/61".parse().unwrap(),
        image: None,
        image_builder: PathBuf::new(),
        balancer: "/dev/null".into(),
        state_directory,
        runtime: Runtime::Runc,
        registry: Registry {
            kind: RegistryKind::Docker,
            hostname: String::new(),
            auth: String::new(),
            user: String::new(),
            repository: String::new(),
            credentials: None,
            insecure: false,
        },
        unknown_keys: Vec::new(),
    }
}
