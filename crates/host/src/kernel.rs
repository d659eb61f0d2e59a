//! The kernel: old enough to miss something, or built without something nodes need?

use crate::{Check, Host, Level};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::Read;

/// The oldest kernel that kubeadm accepts (`validators/types_unix.go` of `k8s.io/system-validators`).
const OLDEST: (u32, u32) = (5, 4);

pub(crate) fn version(host: &Host) -> Check {
    let release = release(host);
    let Some(version) = parse_version(&release) else {
        return Check::warning("kernel", release, "qbo was tried on Linux 5.4 and newer");
    };
    if version < OLDEST {
        return Check::bad("kernel", release, "install a kernel of at least 5.4, the oldest that Kubernetes supports");
    }
    Check::good("kernel", release)
}

fn release(host: &Host) -> String {
    host.read("/proc/sys/kernel/osrelease").map_or_else(|| "unknown".into(), |release| release.trim().into())
}

fn parse_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

struct Feature {
    name: &'static str,
    module: &'static str,
    option: &'static str,
    /// How a kernel without it is judged.
    without: Level,
    /// What is lost then.
    loss: &'static str,
}

const FEATURES: &[Feature] = &[
    Feature {
        name: "kernel overlay",
        module: "overlay",
        option: "CONFIG_OVERLAY_FS",
        without: Level::Bad,
        loss: "images of nodes and pods are stored on it",
    },
    Feature {
        name: "kernel bridge",
        module: "bridge",
        option: "CONFIG_BRIDGE",
        without: Level::Bad,
        loss: "each cluster's network is one",
    },
    Feature {
        name: "kernel veth",
        module: "veth",
        option: "CONFIG_VETH",
        without: Level::Bad,
        loss: "it joins containers and pods to their networks",
    },
    Feature {
        name: "kernel NAT",
        module: "nf_nat",
        option: "CONFIG_NF_NAT",
        without: Level::Bad,
        loss: "Services and the way out of the cluster need it",
    },
    Feature {
        name: "kernel nf_tables",
        module: "nf_tables",
        option: "CONFIG_NF_TABLES",
        without: Level::Warning,
        loss: "Services then need iptables",
    },
    Feature {
        name: "kernel iptables",
        module: "ip_tables",
        option: "CONFIG_IP_NF_IPTABLES",
        without: Level::Warning,
        loss: "Services then need nf_tables",
    },
    Feature {
        name: "kernel vxlan",
        module: "vxlan",
        option: "CONFIG_VXLAN",
        without: Level::Warning,
        loss: "network plugins that build tunnels between nodes need it",
    },
    Feature {
        name: "kernel IP_VS",
        module: "ip_vs",
        option: "CONFIG_IP_VS",
        without: Level::Warning,
        loss: "load balancers need it; clusters do without",
    },
];

/// A feature's place in the running kernel.
enum Presence {
    Present(&'static str),
    Absent(&'static str),
    Unknown,
}

pub(crate) fn features(host: &Host) -> Vec<Check> {
    let kernel = Kernel::read(host);
    let mut checks: Vec<Check> = FEATURES.iter().map(|feature| judge(feature, &kernel.presence(feature))).collect();
    checks.push(type_format(host));
    checks
}

fn judge(feature: &Feature, presence: &Presence) -> Check {
    match presence {
        Presence::Present(how) => Check::good(feature.name, *how),
        Presence::Absent(how) => Check {
            name: feature.name,
            level: feature.without,
            found: (*how).into(),
            cure: Some(match *how {
                MODULE_LOST => format!("reboot into the installed kernel: {}", feature.loss),
                _ => format!("use a kernel with {}: {}", feature.option, feature.loss),
            }),
        },
        Presence::Unknown => Check::warning(
            feature.name,
            "cannot tell: no kernel configuration to read",
            format!("make sure that the kernel has {}: {}", feature.option, feature.loss),
        ),
    }
}

/// Programs for BPF are relocated with it when they are loaded.
fn type_format(host: &Host) -> Check {
    if host.exists("/sys/kernel/btf/vmlinux") {
        return Check::good("kernel BPF", "with type information");
    }
    Check::warning(
        "kernel BPF",
        "no type information",
        "use a kernel with CONFIG_DEBUG_INFO_BTF: processes are observed with it; clusters do without",
    )
}

/// After an upgrade, modules of the running kernel may be gone until the next boot.
const MODULE_LOST: &str = "module not installed";

/// Everything that tells what the kernel can do.
struct Kernel<'a> {
    host: &'a Host,
    filesystems: String,
    loaded: String,
    built_in: String,
    installed: String,
    configuration: Option<String>,
}

impl<'a> Kernel<'a> {
    fn read(host: &'a Host) -> Self {
        let release = release(host);
        let read = |path: &str| host.read(path).unwrap_or_default();
        Self {
            host,
            filesystems: read("/proc/filesystems"),
            loaded: read("/proc/modules"),
            built_in: read(&format!("/lib/modules/{release}/modules.builtin")),
            installed: read(&format!("/lib/modules/{release}/modules.dep")),
            configuration: host.read(&format!("/boot/config-{release}")).or_else(|| packed_configuration(host)),
        }
    }

    fn presence(&self, feature: &Feature) -> Presence {
        let module = feature.module;
        let first_word_is = |line: &str| line.split_whitespace().next() == Some(module);
        if self.loaded.lines().any(first_word_is) {
            return Presence::Present("module loaded");
        }
        // A module that is built in appears there only if it has parameters.
        if self.host.exists(&format!("/sys/module/{module}"))
            || self.filesystems.lines().any(|line| line.split_whitespace().last() == Some(module))
            || self.built_in.lines().any(|line| is_module(line, module))
        {
            return Presence::Present("built in");
        }
        if self.installed.lines().any(|line| line.split_once(':').is_some_and(|(path, _)| is_module(path, module))) {
            return Presence::Present("module installed");
        }
        match self.configuration.as_deref().map(|text| configured(text, feature.option)) {
            Some(Some('y')) => Presence::Present("built in"),
            Some(Some(_)) => Presence::Absent(MODULE_LOST),
            Some(None) => Presence::Absent("not in this kernel"),
            None => Presence::Unknown,
        }
    }
}

/// Whether `path`, as in `kernel/net/netfilter/ipvs/ip_vs.ko.xz`, is the file of `module`.
fn is_module(path: &str, module: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split_once(".ko").is_some_and(|(name, _)| name.replace('-', "_") == module)
}

/// `y` or `m`, or nothing where `option` is off.
fn configured(configuration: &str, option: &str) -> Option<char> {
    configuration.lines().find_map(|line| line.strip_prefix(option)?.strip_prefix('=')?.chars().next())
}

/// What a kernel with `CONFIG_IKCONFIG_PROC` tells of itself.
fn packed_configuration(host: &Host) -> Option<String> {
    let file = File::open(host.path("/proc/config.gz")).ok()?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{configured, is_module, parse_version};

    #[test]
    fn versions_of_many_vendors() {
        assert_eq!(parse_version("6.1.0-37-amd64"), Some((6, 1)));
        assert_eq!(parse_version("5.15.167.4-microsoft-standard-WSL2"), Some((5, 15)));
        assert_eq!(parse_version("6.18"), Some((6, 18)));
        assert_eq!(parse_version("7.0-rc1"), Some((7, 0)));
        assert_eq!(parse_version("unknown"), None);
        assert_eq!(parse_version(""), None);
    }

    #[test]
    fn modules_by_file() {
        assert!(is_module("kernel/net/netfilter/ipvs/ip_vs.ko", "ip_vs"));
        assert!(is_module("kernel/net/netfilter/nf-nat.ko.zst", "nf_nat"));
        assert!(!is_module("kernel/net/netfilter/ipvs/ip_vs_rr.ko", "ip_vs"));
        assert!(!is_module("ip_vs", "ip_vs"));
    }

    #[test]
    fn options_by_their_whole_name() {
        let text = "CONFIG_VETH=m\n# CONFIG_IP_VS is not set\nCONFIG_IP_VS_RR=y\nCONFIG_BRIDGE=y\n";
        assert_eq!(configured(text, "CONFIG_VETH"), Some('m'));
        assert_eq!(configured(text, "CONFIG_BRIDGE"), Some('y'));
        assert_eq!(configured(text, "CONFIG_IP_VS"), None);
    }
}
