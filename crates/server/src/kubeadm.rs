//! The kubeadm of a node image, run in one of its containers: what only it knows how to write for its version.

use std::time::Duration;

use qbo_api::components::ProxyMode;
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
pub fn apply_addons(mode: ProxyMode) -> &'static str {
    match mode {
        ProxyMode::None => "kubeadm init phase addon coredns --config /kind/kubeadm.conf",
        ProxyMode::Iptables | ProxyMode::Nftables | ProxyMode::Ipvs => {
            "kubeadm init phase addon all --config /kind/kubeadm.conf"
        }
    }
}

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

/// What kubeadm refuses where its configuration is patched is most likely the patches' fault.
pub fn of_patches(failure: &Failure) -> Failure {
    let problem = format!("kubeadmConfigPatches: {}", failure.problem);
    let cure = "see which fields there are: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4";
    Failure::new(failure.code, problem, cure)
}
