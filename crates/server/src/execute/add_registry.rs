//! `add registry`: one that answers is known from then on, to nodes that live and to those to come.

use futures_util::future::join_all;
use qbo_api::command::AddRegistry;
use qbo_api::message::{Code, Payload};
use qbo_api::registry::{RegistryAddress, RegistryName};

use super::{Services, together};
use crate::cluster::find_all;
use crate::driver::registry;
use crate::error::Failure;
use crate::operations::Running;
use crate::registries::{bring, on_host};
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    add: &AddRegistry,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let added: Vec<(RegistryName, RegistryAddress)> =
        add.registries.iter().map(|name| Ok((name.clone(), address(name, add)?))).collect::<Result<_, Failure>>()?;
    for (name, address) in &added {
        let step = reporter.step(name.as_str(), "", "answers", "registry GET /v2/");
        let asked = running.token().run_until_cancelled(registry::reach(address.as_str())).await;
        match asked.unwrap_or_else(|| Err(Failure::cancelled())) {
            Ok(()) => step.done(),
            Err(failure) => {
                step.failed(&failure.problem);
                return Err(failure);
            }
        }
    }
    running.pass_return()?;
    services.registries.add(user, &added).await?;
    let rows = services.registries.rows(user).await?;
    services.live.registries_seen_of(user, rows.clone());
    let rows = rows.into_iter().filter(|row| added.iter().any(|(name, _)| name.as_str() == row.name)).collect();
    tell_nodes(services, user, reporter).await?;
    reporter.rows(Payload::Registries(rows));
    Ok(())
}

/// Where a registry is.
fn address(name: &RegistryName, add: &AddRegistry) -> Result<RegistryAddress, Failure> {
    let address = match &add.at {
        Some(at) => at.clone(),
        None => format!("http://{name}").parse().map_err(|error: qbo_api::registry::RegistryError| {
            Failure::new(Code::BAD_REQUEST, error.to_string(), "say where it is: --at http://…")
        })?,
    };
    if address.as_str().starts_with("https://") && on_host(address.as_str()).is_some() {
        let problem = format!("{address}: nodes reach this host by another name, for which no certificate holds");
        return Err(Failure::new(Code::UNPROCESSABLE, problem, "use plain HTTP on loopback, or a name of this host"));
    }
    Ok(address)
}

/// Has the nodes of all clusters of a user know the registries as they are now.
pub(super) async fn tell_nodes(services: &Services, user: &str, reporter: &Reporter) -> Result<(), Failure> {
    let revision = services.registries.revision();
    let clusters = find_all(&*services.engine).await?.into_iter().filter(|cluster| cluster.identity.user == user);
    let told = clusters.map(async |cluster| {
        let name = cluster.identity.name.clone();
        let step = reporter.step(&name, "", "nodes told of registries", "docker PUT /containers/archive");
        let outcome = async {
            let told = bring(services, &cluster).await?;
            let failed = told.into_iter().filter_map(|(node, outcome)| Some((node, outcome.err()?)));
            let failed: Vec<_> = failed.map(|(node, failure)| (node.container.name, Err(failure))).collect();
            together(failed).map_err(|failure| Failure {
                cure: "it is known to all other nodes, and to those to come; for this one, do it again".into(),
                ..failure
            })
        };
        let outcome = outcome.await;
        match &outcome {
            Ok(()) => step.done(),
            Err(failure) => step.failed(&failure.problem),
        }
        (name, outcome)
    });
    together(join_all(told).await)?;
    services.registries.settled(revision).await
}
