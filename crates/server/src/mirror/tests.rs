use std::time::Duration;

use qbo_api::command::Command;

use super::*;
use crate::report::{Origin, Reporter};

fn user(email: &str) -> User {
    User { email: email.into() }
}

fn voice(mirrors: &Arc<Mirrors>, user: &str, mirror: Uuid) -> Reporter {
    let origin = Origin { user: self::user(user), ..Origin::example(mirror) };
    Reporter::new(Arc::clone(mirrors), origin, Command::Version.kind(), "version", 1)
}

fn change(payload: Payload) -> Message {
    crate::report::changed("cloud", &user("alex"), (1, Change::Put), payload, "")
}

#[tokio::test]
async fn everybody_in_a_room_receives_and_nobody_else() {
    let (mirrors, room) = (Arc::new(Mirrors::default()), Uuid::from_u128(1));
    let mut feeds = [(); 3].map(|()| mirrors.feed(&user("alex")));
    let [first, second, elsewhere] = &mut feeds;
    first.join(room).unwrap();
    second.join(room).unwrap();
    second.join(room).unwrap();
    elsewhere.join(Uuid::from_u128(2)).unwrap();
    voice(&mirrors, "alex", room).line("hello");
    assert_eq!(first.next().await.unwrap(), second.next().await.unwrap());
    assert_eq!((second.waiting(), elsewhere.waiting()), (None, None));
}

#[test]
fn a_users_own_mirror_is_nobody_elses_even_by_name() {
    let mirrors = Arc::new(Mirrors::default());
    let own = user("alex").mirror();
    let mut sam = mirrors.feed(&user("sam"));
    sam.join(own).unwrap();
    let mut alex = mirrors.feed(&user("alex"));
    voice(&mirrors, "alex", own).line("hello");
    assert!(alex.waiting().is_some());
    assert_eq!(sam.waiting(), None, "it is in another room of that name");
    assert_eq!(alex.leave(own), Err(RoomError::Own(own)));
}

#[test]
fn who_names_a_mirror_first_owns_it_and_admits_others() {
    let (mirrors, room) = (Arc::new(Mirrors::default()), Uuid::from_u128(1));
    let (mut alex, mut sam) = (mirrors.feed(&user("alex")), mirrors.feed(&user("sam")));
    assert_eq!(mirrors.admit(&user("alex"), room, &["sam".into()]), Err(RoomError::Unknown(room)));
    alex.join(room).unwrap();
    assert_eq!(sam.join(room), Err(RoomError::NotAdmitted { mirror: room, user: "sam".into() }));
    assert_eq!(mirrors.admit(&user("sam"), room, &["sam".into()]), Err(RoomError::NotYours(room)));
    mirrors.admit(&user("alex"), room, &["sam".into()]).unwrap();
    sam.join(room).unwrap();
    voice(&mirrors, "alex", room).line("hello");
    assert!(sam.waiting().is_some());
    sam.leave(room).unwrap();
    assert_eq!(sam.leave(room), Err(RoomError::NotIn(room)));
    voice(&mirrors, "alex", room).line("hello");
    assert_eq!(sam.waiting(), None);
    let many: Vec<String> = (0..=ADMITTED).map(|number| number.to_string()).collect();
    assert_eq!(mirrors.admit(&user("alex"), room, &many), Err(RoomError::Full(room)));
}

#[test]
fn a_change_is_told_once_to_every_connection_of_its_owner() {
    let mirrors = Arc::new(Mirrors::default());
    let (mut alex, mut sam) = (mirrors.feed(&user("alex")), mirrors.feed(&user("sam")));
    alex.join(Uuid::from_u128(1)).unwrap();
    mirrors.tell(&user("alex"), &change(Payload::Nodes(Vec::new())));
    let told: Message = serde_json::from_str(&alex.waiting().unwrap()).unwrap();
    assert_eq!(told.envelope.uuid, user("alex").mirror());
    assert_eq!((alex.waiting(), sam.waiting()), (None, None));
}

#[test]
fn changes_of_connections_are_told_to_who_wants_them() {
    let mirrors = Arc::new(Mirrors::default());
    let (mut one, mut other) = (mirrors.feed(&user("alex")), mirrors.feed(&user("alex")));
    one.want_clients();
    mirrors.tell(&user("alex"), &change(Payload::Clients(Vec::new())));
    assert!(one.waiting().is_some());
    assert_eq!(other.waiting(), None);
}

#[tokio::test]
async fn who_does_not_keep_up_takes_up_again_with_the_last_state_and_the_ends_of_commands() {
    let mirrors = Arc::new(Mirrors::default());
    let own = user("alex").mirror();
    let (mut fast, mut slow) = (mirrors.feed(&user("alex")), mirrors.feed(&user("alex")));
    let voice = voice(&mirrors, "alex", own);
    for _ in 0..=queue::MESSAGES {
        voice.line("hello");
        fast.next().await.unwrap();
    }
    voice.done();
    assert_eq!(slow.next().await, Err(Lagged));
    slow.resume(&[change(Payload::Nodes(Vec::new())), change(Payload::Pods(Vec::new()))]);
    voice.line("more");
    let mut kinds = Vec::new();
    while let Some(text) = slow.waiting() {
        let message: Message = serde_json::from_str(&text).unwrap();
        kinds.push((message.envelope.code.0, message.envelope.change.is_some()));
    }
    assert_eq!(kinds, [(201, true), (201, true), (200, false), (201, false)]);
}

#[tokio::test]
async fn a_list_that_is_longer_than_what_may_wait_comes_whole_and_so_does_a_snapshot() {
    let queue = Queue::default();
    let list = [queue::BYTES, queue::BYTES / 2].map(|bytes| Utf8Bytes::from("x".repeat(bytes)));
    let change = Utf8Bytes::from_static("a change that comes meanwhile");
    let taken = || std::iter::from_fn(|| queue.waiting()).count();
    for _ in 0..2 {
        queue.push_list(&list);
        queue.push(&change, Kind::Passing);
        assert_eq!(taken(), 3, "as often as it is taken");
    }
    queue.push_list(std::slice::from_ref(&change));
    queue.push_list(&list);
    assert_eq!(taken(), 3, "also behind a short one");

    queue.push_list(&list);
    queue.push_list(&list);
    assert_eq!(queue.next().await, Err(Lagged), "but only one waits");
    queue.push_list(&list);
    queue.resume(list.clone().into_iter());
    queue.push(&change, Kind::Passing);
    assert_eq!(queue.next().await, Ok(list[0].clone()));
    assert_eq!(taken(), 2);
    tokio::time::timeout(Duration::from_secs(10), queue.taken()).await.expect("nothing is left to be taken");
}

#[test]
fn an_empty_room_is_not_kept() {
    let mirrors = Arc::new(Mirrors::default());
    let mut feed = mirrors.feed(&user("alex"));
    for room in 1..ROOMS {
        feed.join(Uuid::from_u128(room as u128)).unwrap();
    }
    assert_eq!(feed.join(Uuid::from_u128(ROOMS as u128)), Err(RoomError::TooMany));
    assert_eq!(feed.join(Uuid::from_u128(1)), Ok(()));
    assert_eq!((mirrors.lock().rooms.len(), feed.mirrors().len()), (ROOMS, ROOMS));
    drop(feed);
    assert!(mirrors.lock().rooms.is_empty() && mirrors.lock().feeds.is_empty());
}

#[test]
fn a_mirror_is_named_by_its_uuid_or_the_first_digits_of_one_that_may_be_joined() {
    let mirrors = Arc::new(Mirrors::default());
    let (alex, sam) = (user("alex"), user("sam"));
    let room: Uuid = "66fac858-a271-49cf-bad0-fdd9ff0b4787".parse().unwrap();
    let whole = room.to_string();
    assert_eq!(mirrors.named(&alex, &whole), None, "nobody is there");
    let mut feed = mirrors.feed(&alex);
    feed.join(room).unwrap();
    assert_eq!([&whole, "66fac858", "66fac85"].map(|text| mirrors.named(&alex, text)), [Some(room), Some(room), None]);
    assert_eq!(["66fac858", "66fac858-a271"].map(|text| mirrors.named(&sam, text)), [None, None]);
    assert_eq!(mirrors.named(&sam, &whole), Some(room), "it can be said then that sam is not admitted");
    mirrors.admit(&alex, room, &["sam".into()]).unwrap();
    assert_eq!(mirrors.named(&sam, "66fac858"), Some(room));
    let own = alex.mirror();
    assert_eq!(mirrors.named(&alex, &own.to_string()[..8]), Some(own));
    assert_eq!(mirrors.named(&sam, &own.to_string()[..8]), None);
}
