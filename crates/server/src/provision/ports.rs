//! Ports of the host that lead into a cluster. Docker publishes ports only when it makes a container, so each has one of its own, which
//! passes on what comes in: it can come and go while the cluster lives, comes back with Docker, and leaves nodes alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::future::join_all;
use qbo_api::message::Code;
use qbo_api::settings::{PortMapping, Protocol};
use qbo_bootstrap::Role;
use uuid::Uuid;

use super::context::{API_SERVER_PORT, Context, Made};
use crate::address::{ClusterNetwork, address_v6, balancer_address, port_addresses};
use crate::cluster::{BALANCER, Identity, LABEL_JOINED};
use crate::driver::engine::{Engine, EngineError, EngineFault, Extras, NewContainer};
use crate::error::Failure;

/// A port of the host, and where it leads.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The port.
    pub mapping: PortMapping,
    /// The name of the node it leads to, or that of all balancers.
    pub target: String,
    /// Its address.
    pub target_address: Ipv4Addr,
    /// The address of what passes it on.
    pub address: Ipv4Addr,
    /// Its other one, in a network that has IPv6.
    pub address_v6: Option<Ipv6Addr>,
}

impl Passage {
    /// Of a port that leads to this node; where it leads to its API server, and a balancer is in front of several, it leads to that,
    /// which outlives the node.
    pub fn new(
        mapping: &PortMapping,
        (node, node_address): (&str, Ipv4Addr),
        balancer: Option<Ipv4Addr>,
        (address, network): (Ipv4Addr, ClusterNetwork),
    ) -> Self {
        let is_of_api_server = mapping.node == API_SERVER_PORT && mapping.protocol == Protocol::Tcp;
        let (target, target_address) = match balancer.filter(|_| is_of_api_server) {
            Some(balancer) => (BALANCER, balancer),
            None => (node, node_address),
        };
        let address_v6 = network.v6.map(|subnet| address_v6(subnet, address));
        Self { mapping: *mapping, target: target.to_owned(), target_address, address, address_v6 }
    }
}

/// All ports of a cluster that is made.
pub(super) async fn start(context: &Context, made: &mut Made) -> Result<(), Failure> {
    let network = made.network.expect("the network is made in the first step");
    let nodes = made.plan().nodes.iter().zip(&context.wishes.members);
    let ports = nodes.flat_map(|(node, member)| member.ports.iter().map(move |mapping| (node, mapping)));
    let control_planes = context.wishes.members.iter().filter(|member| member.role == Role::ControlPlane);
    let balancer = (control_planes.count() > 1).then(|| balancer_address(network.v4));
    let passages = ports.zip(port_addresses(network.v4)).map(|((node, mapping), address)| {
        Passage::new(mapping, (&node.name, node.address), balancer, (address, network))
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
    let PortMapping { listen, host, .. } = &passage.mapping;
    if let (Some(listen @ IpAddr::V6(_)), Some(_)) = (listen, passage.address_v6) {
        let problem =
            format!("port {host} of {listen} cannot lead into a cluster with IPv6: ports are passed on by IPv4");
        return Err(Failure::new(Code::UNPROCESSABLE, problem, "name an address of IPv4, as 127.0.0.1, or none"));
    }
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
        extras: Extras { address_v6: passage.address_v6, ..Extras::default() },
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
