//! What is asked anew, and when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use qbo_api::message::Code;
use tokio::sync::Notify;

use crate::driver::registry::cache::{Cached, FAILURE_LIFETIME, LIFETIME};
use crate::driver::registry::{Listing, Registry};
use crate::error::Failure;

/// A registry that takes its time to answer.
#[derive(Clone)]
struct Slow {
    asked: Arc<AtomicUsize>,
    answers: Arc<Mutex<Result<(), Failure>>>,
    /// Who asks waits for one of these.
    let_go: Arc<Notify>,
}

#[async_trait]
impl Registry for Slow {
    async fn answers(&self) -> bool {
        true
    }

    async fn tags(&self) -> Result<Listing, Failure> {
        let count = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        self.let_go.notified().await;
        self.answers.lock().unwrap().clone()?;
        Ok(Listing { tags: vec![format!("v1.{count}.0")], remark: None })
    }

    fn repository(&self) -> (&str, &str) {
        ("hub.docker.com", "kindest/node")
    }
}

/// The registry, and the cache in front of it.
fn cached() -> (Cached<Slow>, Slow) {
    let registry = Slow { asked: Arc::default(), answers: Arc::new(Mutex::new(Ok(()))), let_go: Arc::default() };
    (Cached::new(registry.clone()), registry)
}

fn absent() -> Failure {
    Failure::new(Code::BAD_GATEWAY, "the registry does not answer", "check the way there")
}

#[tokio::test(start_paused = true)]
async fn who_asks_together_asks_once() {
    let (cache, registry) = cached();
    for outcome in [Err(absent()), Ok(())] {
        *registry.answers.lock().unwrap() = outcome.clone();
        let before = registry.asked.load(Ordering::Relaxed);
        registry.let_go.notify_one();
        let answers = join_all([cache.tags(), cache.tags(), cache.tags()]).await;
        assert_eq!(registry.asked.load(Ordering::Relaxed), before + 1);
        assert!(answers.iter().all(|answer| answer.is_ok() == outcome.is_ok()), "{answers:?}");
        tokio::time::advance(FAILURE_LIFETIME).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_cancelled_leaves_the_question_to_the_next() {
    let (cache, registry) = cached();
    let mut first = Box::pin(cache.tags());
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(cache.tags());
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    registry.let_go.notify_one();
    assert_eq!(second.await.unwrap().tags, ["v1.2.0"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_asked_for_anew_when_it_is_old_and_served_on_where_there_is_no_other() {
    let (cache, registry) = cached();
    registry.let_go.notify_one();
    assert_eq!(cache.tags().await.unwrap().tags, ["v1.1.0"]);
    tokio::time::advance(LIFETIME.mul_f64(0.99)).await;
    assert_eq!(cache.tags().await.unwrap().tags, ["v1.1.0"]);

    *registry.answers.lock().unwrap() = Err(absent());
    tokio::time::advance(Duration::from_mins(1)).await;
    registry.let_go.notify_one();
    let old = cache.tags().await.unwrap();
    let remark = "this list is 5 minutes old: the registry does not answer; check the way there";
    assert_eq!((old.tags, old.remark.as_deref()), (vec!["v1.1.0".to_owned()], Some(remark)));
    assert_eq!(cache.tags().await.unwrap().remark.as_deref(), Some(remark), "it is not asked again at once");
    assert_eq!(registry.asked.load(Ordering::Relaxed), 2);

    *registry.answers.lock().unwrap() = Ok(());
    tokio::time::advance(FAILURE_LIFETIME).await;
    registry.let_go.notify_one();
    let new = cache.tags().await.unwrap();
    assert_eq!((new.tags, new.remark), (vec!["v1.3.0".to_owned()], None));
}
