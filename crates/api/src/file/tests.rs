//! Files as people write them.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::command::Command;
use crate::components::{Patches, ProxyMode};
use crate::grammar::parse as parse_line;
use crate::settings::{Cni, IpFamily, NodeSettings, Wait};
use crate::wanted::Wanted;

const OWN: &str = "\
apiVersion: qbo.io/v1
kind: Cluster
name: alex
image: kindest/node:v1.37.2
domain: dev.example.com
nodes:
- role: control-plane
  ports: ['127.0.0.1:8443:443']
- role: worker
  cpus: 2
  memory: 4Gi
  labels: {disk: slow}
- role: worker
ports: ['8080:30080']
mounts: ['/srv/data:/data:ro']
cpus: 1.5
taints: ['gpu=yes:NoSchedule']
labels: {disk: fast, zone: a}
featureGates: {ImageVolume: true}
runtimeConfig: {api/alpha: 'false'}
cni: none
podSubnet: 10.1.0.0/16,fd00:1::/56
serviceSubnet: 10.2.0.0/16,fd00:2::/112
ipFamily: dual
kubeProxyMode: nftables
dnsSearch: [example.com]
kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  maxPods: 50
containerdConfigPatches:
- |
  [debug]
    level = 'debug'
timeout: 5m
";

const KIND: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: alex
featureGates:
  ImageVolume: true
runtimeConfig:
  api/alpha: \"false\"
networking:
  ipFamily: dual
  apiServerAddress: 192.0.2.1
  apiServerPort: 6443
  podSubnet: 10.1.0.0/16,fd00:1::/56
  disableDefaultCNI: true
  kubeProxyMode: ipvs
  dnsSearch: [example.com, corp.example.com]
kubeadmConfigPatches:
- |
  apiVersion: kubeadm.k8s.io/v1beta3
  kind: ClusterConfiguration
  metadata:
    name: config
  apiServer:
    certSANs: [api.example.com]
    extraArgs:
      v: 4
  dns:
    imageTag: v2
- |
  kind: JoinConfiguration
  nodeRegistration:
    kubeletExtraArgs:
    - name: max-pods
      value: \"50\"
    taints: []
    ignorePreflightErrors: [all]
- |
  kind: KubeletConfiguration
  apiVersion: kubelet.config.k8s.io/v1beta1
  serializeImagePulls: true
- |
  kind: KubeProxyConfiguration
  ipvs: {scheduler: lc}
containerdConfigPatches:
- |-
  [plugins.\"io.containerd.grpc.v1.cri\".registry]
    config_path = \"/etc/containerd/certs.d\"
nodes:
- role: worker
  image: kindest/node:v1.37.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
- role: control-plane
  image: kindest/node:v1.37.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  kubeadmConfigPatches:
  - |
    kind: InitConfiguration
    nodeRegistration:
      kubeletExtraArgs:
        node-labels: \"ingress-ready=true\"
        v: 4
      taints:
      - key: dedicated
        effect: NoSchedule
  - |
    kind: ClusterConfiguration
    apiServer:
      extraArgs: [{name: audit-log-path, value: /var/log/audit.log}]
      extraVolumes: [{name: log, hostPath: /var/log, mountPath: /var/log}]
  extraPortMappings:
  - containerPort: 80
    hostPort: 8080
    listenAddress: 127.0.0.1
    protocol: TCP
  extraMounts:
  - hostPath: /srv/data
    containerPath: /data
    readOnly: true
    propagation: HostToContainer
";

/// The image of [`KIND`], whose digest is kept.
const PINNED: &str = "kindest/node:v1.37.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn wanted(line: &str, text: &str) -> Wanted {
    match parse_line(line).unwrap().with_file(Some(text)).unwrap() {
        Command::AddCluster(add) => add.wanted().unwrap(),
        other => panic!("{other}"),
    }
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

#[test]
fn a_file_of_our_own_says_all_that_options_say_and_more_of_each_node() {
    let wanted = wanted("add cluster -f cluster.yaml", OWN);
    assert_eq!(wanted.image.as_ref().unwrap().engine_name(), "kindest/node:v1.37.2");
    assert_eq!(wanted.domain.as_str(), "dev.example.com");
    assert_eq!(texts(wanted.ports()), ["8080:30080/tcp", "127.0.0.1:8443:443/tcp"]);
    let [control_plane, first, second] = wanted.members.as_slice() else { panic!("{wanted:?}") };
    assert!(control_plane.control_plane && !first.control_plane && !second.control_plane);
    assert_eq!(texts(&control_plane.settings.mounts), ["/srv/data:/data:ro"]);
    assert_eq!(texts(control_plane.settings.cpus), ["1500m"]);
    assert!(control_plane.settings.labels.is_empty() && control_plane.settings.taints.is_empty());
    assert_eq!(texts(first.settings.cpus), ["2"]);
    assert_eq!(texts(first.settings.memory), ["4Gi"]);
    assert_eq!(texts(&first.settings.labels), ["disk=slow", "zone=a"]);
    assert_eq!(second.settings, wanted.later);
    assert_eq!(texts(&wanted.later.taints), ["gpu=yes:NoSchedule"]);
    assert_eq!(wanted.settings.gates(), BTreeMap::from([("ImageVolume".to_owned(), true)]));
    let Components { proxy_mode, dns_search, patches, .. } = wanted.components.clone();
    assert_eq!((proxy_mode, texts(dns_search.unwrap())), (ProxyMode::Nftables, vec!["example.com".to_owned()]));
    assert_eq!(patches.kubelet, [json!({"maxPods": 50})]);
    assert_eq!(patches.containerd, [json!({"debug": {"level": "debug"}})]);
    assert_eq!(wanted.components.runtime_config, BTreeMap::from([("api/alpha".to_owned(), "false".to_owned())]));
    assert_eq!((wanted.settings.cni, wanted.settings.awaited()), (Some(Cni::None), Wait::None));
    assert_eq!(wanted.settings.family(), IpFamily::Dual);
    assert_eq!(texts(wanted.settings.timeout), ["5m"]);
}

#[test]
fn a_file_of_kinds_says_the_same_in_other_words() {
    let wanted = wanted("add cluster -f kind.yaml", KIND);
    assert_eq!(wanted.image.as_ref().unwrap().engine_name(), PINNED);
    assert_eq!(texts(wanted.ports()), ["192.0.2.1:6443:6443/tcp", "127.0.0.1:8080:80/tcp"]);
    assert_eq!(wanted.components.api_server_names, ["192.0.2.1", "api.example.com"]);
    let [control_plane, worker] = wanted.members.as_slice() else { panic!("{wanted:?}") };
    assert_eq!(texts(&control_plane.settings.labels), ["ingress-ready=true"]);
    assert_eq!(texts(&control_plane.settings.mounts), ["/srv/data:/data:ro,rslave"]);
    let flags =
        |flags: &[(&str, &str)]| flags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    assert_eq!(control_plane.settings.kubelet_flags, flags(&[("v", "4")]));
    assert!(control_plane.settings.untainted);
    assert_eq!(texts(&control_plane.settings.taints), ["dedicated=:NoSchedule"]);
    let rest = NodeSettings { untainted: true, kubelet_flags: flags(&[("max-pods", "50")]), ..NodeSettings::default() };
    assert_eq!((&worker.settings, &wanted.later), (&rest, &rest));
    assert_eq!((wanted.settings.cni, wanted.settings.family()), (Some(Cni::None), IpFamily::Dual));
}

#[test]
fn patches_say_what_is_merged_whatever_their_version() {
    let Components { proxy_mode, dns_search, patches, .. } = wanted("add cluster -f kind.yaml", KIND).components;
    assert_eq!(
        (proxy_mode, texts(dns_search.unwrap())),
        (ProxyMode::Ipvs, vec!["example.com".to_owned(), "corp.example.com".to_owned()])
    );
    let flag = |name: &str, value: &str| json!([{"name": name, "value": value}]);
    let expected = Patches {
        cluster: vec![
            json!({"apiServer": {"extraArgs": flag("v", "4")}, "dns": {"imageTag": "v2"}}),
            json!({"apiServer": {
                "extraArgs": flag("audit-log-path", "/var/log/audit.log"),
                "extraVolumes": [{"name": "log", "hostPath": "/var/log", "mountPath": "/var/log"}],
            }}),
        ],
        kubelet: vec![json!({"serializeImagePulls": true})],
        proxy: vec![json!({"ipvs": {"scheduler": "lc"}})],
        containerd: vec![
            json!({"plugins": {"io.containerd.grpc.v1.cri": {"registry": {"config_path": "/etc/containerd/certs.d"}}}}),
        ],
    };
    assert_eq!(patches, expected);
}

/// As kind's documentation and its users write them, for either version of kubeadm's form.
const JSON_PATCHES: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
kubeadmConfigPatches: ['{kind: KubeletConfiguration, maxPods: 40, evictionHard: {imagefs.available: 0%}}']
kubeadmConfigPatchesJSON6902:
- group: kubeadm.k8s.io
  version: v1beta3
  kind: ClusterConfiguration
  patch: |
    - op: add
      path: /apiServer/certSANs/-
      value: my-hostname
    - op: add
      path: /apiServer/extraArgs/v
      value: \"4\"
- group: kubeadm.k8s.io
  version: v1beta4
  kind: ClusterConfiguration
  patch: '[{\"op\": \"add\", \"path\": \"/apiServer/extraArgs/-\", \"value\": {\"name\": \"v\", \"value\": \"5\"}}]'
- group: kubelet.config.k8s.io
  version: v1beta1
  kind: KubeletConfiguration
  patch: '[{op: replace, path: /maxPods, value: 50}, {op: add, path: /evictionHard, value: {nodefs.available: 1%}}]'
containerdConfigPatches: ['debug.level = \"info\"']
containerdConfigPatchesJSON6902:
- '[{op: replace, path: /debug/level, value: debug}]'
nodes:
- role: control-plane
  kubeadmConfigPatchesJSON6902:
  - group: kubeadm.k8s.io
    version: v1beta3
    kind: InitConfiguration
    patch: |
      - op: add
        path: /nodeRegistration/kubeletExtraArgs/node-labels
        value: my-label=true
- role: worker
";

#[test]
fn json_patches_come_after_merges_and_say_the_same() {
    let wanted = wanted("add cluster alex -f kind.yaml", JSON_PATCHES);
    let flag = |value: &str| json!({"apiServer": {"extraArgs": [{"name": "v", "value": value}]}});
    let expected = Patches {
        cluster: vec![json!({"apiServer": {}}), flag("4"), flag("5")],
        kubelet: vec![
            json!({"maxPods": 40, "evictionHard": {"imagefs.available": "0%"}}),
            json!({"maxPods": 50}),
            json!({"evictionHard": null}),
            json!({"evictionHard": {"nodefs.available": "1%"}}),
        ],
        proxy: vec![],
        containerd: vec![json!({"debug": {"level": "info"}}), json!({"debug": {"level": "debug"}})],
    };
    assert_eq!(wanted.components.patches, expected);
    assert_eq!(wanted.components.api_server_names, ["my-hostname"]);
    let labels: Vec<String> = wanted.members.iter().map(|member| texts(&member.settings.labels).concat()).collect();
    assert_eq!(labels, ["my-label=true", ""]);
}

#[test]
fn relative_paths_of_the_host_are_made_whole_and_all_else_stays() {
    let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    let mounts = |paths: [&str; 2]| {
        let mount = |path| format!("{{hostPath: {path}, containerPath: /data, selinuxRelabel: true}}");
        format!(
            "{head}nodes: [{{extraMounts: [{}]}}, {{role: worker, extraMounts: [{}]}}]\n",
            mount(paths[0]),
            mount(paths[1])
        )
    };
    let directory = Path::new("/home/alex/project");
    for (relative, whole) in [
        (".", "/home/alex/project"),
        ("./data/", "/home/alex/project/data"),
        ("../../eve/x", "/home/eve/x"),
        ("../../../..", "/"),
    ] {
        let located = ClusterFile::located(mounts([relative, "/srv"]), directory);
        let wanted = wanted("add cluster alex -f kind.yaml", &located);
        let hosts = wanted.members.iter().map(|member| member.settings.mounts[0].host.clone());
        assert_eq!(hosts.collect::<Vec<_>>(), [whole, "/srv"], "{relative}");
    }
    // In whatever form they are written, and with all else as it was.
    let forms = "  # what we work on\n  - hostPath: \"./a b\"   # ä\n    containerPath: /a\n  - {hostPath: &here './c', containerPath: /c}\n  \
                 - {hostPath: *here, containerPath: /d}\n";
    let text = format!("{head}nodes:\n- labels: {{version: 1.10}}\n  extraMounts:\n{forms}");
    let located = ClusterFile::located(text.clone(), directory);
    let expected = text.replace("\"./a b\"", "\"/home/alex/project/a b\"").replace("'./c'", "\"/home/alex/project/c\"");
    assert_eq!(located, expected);
    let mounts_of = texts(&wanted("add cluster alex -f kind.yaml", &located).members[0].settings.mounts);
    assert_eq!(mounts_of, ["/home/alex/project/a b:/a", "/home/alex/project/c:/c", "/home/alex/project/c:/d"]);
    // One of several lines is not read as a path, and refused as one that is not whole.
    let block = format!("{head}nodes:\n- extraMounts:\n  - hostPath: >-\n      ./data\n    containerPath: /a\n");
    assert_eq!(ClusterFile::located(block.clone(), directory), block);
    for same in [mounts(["/a", "/b"]), OWN.to_owned(), KIND.to_owned(), head.to_owned(), "a: [".to_owned()] {
        assert_eq!(ClusterFile::located(same.clone(), directory), same);
    }
}

#[test]
fn kube_proxy_is_left_out_by_its_mode_or_as_a_phase() {
    let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    for text in [
        "networking: {kubeProxyMode: none}\n",
        "kubeadmConfigPatches: ['{kind: InitConfiguration, skipPhases: [addon/kube-proxy]}']\n",
        "kubeadmConfigPatches: ['{kind: KubeProxyConfiguration, mode: none}']\n",
        "networking: {kubeProxyMode: iptables}\nkubeadmConfigPatches: ['{kind: InitConfiguration, skipPhases: [addon/kube-proxy]}']\n",
    ] {
        let wanted = wanted("add cluster alex -n 2 -f kind.yaml", &format!("{head}{text}"));
        assert_eq!(wanted.components.proxy_mode, ProxyMode::None, "{text}");
    }
}

#[test]
fn a_registration_is_for_the_node_that_kubeadm_reads_it_at() {
    let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    let patch = |kind: &str, fields: &str| format!("'{{kind: {kind}, nodeRegistration: {{{fields}}}}}'");
    let both = format!(
        "kubeadmConfigPatches: [{}, {}]",
        patch("InitConfiguration", "kubeletExtraArgs: {v: 1}"),
        patch("JoinConfiguration", "kubeletExtraArgs: {v: 2}")
    );
    let tainted =
        patch("JoinConfiguration", "taints: [{key: kept, effect: NoSchedule}], kubeletExtraArgs: {node-labels: a=b}");
    let bare = patch("JoinConfiguration", "taints: []");
    let text = format!(
        "{head}kubeadmConfigPatches: [{tainted}]\nnodes: [{{{both}, extraMounts: [{{hostPath: /a/, containerPath: /b/}}]}}, \
         {{{both}}}, {{{both}}}, {{role: worker, kubeadmConfigPatches: [{bare}]}}]\n"
    );
    let wanted = wanted("add cluster alex -f kind.yaml", &text);
    let flags = wanted.members.iter().map(|member| member.settings.kubelet_flags.values().cloned().collect::<String>());
    assert_eq!(flags.collect::<Vec<_>>(), ["1", "2", "2", ""]);
    let taints =
        wanted.members.iter().map(|member| (member.settings.untainted, texts(&member.settings.taints).concat()));
    let kept = (true, "kept=:NoSchedule".to_owned());
    let none = String::new();
    assert_eq!(taints.collect::<Vec<_>>(), [(false, none.clone()), kept.clone(), kept.clone(), (true, none)]);
    // Those that come later are like the others, and have what the first one has of the host.
    let later = wanted.later_control_plane;
    assert_eq!((later.untainted, texts(&later.taints).concat()), kept);
    assert_eq!((texts(&later.labels), texts(&later.mounts)), (vec!["a=b".to_owned()], vec!["/a:/b".to_owned()]));
    assert_eq!(texts(&wanted.later.mounts), Vec::<String>::new());
}

#[test]
fn a_patch_may_be_of_several_documents_and_the_order_of_nodes_is_of_no_matter() {
    let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    let two = "kubeadmConfigPatches:\n- |\n  kind: KubeletConfiguration\n  maxPods: 50\n  ---\n  kind: KubeProxyConfiguration\n  mode: ipvs\n";
    let components = wanted("add cluster alex -f kind.yaml", &format!("{head}{two}")).components;
    assert_eq!((components.patches.kubelet, components.proxy_mode), (vec![json!({"maxPods": 50})], ProxyMode::Ipvs));
    let patch = "kubeadmConfigPatches: ['{kind: KubeletConfiguration, maxPods: 50}']";
    let text = format!("{head}nodes: [{{role: worker, {patch}}}, {{role: control-plane, {patch}}}]\n");
    assert_eq!(wanted("add cluster alex -f kind.yaml", &text).components.patches.kubelet.len(), 1);
}

#[test]
fn no_search_domains_is_another_thing_than_those_of_the_host() {
    let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    let search = |networking: &str| {
        wanted("add cluster alex -f kind.yaml", &format!("{head}{networking}")).components.dns_search
    };
    assert_eq!((search("networking: {dnsSearch: []}\n"), search("")), (Some(Vec::new()), None));
    let long = "a-department-of-a-large-company.europe.corp.example.com";
    assert_eq!(texts(search(&format!("networking: {{dnsSearch: [{long}]}}\n")).unwrap()), [long]);
}

#[test]
fn what_is_the_same_for_all_nodes_may_be_said_again() {
    let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    let patch = "kubeadmConfigPatches: ['{kind: KubeletConfiguration, maxPods: 50}']";
    let again = format!("{head}nodes: [{{role: control-plane, {patch}}}, {{role: worker, {patch}}}]\n");
    assert_eq!(wanted("add cluster alex -f kind.yaml", &again).components.patches.kubelet, [json!({"maxPods": 50})]);
}

#[test]
fn kinds_shortest_file_is_one_node() {
    let text = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    assert_eq!(wanted("add cluster alex -f kind.yaml", text).members.len(), 1);
    assert_eq!(wanted("add cluster alex -n 2 -f kind.yaml", text).members.len(), 2);
}

#[test]
fn options_win_over_the_file() {
    let line = "add cluster dev -f - --cpus 3 --label zone=b --label rack=1 -p 8080:1 --feature-gate ImageVolume=false \
                -i kindest/node:v1.36.0 -d localhost --wait none --timeout 1m";
    let wanted = wanted(line, OWN);
    assert_eq!(wanted.image.as_ref().unwrap().engine_name(), "kindest/node:v1.36.0");
    assert_eq!(wanted.domain.as_str(), "localhost");
    assert_eq!(texts(&wanted.settings.ports), ["8080:1/tcp"]);
    let cpus = wanted.members.iter().map(|member| member.settings.cpus.unwrap());
    assert_eq!(texts(cpus), ["3", "3", "3"]);
    assert_eq!(texts(&wanted.members[1].settings.labels), ["zone=b", "rack=1", "disk=slow"]);
    assert_eq!(wanted.settings.gates(), BTreeMap::from([("ImageVolume".to_owned(), false)]));
    assert_eq!(texts(wanted.settings.timeout), ["1m"]);
}

#[test]
fn a_name_of_the_line_wins_and_one_of_the_file_serves() {
    let line =
        |line: &str, text: &str| parse_line(line).unwrap().with_file(Some(text)).map(|command| command.to_string());
    assert_eq!(line("add cluster -f c.yaml", OWN).unwrap(), "add cluster alex -f c.yaml");
    assert_eq!(line("add cluster dev -f c.yaml", OWN).unwrap(), "add cluster dev -f c.yaml");
    let nameless = "kind: Cluster\napiVersion: qbo.io/v1\n";
    assert!(line("add cluster -f c.yaml", nameless).unwrap_err().problem.contains("names the cluster"));
}

#[test]
fn a_file_and_a_line_that_names_one_belong_together() {
    let attach = |line: &str, text| parse_line(line).unwrap().with_file(text).map(drop).map_err(|error| error.problem);
    assert_eq!(attach("version", None), Ok(()));
    assert!(attach("version", Some(OWN)).unwrap_err().contains("names none"));
    assert!(attach("add cluster alex", Some(OWN)).unwrap_err().contains("names none"));
    assert!(attach("add cluster alex -f c.yaml", None).unwrap_err().contains("did not come"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let own = |more: &str| format!("apiVersion: qbo.io/v1\nkind: Cluster\n{more}");
    let kind = |more: &str| format!("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n{more}");
    for (text, says) in [
        (String::new(), "is no cluster"),
        ("a: [".into(), "line 1"),
        ("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha3\n".into(), "'kind.x-k8s.io/v1alpha3' is no cluster"),
        (own("nmae: alex\n"), "nmae"),
        (own("nmae: alex\n"), "(line 3, column 1)"),
        (own("name: Alex\n"), "'Alex' has a character that is not allowed"),
        (own("name: a\nname: b\n"), "line 4"),
        (own("image: 'a b'\n"), "image: "),
        (own("cpus: many\n"), "'many' is none such as 2"),
        (own("cpus: many\n"), "(line 3, column 7)"),
        (own("nodes: [{role: master}]\n"), "master"),
        (own("nodes: [{role: worker}]\n"), "nodes: 0 control planes"),
        (own("nodes: [{role: control-plane}, {role: control-plane}]\n"), "nodes: 2 control planes"),
        (own("nodeCount: 0\n"), "nodeCount: 0"),
        (own("nodeCount: 2\nnodes: [{role: control-plane}]\n"), "listed and counted"),
        (own("controlPlanes: 2\n"), "controlPlanes: 2 control planes"),
        (own("labels: {'-': x}\n"), "labels: '-' is no key"),
        (own("featureGates: {a: true}\n"), "featureGates: "),
        (own("ports: ['80']\n"), "'80' is none such as 8080:80"),
        (own("ports: ['80:80', '127.0.0.1:80:81']\n"), "port 80/tcp of the host is asked for twice"),
        (own("mounts: ['/a:/etc/kubernetes']\n"), "hide"),
        (own("ipFamily: dual\npodSubnet: 10.1.0.0/16\n"), "10.1.0.0/16 is not of the family dual"),
        (own("cni: none\nwait: dns\n"), "without a CNI no node becomes Ready"),
        (own("nodeCount: 1\ntaints: ['a=b:NoSchedule']\n"), "taints are for workers"),
        (own("nodes: [{role: control-plane, image: a:v1}, {role: worker, image: a:v2}]\n"), "nodes[1].image: 'a:v2'"),
        (kind("nodes: [{role: external-load-balancer}]\n"), "external-load-balancer"),
        (kind("networking: {kubeProxyMode: userspace}\n"), "'userspace' is none of iptables"),
        (kind("networking: {dnsSearch: ['a b']}\n"), "'a b'"),
        (kind("networking: {apiServerAddress: 192.0.2.1}\n"), "networking.apiServerAddress: an address without a port"),
        (kind("networking: {apiServerPort: 70000}\n"), "networking.apiServerPort: 70000"),
        (kind("networking: {ipFamilly: ipv4}\n"), "ipFamilly"),
        (
            kind("nodes: [{extraMounts: [{hostPath: ., containerPath: /data}]}]\n"),
            "nodes[0].extraMounts[0]: host path '.'",
        ),
        (
            kind("nodes: [{extraMounts: [{hostPath: /a, containerPath: /b, propagation: Shared}]}]\n"),
            "propagation: 'Shared' is none",
        ),
        (kind("nodes: [{extraPortMappings: [{containerPort: 80}]}]\n"), "nodes[0].extraPortMappings[0].hostPort: "),
        (
            kind("nodes: [{extraPortMappings: [{containerPort: 80, hostPort: 80, protocol: ICMP}]}]\n"),
            "protocol: 'ICMP'",
        ),
    ] {
        refused(&text, says);
    }
    let large = own(&"#".repeat(FILE_LIMIT));
    assert!(ClusterFile::read(&large).unwrap_err().cure.contains("at most"));
}

#[test]
fn patches_that_cannot_be_followed_are_told_with_their_place() {
    for (patches, says) in [
        ("containerdConfigPatches: ['a']\n", "containerdConfigPatches[0]: "),
        (
            "containerdConfigPatches: ['plugins.x.registry.mirrors.y.endpoint = []']\n",
            "containerdConfigPatches[0]: mirrors and TLS of registries are files",
        ),
        (
            "containerdConfigPatches: ['plugins.x.registry.configs.y.tls.ca_file = \"/a\"']\n",
            "containerdConfigPatches[0]: mirrors and TLS of registries are files",
        ),
        (
            "kubeadmConfigPatches: ['{kind: JoinConfiguration, skipPhases: [addon/kube-proxy]}']\n",
            "kubeadmConfigPatches[0]: phase 'addon/kube-proxy' cannot be skipped",
        ),
        (
            "containerdConfigPatchesJSON6902: ['[{op: add, path: /plugins/x/registry/mirrors/y, value: {endpoint: []}}]']\n",
            "containerdConfigPatchesJSON6902[0]: mirrors and TLS of registries are files",
        ),
        ("kubeadmConfigPatches: ['a']\n", "kubeadmConfigPatches[0]: "),
        ("kubeadmConfigPatches: ['a: b']\n", "kubeadmConfigPatches[0]: it does not tell the kind"),
        ("kubeadmConfigPatches: ['kind: Pod']\n", "kubeadmConfigPatches[0]: 'Pod' is nothing"),
        ("kubeadmConfigPatchesJSON6902: [{kind: ClusterConfiguration}]\n", "missing field `patch`"),
        (
            "kubeadmConfigPatchesJSON6902: [{kind: KubeletConfiguration, patch: '[{op: add, path: /clusterDNS/0, value: a}]'}]\n",
            "kubeadmConfigPatchesJSON6902[0]: '/clusterDNS/0' depends on what is there",
        ),
        (
            "kubeadmConfigPatchesJSON6902: [{kind: ClusterConfiguration, patch: '[{op: remove, path: /networking}]'}]\n",
            "kubeadmConfigPatchesJSON6902[0]: networking cannot be changed",
        ),
        (
            "nodes: [{}, {role: worker, kubeadmConfigPatchesJSON6902: [{kind: KubeletConfiguration, patch: '[{op: add, path: /a, value: 1}]'}]}]\n",
            "nodes[1].kubeadmConfigPatchesJSON6902[0]: KubeletConfiguration is the same for all nodes",
        ),
        (
            "kubeadmConfigPatches: ['{kind: KubeProxyConfiguration, mode: userspace}']\n",
            "'userspace' is none of iptables",
        ),
        (
            "kubeadmConfigPatches: ['{kind: ClusterConfiguration, networking: {dnsDomain: a.example}}']\n",
            "kubeadmConfigPatches[0]: networking cannot be changed",
        ),
        (
            "kubeadmConfigPatches: ['{kind: ClusterConfiguration, etcd: {local: {dataDir: /a}}}']\n",
            "kubeadmConfigPatches[0]: etcd.local.dataDir cannot be changed",
        ),
        (
            "kubeadmConfigPatches: ['{kind: ClusterConfiguration, scheduler: {extraArgs: [v]}}']\n",
            "kubeadmConfigPatches[0]: extraArgs are neither",
        ),
        (
            "kubeadmConfigPatches: ['{kind: JoinConfiguration, nodeRegistration: {name: a}}']\n",
            "kubeadmConfigPatches[0]: unknown field `name`",
        ),
        (
            "kubeadmConfigPatches: ['{kind: InitConfiguration, skipPhases: [addon/coredns]}']\n",
            "kubeadmConfigPatches[0]: phase 'addon/coredns' cannot be skipped",
        ),
        (
            "nodes: [{kubeadmConfigPatches: ['{kind: InitConfiguration, nodeRegistration: {kubeletExtraArgs: {v: 1 2}}}']}]\n",
            "nodes[0].kubeadmConfigPatches[0]: the value of the kubelet's 'v' has spaces",
        ),
        (
            "nodes: [{}, {role: worker, kubeadmConfigPatches: ['{kind: KubeletConfiguration, maxPods: 9}']}]\n",
            "nodes[1].kubeadmConfigPatches[0]: KubeletConfiguration is the same for all nodes",
        ),
        (
            "nodes: [{kubeadmConfigPatches: ['{kind: InitConfiguration, nodeRegistration: {kubeletExtraArgs: {node-ip: 192.0.2.1}}}']}]\n",
            "nodes[0].kubeadmConfigPatches[0]: the kubelet's 'node-ip' is set already",
        ),
    ] {
        refused(&format!("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n{patches}"), says);
    }
}

fn refused(text: &str, says: &str) {
    let error = parse_line("add cluster alex -f c.yaml").unwrap().with_file(Some(text)).unwrap_err();
    assert!(error.problem.contains(says), "{text}\n{}", error.problem);
    assert!(!error.cure.is_empty());
}

#[test]
fn nodes_are_listed_or_counted_but_not_both() {
    for (option, says) in [("-n 3", "--nodes"), ("--control-planes 3", "--control-planes")] {
        let line = format!("add cluster alex -f c.yaml {option}");
        let error = parse_line(&line).unwrap().with_file(Some(OWN)).unwrap_err();
        assert!(error.problem.contains("the file lists each node") && error.problem.contains(says), "{error}");
    }
}
