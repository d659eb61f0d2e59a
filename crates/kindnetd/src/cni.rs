//! The CNI configuration that the container runtime reads: each pod gets a veth pair and addresses of this node's pod
//! subnets.
//!
//! The README of this crate holds the format; provisioners write the same file before the daemon runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde_json::{Value, json};

/// Where the container runtime looks for configurations.
pub(crate) const DIRECTORY: &str = "/etc/cni/net.d";

/// The number makes it the first of the directory; the name is kind's.
const FILE: &str = "10-kindnet.conflist";

/// A name the container runtime takes for no configuration.
const TEMPORARY_FILE: &str = ".10-kindnet.conflist.new";

/// What was being done to the file.
#[derive(Debug, thiserror::Error)]
#[error("write the CNI configuration {}: {source}", path.display())]
pub(crate) struct Error {
    path: PathBuf,
    source: io::Error,
}

/// The configuration of a node with these pod subnets, as the README shows it.
pub(crate) fn configuration(pod_subnets: &[IpNet], mtu: Option<u32>) -> Value {
    let ranges: Vec<Value> = pod_subnets.iter().map(|subnet| json!([{ "subnet": subnet }])).collect();
    let routes: Vec<Value> = pod_subnets
        .iter()
        .map(|subnet| match subnet {
            IpNet::V4(_) => json!({ "dst": "0.0.0.0/0" }),
            IpNet::V6(_) => json!({ "dst": "::/0" }),
        })
        .collect();
    let mut pair = json!({
        "type": "ptp",
        // The daemon masquerades, by rules that know the subnets of all nodes.
        "ipMasq": false,
        "ipam": {
            "type": "host-local",
            // Lost with a restart of the node, as its pods are: no address stays taken.
            "dataDir": "/run/cni-ipam-state",
            "ranges": ranges,
            "routes": routes,
        },
    });
    if let Some(mtu) = mtu {
        pair["mtu"] = mtu.into();
    }
    json!({
        "cniVersion": "1.0.0",
        "name": "kindnet",
        "plugins": [
            pair,
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

/// Writes the configuration unless the file means the same already; true if it was written.
pub(crate) fn write(directory: &Path, configuration: &Value) -> Result<bool, Error> {
    let path = directory.join(FILE);
    let present = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    if present.as_ref() == Some(configuration) {
        return Ok(false);
    }
    let temporary = directory.join(TEMPORARY_FILE);
    fs::write(&temporary, format!("{configuration:#}\n"))
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(|source| Error { path, source })?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|subnet| subnet.parse().expect("a subnet")).collect()
    }

    #[test]
    fn the_readme_shows_the_configuration() {
        let readme = include_str!("../README.md");
        let shown = readme.split("```json").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of JSON");
        assert_eq!(
            serde_json::from_str::<Value>(shown).expect("valid JSON"),
            configuration(&subnets(&["10.244.1.0/24"]), Some(1500)),
        );
    }

    #[test]
    fn dual_stack_has_a_range_and_a_default_route_of_each_family() {
        let configuration = configuration(&subnets(&["10.244.1.0/24", "fd00:10:244:1::/64"]), None);
        let pair = &configuration["plugins"][0];
        assert_eq!(
            pair["ipam"]["ranges"],
            json!([[{ "subnet": "10.244.1.0/24" }], [{ "subnet": "fd00:10:244:1::/64" }]])
        );
        assert_eq!(pair["ipam"]["routes"], json!([{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }]));
        assert_eq!(pair.get("mtu"), None);
    }

    #[test]
    fn leaves_a_file_alone_that_means_the_same() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join(FILE);
        let configuration = configuration(&subnets(&["10.244.1.0/24"]), Some(1500));
        let other_words = r#"{"plugins":[{"mtu":1500,"type":"ptp","ipMasq":false,"ipam":{"routes":[{"dst":"0.0.0.0/0"}],
            "ranges":[[{"subnet":"10.244.1.0/24"}]],"dataDir":"/run/cni-ipam-state","type":"host-local"}},
            {"capabilities":{"portMappings":true},"type":"portmap"}],"name":"kindnet","cniVersion":"1.0.0"}"#;
        fs::write(&path, other_words).expect("write the file");

        assert!(!write(directory.path(), &configuration).expect("write"));
        assert_eq!(fs::read_to_string(&path).expect("read the file"), other_words);
    }

    #[test]
    fn replaces_another_configuration_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join(FILE);
        let configuration = configuration(&subnets(&["10.244.1.0/24"]), Some(1500));
        for other in ["", "{", "{\"name\":\"kindnet\"}"] {
            fs::write(&path, other).expect("write the file");
            assert!(write(directory.path(), &configuration).expect("write"));
            let text = fs::read_to_string(&path).expect("read the file");
            assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), configuration);
        }
        assert_eq!(fs::read_dir(directory.path()).expect("list").count(), 1);
    }

    #[test]
    fn names_the_file_it_cannot_write() {
        let error = write(Path::new("/nonexistent"), &json!({})).expect_err("no such directory");
        assert!(error.to_string().contains("/nonexistent/10-kindnet.conflist"), "{error}");
    }
}
