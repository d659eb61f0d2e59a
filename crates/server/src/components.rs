//! The kubelet and the containerd of a node image, asked in one of its containers whether they take a configuration: with one that they
//! refuse no node would become Ready, and nobody would be told why.

use std::collections::BTreeMap;

use qbo_api::message::Code;
use qbo_bootstrap::{CONTAINERD_CONFIGURATION, Contents, NodeFile, tar};
use serde_json::Value;

use crate::driver::engine::Engine;
use crate::error::Failure;
use crate::kubeadm::run;

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

/// Refuses a configuration that the image's kubelet does not load.
pub async fn check_kubelet(engine: &dyn Engine, container: &str, path: &str) -> Result<(), Failure> {
    // The kubelet loads its configuration first, and then ends: there is no such file.
    let command = format!("timeout 20 kubelet --config={path} --kubeconfig=/nonexistent 2>&1 || true");
    let said = run(engine, container, &command).await?;
    let refusal = configuration_refusal(&said).or_else(|| gate_refusal(&said).map(ToOwned::to_owned));
    let Some(refusal) = refusal else { return Ok(()) };
    let problem = format!("kubeadmConfigPatches: the node image's kubelet refuses it: {refusal}");
    Err(Failure::new(
        Code::UNPROCESSABLE,
        problem,
        "see which fields there are: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1",
    ))
}

/// What a kubelet says of its configuration, without the quotation marks of its log. Fields that it does not know it would leave out.
fn configuration_refusal(said: &str) -> Option<String> {
    let begins = [
        "strict decoding failed",
        "failed to load kubelet config file",
        "failed to validate kubelet configuration",
        "initialize logging",
    ];
    // Older ones begin their words with capitals.
    let refuses = |line: &&str| begins.iter().any(|words| line.to_lowercase().contains(words));
    let line = said.lines().find(refuses)?;
    let words = line.split_once("err=\"").and_then(|(_, words)| words.strip_suffix('"')).unwrap_or(line);
    Some(words.replace("\\\"", "\""))
}

/// The image's configuration of containerd with patches, unless its containerd refuses that.
pub async fn patched_containerd(
    engine: &dyn Engine,
    container: &str,
    configuration: &str,
    patches: &[Value],
) -> Result<String, Failure> {
    let refused = |problem: String| {
        let cure = format!("see how it is: docker run --rm --entrypoint cat IMAGE {CONTAINERD_CONFIGURATION}");
        Failure::new(Code::UNPROCESSABLE, problem, cure)
    };
    let text = qbo_bootstrap::patched_containerd(configuration, patches).map_err(|error| refused(error.to_string()))?;
    let contents = Contents::File(text.clone().into_bytes());
    let file = NodeFile { path: CONTAINERD_CONFIGURATION.to_owned(), mode: 0o644, contents };
    engine.put_archive(container, tar(&[file])).await?;
    // What it does not know it leaves out, and only tells.
    let command = format!(
        "said=$(containerd --config {CONTAINERD_CONFIGURATION} config dump 2>&1 >/dev/null) && said=$(printf '%s\\n' \"$said\" | grep 'unknown key in TOML\"'); printf '%s\\n' \"$said\""
    );
    let said = run(engine, container, &command).await?;
    match said.trim().lines().last() {
        Some(line) => Err(refused(format!("containerdConfigPatches: the node image's containerd refuses it: {line}"))),
        None => Ok(text),
    }
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

    #[test]
    fn older_kubelets_are_understood_too() {
        let old = "E0101 server.go:206] \"Failed to load kubelet config file\" err=\"failed to load Kubelet config file /a\" path=\"/a\"\n";
        assert!(configuration_refusal(old).is_some());
    }

    #[test]
    fn a_refused_configuration_is_found_in_what_the_kubelet_says() {
        let failed =
            |words: &str| format!("I1127 server.go] starting\nE1127 run.go:72] \"command failed\" err=\"{words}\"\n");
        let wrong = failed("failed to load kubelet config file, path: /a, error: cannot unmarshal \\\"many\\\"");
        let expected = "failed to load kubelet config file, path: /a, error: cannot unmarshal \"many\"";
        assert_eq!(configuration_refusal(&wrong).as_deref(), Some(expected));
        let unknown = "I1129 codec.go:102] \"Using lenient decoding as strict decoding failed\" err=\"strict decoding error: unknown field \\\"maxPodz\\\"\"\n";
        let expected = "strict decoding error: unknown field \"maxPodz\"";
        assert_eq!(configuration_refusal(unknown).as_deref(), Some(expected));
        let fine = failed("failed to run Kubelet: invalid kubeconfig: stat /nonexistent: no such file or directory");
        assert_eq!(configuration_refusal(&fine), None);
    }
}
