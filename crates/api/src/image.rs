//! Names of images: `registry/user/repository…/image:tag`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An image as `-i` names it. `hub.docker.com/kindest/node:v1.32.0` and `kindest/node:v1.32.0` are the same
/// image: the registry is kept as written, [`ImageReference::engine_name`] is what Docker calls it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference {
    registry: Option<String>,
    /// Path components, the last of them the image.
    path: Vec<String>,
    tag: Option<String>,
    digest: Option<String>,
}

/// What is wrong with an image's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("image '{value}' {problem}")]
pub struct ImageError {
    value: String,
    problem: &'static str,
}

/// Docker Hub's names: the site's, and those the engine knows.
const HUB: [&str; 3] = ["hub.docker.com", "docker.io", "index.docker.io"];
const LIMIT: usize = 255;

impl ImageReference {
    /// The registry, `hub.docker.com` where none was written.
    pub fn registry(&self) -> &str {
        match &self.registry {
            Some(registry) if !HUB.contains(&registry.as_str()) => registry,
            _ => HUB[0],
        }
    }

    /// The first path component where there are several, as in `kindest`.
    pub fn user(&self) -> &str {
        if self.path.len() > 1 { &self.path[0] } else { "" }
    }

    /// What stands between the user and the image; empty where nothing does.
    pub fn repository(&self) -> String {
        match self.path.as_slice() {
            [_, between @ .., _] => between.join("/"),
            _ => String::new(),
        }
    }

    /// The last path component, as in `node`.
    pub fn image(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The tag; `latest` where neither a tag nor a digest was written.
    pub fn tag(&self) -> &str {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => tag,
            (None, Some(_)) => "",
            (None, None) => "latest",
        }
    }

    /// The name Docker Engine knows the image by: Docker Hub's host is left out.
    pub fn engine_name(&self) -> String {
        let registry = self.registry();
        let prefix = if registry == HUB[0] { String::new() } else { format!("{registry}/") };
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        let tag = if self.tag().is_empty() { String::new() } else { format!(":{}", self.tag()) };
        format!("{prefix}{}{tag}{digest}", self.path.join("/"))
    }

    /// The name that container runtimes in nodes know the image by: nothing is left out of it.
    pub fn runtime_name(&self) -> String {
        if self.registry() != HUB[0] {
            return self.engine_name();
        }
        let official = if self.path.len() == 1 { "library/" } else { "" };
        format!("docker.io/{official}{}", self.engine_name())
    }

    /// Whether it is named by its digest.
    pub fn has_digest(&self) -> bool {
        self.digest.is_some()
    }

    /// The full name in qbo's messages, with the registry before it.
    pub fn full_name(&self) -> String {
        let registry = self.registry();
        if registry == HUB[0] { format!("{registry}/{}", self.engine_name()) } else { self.engine_name() }
    }
}

impl FromStr for ImageReference {
    type Err = ImageError;

    fn from_str(value: &str) -> Result<Self, ImageError> {
        let error = |problem| ImageError { value: value.chars().take(80).collect(), problem };
        if value.is_empty() {
            return Err(error("is empty"));
        }
        if value.len() > LIMIT {
            return Err(error("is too long: at most 255 characters"));
        }
        let (rest, digest) = match value.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (value, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(error("has no valid digest: '@sha256:' and 64 hexadecimal digits"));
        }
        // A ':' before the last '/' belongs to the registry's port.
        let name_start = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (path, tag) = match rest[name_start..].split_once(':') {
            Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], Some(tag)),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(error("has no valid tag after ':', as in 'kindest/node:v1.37.2'"));
        }
        let mut components: Vec<&str> = path.split('/').collect();
        let registry = match components.as_slice() {
            [first, _, ..] if is_registry(first) => Some(components.remove(0).to_owned()),
            _ => None,
        };
        if !components.iter().all(|component| is_component(component)) {
            return Err(error(
                "is not of the form registry/user/image:tag (a-z, 0-9, '.', '_' and '-'), as 'kindest/node:v1.37.2' is",
            ));
        }
        Ok(Self {
            registry,
            path: components.into_iter().map(str::to_owned).collect(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(formatter, "{registry}/")?;
        }
        formatter.write_str(&self.path.join("/"))?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for ImageReference {
    type Error = ImageError;

    fn try_from(value: String) -> Result<Self, ImageError> {
        value.parse()
    }
}

impl From<ImageReference> for String {
    fn from(image: ImageReference) -> Self {
        image.to_string()
    }
}

/// As Docker tells a registry from a user: it has a dot or a port, or is `localhost`.
fn is_registry(component: &str) -> bool {
    let (host, port) = component.split_once(':').unwrap_or((component, "0"));
    (component == "localhost" || component.contains(['.', ':']))
        && !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && port.parse::<u16>().is_ok()
}

fn is_component(component: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    edge(component.bytes().next())
        && edge(component.bytes().last())
        && component
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && word(tag.as_bytes()[0])
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    digest
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_runtimes_know_whole_names() {
        for (name, runtime) in [
            ("app", "docker.io/library/app:latest"),
            ("app:1", "docker.io/library/app:1"),
            ("hub.docker.com/kindest/node:v1", "docker.io/kindest/node:v1"),
            ("localhost:5000/app:1", "localhost:5000/app:1"),
        ] {
            assert_eq!(name.parse::<ImageReference>().unwrap().runtime_name(), runtime);
        }
    }

    #[test]
    fn both_spellings_of_docker_hub_are_the_same_image() {
        let long: ImageReference = "hub.docker.com/kindest/node:v1.32.0".parse().unwrap();
        let short: ImageReference = "kindest/node:v1.32.0".parse().unwrap();
        assert_eq!(long.engine_name(), "kindest/node:v1.32.0");
        assert_eq!(long.engine_name(), short.engine_name());
        assert_eq!(short.full_name(), "hub.docker.com/kindest/node:v1.32.0");
        assert_eq!((short.user(), short.image(), short.tag()), ("kindest", "node", "v1.32.0"));
    }

    #[test]
    fn registries_with_ports_and_deep_repositories() {
        let image: ImageReference = "registry.gitlab.com:5050/group/sub/project/node:v1.30.0".parse().unwrap();
        assert_eq!(image.registry(), "registry.gitlab.com:5050");
        assert_eq!(image.user(), "group");
        assert_eq!(image.repository(), "sub/project");
        assert_eq!(image.image(), "node");
        assert_eq!(image.engine_name(), "registry.gitlab.com:5050/group/sub/project/node:v1.30.0");
        let local: ImageReference = "localhost:5000/node".parse().unwrap();
        assert_eq!((local.registry(), local.tag()), ("localhost:5000", "latest"));
    }

    #[test]
    fn digests() {
        let text = format!("kindest/node:v1.32.0@sha256:{}", "a".repeat(64));
        let image: ImageReference = text.parse().unwrap();
        assert_eq!(image.to_string(), text);
        assert_eq!(image.engine_name(), text);
    }

    #[test]
    fn wrong_names_are_told_what_would_be_right() {
        for bad in ["", ":tag", "a//b", "Kindest/Node", "a:b:c", "node:", "a@sha256:1", "-x", "/a", "a/"] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
    }
}
