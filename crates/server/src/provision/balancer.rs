//! What stands in front of the API servers of a cluster with several control planes: a container with a fixed address and
//! `qbo-balancer` in it, which comes back with Docker as the nodes do and needs nobody else.

use std::net::Ipv4Addr;
use std::path::Path;

use qbo_api::message::Code;
use qbo_bootstrap::{ClusterPlan, Contents, NodeFile, tar};
use uuid::Uuid;

use super::context::API_SERVER_PORT;
use crate::cluster::{Identity, LABEL_JOINED};
use crate::driver::engine::{Engine, Extras, NewContainer};
use crate::error::Failure;

/// Where the program is in its container.
const PROGRAM: &str = "/qbo-balancer";

/// Where it reads which API servers there are; it sees when that changes.
const LIST: &str = "/etc/qbo/balancer";

/// A balancer that is to be.
pub(super) struct NewBalancer<'a> {
    /// Where the program is on this host.
    pub(super) program: &'a Path,
    pub(super) identity: &'a Identity,
    pub(super) plan: &'a ClusterPlan,
    /// The image of the nodes.
    pub(super) image: &'a str,
    /// Whether it is put in front of a cluster that lives: then it bears no mark until somebody is told of it.
    pub(super) joins: bool,
}

/// Makes and starts it, in front of these control planes. The cluster's network must be there.
pub(super) async fn start(
    engine: &dyn Engine,
    new: &NewBalancer<'_>,
    control_planes: &[Ipv4Addr],
) -> Result<(), Failure> {
    let NewBalancer { program, identity, plan, image, joins } = new;
    let program = tokio::fs::read(program).await.map_err(|error| {
        let problem = format!("the balancer of several control planes cannot be read: {}: {error}", program.display());
        Failure::new(
            Code::INTERNAL,
            problem,
            "install qbo-balancer (setup.sh does), or name it: qbo-api --balancer PATH",
        )
    })?;
    let mut labels = identity.balancer_labels(plan.balancer_address);
    if *joins {
        labels.insert(LABEL_JOINED.into(), String::new());
    }
    let (random, ..) = Uuid::new_v4().as_fields();
    let container = NewContainer {
        name: format!("balancer-{random:08x}"),
        image: (*image).into(),
        network: identity.name.clone(),
        address: plan.balancer_address,
        labels,
        environment: Vec::new(),
        extras: Extras::default(),
    };
    let container = engine.create_balancer(&container, PROGRAM).await?;
    let files = [
        NodeFile { path: PROGRAM.into(), mode: 0o755, contents: Contents::File(program) },
        NodeFile { path: "/etc/qbo".into(), mode: 0o755, contents: Contents::Directory },
        list(control_planes),
    ];
    engine.put_archive(&container, tar(&files)).await?;
    Ok(engine.start_container(&container).await?)
}

/// Has it know these control planes and no others. It sees that the file has changed.
pub(super) async fn follow(engine: &dyn Engine, balancer: &str, control_planes: &[Ipv4Addr]) -> Result<(), Failure> {
    let list = list(control_planes);
    if let Contents::File(lines) = &list.contents
        && engine.read_file(balancer, LIST).await?.as_ref() == Some(lines)
    {
        return Ok(());
    }
    Ok(engine.put_archive(balancer, tar(&[list])).await?)
}

/// The file that tells it the API servers.
fn list(control_planes: &[Ipv4Addr]) -> NodeFile {
    let lines: Vec<String> = control_planes.iter().map(|address| format!("{address}:{API_SERVER_PORT}\n")).collect();
    NodeFile { path: LIST.into(), mode: 0o644, contents: Contents::File(lines.concat().into_bytes()) }
}
