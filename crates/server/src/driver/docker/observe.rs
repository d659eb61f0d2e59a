//! Docker Engine followed: its events, and each object as it is now.

use std::collections::HashMap;

use async_trait::async_trait;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::{EventsOptionsBuilder, ListNetworksOptionsBuilder};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use super::{DockerEngine, TIMEOUT, failed};
use crate::cluster::LABEL_SERVER;
use crate::driver::engine::{Container, Engine, EngineError, EngineEvent, LocalImage, Network, Observe};

/// The events that change what is known of an object. All others, those of programs run in containers above all, would
/// only wake us.
const EVENTS: [&str; 14] = [
    "create", "start", "die", "destroy", "rename", "pause", "unpause", "pull", "tag", "untag", "delete", "load",
    "import", "update",
];

/// How far back events are asked for, in seconds: the request takes a moment to arrive, and the engine counts in seconds.
const EVENTS_OVERLAP: i64 = 2;

#[async_trait]
impl Observe for DockerEngine {
    fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        let host = self.host.clone();
        let since = jiff::Timestamp::now().as_second().saturating_sub(EVENTS_OVERLAP);
        let failed = |error| failed("docker GET /events", "", error);
        // A connection of its own, whose version is agreed upon anew: the engine may be another by now.
        let subscribe = async move {
            let connect = async { Docker::connect_with_host(&host)?.with_timeout(TIMEOUT).negotiate_version().await };
            let docker = connect.await.map_err(failed)?;
            let filters = HashMap::from([("type", vec!["container", "network", "image"]), ("event", EVENTS.to_vec())]);
            let options = EventsOptionsBuilder::new().since(&since.to_string()).filters(&filters).build();
            Ok(docker.events(Some(options)).map_err(failed))
        };
        let events = stream::once(subscribe).try_flatten();
        events.try_filter_map(|event| async { Ok(engine_event(event)) }).boxed()
    }

    async fn containers(&self, label: &str) -> Result<Vec<Container>, EngineError> {
        Engine::containers(self, label).await
    }

    async fn networks(&self) -> Result<Vec<Network>, EngineError> {
        let networks = Engine::networks(self).await?;
        Ok(networks.into_iter().filter(|network| !network.labels.is_empty()).collect())
    }

    async fn images(&self) -> Result<Vec<LocalImage>, EngineError> {
        Engine::images(self).await
    }

    async fn container(&self, id: &str) -> Result<Option<Container>, EngineError> {
        let container = match self.docker().await?.inspect_container(id, None).await {
            Ok(container) => container,
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
            Err(error) => return Err(failed("docker GET /containers/json", id, error)),
        };
        let (config, state) = (container.config.unwrap_or_default(), container.state.unwrap_or_default());
        let started = state.started_at.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let found = Container {
            id: container.id.unwrap_or_default(),
            name: container.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            image: config.image.unwrap_or_default(),
            running: state.running == Some(true) && state.paused != Some(true),
            started: started.map(jiff::Timestamp::as_second).unwrap_or_default(),
            process: state.pid.and_then(|process| process.try_into().ok()).unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
        };
        Ok((found.labels.get(LABEL_SERVER) == Some(&self.server)).then_some(found))
    }

    async fn network(&self, id: &str) -> Result<Option<Network>, EngineError> {
        let filters = HashMap::from([("id", vec![id])]);
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let listed = self.docker().await?.list_networks(Some(options)).await;
        let networks = listed.map_err(|error| failed("docker GET /networks", id, error))?;
        let mut networks = networks.into_iter().map(|network| self.own_network(network));
        Ok(networks.find(|network| network.id == id && !network.labels.is_empty()))
    }

    async fn file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, EngineError> {
        self.read_file(container, path).await
    }
}

fn engine_event(event: EventMessage) -> Option<EngineEvent> {
    let id = event.actor.and_then(|actor| actor.id);
    let since = event.time_nano.and_then(|time| jiff::Timestamp::from_nanosecond(time.into()).ok());
    match event.typ? {
        EventMessageTypeEnum::CONTAINER => id.map(|id| match (event.action.as_deref(), since) {
            (Some("die" | "pause"), Some(since)) => EngineEvent::ContainerRuns { id, runs: false, since },
            (Some("unpause"), Some(since)) => EngineEvent::ContainerRuns { id, runs: true, since },
            // One that starts has another first process, which the event does not tell.
            _ => EngineEvent::Container(id),
        }),
        EventMessageTypeEnum::NETWORK => id.map(EngineEvent::Network),
        EventMessageTypeEnum::IMAGE => Some(EngineEvent::Image),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::EventActor;

    use super::*;

    #[test]
    fn an_event_tells_whether_a_container_runs_where_that_is_all_there_is_to_know() {
        let event = |action: &str| {
            let actor = Some(EventActor { id: Some("c1".into()), ..EventActor::default() });
            let (typ, time_nano) = (Some(EventMessageTypeEnum::CONTAINER), Some(1_500_000_000));
            engine_event(EventMessage { typ, actor, time_nano, action: Some(action.into()), ..EventMessage::default() })
        };
        let since = jiff::Timestamp::from_millisecond(1500).unwrap();
        let runs = |runs| Some(EngineEvent::ContainerRuns { id: "c1".into(), runs, since });
        assert_eq!(["pause", "die", "unpause"].map(event), [runs(false), runs(false), runs(true)]);
        assert_eq!(event("start"), Some(EngineEvent::Container("c1".into())));
    }
}
