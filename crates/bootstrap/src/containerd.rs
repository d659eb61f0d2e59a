//! The configuration of a node image's containerd, patched.

use serde_json::Value;

use crate::{patches, registry};

/// Where every node image has it.
pub const CONTAINERD_CONFIGURATION: &str = "/etc/containerd/config.toml";

/// Why a configuration cannot be patched.
#[derive(Debug, thiserror::Error)]
pub enum ContainerdError {
    /// The image's is none.
    #[error("the node image's {CONTAINERD_CONFIGURATION} is not TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    /// What comes of it has no form in TOML.
    #[error("patched, containerd's configuration has no form in TOML: {0}")]
    Form(#[from] toml::ser::Error),
    /// All patches that name a version name others.
    #[error(
        "containerdConfigPatches are for version {asked} of containerd's configuration, and the node image has version {version}"
    )]
    Version {
        /// What the last of them names.
        asked: Value,
        /// What the image has.
        version: Value,
    },
}

/// The image's configuration with these patches. A patch that names a version is for images whose configuration has it, so that one file
/// can serve several images; but one must be for this.
pub fn patched_containerd(configuration: &str, patches: &[Value]) -> Result<String, ContainerdError> {
    let mut configuration: Value = toml::from_str(configuration)?;
    let version = configuration["version"].clone();
    let (fitting, others): (Vec<&Value>, Vec<&Value>) =
        patches.iter().partition(|patch| patch.get("version").is_none_or(|asked| *asked == version));
    if let Some(other) = others.last()
        && fitting.iter().all(|patch| patch.get("version").is_none())
    {
        return Err(ContainerdError::Version { asked: other["version"].clone(), version });
    }
    patches::merge(&mut configuration, fitting);
    // Where a plugin has registries, containerd before 2.0 must be told here where nodes have theirs (`registry_files`).
    let plugins = configuration.get_mut("plugins").and_then(Value::as_object_mut).into_iter().flatten();
    for registry in plugins.filter_map(|(_, plugin)| plugin.get_mut("registry").and_then(Value::as_object_mut)) {
        registry.entry("config_path").or_insert_with(|| registry::DIRECTORY.into());
    }
    Ok(toml::to_string(&toml::Table::try_from(configuration)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CONFIGURATION: &str = "\
version = 3

[plugins]
  [plugins.\"io.containerd.cri.v1.images\"]
    snapshotter = \"overlayfs\"
  [plugins.\"io.containerd.cri.v1.images\".registry]
    config_path = \"/etc/containerd/certs.d\"
";

    #[test]
    fn what_is_patched_is_changed_and_nothing_else() {
        let patch = json!({
            "debug": {"level": "debug"},
            "plugins": {"io.containerd.cri.v1.images": {"max_concurrent_downloads": 9, "snapshotter": "native"}},
        });
        let patched = patched_containerd(CONFIGURATION, &[patch]).unwrap();
        let expected = json!({
            "version": 3,
            "debug": {"level": "debug"},
            "plugins": {"io.containerd.cri.v1.images": {
                "snapshotter": "native",
                "max_concurrent_downloads": 9,
                "registry": {"config_path": "/etc/containerd/certs.d"},
            }},
        });
        assert_eq!(toml::from_str::<Value>(&patched).unwrap(), expected, "{patched}");
        let same = patched_containerd(CONFIGURATION, &[]).unwrap();
        assert_eq!(toml::from_str::<Value>(&same).unwrap(), toml::from_str::<Value>(CONFIGURATION).unwrap());
    }

    #[test]
    fn who_patches_registries_still_has_those_of_qbo() {
        let patch =
            json!({"plugins": {"io.containerd.grpc.v1.cri": {"registry": {"configs": {"a.example": {"auth": {}}}}}}});
        let patched = patched_containerd("version = 2\n", &[patch]).unwrap();
        let registry =
            toml::from_str::<Value>(&patched).unwrap()["plugins"]["io.containerd.grpc.v1.cri"]["registry"].clone();
        assert_eq!(registry, json!({"config_path": "/etc/containerd/certs.d", "configs": {"a.example": {"auth": {}}}}));
    }

    #[test]
    fn a_patch_for_another_version_is_left_out_where_there_is_one_for_this() {
        let (old, new) = (json!({"version": 2, "root": "/old"}), json!({"version": 3, "root": "/new"}));
        let patched = patched_containerd(CONFIGURATION, &[old.clone(), new]).unwrap();
        assert_eq!(toml::from_str::<Value>(&patched).unwrap()["root"], "/new");
        let refused = patched_containerd(CONFIGURATION, &[old, json!({"debug": {}})]).unwrap_err();
        let says =
            "containerdConfigPatches are for version 2 of containerd's configuration, and the node image has version 3";
        assert_eq!(refused.to_string(), says);
        assert!(patched_containerd("version =", &[]).unwrap_err().to_string().contains("is not TOML"));
    }
}
