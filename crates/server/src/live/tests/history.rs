//! Lists and what is told are one history, whoever changes something while others list: each list is what had been told
//! until then, and with all that is told after it what there is at the end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use qbo_api::model::State;
use serde_json::Value;

use super::{pod, user, with_cluster};
use crate::execute::fixture::{Cloud, USER};
use crate::mirror::Feed;

const CHANGES: u64 = 500;
const PODS: u64 = 100;
/// Who list at once, and how often each of them does.
const LISTERS: u64 = 4;
const LISTS: usize = 8;

/// Numbers that look like chance (`SplitMix64`).
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
    /// When they were listed, in the history of all, and which they were.
    listed: (u64, BTreeMap<String, Value>),
    /// Which they are, as far as what was told is taken.
    rows: BTreeMap<String, Value>,
    told: VecDeque<Value>,
}

impl Follower {
    async fn start(cloud: &Cloud, key: &'static str) -> Self {
        let feed = cloud.services.live.mirrors().feed(&user());
        let listed = cloud.succeed(&format!("get {key}")).await;
        let sequence = listed.messages[0].envelope.sequence.unwrap();
        let (rows, told) = (BTreeMap::new(), VecDeque::new());
        let mut follower = Self { key, feed, listed: (sequence, BTreeMap::new()), rows, told };
        for message in listed.messages {
            assert_eq!(message.envelope.sequence, Some(sequence), "all of a list is of one moment");
            follower.put(&serde_json::to_value(message).unwrap());
        }
        follower.listed.1 = follower.rows.clone();
        follower
    }

    /// Hears what was told meanwhile, but for what was told before its list.
    fn hear(&mut self) {
        while let Some(told) = self.feed.next().now_or_never() {
            let message: Value = serde_json::from_str(&told.expect("it keeps up")).unwrap();
            let is_later = message["sequence"].as_u64().is_some_and(|sequence| sequence > self.listed.0);
            if is_later && message["change"].is_string() && message[self.key].is_array() {
                self.told.push_back(message);
            }
        }
    }

    /// Takes what it heard, up to this point of the history.
    fn take(&mut self, until: u64) {
        while let Some(message) = self.told.pop_front_if(|message| message["sequence"].as_u64().unwrap() <= until) {
            match message["change"].as_str().unwrap() {
                "put" => self.put(&message),
                "delete" => rows(&message, self.key).for_each(|row| drop(self.rows.remove(&id(row)))),
                change => panic!("{change}"),
            }
        }
    }

    fn put(&mut self, message: &Value) {
        self.rows.extend(rows(message, self.key).map(|row| (id(row), row.clone())));
    }
}

fn rows<'a>(message: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    message[key].as_array().into_iter().flatten()
}

fn id(row: &Value) -> String {
    row["id"].as_str().unwrap().into()
}

/// How far listing and changing are.
#[derive(Default)]
struct Progress {
    lists: AtomicU64,
    changed: AtomicBool,
}

/// Changes pods and a node, and returns how all of them are at the end. Half-way there is something listed before it goes on.
async fn change(
    cloud: Arc<Cloud>,
    progress: Arc<Progress>,
    [control_plane, worker]: [String; 2],
) -> (BTreeMap<String, String>, State) {
    let mut chance = Chance(0);
    let mut pods = BTreeMap::from([("first".to_owned(), "Running".to_owned())]);
    let mut state = State::Ready;
    for number in 0..CHANGES {
        while number == CHANGES / 2 && progress.lists.load(Ordering::Relaxed) <= LISTERS {
            tokio::task::yield_now().await;
        }
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
async fn list(cloud: Arc<Cloud>, progress: Arc<Progress>, mut chance: Chance) -> Vec<Follower> {
    let mut followers = Vec::new();
    while followers.len() < LISTS && !progress.changed.load(Ordering::Relaxed) {
        for _ in 0..chance.below(400) {
            tokio::task::yield_now().await;
        }
        let key = if chance.below(3) == 0 { "nodes" } else { "pods" };
        followers.push(Follower::start(&cloud, key).await);
        progress.lists.fetch_add(1, Ordering::Relaxed);
        followers.iter_mut().for_each(Follower::hear);
    }
    followers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_and_all_that_is_told_after_it_are_what_there_is_at_the_end() {
    let (cloud, names, _) = with_cluster().await;
    let cloud = Arc::new(cloud);
    cloud.kubernetes.put_pod(pod("first", &names[0], "Running"));
    cloud
        .services
        .live
        .wait("a pod", Duration::from_mins(1), || cloud.services.live.glance(USER).pods().pop())
        .await
        .unwrap();
    let mut witnesses = [Follower::start(&cloud, "pods").await, Follower::start(&cloud, "nodes").await];
    let progress = Arc::<Progress>::default();
    let listing = (1..=LISTERS).map(|seed| tokio::spawn(list(cloud.clone(), progress.clone(), Chance(seed))));
    let listing: Vec<_> = listing.collect();
    let changing = tokio::spawn(change(cloud.clone(), progress.clone(), names));
    let (pods, worker) = tokio::time::timeout(Duration::from_mins(5), changing).await.expect("lists are made").unwrap();
    progress.changed.store(true, Ordering::Relaxed);
    let live = &cloud.services.live;
    let is_known = || {
        let view = live.glance(USER);
        let known: BTreeMap<_, _> = view.pods().into_iter().map(|pod| (pod.id, pod.status)).collect();
        (known == pods && view.nodes()[1].state == worker).then_some(())
    };
    live.wait("the last change to be known", Duration::from_mins(1), is_known).await.unwrap();

    let mut followers = Vec::new();
    for listing in listing {
        followers.extend(listing.await.unwrap());
    }
    assert!(followers.len() as u64 > LISTERS);
    followers.extend([Follower::start(&cloud, "pods").await, Follower::start(&cloud, "nodes").await]);
    followers.sort_by_key(|follower| follower.listed.0);
    for witness in &mut witnesses {
        witness.hear();
        let key = witness.key;
        for follower in followers.iter().filter(|follower| follower.key == key) {
            witness.take(follower.listed.0);
            assert_eq!(witness.rows, follower.listed.1, "what had been told until then");
        }
        for follower in followers.iter_mut().filter(|follower| follower.key == key) {
            follower.hear();
            follower.take(u64::MAX);
            assert_eq!(follower.rows, witness.rows, "what there is at the end");
        }
    }
}
