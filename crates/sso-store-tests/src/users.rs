//! The contract's rules about what belongs to whom: sessions by user, links by session.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sso_server::{
    Session, Store,
    session::{CookieValue, SessionId},
    store::StoreError::Conflict,
};

use crate::{World, log_in, log_out, token_of};

async fn of<S: Store>(world: &World<S>, name: &str) -> HashSet<SessionId> {
    let sessions = world.store.of_user(name).await.unwrap();
    let ids: HashSet<_> = sessions.iter().map(|session| session.id.clone()).collect();
    assert_eq!(ids.len(), sessions.len(), "each is listed once");
    ids
}

async fn logged_in<S: Store>(world: &World<S>, name: &str) -> Arc<Session> {
    let mut session = world.session();
    log_in(&mut session, name);
    world.store.insert(session, None).await.unwrap()
}

fn ids<const N: usize>(sessions: [&Arc<Session>; N]) -> HashSet<SessionId> {
    sessions.into_iter().map(|session| session.id.clone()).collect()
}

pub async fn a_user_has_the_sessions_they_are_logged_in_to<S: Store>(world: World<S>) {
    world.inserted().await;
    assert!(of(&world, "jackie").await.is_empty());
    let (one, two) = (logged_in(&world, "jackie").await, logged_in(&world, "jackie").await);
    let johns = logged_in(&world, "john").await;
    assert_eq!(of(&world, "jackie").await, ids([&one, &two]));
    assert_eq!(of(&world, "john").await, ids([&johns]));
    assert!(of(&world, "jack").await.is_empty());
    let read = world.store.of_user("john").await.unwrap();
    assert_eq!(read[0].user(), johns.user());
}

pub async fn a_session_changes_hands<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let mut next = Session::clone(&session);
    log_in(&mut next, "jackie");
    let session = world.store.update(next).await.unwrap();
    assert_eq!(of(&world, "jackie").await, ids([&session]));

    let mut next = Session::clone(&session);
    log_in(&mut next, "john");
    let late = Session { version: 0, ..next.clone() };
    assert_eq!(world.store.update(late).await.unwrap_err(), Conflict);
    assert_eq!(of(&world, "jackie").await, ids([&session]), "a refused update changes nothing");
    let session = world.store.update(next).await.unwrap();
    assert_eq!((of(&world, "jackie").await, of(&world, "john").await), (ids([]), ids([&session])));

    let mut next = Session::clone(&session);
    log_out(&mut next);
    world.store.update(next).await.unwrap();
    assert!(of(&world, "john").await.is_empty());
}

pub async fn what_is_dropped_is_nobodys<S: Store>(world: World<S>) {
    let first = logged_in(&world, "jackie").await;
    let twin = Session { cookie: CookieValue::generate().hash(), ..Session::clone(&first) };
    assert_eq!(world.store.insert(twin, None).await.unwrap_err(), Conflict);
    let thief = Session { cookie: first.cookie, ..world.session() };
    assert_eq!(world.store.insert(thief, None).await.unwrap_err(), Conflict);
    assert_eq!(of(&world, "jackie").await, ids([&first]));
    world.clock.advance(Duration::from_secs(59 * 60));
    assert_eq!(of(&world, "jackie").await, ids([&first]), "it is kept for an hour");
}

pub async fn the_links_of_a_session_are_listed<S: Store>(world: World<S>) {
    let (one, two) = (world.inserted().await, world.inserted().await);
    let (a, b, c) = (token_of("Alice"), token_of("Greg"), token_of("Alice"));
    let code = world.linked(&a, &one).await;
    world.linked(&b, &one).await;
    world.linked(&c, &two).await;
    let of_one = world.store.links_of(&one.id).await.unwrap();
    let keys: HashSet<_> = of_one.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!((of_one.len(), keys), (2, [a.clone(), b.clone()].into()));
    let (_, link) = of_one.iter().find(|(key, _)| *key == a).unwrap();
    assert!(link.session == one.id && link.code.as_str() == code.as_str());

    // Made anew elsewhere, and here again.
    assert_eq!(world.cut(&b).await, 1);
    assert_eq!(world.store.links_of(&one.id).await.unwrap().len(), 1);
    world.linked(&b, &two).await;
    assert_eq!(world.store.links_of(&one.id).await.unwrap().len(), 1);
    assert_eq!(world.store.links_of(&two.id).await.unwrap().len(), 2);
    assert_eq!(world.cut(&b).await, 1);
    world.linked(&b, &one).await;
    assert_eq!(world.store.links_of(&one.id).await.unwrap().len(), 2);
    assert_eq!(world.store.links_of(&two.id).await.unwrap().len(), 1);
    assert!(world.store.links_of(&world.session().id).await.unwrap().is_empty());
}
