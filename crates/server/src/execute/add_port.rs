//! `add port`: all of the ports lead into the cluster, or none does.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use futures_util::future::join_all;
use qbo_api::command::{AddPort, Selection};
use qbo_api::message::Code;
use qbo_api::settings::PortMapping;

use super::{Services, settle};
use crate::address::port_addresses;
use crate::cluster::Found;
use crate::error::Failure;
use crate::operations::{Business, Running};
use crate::provision::living::Living;
use crate::provision::ports::{Passage, open};
use crate::provision::{Mark, is_left_over, marks};
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    add: &AddPort,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let selected = services.select(user, &Selection::Named(vec![add.cluster.clone()])).await?;
    let cluster = selected.into_iter().next().expect("one was named, and is there");
    let name = &cluster.identity.name;
    let claim = services.operations.claim((user, name), Business::default(), reporter.command_line())?;
    let cluster = services.again(&cluster).await?;
    services.refuse_incomplete(&cluster).await?;
    refuse(&cluster, &add.ports)?;
    let outcome = add_to(services, &cluster, &add.ports, reporter, running).await;
    settle(services).await;
    drop(claim);
    services.left_overs.ring();
    outcome?;
    services.tell_cluster(&cluster.identity, reporter);
    Ok(())
}

async fn add_to(
    services: &Services,
    cluster: &Found,
    ports: &[PortMapping],
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let engine = &*services.engine;
    // One that an interrupted command left is about to go.
    let balancer = marks(engine, cluster.balancer.iter()).await?.into_iter();
    let balancer = balancer.filter(|(node, mark)| !is_left_over(node, *mark)).find_map(|(node, _)| node.address);
    let passages = passages(cluster, balancer, ports)?;
    let image = &Living::of(cluster)?.control_plane().container.image.clone();
    let opened = passages.iter().map(async |passage| {
        if running.token().is_cancelled() {
            return (None, Err(Failure::cancelled()));
        }
        let name = &cluster.identity.name;
        let step = reporter.step(name, "", format!("port {}", passage.mapping), "docker POST /containers/start");
        match open(engine, &cluster.identity, image, passage, true).await {
            Ok(container) => {
                step.done();
                (Some(container), Ok(()))
            }
            Err(failure) => {
                step.failed(&failure.problem);
                (None, Err(failure))
            }
        }
    });
    // All are awaited even where one fails: a call to the engine that is dropped half-way is carried out all the same.
    let opened: Vec<(Option<String>, Result<(), Failure>)> = join_all(opened).await;
    let mut outcome: Result<(), Failure> = Ok(());
    let mut containers = Vec::new();
    for (container, opened) in opened {
        containers.extend(container);
        outcome = outcome.and(opened);
    }
    if outcome.is_ok() {
        let marked = join_all(containers.iter().map(|container| Mark::Ready.write(engine, container))).await;
        outcome = marked.into_iter().collect::<Result<(), _>>().map_err(Failure::from);
    }
    if outcome.is_err() {
        // Those that failed half-way too; what cannot be removed now bears no mark, and goes with the clean-up.
        let found = crate::cluster::find(engine, &cluster.identity).await?;
        let new = found.iter().flat_map(|found| &found.ports);
        let new = new.filter(|port| !cluster.ports.iter().any(|known| known.container.id == port.container.id));
        let removed = join_all(new.map(|port| engine.remove_container(&port.container.id))).await;
        if let Err(error) = removed.into_iter().collect::<Result<(), _>>() {
            tracing::warn!(%error, "a port is left until the clean-up");
        }
    }
    outcome
}

/// Each port with an address of its own on the cluster's network, and where it leads: to the first control plane, or to the balancer.
fn passages(cluster: &Found, balancer: Option<Ipv4Addr>, ports: &[PortMapping]) -> Result<Vec<Passage>, Failure> {
    let living = Living::of(cluster)?;
    let node = living.control_plane();
    let target_address = node.address.ok_or_else(|| {
        let problem = format!("node '{}' does not tell its address: another version made it", node.container.name);
        Failure::new(Code::CONFLICT, problem, "make a new cluster")
    })?;
    let used: HashSet<Ipv4Addr> = cluster.addresses().collect();
    let free: Vec<Ipv4Addr> = port_addresses(living.network().v4).filter(|address| !used.contains(address)).collect();
    if free.len() < ports.len() {
        let problem =
            format!("the network of cluster '{}' has no room for {} ports", cluster.identity.name, ports.len());
        return Err(Failure::new(Code::NO_ROOM, problem, format!("it has addresses for {} more", free.len())));
    }
    let target = (node.container.name.as_str(), target_address);
    let passage = |(mapping, address)| Passage::new(mapping, target, balancer, (address, living.network()));
    Ok(ports.iter().zip(free).map(passage).collect())
}

fn refuse(cluster: &Found, ports: &[PortMapping]) -> Result<(), Failure> {
    let name = &cluster.identity.name;
    let taken = ports.iter().enumerate().find_map(|(index, port)| {
        let known = cluster.ports.iter().map(|known| &known.mapping).chain(&ports[..index]);
        known.into_iter().find(|known| known.is_in_the_way_of(port)).map(|known| (port, *known))
    });
    if let Some((port, known)) = taken {
        let problem = format!("port {} of the host leads into cluster '{name}' already: {known}", port.host);
        let cure = format!("take another, or first: qbo delete port {name} {}/{}", port.host, port.protocol.as_str());
        return Err(Failure::new(Code::CONFLICT, problem, cure));
    }
    let count = cluster.ports.len() + ports.len();
    if count > PortMapping::LIMIT {
        let problem = format!("cluster '{name}' would have {count} ports, and may have {}", PortMapping::LIMIT);
        return Err(Failure::new(Code::UNPROCESSABLE, problem, format!("first: qbo delete port {name} <port>")));
    }
    if cluster.recorded()?.pod_subnets.iter().all(|subnet| matches!(subnet, ipnet::IpNet::V6(_))) {
        let problem = format!("ports lead to nodes over IPv4, at which cluster '{name}' serves nothing");
        return Err(Failure::new(Code::UNPROCESSABLE, problem, "make a cluster with --ip-family dual"));
    }
    Ok(())
}
