//! `version`

use qbo_api::message::Payload;
use qbo_api::model::Version;

use super::Services;
use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(services: &Services, reporter: &Reporter) -> Result<(), Failure> {
    let own = Version {
        qbo_api: Some(env!("CARGO_PKG_VERSION").into()),
        host: Some(reporter.host().into()),
        ..Version::default()
    };
    match services.engine.info().await {
        Ok(engine) => {
            let (api, version) = (Some(engine.api_version), Some(engine.version));
            reporter.rows(Payload::Version(vec![Version { docker_api: api, docker_version: version, ..own }]));
            Ok(())
        }
        // What is known is told all the same.
        Err(error) => {
            reporter.rows(Payload::Version(vec![own]));
            Err(error.into())
        }
    }
}
