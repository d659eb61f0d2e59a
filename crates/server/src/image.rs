//! Node images: which one to take, and which Kubernetes is in it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use qbo_api::image::ImageReference;
use qbo_api::message::Code;
use qbo_api::model::Image;
use qbo_bootstrap::{
    Blueprint, CONTAINERD_CONFIGURATION, ClusterPlan, Contents, KubernetesVersion, NodeFile, kubeadm_configuration,
    kubelet_configuration, prints_addons, tar,
};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::address::{ClusterNetwork, USUAL_MTU};
use crate::cluster::Identity;
use crate::components;
use crate::driver::engine::{Engine, LocalImage};
use crate::driver::registry::{Listing, Registry, newest_first};
use crate::error::Failure;
use crate::kubeadm;
use crate::provision::Wishes;
use crate::recovery::LeftOvers;

/// The label by which qbo's own images tell their Kubernetes version.
const LABEL_KUBERNETES: &str = "io.qbo.kubernetes";
/// Where every node image tells it.
const VERSION_PATH: &str = "/kind/version";
/// Manifests of every node image.
const CNI_MANIFEST: &str = "/kind/manifests/default-cni.yaml";
const STORAGE_MANIFEST: &str = "/kind/manifests/default-storage.yaml";
/// Where a cluster's network would be, for a plan of which only a sample is taken.
const SAMPLE_SUBNET: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(192, 0, 2, 0), 24);
const SAMPLE_SUBNET_V6: Ipv6Net = Ipv6Net::new_assert(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 64);
/// Upstream's node images, and which of them is taken where no other is wished for.
const UPSTREAM: (&str, &str) = ("hub.docker.com", "kindest/node");
const UPSTREAM_TAG: &str = "v1.37.0";
/// qbo's own image, as it is named without a registry.
const OWN_REPOSITORY: &str = "qbo/node";
/// How long it is believed that the registry answers.
const ANSWER_LIFETIME: Duration = Duration::from_mins(10);
/// How long that it does not: its network may come up any moment, as after a boot.
const ABSENCE_LIFETIME: Duration = Duration::from_secs(10);

/// Blueprints that are kept. Each is some 100 kB, and is drawn anew within seconds.
const BLUEPRINTS: usize = 16;

/// A blueprint that is drawn once, whoever asks for it first: the others wait for the lock.
type Drawing = Arc<tokio::sync::Mutex<Option<Arc<Blueprint>>>>;

/// What is known about node images.
pub struct Images {
    engine: Arc<dyn Engine>,
    registry: Arc<dyn Registry>,
    configured: Option<ImageReference>,
    left_overs: Arc<LeftOvers>,
    /// Kubernetes versions by image id: an image of one id never changes.
    versions: Mutex<HashMap<String, KubernetesVersion>>,
    /// What images contribute, by image id and by kubeadm's configuration and the patches of containerd's.
    blueprints: Mutex<HashMap<(String, Vec<u8>), Drawing>>,
    probes: Mutex<HashSet<String>>,
    registry_answers: Mutex<(Instant, Arc<OnceCell<bool>>)>,
}

impl Images {
    /// Node images of this engine and registry; `configured` is taken where none is named.
    pub fn new(
        engine: Arc<dyn Engine>,
        registry: Arc<dyn Registry>,
        configured: Option<ImageReference>,
        left_overs: Arc<LeftOvers>,
    ) -> Self {
        Self {
            left_overs,
            engine,
            registry,
            configured,
            versions: Mutex::default(),
            blueprints: Mutex::default(),
            probes: Mutex::default(),
            registry_answers: Mutex::new((Instant::now(), Arc::default())),
        }
    }

    /// The image for a cluster whose maker named none: the configured one; the newest of the registry's repository that
    /// this host holds, or else, where the registry answers, one of its own; else the newest that was built here.
    pub async fn default_image(&self) -> Result<ImageReference, Failure> {
        if let Some(image) = &self.configured {
            return Ok(image.clone());
        }
        let registry = self.registry.repository();
        let local = self.local().await?;
        if let Some(image) = newest(&local, registry) {
            return Ok(image);
        }
        if self.registry_answers().await
            && let Some(tag) = self.default_tag().await
        {
            let name = format!("{}/{}:{tag}", registry.0, registry.1);
            return name.parse().map_err(|_| Failure::new(Code::INTERNAL, format!("'{name}' is no image"), ""));
        }
        newest(&local, (UPSTREAM.0, OWN_REPOSITORY)).ok_or_else(|| {
            Failure::new(
                Code::NOT_FOUND,
                "this host holds no node image, and no registry answers",
                "build one: qbo add image qbo/node:v1.37.2",
            )
        })
    }

    /// Of the registry's repository: upstream's known one, else the newest release.
    async fn default_tag(&self) -> Option<String> {
        if self.registry.repository() == UPSTREAM {
            return Some(UPSTREAM_TAG.into());
        }
        // What went wrong is in the log; an image of this host may serve.
        let tags = self.registry.tags().await.ok()?.tags;
        tags.into_iter().find(|tag| is_release(tag))
    }

    /// Whether the registry answers; asked anew only now and then.
    pub async fn registry_answers(&self) -> bool {
        let cell = {
            let mut answers = self.registry_answers.lock().unwrap_or_else(PoisonError::into_inner);
            let lifetime = if answers.1.get() == Some(&false) { ABSENCE_LIFETIME } else { ANSWER_LIFETIME };
            if answers.0.elapsed() > lifetime {
                *answers = (Instant::now(), Arc::default());
            }
            Arc::clone(&answers.1)
        };
        *cell.get_or_init(|| self.registry.answers()).await
    }

    /// The Kubernetes version in an image this host holds, or why there is none.
    pub async fn kubernetes(&self, name: &str, image: &LocalImage) -> Result<KubernetesVersion, Failure> {
        let known = self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(&image.id).cloned();
        if let Some(version) = known {
            return Ok(version);
        }
        let text = match image.labels.get(LABEL_KUBERNETES) {
            Some(version) => version.clone(),
            None => self.look_into(name).await?,
        };
        let version: KubernetesVersion = text.trim().parse().map_err(|_| no_kubernetes(name))?;
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(image.id.clone(), version.clone());
        Ok(version)
    }

    /// Whether a container is one of those this server looks into images with just now.
    pub fn is_probing(&self, container: &str) -> bool {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner).contains(container)
    }

    /// All node images this host holds.
    pub async fn local(&self) -> Result<Vec<Image>, Failure> {
        Ok(self.rows(&self.engine.images().await?))
    }

    /// Those of the engine's images that are for nodes, the newest first.
    pub fn rows(&self, images: &[LocalImage]) -> Vec<Image> {
        let registry = self.registry.repository();
        let rows = images.iter().flat_map(|image| {
            let is_labelled = image.labels.contains_key(LABEL_KUBERNETES);
            let rows = image.names.iter().filter_map(|name| row(name, true));
            rows.filter(move |row| is_labelled || is_of(row, registry) || is_of(row, UPSTREAM))
        });
        let mut rows: Vec<Image> = rows.collect();
        sort(&mut rows);
        rows
    }

    /// All node images the registry has, and what is to be said about the list.
    pub async fn remote(&self) -> Result<(Vec<Image>, Option<String>), Failure> {
        let (host, repository) = self.registry.repository();
        let Listing { tags, remark } = self.registry.tags().await?;
        let rows = tags.iter().filter_map(|tag| row(&format!("{host}/{repository}:{tag}"), false));
        Ok((rows.collect(), remark))
    }

    /// Reads the version out of the image.
    async fn look_into(&self, name: &str) -> Result<String, Failure> {
        let read = async |probe: &str| self.read(name, probe, VERSION_PATH).await;
        self.probe(name, read).await.map_err(|failure| match failure.code {
            Code::UNPROCESSABLE => no_kubernetes(name),
            _ => failure,
        })
    }

    /// What an image contributes to a cluster of this plan; its kubeadm is asked once for all plans that differ in names
    /// and addresses only.
    pub async fn blueprint(
        &self,
        wishes: &Wishes,
        image: &LocalImage,
        token: &CancellationToken,
    ) -> Result<Arc<Blueprint>, Failure> {
        let nobody = Identity { user: String::new(), name: String::new(), id: Uuid::nil() };
        let v6 = wishes.recorded.has_ipv6().then_some(SAMPLE_SUBNET_V6);
        let sample = wishes.plan(&nobody, ClusterNetwork { v4: SAMPLE_SUBNET, v6, mtu: USUAL_MTU })?.sample();
        let name = &wishes.image;
        let configuration = kubeadm_configuration(&sample, &sample.nodes[0]);
        let drawing = {
            let patches = serde_json::to_vec(&sample.options.components.patches.containerd).unwrap_or_default();
            let key = (image.id.clone(), [tar(std::slice::from_ref(&configuration)), patches].concat());
            let mut blueprints = self.blueprints.lock().unwrap_or_else(PoisonError::into_inner);
            if blueprints.len() >= BLUEPRINTS && !blueprints.contains_key(&key) {
                // Those that somebody waits for stay.
                blueprints.retain(|_, drawing| Arc::strong_count(drawing) > 1);
            }
            Arc::clone(blueprints.entry(key).or_default())
        };
        let mut drawn = token.run_until_cancelled(drawing.lock()).await.ok_or_else(Failure::cancelled)?;
        if let Some(blueprint) = &*drawn {
            return Ok(Arc::clone(blueprint));
        }
        // A cancel ends the drawing, not the removal of what it is done in.
        let look = async |probe: &str| {
            let drawing = token.run_until_cancelled(self.draw(name, probe, &sample, &configuration));
            drawing.await.unwrap_or_else(|| Err(Failure::cancelled()))
        };
        let blueprint = Arc::new(self.probe(name, look).await?);
        Ok(Arc::clone(drawn.insert(blueprint)))
    }

    /// Looks into the default image where this host holds it, so that the first cluster made from it need not wait; until
    /// `stop` is cancelled. Nothing is left behind then either.
    pub async fn warm_up(&self, stop: &CancellationToken) -> Result<(), Failure> {
        let find = async {
            let name = self.default_image().await?.engine_name();
            Ok::<_, Failure>(self.engine.image(&name).await?.map(|image| (name, image)))
        };
        let found = tokio::select! {
            found = find => found?,
            () = stop.cancelled() => None,
        };
        let Some((name, image)) = found else { return Ok(()) };
        let kubernetes = self.kubernetes(&name, &image).await?;
        let wishes = Wishes::usual(name, kubernetes);
        self.blueprint(&wishes, &image, stop).await.map(drop)
    }

    /// Lets the image's kubeadm write what it writes for the sample.
    async fn draw(
        &self,
        image: &str,
        probe: &str,
        sample: &ClusterPlan,
        configuration: &NodeFile,
    ) -> Result<Blueprint, Failure> {
        let engine = &*self.engine;
        let directory = NodeFile { path: "/kind".into(), mode: 0o755, contents: Contents::Directory };
        engine.put_archive(probe, tar(&[directory, configuration.clone()])).await?;
        engine.start_container(probe).await?;
        components::check_gates(engine, probe, &sample.options.feature_gates).await?;
        let patches = &sample.options.components.patches;
        if !patches.kubelet.is_empty() {
            let kubelet = kubelet_configuration(sample, &sample.nodes[0]);
            engine.put_archive(probe, tar(std::slice::from_ref(&kubelet))).await?;
            components::check_kubelet(engine, probe, &kubelet.path).await?;
        }
        let containerd = if patches.containerd.is_empty() {
            None
        } else {
            let configuration = self.read(image, probe, CONTAINERD_CONFIGURATION).await?;
            Some(components::patched_containerd(engine, probe, &configuration, &patches.containerd).await?)
        };
        let is_patched = !patches.cluster.is_empty() || !patches.proxy.is_empty();
        let blame = |failure: Failure| if is_patched { kubeadm::of_patches(&failure) } else { failure };
        kubeadm::run(engine, probe, kubeadm::STATIC_PODS).await.map_err(blame)?;
        let mut static_pods = Vec::new();
        for name in kubeadm::STATIC_POD_FILES {
            let text = self.read(image, probe, &format!("/etc/kubernetes/manifests/{name}")).await?;
            static_pods.push((name.to_owned(), text));
        }
        let addons = if prints_addons(&sample.kubernetes) {
            Some(kubeadm::run(engine, probe, kubeadm::PRINT_ADDONS).await.map_err(blame)?)
        } else {
            None
        };
        let cni = self.read(image, probe, CNI_MANIFEST).await?;
        let storage = self.read(image, probe, STORAGE_MANIFEST).await?;
        Ok(Blueprint { static_pods, addons, cni, storage, containerd })
    }

    /// Reads a text file that every node image has.
    async fn read(&self, image: &str, probe: &str, path: &str) -> Result<String, Failure> {
        let file = self.engine.read_file(probe, path).await?;
        let missing = || {
            let cure = "use a kindest/node image or one built like it; qbo get images lists them";
            Failure::new(Code::UNPROCESSABLE, format!("image '{image}' has no {path}"), cure)
        };
        file.map(|file| String::from_utf8_lossy(&file).into_owned()).ok_or_else(missing)
    }

    /// Looks into an image by means of a container that is removed afterwards.
    async fn probe<T>(&self, image: &str, look: impl AsyncFnOnce(&str) -> Result<T, Failure>) -> Result<T, Failure> {
        let name = format!("qbo-probe-{}", Uuid::new_v4().simple());
        self.probes.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        let looked = match self.engine.create_probe(&name, image).await {
            Ok(_) => look(&name).await,
            Err(error) => Err(error.into()),
        };
        let removed = self.engine.remove_container(&name).await;
        self.probes.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        if removed.is_err() {
            self.left_overs.ring();
        }
        let found = looked?;
        removed?;
        Ok(found)
    }
}

/// The version that an image of qbo's own is built for, by its name; none for any other image.
pub fn own_version(image: &ImageReference) -> Option<&str> {
    // One that is named by its digest is no other that is built anew.
    let is_own = image.engine_name().split(':').next() == Some(OWN_REPOSITORY) && !image.has_digest();
    (is_own && image.tag().starts_with('v')).then(|| image.tag())
}

fn no_kubernetes(name: &str) -> Failure {
    Failure::new(
        Code::UNPROCESSABLE,
        format!("image '{name}' has no Kubernetes in it: there is no valid {VERSION_PATH}"),
        "use a kindest/node image or one built like it; qbo get images lists them",
    )
}

/// The newest release of a repository; what comes before a release only where there is none.
fn newest(rows: &[Image], repository: (&str, &str)) -> Option<ImageReference> {
    let of_it = || rows.iter().filter(|row| is_of(row, repository));
    let newest = of_it().find(|row| is_release(&row.tag)).or_else(|| of_it().next());
    newest.and_then(|image| image.name.parse().ok())
}

fn is_release(tag: &str) -> bool {
    tag.parse::<KubernetesVersion>().is_ok_and(|version| version.pre.is_none())
}

/// Whether an image is of a registry's repository.
fn is_of(image: &Image, (host, repository): (&str, &str)) -> bool {
    let name = image.name.strip_prefix(host).and_then(|name| name.strip_prefix('/'));
    name.and_then(|name| name.strip_prefix(repository)).is_some_and(|rest| rest.starts_with([':', '@']))
}

fn row(name: &str, local: bool) -> Option<Image> {
    let image: ImageReference = name.parse().ok()?;
    Some(Image {
        name: image.full_name(),
        registry: image.registry().into(),
        user: image.user().into(),
        repository: image.repository(),
        image: image.image().into(),
        tag: image.tag().into(),
        local,
    })
}

/// Newest first by version, whichever registry they are of.
pub(crate) fn sort(rows: &mut [Image]) {
    rows.sort_by(|left, right| newest_first(&left.tag, &right.tag).then_with(|| left.name.cmp(&right.name)));
}

#[cfg(test)]
mod tests;
