//! Ports of the host that lead into a cluster. Docker publishes ports only when it makes a container, so each has one of its own, which
//! passes on what comes in: it can come and go while the cluster lives, comes back with Docker, and leaves nodes alone.

use futures_util::future::join_all;
use qbo_api::message::Code;
use qbo_api::settings::PortMapping;
use std::net::Ipv4Addr;
use uuid::Uuid;

use super::context::{Context, Made};
use crate::address::port_addresses;
use crate::cluster::{Identity, LABEL_JOINED};
use crate::driver::engine::{Engine, EngineError, EngineFault, Extras, NewContainer};
use crate::error::Failure;

/// A port of the host, and where it leads.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The port.
    pub mapping: PortMapping,
    /// The name of the node it leads to.
    pub target: String,
    /// That node's address.
    pub target_address: Ipv4Addr,
    /// The address of what passes it on.
    pub address: Ipv4Addr,
}

/// All ports of a cluster that is made.
pub(super) async fn start(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let network = made.network.expect("the network is made in the first step");
    let nodes = made.plan().nodes.iter().zip(&context.wishes.members);
    let ports = nodes.flat_map(|(node, member)| member.ports.iter().map(move |mapping| (node, mapping)));
    let passages = ports.zip(port_addresses(network.v4)).map(|((node, mapping), address)| Passage {
        mapping: *mapping,
        target: node.name.clone(),
        target_address: node.address,
        address,
    });
    let passages: Vec<Passage> = passages.collect();
    let opened = passages.iter().map(async |passage| {
        context.checkpoint()?;
        let port = format!("port {}", passage.mapping);
        let step = context.reporter.step(&context.identity.name, "", port, "docker POST /containers/start");
        match open(&*context.engine, &context.identity, &context.wishes.image, passage, false).await {
            Ok(_) => {
                step.done();
                Ok(())
            }
            Err(failure) => {
                step.failed(&failure.problem);
                Err(failure)
            }
        }
    });
    // All are awaited even where one fails: a call to the engine that is dropped half-way is carried out all the same.
    join_all(opened).await.into_iter().collect()
}

/// Makes and starts what passes on a port, and tells its container. One that comes into a living cluster (`joins`) is to be marked when
/// all is done, or else the clean-up removes it.
pub async fn open(
    engine: &dyn Engine,
    identity: &Identity,
    image: &str,
    passage: &Passage,
    joins: bool,
) -> Result<String, Failure> {
    let (random, ..) = Uuid::new_v4().as_fields();
    let mut labels = identity.port_labels(&passage.mapping, &passage.target, passage.address);
    if joins {
        labels.insert(LABEL_JOINED.into(), String::new());
    }
    let container = NewContainer {
        name: format!("port-{random:08x}"),
        image: image.into(),
        network: identity.name.clone(),
        address: passage.address,
        labels,
        environment: Vec::new(),
        extras: Extras::default(),
    };
    let container = engine.create_port(&container, &passage.mapping, passage.target_address).await?;
    let started = engine.start_container(&container).await;
    started.map_err(|error| refused(&passage.mapping, error))?;
    Ok(container)
}

/// The engine's refusal to listen, in words about the port.
fn refused(port: &PortMapping, error: EngineError) -> Failure {
    let PortMapping { listen, host, protocol, .. } = port;
    let protocol = protocol.as_str();
    match (&error.cause, listen) {
        (EngineFault::PortTaken(message), _) => {
            tracing::debug!(message, "a port is taken");
            let problem = format!("port {host}/{protocol} of the host is taken by something else");
            Failure::new(Code::CONFLICT, problem, "take another port, or see who has it: ss -tulpn")
        }
        (EngineFault::NoProtocol(message), _) => {
            tracing::debug!(message, "a protocol is not there");
            let problem = format!("the host's kernel lacks the protocol of port {host}/{protocol}");
            Failure::new(Code::UNPROCESSABLE, problem, format!("modprobe {protocol}, or take another protocol"))
        }
        (EngineFault::NoAddress(message), Some(address)) => {
            tracing::debug!(message, "an address is not there");
            let problem = format!("the host has no address {address} for port {host}/{protocol}");
            Failure::new(Code::UNPROCESSABLE, problem, "see which it has: qbo get net -H")
        }
        _ => error.into(),
    }
}
