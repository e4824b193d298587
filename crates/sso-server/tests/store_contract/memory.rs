//! What only the store in memory promises: that it really lets go.

use std::{sync::Arc, time::Duration};

use sso_server::{
    MemoryStore, Session, Store,
    clock::{Clock, ManualClock, SystemClock, Timestamp},
    session::{CookieValue, EndReason, Login},
    store::StoreError::Conflict,
};
use tokio::task::JoinSet;

use sso_store_tests::{CREDENTIAL, World, log_in, log_out, token_of, used, user};

pub(crate) async fn empty_store(clock: Arc<ManualClock>) -> MemoryStore {
    MemoryStore::new(clock)
}

fn world() -> World<MemoryStore> {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    World { store: Arc::new(MemoryStore::new(clock.clone())), clock }
}

/// Makes the session's time run out, and writes something: with that it goes. `kept` is used meanwhile.
async fn let_go(world: &World<MemoryStore>, session: &Session, kept: &Session) {
    let now = world.clock.now();
    world.store.touch(&used(kept, now, now.after(Duration::from_secs(3 * 60 * 60)))).await.unwrap();
    world.clock.advance(Duration::from_secs(2 * 60 * 60));
    assert_eq!(world.store.consume("something", Timestamp::NEVER).await, Ok(true));
    assert!(world.store.get(&session.id).await.unwrap().is_none());
    assert!(world.store.load(&session.cookie).await.unwrap().is_none());
    assert!(world.store.get(&kept.id).await.unwrap().is_some());
}

#[tokio::test]
async fn cookie_and_links_go_with_their_session() {
    let world = world();
    let (session, other) = (world.inserted().await, world.inserted().await);
    let (key, kept) = (token_of("Alice"), token_of("Alice"));
    world.linked(&key, &session).await;
    world.linked(&kept, &other).await;
    let_go(&world, &session, &other).await;
    assert_eq!(world.target(&key).await, None);
    assert_eq!(world.target(&kept).await.as_ref(), Some(&other.id));
    assert!(world.store.load(&other.cookie).await.unwrap().is_some());
}

#[tokio::test]
async fn a_link_that_was_made_anew_stays_when_its_first_session_goes() {
    let world = world();
    let (first, second) = (world.inserted().await, world.inserted().await);
    let (anew, left) = (token_of("Alice"), token_of("Alice"));
    world.linked(&anew, &first).await;
    world.linked(&left, &first).await;
    assert_eq!(world.cut(&anew).await, 1);
    world.linked(&anew, &second).await;
    let_go(&world, &first, &second).await;
    assert_eq!(world.target(&left).await, None);
    assert_eq!(world.target(&anew).await.as_ref(), Some(&second.id));
}

#[tokio::test]
async fn a_cookie_that_was_given_away_stays_when_its_first_session_goes() {
    let world = world();
    let first = world.inserted().await;
    let swapped = Session { cookie: CookieValue::generate().hash(), ..Session::clone(&first) };
    let swapped = world.store.update(swapped).await.unwrap();
    let second = world.store.insert(Session { cookie: first.cookie, ..world.session() }, None).await.unwrap();
    let_go(&world, &swapped, &second).await;
    assert_eq!(world.store.load(&first.cookie).await.unwrap().unwrap().id, second.id);
}

#[tokio::test]
async fn a_touch_keeps_a_record_longer() {
    let world = world();
    let (kept, lost) = (world.inserted().await, world.inserted().await);
    let now = world.clock.now();
    world.store.touch(&used(&kept, now, now.after(Duration::from_secs(3 * 60 * 60)))).await.unwrap();
    world.clock.advance(Duration::from_secs(2 * 60 * 60));
    // The other one goes with this write at the latest.
    assert_eq!(world.store.touch(&used(&lost, lost.last_seen, lost.keep_until)).await, Err(Conflict));
    assert!(world.store.get(&kept.id).await.unwrap().is_some());
    assert!(world.store.get(&lost.id).await.unwrap().is_none());
}

/// With room for so many sessions without a user.
fn bounded(limit: usize) -> World<MemoryStore> {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    World { store: Arc::new(MemoryStore::bounded(clock.clone(), limit)), clock }
}

async fn are_there(world: &World<MemoryStore>, sessions: &[Arc<Session>]) -> Vec<bool> {
    let mut there = Vec::new();
    for session in sessions {
        let by_id = world.store.get(&session.id).await.unwrap().is_some();
        assert_eq!(world.store.load(&session.cookie).await.unwrap().is_some(), by_id);
        there.push(by_id);
    }
    there
}

/// Logs in, or out if there is no name.
async fn change_user(world: &World<MemoryStore>, session: &Session, name: Option<&str>) {
    let mut next = Session::clone(&*world.store.get(&session.id).await.unwrap().unwrap());
    match name {
        Some(name) => log_in(&mut next, name),
        None => log_out(&mut next),
    }
    world.store.update(next).await.unwrap();
}

#[tokio::test]
async fn the_longest_unused_anonymous_sessions_make_room_with_all_that_leads_to_them() {
    let world = bounded(3);
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(world.inserted().await);
    }
    let key = token_of("Alice");
    world.linked(&key, &sessions[1]).await;
    assert_eq!(are_there(&world, &sessions).await, [true; 3]);
    let touch =
        async |session: &Session| world.store.touch(&used(session, session.last_seen, session.keep_until)).await;
    touch(&sessions[0]).await.unwrap();
    sessions.push(world.inserted().await);
    assert_eq!(are_there(&world, &sessions).await, [true, false, true, true]);
    assert_eq!(world.target(&key).await, None);
    assert_eq!(touch(&sessions[1]).await, Err(Conflict));
    assert_eq!(world.store.update(Session::clone(&sessions[1])).await.unwrap_err(), Conflict);
    assert_eq!(are_there(&world, &sessions).await, [true, false, true, true], "what is gone does not come back");
    // Its cookie and its token are free.
    let heir = Session { cookie: sessions[1].cookie, ..world.session() };
    let heir = world.store.insert(heir, None).await.unwrap();
    world.linked(&key, &heir).await;
    assert_eq!(world.target(&key).await.as_ref(), Some(&heir.id));
}

#[tokio::test]
async fn sessions_with_a_user_never_make_room() {
    let world = bounded(2);
    let (mut users, mut others) = (Vec::new(), Vec::new());
    for name in ["jackie", "john", "jackie"] {
        let session = world.inserted().await;
        change_user(&world, &session, Some(name)).await;
        users.push(session);
    }
    for _ in 0..5 {
        others.push(world.inserted().await);
    }
    assert_eq!(are_there(&world, &users).await, [true; 3]);
    assert_eq!(are_there(&world, &others).await, [false, false, false, true, true]);
    // From here on it is as any other, the youngest of them.
    change_user(&world, &users[0], None).await;
    assert_eq!(are_there(&world, &[&users[..], &others[3..]].concat()).await, [true, true, true, false, true]);
    change_user(&world, &users[0], Some("john")).await;
    others.push(world.inserted().await);
    others.push(world.inserted().await);
    assert_eq!(are_there(&world, &users).await, [true; 3]);
    // A logout that comes later must still find by what its browser is remembered.
    let mut expired = Session::clone(&*world.store.get(&users[1].id).await.unwrap().unwrap());
    let now = expired.last_seen;
    expired.log_in(Login::new(user("john"), CREDENTIAL, now).remembered("family".into(), now), now);
    expired.end(EndReason::Idle, now);
    world.store.update(expired).await.unwrap();
    for _ in 0..5 {
        world.inserted().await;
    }
    assert_eq!(are_there(&world, &users).await, [true; 3]);
    assert_eq!(world.store.of_user("john").await.unwrap().len(), 1);
    // After that logout it is as any other.
    change_user(&world, &users[1], None).await;
    for _ in 0..5 {
        world.inserted().await;
    }
    assert_eq!(are_there(&world, &users).await, [true, false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_hold_while_others_flood_the_store() {
    let world = bounded(8);
    let mut tasks = JoinSet::new();
    for n in 0..4 {
        let store = world.store.clone();
        let sessions: Vec<_> = (0..200).map(|_| world.session()).collect();
        tasks.spawn(async move {
            let mut logged_in = Vec::new();
            for session in sessions {
                let session = store.insert(session, None).await.unwrap();
                if n > 0 {
                    continue;
                }
                let mut next = Session::clone(&session);
                log_in(&mut next, "jackie");
                match store.update(next).await {
                    Ok(session) => logged_in.push(session.id.clone()),
                    Err(error) => assert_eq!(error, Conflict, "it had to make room before"),
                }
            }
            logged_in
        });
    }
    let logged_in = tasks.join_all().await.concat();
    assert!(!logged_in.is_empty());
    for id in &logged_in {
        assert!(world.store.get(id).await.unwrap().is_some(), "a session with a user made room");
    }
    assert_eq!(world.store.of_user("jackie").await.unwrap().len(), logged_in.len());
}

#[tokio::test]
async fn debug_shows_no_session() {
    let world = world();
    world.inserted().await;
    let text = format!("{:?}", world.store);
    assert!(text.starts_with("MemoryStore {"), "{text}");
}
