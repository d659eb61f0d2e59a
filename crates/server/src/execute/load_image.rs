//! `load image`: images of this host's Docker, brought into the nodes that lack them. Each is read once for many nodes, and
//! nothing of it lies anywhere in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use qbo_api::command::{LoadImage, Selection};
use qbo_api::image::ImageReference;
use qbo_api::message::Code;
use serde::Deserialize;
use tokio::time::timeout;
use tokio_util::bytes::Bytes;

use super::{Services, able};
use crate::cluster::{Found, FoundNode};
use crate::driver::engine::{EngineError, Executed};
use crate::driver::transfer::HeldImage;
use crate::error::Failure;
use crate::fan_out::FanOut;
use crate::operations::Running;
use crate::report::{Reporter, RunningStep};

/// Nodes that take an image at once, and that are looked at at once.
const AT_ONCE: usize = 16;

/// How long a node may take to say which images it has, or to give one another name.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long a node may take to unpack an image that it has taken in.
const UNPACK_LIMIT: Duration = Duration::from_mins(10);

/// What lists the images of a node by the digests of their configurations, and what by those of what their names stand for: manifests, or
/// indexes of them. Docker's own store knows images by the former, the one of containerd by the latter.
const LIST: [&str; 4] = ["crictl", "images", "-o", "json"];
const LIST_TARGETS: [&str; 5] = ["ctr", "--namespace", "k8s.io", "images", "ls"];

/// What takes an image in: its record is written last, so that one that ends early leaves nothing that could be run.
const IMPORT: [&str; 6] = ["ctr", "--namespace", "k8s.io", "images", "import", "-"];

/// How often a node tells how far it is: whenever another part of this many is through.
const PARTS: u64 = 10;

/// An image to be brought.
struct Wanted {
    /// As Docker names it.
    name: String,
    /// As container runtimes name it.
    runtime_name: String,
    held: HeldImage,
}

/// A node, and what it has.
struct Target {
    node: FoundNode,
    images: Vec<NodeImage>,
}

/// The images of a node, as `crictl` lists them.
#[derive(Deserialize)]
struct NodeImages {
    #[serde(default)]
    images: Vec<NodeImage>,
}

/// An image of a node.
#[derive(Deserialize)]
struct NodeImage {
    id: String,
    #[serde(rename = "repoTags", default)]
    names: Vec<String>,
}

/// What a node lacks of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lack {
    /// Nothing.
    Nothing,
    /// It has the image under this name only.
    Name(String),
    /// All of it.
    All,
}

pub(super) async fn run(
    services: &Services,
    user: &str,
    load: &LoadImage,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let clusters = services.select(user, &load.clusters).await?;
    let architecture = services.transfer.architecture().await?;
    let mut wanted = Vec::new();
    for image in &load.images {
        wanted.push(find(services, image, &architecture).await?);
    }
    let mut targets = Vec::new();
    for cluster in clusters {
        let refused = services.refuse_incomplete(&cluster).await.and_then(|()| refuse_stopped(&cluster));
        targets.extend(able(refused.map(|()| cluster), load.clusters == Selection::All, reporter)?);
    }
    let nodes = targets.into_iter().flat_map(|cluster| cluster.nodes);
    let looking = nodes.map(async |node| Ok(Target { images: images_of(services, &node).await?, node }));
    let looking = stream::iter(looking.collect::<Vec<_>>()).buffered(AT_ONCE);
    let looked = running.token().run_until_cancelled(looking.collect::<Vec<_>>()).await;
    let (mut targets, mut failed) = (Vec::new(), Vec::new());
    for outcome in looked.ok_or_else(Failure::cancelled)? {
        match outcome {
            Ok(target) => targets.push(target),
            // The others have the image all the same.
            Err(failure) => failed.push(failure),
        }
    }
    let silent = failed.len();
    for image in &wanted {
        failed.extend(bring(services, image, (&targets, silent), reporter, running).await?);
    }
    match failed.as_slice() {
        [] => Ok(()),
        [only] => Err(only.clone()),
        [first, ..] => {
            let problems: Vec<&str> = failed.iter().map(|failure| failure.problem.as_str()).collect();
            Err(Failure { problem: problems.join("; "), ..first.clone() })
        }
    }
}

/// The image as this host holds it, if it can be run here.
async fn find(services: &Services, image: &ImageReference, architecture: &str) -> Result<Wanted, Failure> {
    let name = image.engine_name();
    if image.has_digest() {
        let problem = format!("'{name}' is named by its digest, which does not go with it into nodes");
        return Err(Failure::new(Code::UNPROCESSABLE, problem, "name it with a tag, as app:1"));
    }
    let Some(held) = services.transfer.held(&name).await? else {
        let problem = format!("this host's Docker holds no image '{name}'");
        return Err(Failure::new(Code::NOT_FOUND, problem, "pull or build it first; see what there is: docker images"));
    };
    if !held.architecture.is_empty() && held.architecture != architecture {
        let problem =
            format!("image '{name}' is for {}, and the nodes of this host are {architecture}", held.architecture);
        let cure = format!("build or pull it for this architecture: --platform linux/{architecture}");
        return Err(Failure::new(Code::UNPROCESSABLE, problem, cure));
    }
    Ok(Wanted { name, runtime_name: image.runtime_name(), held })
}

fn refuse_stopped(cluster: &Found) -> Result<(), Failure> {
    let stopped = cluster.nodes.iter().find(|node| !node.container.running);
    stopped.map_or(Ok(()), |node| Err(is_stopped(node)))
}

fn is_stopped(node: &FoundNode) -> Failure {
    let name = &node.container.name;
    let problem = format!("node '{name}' is stopped, and takes no image");
    Failure::new(Code::CONFLICT, problem, format!("start it first: qbo start node {name}"))
}

async fn images_of(services: &Services, node: &FoundNode) -> Result<Vec<NodeImage>, Failure> {
    let (listed, targets) = tokio::try_join!(execute(services, node, &LIST), execute(services, node, &LIST_TARGETS))?;
    let images: Result<NodeImages, _> = serde_json::from_str(&listed.output);
    let images = images.map_err(|error| trouble(node, &format!("its list of images: {error}")))?;
    Ok(images.images.into_iter().chain(targets.output.lines().skip(1).filter_map(target)).collect())
}

/// An image in a line of `ctr images ls`: its name, its type, its digest, and more.
fn target(line: &str) -> Option<NodeImage> {
    let mut words = line.split_whitespace();
    let (name, id) = (words.next()?, words.nth(1)?);
    Some(NodeImage { id: id.into(), names: vec![name.into()] })
}

/// Runs a program of a node that ends soon and well.
async fn execute(services: &Services, node: &FoundNode, command: &[&str]) -> Result<Executed, Failure> {
    let ended = timeout(ANSWER_LIMIT, services.engine.execute(&node.container.id, command)).await;
    let executed = ended.map_err(|_| {
        let problem = format!("node '{}' did not answer within {} s", node.container.name, ANSWER_LIMIT.as_secs());
        Failure::new(Code::TIMEOUT, problem, look_at(node))
    })?;
    let executed = executed.map_err(|error| refused(node, error))?;
    if executed.code == 0 { Ok(executed) } else { Err(trouble(node, &last_line(&executed))) }
}

/// Brings one image to the nodes that lack it; so many more do not say what they have. What failed is told of each node; the others have
/// the image all the same.
async fn bring(
    services: &Services,
    image: &Wanted,
    (targets, silent): (&[Target], usize),
    reporter: &Reporter,
    running: &Running,
) -> Result<Vec<Failure>, Failure> {
    let lacks = targets.iter().map(|target| (&target.node, lack(&target.images, image)));
    let (mut unnamed, mut without) = (Vec::new(), Vec::new());
    for (node, lack) in lacks {
        match lack {
            Lack::Nothing => {}
            Lack::Name(known) => unnamed.push((node, known)),
            Lack::All => without.push(node),
        }
    }
    let (moved, named) = (without.len(), unnamed.len());
    let mut failed = Vec::new();
    for group in without.chunks(AT_ONCE) {
        if running.token().is_cancelled() {
            return Err(Failure::cancelled());
        }
        failed.extend(transfer(services, image, group, reporter, running).await?);
    }
    let naming = unnamed.into_iter().map(async |(node, known)| {
        let command = ["ctr", "--namespace", "k8s.io", "images", "tag", "--force", &known, &image.runtime_name];
        execute(services, node, &command).await.err()
    });
    let unmoved = failed.len();
    failed.extend(join_all(naming).await.into_iter().flatten());
    let had = targets.len() - moved - named;
    let named = named - (failed.len() - unmoved);
    reporter.line(summary(&image.name, (moved - unmoved, named, had), failed.len() + silent));
    Ok(failed)
}

fn summary(image: &str, (moved, named, had): (usize, usize, usize), failed: usize) -> String {
    let nodes = |count: usize| if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") };
    if (moved, named, failed) == (0, 0, 0) {
        return format!("{image}: {} had it already, nothing was moved", nodes(had));
    }
    let mut parts = vec![format!("{image}: moved into {}", nodes(moved))];
    parts.extend((named > 0).then(|| format!("{} got the name", nodes(named))));
    parts.extend((had > 0).then(|| format!("{} had it already", nodes(had))));
    parts.extend((failed > 0).then(|| format!("{} failed", nodes(failed))));
    parts.join(", ")
}

fn lack(images: &[NodeImage], wanted: &Wanted) -> Lack {
    let mut same = images.iter().filter(|image| image.id == wanted.held.id).peekable();
    match same.peek() {
        None => Lack::All,
        // One without a name is known by its id.
        Some(first) => {
            let known = first.names.first().unwrap_or(&first.id).clone();
            let has_name = same.any(|image| image.names.contains(&wanted.runtime_name));
            if has_name { Lack::Nothing } else { Lack::Name(known) }
        }
    }
}

/// Reads an image once, and has these nodes take it in.
async fn transfer(
    services: &Services,
    image: &Wanted,
    nodes: &[&FoundNode],
    reporter: &Reporter,
    running: &Running,
) -> Result<Vec<Failure>, Failure> {
    let steps: Vec<RunningStep> = nodes
        .iter()
        .map(|node| reporter.step(&image.name, &node.container.name, "load", "docker POST /containers/exec"))
        .collect();
    let steps: Vec<Arc<RunningStep>> = steps.into_iter().map(Arc::new).collect();
    let source = services.transfer.save(&image.name).await?;
    let (fan_out, inputs) = FanOut::new(nodes.len());
    let told = progress(&steps, image.held.size);
    // A cancel ends what the nodes take in, and they end by themselves then.
    let pumped = async { running.token().run_until_cancelled(fan_out.run(source, &told)).await };
    let taken = nodes.iter().zip(inputs).map(|(node, input)| take_in(services, node, input));
    let (pumped, taken) = tokio::join!(pumped, join_all(taken));
    let source = match pumped {
        None => Err(Failure::cancelled()),
        Some(outcome) => outcome.map_err(Failure::from),
    };
    let mut failed = Vec::new();
    for (step, outcome) in steps.into_iter().zip(taken) {
        // Nobody else holds it any more.
        let Some(step) = Arc::into_inner(step) else { continue };
        match (&source, outcome) {
            (Err(failure), _) => step.failed(&failure.problem),
            (Ok(()), Ok(())) => step.done(),
            (Ok(()), Err(failure)) => {
                step.failed(&failure.problem);
                failed.push(failure);
            }
        }
    }
    source.map(|()| failed)
}

/// Tells now and then how far the nodes are.
fn progress(steps: &[Arc<RunningStep>], size: u64) -> impl Fn(u64) + Send + Sync + use<> {
    let steps: Vec<_> = steps.iter().map(Arc::downgrade).collect();
    let part = (size / PARTS).max(1);
    let next = AtomicU64::new(part);
    move |total| {
        let due = next.load(Ordering::Relaxed);
        if total < due {
            return;
        }
        next.store(total + part, Ordering::Relaxed);
        for step in steps.iter().filter_map(Weak::upgrade) {
            step.progress(&format!("{} of {} MB", total.min(size) / 1_000_000, size / 1_000_000));
        }
    }
}

async fn take_in(services: &Services, node: &FoundNode, input: BoxStream<'static, Bytes>) -> Result<(), Failure> {
    let (ended, input_ended) = tokio::sync::oneshot::channel::<()>();
    // Only what comes after the input is bounded: the input itself is cut off where a node does not take it.
    let input = input.chain(stream::once(async move { drop(ended) }).filter_map(|()| async { None }));
    let feeding = services.transfer.feed(&node.container.id, &IMPORT, input.boxed());
    let late = async {
        // The sender is never used, only dropped.
        let _ = input_ended.await;
        tokio::time::sleep(UNPACK_LIMIT).await;
    };
    let executed = tokio::select! {
        executed = feeding => executed.map_err(|error| refused(node, error))?,
        () = late => {
            let seconds = UNPACK_LIMIT.as_secs();
            let problem = format!("node '{}' did not unpack the image within {seconds} s", node.container.name);
            return Err(Failure::new(Code::TIMEOUT, problem, look_at(node)));
        }
    };
    if executed.code == 0 { Ok(()) } else { Err(trouble(node, &last_line(&executed))) }
}

/// What a program said last, of what went wrong before all else: it warns before it fails.
fn last_line(executed: &Executed) -> String {
    let last = |text: &str| text.lines().rfind(|line| !line.trim().is_empty()).map(str::trim).map(str::to_owned);
    last(&executed.errors).or_else(|| last(&executed.output)).unwrap_or_else(|| "it does not say why".into())
}

fn refused(node: &FoundNode, error: EngineError) -> Failure {
    let Failure { code, problem, cure } = error.into();
    // Docker's own words, where a node ended after it was found running.
    if problem.contains("is not running") {
        return is_stopped(node);
    }
    let problem = format!("node '{}' did not take the image: {problem}", node.container.name);
    Failure::new(code, problem, if cure.is_empty() { look_at(node) } else { cure })
}

fn trouble(node: &FoundNode, why: &str) -> Failure {
    let name = &node.container.name;
    let problem = format!("node '{name}' did not take the image: {why}");
    let code = if why.contains("no space left") { Code::NO_ROOM } else { Code::BAD_GATEWAY };
    Failure::new(code, problem, look_at(node))
}

fn look_at(node: &FoundNode) -> String {
    format!("look at: docker exec {} journalctl -u containerd; then load it again", node.container.name)
}
