//! What containers are made like.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigCgroupnsModeEnum, IpamConfig,
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType, NetworkingConfig, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use ipnet::IpNet;
use qbo_api::components::SearchDomain;
use qbo_api::settings::{PortMapping, Propagation};

use crate::config::Runtime;
use crate::driver::engine::NewContainer;

/// What a probe does: it waits to be asked, and goes by itself where nobody removes it.
const PROBE_COMMAND: &str = "exec sleep 600";

/// What all nodes have in common; the same as the peer `kind` gives its nodes, whose images these are.
pub(super) fn node(container: &NewContainer, runtime: Runtime) -> ContainerCreateBody {
    let unconfined = ["seccomp=unconfined", "apparmor=unconfined", "label=disable"];
    let extras = &container.extras;
    let mounts = extras.mounts.iter().map(|mount| Mount {
        target: Some(mount.node.clone()),
        source: Some(mount.host.clone()),
        typ: Some(MountType::BIND),
        read_only: Some(mount.read_only),
        bind_options: Some(MountBindOptions {
            propagation: Some(match mount.propagation {
                Propagation::Private => MountBindOptionsPropagationEnum::RPRIVATE,
                Propagation::HostToNode => MountBindOptionsPropagationEnum::RSLAVE,
                Propagation::Bidirectional => MountBindOptionsPropagationEnum::RSHARED,
            }),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    });
    ContainerCreateBody {
        hostname: Some(container.name.clone()),
        image: Some(container.image.clone()),
        // systemd's output goes to the console, as Docker's log.
        tty: Some(true),
        env: Some(container.environment.clone()),
        // An anonymous volume: what pods write stays off the container's overlay, and goes with the container.
        volumes: Some(vec!["/var".into()]),
        host_config: Some(HostConfig {
            privileged: Some(true),
            security_opt: Some(unconfined.map(str::to_owned).to_vec()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            userns_mode: Some("host".into()),
            init: Some(false),
            // Docker's default runtime may be a wrapper of runc that the host needs, so runc is not named.
            runtime: (runtime == Runtime::Nvidia).then(|| "nvidia".into()),
            network_mode: Some(container.network.clone()),
            // The image's start looks this name up, and a host whose DNS does not answer would hold it up.
            extra_hosts: Some(vec!["host.docker.internal:host-gateway".into()]),
            binds: Some(vec!["/lib/modules:/lib/modules:ro".into()]),
            // Unlike binds, these are refused where the host has no such path.
            mounts: Some(mounts.collect()),
            nano_cpus: limit(extras.limit.cpu_millis * 1_000_000),
            memory: limit(extras.limit.memory),
            // As much as memory alone: without swap, as the kubelet counts.
            memory_swap: limit(extras.limit.memory),
            sysctls: extras.address_v6.map(|_| ipv6_settings()),
            dns_search: extras.dns_search.as_deref().map(search),
            tmpfs: Some(HashMap::from([("/tmp".into(), String::new()), ("/run".into(), String::new())])),
            restart_policy: Some(restart_policy(COMES_BACK)),
            ..HostConfig::default()
        }),
        networking_config: Some(networking(container)),
        ..ContainerCreateBody::default()
    }
}

/// Docker has a word of its own for a list without domains: an empty one is none.
fn search(domains: &[SearchDomain]) -> Vec<String> {
    if domains.is_empty() { vec![".".to_owned()] } else { domains.iter().map(ToString::to_string).collect() }
}

/// What stands in front of several API servers.
pub(super) fn balancer(container: &NewContainer, program: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        hostname: Some(container.name.clone()),
        image: Some(container.image.clone()),
        entrypoint: Some(vec![program.to_owned()]),
        // The image's own is for its init.
        stop_signal: Some("SIGTERM".into()),
        host_config: Some(HostConfig {
            network_mode: Some(container.network.clone()),
            restart_policy: Some(restart_policy(COMES_BACK)),
            ..HostConfig::default()
        }),
        networking_config: Some(networking(container)),
        ..ContainerCreateBody::default()
    }
}

/// What only waits, for looking into an image.
pub(super) fn probe(image: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.into()),
        entrypoint: Some(["/bin/sh", "-c", PROBE_COMMAND].map(str::to_owned).to_vec()),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            auto_remove: Some(true),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// What passes on a port of the host: rules of the kernel, in a network namespace that has nothing else. They are there again whenever it
/// starts, and a host's kernel has one of the two kinds at least, as nodes need them too.
const PASS_ON: &str = r#"set -e
iptables=iptables
$iptables -t nat -L PREROUTING >/dev/null 2>&1 || iptables=iptables-legacy
$iptables -t nat -A PREROUTING -p "$1" --dport "$2" -j DNAT --to-destination "$3:$4"
$iptables -t nat -A POSTROUTING -p "$1" -d "$3" --dport "$4" -j MASQUERADE
exec sleep infinity"#;

pub(super) fn port(container: &NewContainer, port: &PortMapping, target: Ipv4Addr) -> ContainerCreateBody {
    let key = format!("{}/{}", port.host, port.protocol.as_str());
    // In a network that has IPv6 Docker would also pass on what comes by that, to where nothing listens.
    let all = container.extras.address_v6.map(|_| IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let listen = port.listen.or(all).map(|address| address.to_string());
    let binding = PortBinding { host_ip: listen, host_port: Some(port.host.to_string()) };
    let shell = ["/bin/sh", "-c", PASS_ON, "port"].map(str::to_owned);
    let arguments =
        [port.protocol.as_str().to_owned(), port.host.to_string(), target.to_string(), port.node.to_string()];
    ContainerCreateBody {
        hostname: Some(container.name.clone()),
        image: Some(container.image.clone()),
        entrypoint: Some([shell, arguments].concat()),
        // Nothing is to be ended: what waits hears no other signal as the first process of a container.
        stop_signal: Some("SIGKILL".into()),
        exposed_ports: Some(vec![key.clone()]),
        host_config: Some(HostConfig {
            network_mode: Some(container.network.clone()),
            cap_add: Some(vec!["NET_ADMIN".into()]),
            sysctls: Some(HashMap::from([("net.ipv4.ip_forward".into(), "1".into())])),
            port_bindings: Some(HashMap::from([(key, Some(vec![binding]))])),
            restart_policy: Some(restart_policy(COMES_BACK)),
            ..HostConfig::default()
        }),
        networking_config: Some(networking(container)),
        ..ContainerCreateBody::default()
    }
}

/// A number of the engine's; zero is no limit there either.
fn limit(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

/// The network and the address of a container.
fn networking(container: &NewContainer) -> NetworkingConfig {
    let endpoint = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(container.address.to_string()),
            ipv6_address: container.extras.address_v6.map(|address| address.to_string()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    };
    NetworkingConfig { endpoints_config: Some(HashMap::from([(container.network.clone(), endpoint)])) }
}

/// Docker turns IPv6 off in containers where it does not expect it, and nodes pass on what is for their pods.
fn ipv6_settings() -> HashMap<String, String> {
    let names = ["net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.all.forwarding=1"];
    names.iter().filter_map(|name| name.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}

/// Nodes come back with Docker. It must not be "unless-stopped": a dockerd that finds its containers alive after a crash
/// ends them first, and takes that for a stop on purpose (moby's `Daemon.restore` and `killWithSignal`).
pub(super) const COMES_BACK: RestartPolicyNameEnum = RestartPolicyNameEnum::ALWAYS;
/// Those that were stopped on purpose do not.
pub(super) const STAYS_STOPPED: RestartPolicyNameEnum = RestartPolicyNameEnum::NO;

pub(super) fn restart_policy(name: RestartPolicyNameEnum) -> RestartPolicy {
    RestartPolicy { name: Some(name), maximum_retry_count: None }
}

/// The host's own address on a network: the first one. That of no number at all is every router's in IPv6 (RFC 4291, section 2.6.1).
pub(super) fn gateway(subnet: IpNet) -> Option<IpAddr> {
    subnet.hosts().find(|address| *address != subnet.network())
}

pub(super) fn subnets(configs: &[IpamConfig]) -> impl Iterator<Item = IpNet> {
    configs.iter().filter_map(|config| config.subnet.as_ref()?.parse().ok())
}
