use tokio::sync::Notify;

use super::*;
use crate::driver::fake::{FakeEngine, FakeImage, FakeRegistry, Trouble};

fn images(held: &[FakeImage], tags: &[&str], configured: Option<&str>) -> (Images, Arc<FakeEngine>) {
    let (engine, registry) = (Arc::new(FakeEngine::default()), Arc::new(FakeRegistry::default()));
    for image in held {
        engine.hold_image(image.clone());
    }
    registry.answer(tags);
    let configured = configured.map(|name| name.parse().unwrap());
    (Images::new(Arc::clone(&engine) as _, registry, configured, Arc::default()), engine)
}

fn own(version: &str) -> FakeImage {
    FakeImage::node(&format!("qbo/node:{version}"), version).with_label(LABEL_KUBERNETES, version)
}

fn kind(version: &str) -> FakeImage {
    FakeImage::node(&format!("kindest/node:{version}"), version)
}

#[tokio::test]
async fn the_default_image_needs_no_registry() {
    let all = [own("v1.34.1"), own("v1.37.2"), kind("v1.9.0"), kind("v1.36.0")];
    for (held, tags, configured, expected) in [
        (&all[..], &["v1.37.0"][..], Some("example.com/node:1"), Some("example.com/node:1")),
        (&all[..], &["v1.37.0"][..], None, Some("kindest/node:v1.36.0")),
        (&all[..2], &["v1.37.0"][..], None, Some("kindest/node:v1.37.0")),
        (&all[..2], &[][..], None, Some("qbo/node:v1.37.2")),
        (&[own("v1.37.2"), own("v1.38.0-beta.0")], &[][..], None, Some("qbo/node:v1.37.2")),
        (&[own("v1.38.0-beta.0")], &[][..], None, Some("qbo/node:v1.38.0-beta.0")),
        (&[][..], &[][..], None, None),
    ] {
        let (images, _) = images(held, tags, configured);
        let image = images.default_image().await;
        assert_eq!(image.as_ref().map(ImageReference::engine_name).ok().as_deref(), expected, "{image:?}");
    }
}

#[tokio::test]
async fn the_default_image_of_a_private_registry_is_of_that_registry() {
    let private = |version: &str| FakeImage::node(&format!("localhost:5000/alex/cloud/node:{version}"), version);
    // The same path elsewhere, and a longer one.
    let others = [
        FakeImage::node("alex/cloud/node:v1.40.0", "v1.40.0"),
        FakeImage::node("localhost:5000/alex/cloud/node/x:v1.40.0", "v1.40.0"),
    ];
    for (held, tags, expected) in [
        (
            vec![kind("v1.36.0"), private("v1.34.0"), private("v1.35.0")],
            &["v1.37.0"][..],
            "localhost:5000/alex/cloud/node:v1.35.0",
        ),
        (
            vec![kind("v1.36.0"), own("v1.37.2")],
            &["v1.39.0-rc.0", "v1.38.1", "v1.38.0"][..],
            "localhost:5000/alex/cloud/node:v1.38.1",
        ),
        (vec![own("v1.37.2")], &["latest"][..], "qbo/node:v1.37.2"),
    ] {
        let engine = Arc::new(FakeEngine::default());
        held.into_iter().chain(others.clone()).for_each(|image| engine.hold_image(image));
        let registry = FakeRegistry::at("localhost:5000", "alex/cloud/node");
        registry.answer(tags);
        let images = Images::new(engine, Arc::new(registry), None, Arc::default());
        assert_eq!(images.default_image().await.unwrap().engine_name(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_does_not_answer_is_asked_again_soon_and_one_that_does_is_believed() {
    let (engine, registry) = (Arc::new(FakeEngine::default()), Arc::new(FakeRegistry::default()));
    let images = Images::new(engine, Arc::clone(&registry) as _, None, Arc::default());
    assert!(!images.registry_answers().await);
    registry.answer(&["v1.37.0"]);
    assert!(!images.registry_answers().await, "it is not asked for each command");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(images.registry_answers().await);
    registry.answer(&[]);
    tokio::time::advance(Duration::from_mins(1)).await;
    assert!(images.registry_answers().await);
}

#[tokio::test]
async fn a_version_is_read_from_the_label_or_out_of_the_image_once() {
    for (image, probes) in [(own("v1.37.2"), 0), (kind("v1.36.0"), 1)] {
        let (images, engine) = images(&[image], &[], None);
        let before = engine.held();
        let local = engine.images().await.unwrap().remove(0);
        for _ in 0..2 {
            let version = images.kubernetes(&local.names[0], &local).await.unwrap();
            assert_eq!(Some(version.to_string().as_str()), local.names[0].split(':').nth(1));
        }
        let probed = engine.calls().iter().filter(|call| call.starts_with("create_probe")).count();
        assert_eq!((probed, engine.held()), (probes, before));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_blueprint_may_stop_waiting_and_it_is_drawn_all_the_same() {
    let (images, engine) = images(&[kind("v1.36.0")], &[], None);
    let before = engine.held();
    let local = engine.images().await.unwrap().remove(0);
    let name = local.names[0].clone();
    let kubernetes = images.kubernetes(&name, &local).await.unwrap();
    let wishes = Wishes::usual(name, kubernetes);
    let answer = Arc::new(Notify::new());
    engine.trouble_with("start_container", Trouble::Waits(Arc::clone(&answer)));
    let (drawing, waiting) = (CancellationToken::new(), CancellationToken::new());
    let drawn = images.blueprint(&wishes, &local, &drawing);
    let waited = async {
        engine.hung().await;
        let waited = images.blueprint(&wishes, &local, &waiting);
        let cancel = async { waiting.cancel() };
        let waited = tokio::time::timeout(Duration::from_mins(1), async { tokio::join!(waited, cancel).0 });
        let waited = waited.await.expect("it does not hear its cancel");
        assert_eq!(waited.err().map(|failure| failure.code), Some(Code::CANCELLED));
        answer.notify_one();
    };
    let (drawn, ()) = tokio::join!(drawn, waited);
    let again = images.blueprint(&wishes, &local, &CancellationToken::new()).await.unwrap();
    assert!(Arc::ptr_eq(&drawn.unwrap(), &again), "it is drawn once");
    assert_eq!(engine.held(), before);
}

#[tokio::test]
async fn the_newest_image_comes_first_and_what_has_no_version_last() {
    let held = ["v1.9.0", "latest", "v1.36.0", "v1.10.0"].map(kind);
    let (images, _) = images(&held, &["v1.37.0", "nightly"], None);
    let tags = |rows: Vec<Image>| rows.into_iter().map(|row| row.tag).collect::<Vec<_>>();
    assert_eq!(tags(images.local().await.unwrap()), ["v1.36.0", "v1.10.0", "v1.9.0", "latest"]);
    assert_eq!(tags(images.remote().await.unwrap().0), ["v1.37.0", "nightly"]);
}

#[test]
fn an_image_of_our_own_is_told_by_its_name() {
    let version = |name: &str| own_version(&name.parse().unwrap()).map(str::to_owned);
    assert_eq!(version("qbo/node:v1.37.2").as_deref(), Some("v1.37.2"));
    assert_eq!(version("hub.docker.com/qbo/node:v1.37.2").as_deref(), Some("v1.37.2"));
    for other in ["qbo/node", "qbo/node:latest", "kindest/node:v1.37.2", "example.com/qbo/node:v1.37.2"] {
        assert_eq!(version(other), None, "{other}");
    }
}
