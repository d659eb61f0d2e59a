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
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Drivers, Services};
use crate::access::{Permitted, User, permit};
use crate::config::{Config, Registry, RegistryKind, Runtime, Secret};
use crate::driver::fake::{FakeBuilder, FakeEngine, FakeImage, FakeKubernetes, FakeRegistry, Held};
use crate::error::Failure;
use crate::executor::Executor;
use crate::mirror::{Feed, Mirrors};
use crate::operations::Running;
use crate::recovery;
use crate::report::{Origin, Reporter};

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
    pub(crate) services: Arc<Services>,
    drivers: Drivers,
    config: Config,
    mirrors: Arc<Mirrors>,
    _directory: TempDir,
}

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
        let builder = Arc::new(FakeBuilder::new(&engine));
        let drivers = Drivers {
            engine: Arc::clone(&engine) as _,
            kubernetes: Arc::clone(&kubernetes) as _,
            builder: Arc::clone(&builder) as _,
            registry: Arc::clone(&registry) as _,
        };
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path().into(), range.parse().unwrap());
        let services = Arc::new(Services::new(&config, drivers.clone(), Arc::default()));
        let mirrors = Arc::default();
        Self { engine, kubernetes, builder, registry, services, drivers, config, mirrors, _directory: directory }
    }

    /// The same host after the server was killed and started again: only what it holds outside is left.
    pub(crate) fn restart(&mut self) {
        self.services = Arc::new(Services::new(&self.config, self.drivers.clone(), Arc::default()));
    }

    /// Begins a command line, as the session does.
    pub(crate) fn begin(&self, line: &str) -> Begun {
        let command = qbo_api::grammar::parse(line).unwrap();
        let mirror = Uuid::new_v4();
        let mut feed = self.mirrors.feed();
        feed.join(mirror).unwrap();
        let origin = Origin { user: USER.into(), ..Origin::example(mirror) };
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

    /// Runs a command line that fails.
    pub(crate) async fn fail(&self, line: &str) -> Failure {
        self.run(line).await.outcome.expect_err(line)
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
        let messages = std::iter::from_fn(|| feed.waiting()).map(|text| serde_json::from_str(&text).unwrap()).collect();
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
        self.rows(|payload| match payload {
            Payload::Clusters(rows) => rows.as_slice(),
            _ => &[],
        })
        .map(|cluster: &Cluster| (cluster.name.as_str(), cluster.state))
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
        listen: ([127, 0, 0, 1], 0).into(),
        docker: String::new(),
        network_range,
        image: None,
        image_builder: PathBuf::new(),
        state_directory,
        runtime: Runtime::Runc,
        registry: Registry {
            kind: RegistryKind::Docker,
            hostname: String::new(),
            auth: String::new(),
            user: String::new(),
            repository: String::new(),
            token: Secret::default(),
        },
        unknown_keys: Vec::new(),
    }
}
