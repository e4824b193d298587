//! The contract's rules about the end of everything.

use std::{sync::Arc, time::Duration};

use sso_server::{
    Session, Store,
    clock::Clock,
    session::CookieValue,
    store::{Removed, Unlink},
};
use tokio::task::JoinSet;

use crate::{World, families::family, link_to, log_in, token_of};

pub async fn everything_is_removed_but_used_ids<S: Store>(world: World<S>) {
    let mut sessions = Vec::new();
    // More than go in one step.
    for n in 0..1_200 {
        let mut session = world.session();
        if n % 2 == 0 {
            log_in(&mut session, "jackie");
        }
        sessions.push(world.store.insert(session, None).await.unwrap());
    }
    let (first, last) = (&sessions[0], &sessions[1_199]);
    let mut renewed = Session::clone(last);
    renewed.rotate_cookie(CookieValue::generate().hash(), last.cookie, world.clock.now());
    let renewed = world.store.update(renewed).await.unwrap();
    let keys = [token_of("Alice"), token_of("Greg"), token_of("Alice")];
    for key in &keys {
        world.linked(key, first).await;
    }
    let families = [family("jackie", world.clock.now()), family("john", world.clock.now())];
    for family in &families {
        world.store.put_family(family.clone()).await.unwrap();
    }
    let later = world.clock.now().after(Duration::from_secs(60));
    assert_eq!(world.store.consume("used", later).await, Ok(true));

    assert_eq!(world.store.remove_all().await, Ok(Removed { sessions: 1_200, families: 2 }));
    for session in &sessions {
        assert!(world.store.get(&session.id).await.unwrap().is_none());
    }
    for cookie in [first.cookie, last.cookie, renewed.cookie] {
        assert!(world.store.load(&cookie).await.unwrap().is_none());
    }
    for key in &keys {
        assert_eq!(world.target(key).await, None);
    }
    assert!(world.store.links_of(&first.id).await.unwrap().is_empty());
    assert!(world.store.of_user("jackie").await.unwrap().is_empty());
    for family in &families {
        assert!(world.store.family(&family.id).await.unwrap().is_none());
        assert!(world.store.families_of(&family.username).await.unwrap().is_empty());
    }
    assert_eq!(world.store.consume("used", later).await, Ok(false), "a token that was used stays so");

    // And it begins anew, under the same names too.
    assert_eq!(world.store.remove_all().await, Ok(Removed::default()));
    let again = world.store.insert(Session::clone(first), None).await.unwrap();
    world.linked(&keys[0], &again).await;
    assert_eq!(world.target(&keys[0]).await, Some(again.id.clone()));
    assert_eq!(world.store.of_user("jackie").await.unwrap().len(), 1);
}

pub async fn what_was_there_is_gone_however_busy_it_was<S: Store>(world: World<S>) {
    for _ in 0..20 {
        let first = world.inserted().await;
        let mut tasks = JoinSet::new();
        for n in 0..16_u64 {
            let (store, first) = (world.store.clone(), Arc::clone(&first));
            let key = token_of("Alice");
            tasks.spawn(async move {
                let id = &first.id;
                match n {
                    0 => drop(store.remove_all().await.unwrap()),
                    n if n % 2 == 0 => drop(store.link(key.clone(), link_to(&first)).await),
                    _ => {
                        if let Some(session) = store.get(id).await.unwrap() {
                            let _lost = store.update(Session::clone(&session)).await;
                            let _gone = store.touch(&session).await;
                        }
                    }
                }
                key
            });
        }
        let keys = tasks.join_all().await;
        assert!(world.store.get(&first.id).await.unwrap().is_none());
        assert!(world.store.load(&first.cookie).await.unwrap().is_none());
        for key in &keys {
            assert_eq!(world.target(key).await, None);
        }
    }
}

pub async fn two_who_remove_everything_at_once_each_finish<S: Store>(world: World<S>) {
    let mut sessions = Vec::new();
    for _ in 0..1_200 {
        sessions.push(world.inserted().await);
    }
    for session in sessions.iter().take(600) {
        world.linked(&token_of("Alice"), session).await;
    }
    let (one, other, cut) =
        tokio::join!(world.store.remove_all(), world.store.remove_all(), world.store.unlink(&Unlink::All));
    assert_eq!(one.unwrap().sessions + other.unwrap().sessions, 1_200);
    assert!(cut.unwrap() <= 600);
    for session in &sessions {
        assert!(world.store.get(&session.id).await.unwrap().is_none());
    }
}
