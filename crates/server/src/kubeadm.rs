//! The kubeadm of a node image, run in one of its containers: what only it knows how to write for its version. And its kubelet, which
//! knows the feature gates of that version.

use std::collections::BTreeMap;
use std::time::Duration;

use qbo_api::message::Code;

use crate::driver::engine::{Engine, Executed};
use crate::error::Failure;

/// Writes the static pods of the control plane.
pub const STATIC_PODS: &str = "kubeadm init phase control-plane all --config /kind/kubeadm.conf \
                               && kubeadm init phase etcd local --config /kind/kubeadm.conf";
/// The names of their files.
pub const STATIC_POD_FILES: [&str; 4] =
    ["etcd.yaml", "kube-apiserver.yaml", "kube-controller-manager.yaml", "kube-scheduler.yaml"];
/// Prints kube-proxy and `CoreDNS`.
pub const PRINT_ADDONS: &str = "kubeadm init phase addon kube-proxy --config /kind/kubeadm.conf --print-manifest \
                                && echo --- \
                                && kubeadm init phase addon coredns --config /kind/kubeadm.conf --print-manifest";
/// Applies them, where this kubeadm cannot print them.
pub const APPLY_ADDONS: &str = "kubeadm init phase addon all --config /kind/kubeadm.conf";

const LIMIT: Duration = Duration::from_mins(2);

/// Runs a command of kubeadm to its end and returns what it printed.
pub async fn run(engine: &dyn Engine, container: &str, command: &str) -> Result<String, Failure> {
    let command_line = ["/bin/sh", "-c", command];
    let executed = tokio::time::timeout(LIMIT, engine.execute(container, &command_line)).await;
    let late = |_| Failure::new(Code::TIMEOUT, format!("waited {} s in vain for '{command}'", LIMIT.as_secs()), "");
    let Executed { code, output, errors } = executed.map_err(late)??;
    if code == 0 {
        return Ok(output);
    }
    let said = if errors.trim().is_empty() { output } else { errors };
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    let said = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
    let problem = format!("the node image's '{command}' ended with {code}: {said}");
    Err(Failure::new(Code::UNPROCESSABLE, problem, "is this a node image? qbo get images lists those that are"))
}

/// Refuses feature gates that the image's Kubernetes does not know, or does not let anybody turn: with them no component would start.
pub async fn check_gates(engine: &dyn Engine, container: &str, gates: &BTreeMap<String, bool>) -> Result<(), Failure> {
    if gates.is_empty() {
        return Ok(());
    }
    let gates: Vec<String> = gates.iter().map(|(name, value)| format!("{name}={value}")).collect();
    // The kubelet looks at its gates first, and then ends: there is no such file.
    let command =
        format!("timeout 20 kubelet --feature-gates={} --kubeconfig=/nonexistent 2>&1 || true", gates.join(","));
    let said = run(engine, container, &command).await?;
    let Some(refusal) = gate_refusal(&said) else { return Ok(()) };
    let cure = "see which there are: https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates";
    Err(Failure::new(Code::UNPROCESSABLE, format!("the node image's Kubernetes refuses it: {refusal}"), cure))
}

/// What a component says of a feature gate.
fn gate_refusal(said: &str) -> Option<&str> {
    let begins = ["unrecognized feature gate", "cannot set feature gate"];
    let at = begins.iter().find_map(|words| said.find(words))?;
    said[at..].split(['"', '\n']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_gate_is_found_in_what_the_kubelet_says() {
        let failed = |words: &str| {
            format!("Flag --feature-gates has been deprecated\nE1127 run.go:72] \"command failed\" err=\"{words}\"\n")
        };
        let unknown =
            failed("failed to set feature gates from initial flags-based config: unrecognized feature gate: Foo");
        assert_eq!(gate_refusal(&unknown), Some("unrecognized feature gate: Foo"));
        let locked = failed("failed to set: cannot set feature gate Bar to false, feature is locked to true");
        assert_eq!(gate_refusal(&locked), Some("cannot set feature gate Bar to false, feature is locked to true"));
        let fine = failed("failed to run Kubelet: invalid kubeconfig: stat /nonexistent: no such file or directory");
        assert_eq!(gate_refusal(&fine), None);
    }
}
