//! Clusters in the user's own kubeconfig: merged when asked for, taken out when the cluster is deleted. [`document`] is what
//! the file says, [`file`] how it is read and written beside other programs.

mod document;
mod file;

use std::path::PathBuf;

use qbo_api::model::Cluster;

use crate::failure::{Failure, note};
use document::{Document, Problem};
use file::Locked;

/// The user's kubeconfig: the first of `$KUBECONFIG`, else `~/.kube/config`.
fn path() -> Result<PathBuf, Failure> {
    let named = std::env::var_os("KUBECONFIG")
        .and_then(|paths| std::env::split_paths(&paths).find(|path| !path.as_os_str().is_empty()));
    let home = || {
        std::env::var_os("HOME").filter(|home| !home.is_empty()).map(|home| PathBuf::from(home).join(".kube/config"))
    };
    named.or_else(home).ok_or_else(|| Failure::user("there is no place for a kubeconfig", "set KUBECONFIG or HOME"))
}

/// Merges a cluster's kubeconfig into the user's own, whose current context it becomes.
pub(crate) fn merge(kubeconfig: &str) -> Result<(), Failure> {
    let locked = Locked::take(path()?)?;
    let shown = locked.path().display().to_string();
    let mut own = Document::read(&locked.read()?).map_err(|problem| unusable(&shown, &problem))?;
    let new = Document::read(kubeconfig)
        .map_err(|problem| Failure::host(format!("the server's kubeconfig cannot be read: {problem}"), ""))?;
    let context = own.merge(&new).map_err(|problem| unusable(&shown, &problem))?;
    locked.write(&own.text().map_err(|problem| unusable(&shown, &problem))?)?;
    note(&format!("'{context}' is in {shown}, and the current context"));
    Ok(())
}

/// Takes clusters that are gone, or going, out of the user's own kubeconfig, where they were merged. The clusters are gone all
/// the same where that fails.
pub(crate) fn forget(clusters: &[Cluster]) {
    let forgotten = || -> Result<(), Failure> {
        let path = path()?;
        if !path.is_file() {
            return Ok(());
        }
        let locked = Locked::take(path)?;
        let shown = locked.path().display().to_string();
        let text = locked.read()?;
        // Whoever never merged anything needs not be told of a file that is not right.
        if !clusters.iter().any(|cluster| text.contains(&format!("qbo-{}", cluster.name))) {
            return Ok(());
        }
        let mut own = Document::read(&text).map_err(|problem| unusable(&shown, &problem))?;
        let names = clusters.iter().filter(|cluster| own.forget(&format!("qbo-{}", cluster.name), &cluster.address));
        let names: Vec<String> = names.map(|cluster| format!("'qbo-{}'", cluster.name)).collect();
        if !names.is_empty() {
            locked.write(&own.text().map_err(|problem| unusable(&shown, &problem))?)?;
            note(&format!("{} taken out of {shown}", names.join(", ")));
        }
        Ok(())
    };
    if let Err(failure) = forgotten() {
        note(&format!("The kubeconfig is left as it is: {}; {}", failure.problem, failure.cure));
    }
}

fn unusable(path: &str, problem: &Problem) -> Failure {
    Failure::user(
        format!("{path} is not right: {problem}"),
        "it is left as it is; repair it, or name another: KUBECONFIG=…",
    )
}
