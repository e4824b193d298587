//! What only the store in memory promises: that it really lets go.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sso_server::{
    MemoryStore, Session, Store,
    clock::{Clock, ManualClock, SystemClock},
    session::CookieValue,
    store::LinkOutcome,
};

use crate::{World, token_of};

fn world() -> World<MemoryStore> {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    World { store: Arc::new(MemoryStore::new(clock.clone())), clock }
}

/// Makes the session's time run out, and waits until moka notices: it turns its timer wheel about once in a second of real
/// time, and only while the store is used.
async fn let_go(world: &World<MemoryStore>, session: &Session) {
    world.clock.advance(Duration::from_secs(2 * 60 * 60));
    world.store.touch(&session.id, session.last_seen, session.keep_until).await.unwrap();
    assert!(world.store.get(&session.id).await.unwrap().is_none());
    let started = Instant::now();
    while world.store.load(&session.cookie).await.unwrap().is_some() {
        assert!(world.store.get(&session.id).await.unwrap().is_none());
        assert!(started.elapsed() < Duration::from_secs(60), "the cookie of a dropped session is still known");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn cookie_and_links_go_with_their_session() {
    let world = world();
    let (session, other) = (world.inserted().await, world.inserted().await);
    let (key, kept) = (token_of("Alice"), token_of("Alice"));
    world.linked(&key, &session.id).await;
    world.linked(&kept, &other.id).await;
    let_go(&world, &session).await;
    assert_eq!(world.target(&key).await, None);
    assert_eq!(world.target(&kept).await.as_ref(), Some(&other.id));
    assert!(world.store.load(&other.cookie).await.unwrap().is_some());
}

#[tokio::test]
async fn a_moved_link_stays_when_its_first_session_goes() {
    let world = world();
    let (first, second) = (world.inserted().await, world.inserted().await);
    let (moved, left) = (token_of("Alice"), token_of("Alice"));
    world.linked(&moved, &first.id).await;
    world.linked(&left, &first.id).await;
    assert!(matches!(world.link(&moved, &second.id, Some(&first.id)).await, LinkOutcome::Linked(_)));
    let_go(&world, &first).await;
    assert_eq!(world.target(&left).await, None);
    assert_eq!(world.target(&moved).await.as_ref(), Some(&second.id));
}

#[tokio::test]
async fn a_cookie_that_was_given_away_stays_when_its_first_session_goes() {
    let world = world();
    let first = world.inserted().await;
    let swapped = Session { cookie: CookieValue::generate().hash(), ..Session::clone(&first) };
    let swapped = world.store.update(swapped).await.unwrap();
    let second = world.store.insert(Session { cookie: first.cookie, ..world.session() }).await.unwrap();
    let_go(&world, &swapped).await;
    assert_eq!(world.store.load(&first.cookie).await.unwrap().unwrap().id, second.id);
}

#[tokio::test]
async fn a_touch_keeps_a_record_longer() {
    let world = world();
    let (kept, lost) = (world.inserted().await, world.inserted().await);
    world.clock.advance(Duration::from_secs(2 * 60 * 60));
    let now = world.clock.now();
    world.store.touch(&kept.id, now, now.after(Duration::from_secs(60))).await.unwrap();
    world.store.touch(&lost.id, lost.last_seen, lost.keep_until).await.unwrap();
    assert!(world.store.get(&kept.id).await.unwrap().is_some());
    assert!(world.store.get(&lost.id).await.unwrap().is_none());
}

#[tokio::test]
async fn debug_shows_no_session() {
    let world = world();
    world.inserted().await;
    let text = format!("{:?}", world.store);
    assert!(text.starts_with("MemoryStore {"), "{text}");
}
