//! A list and what is told after it are one history, whoever changes something meanwhile: here several threads do, and
//! list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use qbo_api::model::State;
use serde_json::Value;

use super::{pod, user, with_cluster};
use crate::execute::fixture::{Cloud, USER};
use crate::live::Live;
use crate::mirror::Feed;

const CHANGES: u64 = 2000;
const PODS: u64 = 30;
/// Who list at once, and how often each of them does.
const LISTERS: u64 = 4;
const LISTS: usize = 12;

/// Numbers that look like chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What a connection knows of rows under this key: those of a list, and what was told of them after it.
struct Follower {
    key: &'static str,
    feed: Feed,
    sequence: u64,
    rows: BTreeMap<String, Value>,
}

impl Follower {
    async fn start(cloud: &Cloud, key: &'static str) -> Self {
        let feed = cloud.services.live.mirrors().feed(&user());
        let listed = cloud.succeed(&format!("get {key}")).await;
        let sequence = listed.messages[0].envelope.sequence.unwrap();
        let mut follower = Self { key, feed, sequence, rows: BTreeMap::new() };
        for message in listed.messages {
            assert_eq!(message.envelope.sequence, Some(sequence), "all of a list is of one moment");
            follower.put(&serde_json::to_value(message).unwrap());
        }
        follower
    }

    /// Takes what was told meanwhile.
    fn catch_up(&mut self, live: &Live) {
        while let Some(told) = self.feed.next().now_or_never() {
            match told {
                Ok(text) => self.hear(&serde_json::from_str(&text).unwrap()),
                Err(_) => live.resume(&self.feed, &user()),
            }
        }
    }

    fn hear(&mut self, message: &Value) {
        let (Some(change), Some(sequence)) = (message["change"].as_str(), message["sequence"].as_u64()) else { return };
        if change == "snapshot" && message[self.key].is_array() {
            self.rows.clear();
            self.sequence = sequence - 1;
        }
        // What was changed before is in the list.
        if sequence <= self.sequence {
            return;
        }
        if change == "delete" {
            message[self.key].as_array().into_iter().flatten().for_each(|row| drop(self.rows.remove(&id(row))));
        } else {
            self.put(message);
        }
    }

    fn put(&mut self, message: &Value) {
        self.rows.extend(message[self.key].as_array().into_iter().flatten().map(|row| (id(row), row.clone())));
    }
}

fn id(row: &Value) -> String {
    row["id"].as_str().unwrap().into()
}

/// Changes pods and a node, and returns how all of them are at the end.
async fn change(cloud: Arc<Cloud>, [control_plane, worker]: [String; 2]) -> (BTreeMap<String, String>, State) {
    let mut chance = Chance(0);
    let (mut pods, mut state) = (BTreeMap::new(), State::Ready);
    for _ in 0..CHANGES {
        let uid = chance.below(PODS).to_string();
        match chance.below(10) {
            0 => {
                cloud.kubernetes.unready(&worker);
                state = State::NotReady;
            }
            1 => {
                cloud.kubernetes.ready(&worker);
                state = State::Ready;
            }
            2 | 3 => {
                cloud.kubernetes.drop_pod(&uid);
                pods.remove(&uid);
            }
            status => {
                let node = if status < 6 { &control_plane } else { &worker };
                let status = ["Pending", "Running"][usize::from(status % 2 == 0)];
                cloud.kubernetes.put_pod(pod(&uid, node, status));
                pods.insert(uid, status.to_owned());
            }
        }
        for _ in 0..chance.below(20) {
            tokio::task::yield_now().await;
        }
    }
    (pods, state)
}

/// Lists at any time, and takes what is told after each list at any time.
async fn list(cloud: Arc<Cloud>, changed: Arc<AtomicBool>, mut chance: Chance) -> Vec<Follower> {
    let mut followers = Vec::new();
    while followers.len() < LISTS && !changed.load(Ordering::Relaxed) {
        for _ in 0..chance.below(400) {
            tokio::task::yield_now().await;
        }
        let key = if chance.below(3) == 0 { "nodes" } else { "pods" };
        followers.push(Follower::start(&cloud, key).await);
        for follower in followers.iter_mut().filter(|_| chance.below(2) == 0) {
            follower.catch_up(&cloud.services.live);
        }
    }
    followers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_and_all_that_is_told_after_it_are_what_there_is_at_the_end() {
    let (cloud, names, _) = with_cluster().await;
    let cloud = Arc::new(cloud);
    let changed = Arc::<AtomicBool>::default();
    let listing = (1..=LISTERS).map(|seed| tokio::spawn(list(cloud.clone(), changed.clone(), Chance(seed))));
    let listing: Vec<_> = listing.collect();
    let (pods, worker) = tokio::spawn(change(cloud.clone(), names)).await.unwrap();
    changed.store(true, Ordering::Relaxed);
    let live = &cloud.services.live;
    let is_known = || {
        let view = live.glance(USER);
        let known: BTreeMap<_, _> = view.pods().into_iter().map(|pod| (pod.id, pod.status)).collect();
        (known == pods && view.nodes()[1].state == worker).then_some(())
    };
    live.wait("the last change to be known", Duration::from_mins(1), is_known).await.unwrap();

    let end = [Follower::start(&cloud, "pods").await, Follower::start(&cloud, "nodes").await];
    let mut count = 0;
    for listing in listing {
        for mut follower in listing.await.unwrap() {
            follower.catch_up(live);
            let end = end.iter().find(|end| end.key == follower.key).unwrap();
            assert_eq!(follower.rows, end.rows);
            assert!(follower.sequence < end.sequence);
            count += 1;
        }
    }
    assert!(count > LISTERS, "{count} lists");
}
