//! What is shown of a cluster's nodes, pods and Services, as it changes: three watches in one stream, each object cut
//! down to what anybody sees of it as soon as it is read.

use std::collections::BTreeMap;

use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ContainerStatus, Node, Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};

use super::{NodeStatus, node_status};

/// Something that was seen of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// Of its nodes, by name.
    Node(Seen<NodeStatus>),
    /// Of its pods, by uid.
    Pod(Seen<PodStatus>),
    /// Of its Services, by uid.
    Service(Seen<ServiceStatus>),
    /// A watch broke.
    Trouble(String),
}

/// What was seen of objects of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<T> {
    /// All objects follow.
    Listing,
    /// All of them were told: one that was not is gone.
    Listed,
    /// One is as this tells.
    Put(T),
    /// The one of this key is gone.
    Gone(String),
}

/// A pod as Kubernetes sees it: only what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodStatus {
    /// Its uid.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its address; empty before it has one.
    pub address: String,
    /// In kubectl's words.
    pub status: String,
    /// How many containers are ready.
    pub ready: u32,
    /// How many containers have started.
    pub started: u32,
    /// The node it is on; empty before it is scheduled.
    pub node: String,
    /// Its labels, each as `app=web`.
    pub labels: Vec<String>,
    /// The uid that its kubelet knows it by, where that is another: of a static pod, which was there before the API server
    /// heard of it.
    pub static_uid: Option<Box<str>>,
    /// The container that is meant where none is named, as for kubectl.
    pub default_container: Option<Box<str>>,
}

/// A Service as Kubernetes sees it: only what is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// Its uid.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its address in the cluster.
    pub address: String,
    /// Its address outside the cluster; empty where it has none.
    pub external_address: String,
    /// As `ClusterIP`.
    pub kind: String,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// The labels of the pods it leads to, each as `app=web`.
    pub selector: Vec<String>,
}

/// A port of a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; empty where it has none.
    pub name: String,
    /// The port.
    pub port: u16,
    /// The port of the pods; 0 where they name it.
    pub target: u16,
    /// The port of every node; 0 where there is none.
    pub node: u16,
    /// As `TCP`.
    pub protocol: String,
}

/// The annotation of a pod that a kubelet read from a file (`k8s.io/kubernetes/pkg/kubelet/types`,
/// `ConfigHashAnnotationKey`).
const STATIC_UID: &str = "kubernetes.io/config.hash";

/// The annotation by which a pod says which container is meant where none is named
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-default-container>).
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// Watches all that is shown. It ends with the first trouble: what comes after a gap is worth nothing without a new list.
pub(super) fn all(client: &Client) -> BoxStream<'static, Observation> {
    let nodes = watch::<Node, _>(client, node_status, ResourceExt::name_any);
    let pods = watch::<Pod, _>(client, pod_status, |pod| pod.uid().unwrap_or_default());
    let services = watch::<Service, _>(client, service_status, |service| service.uid().unwrap_or_default());
    let nodes = nodes.map(|seen| seen.map_or_else(Observation::Trouble, Observation::Node));
    let pods = pods.map(|seen| seen.map_or_else(Observation::Trouble, Observation::Pod));
    let services = services.map(|seen| seen.map_or_else(Observation::Trouble, Observation::Service));
    let all = stream::select_all([nodes.boxed(), pods.boxed(), services.boxed()]);
    let mut broken = false;
    all.take_while(move |observation| {
        let go_on = !broken;
        broken |= matches!(observation, Observation::Trouble(_));
        std::future::ready(go_on)
    })
    .boxed()
}

fn watch<K, T>(
    client: &Client,
    cut: fn(&K) -> T,
    key: fn(&K) -> String,
) -> impl Stream<Item = Result<Seen<T>, String>> + Send + 'static
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + serde::de::DeserializeOwned + 'static,
    T: Send + 'static,
{
    watcher::watcher(Api::<K>::all(client.clone()), watcher::Config::default()).map(move |event| match event {
        Ok(Event::Init) => Ok(Seen::Listing),
        Ok(Event::InitDone) => Ok(Seen::Listed),
        Ok(Event::Apply(object) | Event::InitApply(object)) => Ok(Seen::Put(cut(&object))),
        Ok(Event::Delete(object)) => Ok(Seen::Gone(key(&object))),
        Err(error) => Err(error.to_string()),
    })
}

fn pod_status(pod: &Pod) -> PodStatus {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let count = |which: fn(&ContainerStatus) -> bool| {
        u32::try_from(containers.iter().filter(|container| which(container)).count()).unwrap_or(u32::MAX)
    };
    PodStatus {
        uid: pod.uid().unwrap_or_default(),
        name: pod.name_any(),
        namespace: pod.namespace().unwrap_or_default(),
        address: status.and_then(|status| status.pod_ip.clone()).unwrap_or_default(),
        status: words(pod),
        ready: count(|container| container.ready),
        started: count(|container| container.started == Some(true)),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        labels: pairs(pod.labels()),
        static_uid: pod.annotations().get(STATIC_UID).map(|uid| uid.as_str().into()),
        default_container: default_container(pod).map(Into::into),
    }
}

/// The container that a pod's annotation names, if it has one of that name; else the first of those that stay.
fn default_container(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let mut names = containers.map(|container| container.name.as_str());
    let wanted = pod.annotations().get(DEFAULT_CONTAINER);
    wanted.and_then(|wanted| names.clone().find(|name| name == wanted)).or_else(|| names.next())
}

/// Labels as people write them.
fn pairs(labels: &BTreeMap<String, String>) -> Vec<String> {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// A pod's state in the words of `kubectl get pods` (`printPod` in `k8s.io/kubernetes/pkg/printers/internalversion`).
fn words(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.clone()).unwrap_or_default();
    let reason = status.and_then(|status| status.reason.clone());
    if pod.metadata.deletion_timestamp.is_some() {
        return if reason.as_deref() == Some("NodeLost") { "Unknown".into() } else { "Terminating".into() };
    }
    if let Some(words) = init_words(pod) {
        return words;
    }
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let trouble = containers.iter().find_map(container_words);
    let running = containers
        .iter()
        .any(|container| container.ready && container.state.as_ref().is_some_and(|state| state.running.is_some()));
    match trouble.or(reason).unwrap_or(phase) {
        // One container of several has ended as it should.
        words if words == "Completed" && running => "Running".into(),
        words => words,
    }
}

/// Why a container does not run.
fn container_words(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(reason) = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone()) {
        return Some(reason);
    }
    let ended = state.terminated.as_ref()?;
    Some(match (&ended.reason, ended.signal.filter(|signal| *signal != 0)) {
        (Some(reason), _) => reason.clone(),
        (None, Some(signal)) => format!("Signal:{signal}"),
        (None, None) => format!("ExitCode:{}", ended.exit_code),
    })
}

/// How far the containers are that run before the others; none where they are done.
fn init_words(pod: &Pod) -> Option<String> {
    let declared = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let statuses = pod.status.as_ref().and_then(|status| status.init_container_statuses.as_deref())?;
    let stays = |name: &str| {
        let container = declared.iter().find(|container| container.name == name);
        container.is_some_and(|container| container.restart_policy.as_deref() == Some("Always"))
    };
    for (index, container) in statuses.iter().enumerate() {
        let state = container.state.as_ref();
        let ended = state.and_then(|state| state.terminated.as_ref());
        let is_done = ended.is_some_and(|ended| ended.exit_code == 0)
            || (stays(&container.name) && container.started == Some(true));
        if is_done {
            continue;
        }
        let waiting = state.and_then(|state| state.waiting.as_ref()).and_then(|waiting| waiting.reason.as_deref());
        return Some(match (ended.and_then(|_| container_words(container)), waiting) {
            (Some(words), _) => format!("Init:{words}"),
            (None, Some(reason)) if reason != "PodInitializing" => format!("Init:{reason}"),
            (None, _) => format!("Init:{index}/{}", declared.len()),
        });
    }
    None
}

fn service_status(service: &Service) -> ServiceStatus {
    let spec = service.spec.clone().unwrap_or_default();
    let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = balancer.and_then(|balancer| balancer.ingress.as_ref()?.first()?.ip.clone());
    let external = ingress.or_else(|| spec.external_ips.as_ref()?.first().cloned()).or(spec.external_name);
    let number = |port: i32| u16::try_from(port).unwrap_or_default();
    let port = |port: &k8s_openapi::api::core::v1::ServicePort| ServicePort {
        name: port.name.clone().unwrap_or_default(),
        port: number(port.port),
        target: match &port.target_port {
            Some(IntOrString::Int(target)) => number(*target),
            Some(IntOrString::String(_)) => 0,
            // It defaults to the port (the API's reference, ServicePort).
            None => number(port.port),
        },
        node: port.node_port.map(number).unwrap_or_default(),
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".into()),
    };
    ServiceStatus {
        uid: service.uid().unwrap_or_default(),
        name: service.name_any(),
        namespace: service.namespace().unwrap_or_default(),
        address: spec.cluster_ip.unwrap_or_default(),
        external_address: external.unwrap_or_default(),
        kind: spec.type_.unwrap_or_else(|| "ClusterIP".into()),
        ports: spec.ports.unwrap_or_default().iter().map(port).collect(),
        selector: pairs(&spec.selector.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: &Value) -> Pod {
        let spec = json!({"containers": [], "nodeName": "node-1", "initContainers": [
            {"name": "first"}, {"name": "sidecar", "restartPolicy": "Always"},
        ]});
        let metadata =
            json!({"name": "web", "namespace": "default", "uid": "u", "labels": {"tier": "a", "app": "web"}});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
    }

    fn container(name: &str, ready: bool, state: &Value) -> Value {
        json!({"name": name, "ready": ready, "started": ready, "state": state, "image": "", "imageID": "", "restartCount": 0})
    }

    #[test]
    fn a_pods_state_is_told_in_the_words_of_kubectl() {
        let running = || json!({"running": {}});
        let ended = |code: i32, reason: &str| json!({"terminated": {"exitCode": code, "reason": reason}});
        let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
        let cases = [
            (json!({"phase": "Pending"}), "Pending"),
            (json!({"phase": "Failed", "reason": "Evicted"}), "Evicted"),
            (json!({"phase": "Running", "containerStatuses": [container("a", true, &running())]}), "Running"),
            (
                json!({"phase": "Running", "containerStatuses": [container("a", false, &waiting("CrashLoopBackOff"))]}),
                "CrashLoopBackOff",
            ),
            (
                json!({"phase": "Running", "containerStatuses": [
                    container("a", false, &ended(0, "Completed")), container("b", true, &running()),
                ]}),
                "Running",
            ),
            (
                json!({"phase": "Succeeded", "containerStatuses": [container("a", false, &ended(0, "Completed"))]}),
                "Completed",
            ),
            (
                json!({"phase": "Failed", "containerStatuses": [container("a", false, &json!({"terminated": {"exitCode": 3}}))]}),
                "ExitCode:3",
            ),
            (json!({"phase": "Pending", "initContainerStatuses": [container("first", false, &running())]}), "Init:0/2"),
            (
                json!({"phase": "Pending", "initContainerStatuses": [container("first", false, &ended(1, "Error"))]}),
                "Init:Error",
            ),
            (
                json!({"phase": "Running",
                    "initContainerStatuses": [
                        container("first", false, &ended(0, "Completed")), container("sidecar", true, &running()),
                    ],
                    "containerStatuses": [container("a", true, &running())],
                }),
                "Running",
            ),
        ];
        for (status, expected) in cases {
            assert_eq!(words(&pod(&status)), expected, "{status}");
        }
        let mut leaving = pod(&json!({"phase": "Running"}));
        leaving.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        assert_eq!(words(&leaving), "Terminating");
    }

    #[test]
    fn containers_are_counted() {
        let running = json!({"running": {}});
        let containers = [container("a", true, &running), container("b", false, &running)];
        let status = pod_status(&pod(&json!({"podIP": "10.244.1.2", "containerStatuses": containers})));
        assert_eq!((status.ready, status.started, status.address.as_str()), (1, 1, "10.244.1.2"));
        assert_eq!((status.node.as_str(), status.uid.as_str()), ("node-1", "u"));
        assert_eq!(status.labels, ["app=web", "tier=a"]);
    }

    #[test]
    fn the_container_that_is_meant_is_the_one_that_kubectl_takes() {
        let meant = |annotation: Option<&str>| {
            let spec =
                json!({"containers": [{"name": "web"}, {"name": "side"}], "initContainers": [{"name": "first"}]});
            let annotations = annotation.map(|name| json!({"kubectl.kubernetes.io/default-container": name}));
            let pod = json!({"metadata": {"annotations": annotations}, "spec": spec});
            pod_status(&serde_json::from_value(pod).unwrap()).default_container
        };
        for (annotation, expected) in
            [(None, "web"), (Some("side"), "side"), (Some("first"), "first"), (Some("gone"), "web")]
        {
            assert_eq!(meant(annotation).as_deref(), Some(expected), "{annotation:?}");
        }
        assert_eq!(pod_status(&Pod::default()).default_container, None);
    }

    #[test]
    fn a_service_is_told_with_its_ports() {
        let service = json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "u"},
            "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.7", "selector": {"app": "web"}, "ports": [
                {"name": "http", "port": 80, "targetPort": 8080, "nodePort": 31485},
                {"port": 53, "protocol": "UDP"},
                {"port": 81, "targetPort": "named"},
            ]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}},
        });
        let status = service_status(&serde_json::from_value(service).unwrap());
        assert_eq!((status.address.as_str(), status.external_address.as_str()), ("10.96.0.7", "192.0.2.7"));
        assert_eq!(status.selector, ["app=web"]);
        let numbers = |port: &ServicePort| (port.port, port.target, port.node, port.protocol.clone());
        let numbers: Vec<_> = status.ports.iter().map(numbers).collect();
        let (tcp, udp) = (|| "TCP".to_owned(), "UDP".to_owned());
        assert_eq!(numbers, [(80, 8080, 31485, tcp()), (53, 53, 0, udp), (81, 0, 0, tcp())]);
    }
}
