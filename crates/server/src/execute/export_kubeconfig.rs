//! `export kubeconfig`: kubeconfigs, which the client merges into its own.

use qbo_api::command::Clusters;

use super::{Services, get_cluster};
use crate::error::Failure;
use crate::report::Reporter;

pub(super) async fn run(
    services: &Services,
    user: &str,
    export: &Clusters,
    reporter: &Reporter,
) -> Result<(), Failure> {
    get_cluster::tell_kubeconfigs(services, user, &export.selection, reporter).await
}
