//! `delete port`: all of the ports lead into the cluster, or none is deleted.

use futures_util::future::join_all;
use qbo_api::command::{DeletePort, Selection};
use qbo_api::message::Code;

use super::{Services, settle};
use crate::cluster::{Found, FoundPort};
use crate::error::Failure;
use crate::operations::{Business, Running};
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    delete: &DeletePort,
    reporter: &Reporter,
    running: &Running,
) -> Result<(), Failure> {
    let selected = services.select(user, &Selection::Named(vec![delete.cluster.clone()])).await?;
    let cluster = selected.into_iter().next().expect("one was named, and is there");
    let name = &cluster.identity.name;
    let claim = services.operations.claim((user, name), Business::default(), reporter.command_line())?;
    let cluster = services.again(&cluster).await?;
    let ports = choose(&cluster, delete)?;
    running.pass_return()?;
    let removed = ports.iter().map(async |port| {
        let step = reporter.step(name, "", format!("port {}", port.mapping), "docker DELETE /containers");
        match services.engine.remove_container(&port.container.id).await {
            Ok(()) => {
                step.done();
                Ok(())
            }
            Err(error) => {
                let failure = Failure::from(error);
                step.failed(&failure.problem);
                Err(failure)
            }
        }
    });
    let outcome = join_all(removed).await.into_iter().collect();
    settle(services).await;
    drop(claim);
    services.tell_cluster(&cluster.identity, reporter);
    outcome
}

fn choose<'a>(cluster: &'a Found, delete: &DeletePort) -> Result<Vec<&'a FoundPort>, Failure> {
    let missing = delete.ports.iter().find(|port| !cluster.ports.iter().any(|known| port.matches(&known.mapping)));
    if let Some(port) = missing {
        let name = &cluster.identity.name;
        let known: Vec<String> = cluster.ports.iter().map(|known| known.mapping.to_string()).collect();
        let cure = if known.is_empty() { "none does".to_owned() } else { format!("there is: {}", known.join(", ")) };
        return Err(Failure::new(
            Code::NOT_FOUND,
            format!("no port {port} of the host leads into cluster '{name}'"),
            cure,
        ));
    }
    let is_named = |known: &&FoundPort| delete.ports.iter().any(|port| port.matches(&known.mapping));
    Ok(cluster.ports.iter().filter(is_named).collect())
}
