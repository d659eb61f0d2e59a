//! Kubernetes versions: what a file must say is a function of them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version of Kubernetes, such as `v1.37.2` or `v1.38.0-alpha.1`. The leading `v` is optional when parsed and always printed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KubernetesVersion {
    /// Always 1 so far.
    pub major: u16,
    /// The release line: 37 in `v1.37.2`.
    pub minor: u16,
    /// The patch release: 2 in `v1.37.2`.
    pub patch: u16,
    /// What follows the first hyphen: `alpha.1` in `v1.38.0-alpha.1`.
    pub pre: Option<String>,
}

/// A text that is not a version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a Kubernetes version such as v1.37.2")]
pub struct VersionError {
    /// The text as it was given.
    pub text: String,
}

impl KubernetesVersion {
    /// A release: no pre-release part.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch, pre: None }
    }

    /// Whether this version belongs to `1.minor` or a later line. Pre-releases count as their line: features
    /// and flags are already those of the release they lead to.
    pub fn is_at_least(&self, minor: u16) -> bool {
        (self.major, self.minor) >= (1, minor)
    }
}

impl FromStr for KubernetesVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| VersionError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<KubernetesVersion> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (numbers, pre) = match text.split_once('-') {
        Some((numbers, pre)) if is_pre_release(pre) => (numbers, Some(pre.to_owned())),
        Some(_) => return None,
        None => (text, None),
    };
    let mut numbers = numbers.split('.').map(number);
    let version = KubernetesVersion { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()??, pre };
    numbers.next().is_none().then_some(version)
}

fn is_pre_release(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

fn number(text: &str) -> Option<u16> {
    // `u16::from_str` takes a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "v{}.{}.{}", self.major, self.minor, self.patch)?;
        match &self.pre {
            Some(pre) => write!(formatter, "-{pre}"),
            None => Ok(()),
        }
    }
}

impl Ord for KubernetesVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| compare_pre(self.pre.as_deref(), other.pre.as_deref()))
    }
}

impl PartialOrd for KubernetesVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Precedence of pre-releases: <https://semver.org/#spec-item-11>.
fn compare_pre(left: Option<&str>, right: Option<&str>) -> Ordering {
    let (left, right) = match (left, right) {
        (None, None) => return Ordering::Equal,
        (None, Some(_)) => return Ordering::Greater,
        (Some(_), None) => return Ordering::Less,
        (Some(left), Some(right)) => (left, right),
    };
    let key = |part: &str| match number(part) {
        Some(number) => (0, number, String::new()),
        None => (1, 0, part.to_owned()),
    };
    left.split('.').map(key).cmp(right.split('.').map(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> KubernetesVersion {
        text.parse().unwrap()
    }

    #[test]
    fn prints_what_it_parsed_with_the_leading_v() {
        for (text, printed) in [("v1.37.2", "v1.37.2"), ("1.20.15", "v1.20.15"), ("v1.38.0-alpha.1", "v1.38.0-alpha.1")]
        {
            assert_eq!(version(text).to_string(), printed);
        }
    }

    #[test]
    fn refuses_what_is_no_version() {
        for text in [
            "",
            "v",
            "1.37",
            "1.37.2.1",
            "1.37.x",
            "latest",
            "v1.37.2-",
            "1.+37.2",
            "v1.70000.0",
            "1.37.2-rc..1",
            "1.37.2 ",
        ] {
            assert_eq!(text.parse::<KubernetesVersion>(), Err(VersionError { text: text.to_owned() }));
        }
    }

    #[test]
    fn orders_pre_releases_before_their_release() {
        let ascending = ["1.9.11", "1.20.2", "1.37.0-alpha.2", "1.37.0-alpha.10", "1.37.0-rc.0", "1.37.0", "1.37.2"];
        assert!(ascending.map(version).is_sorted());
    }

    #[test]
    fn counts_a_pre_release_as_its_line() {
        assert!(version("1.38.0-alpha.1").is_at_least(38));
        assert!(!version("1.37.2").is_at_least(38));
    }
}
