//! The contract's rules when many come at once.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use sso_server::{
    Session, Store,
    session::{CookieValue, Link},
    store::{
        StoreError::{Conflict, Taken},
        Unlink,
    },
};
use tokio::task::JoinSet;

use crate::{World, link_to, log_in, log_out, token_of};

const TASKS: u64 = 16;
const WRITES: u64 = 50;

pub async fn racing_updates_are_each_counted_once<S: Store>(world: World<S>) {
    let id = world.inserted().await.id.clone();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (store, id) = (world.store.clone(), id.clone());
        tasks.spawn(async move {
            let mut done = 0;
            while done < WRITES {
                let mut next = Session::clone(&*store.get(&id).await.unwrap().unwrap());
                let count = next.data.get("count").and_then(|n| n.as_u64()).unwrap_or(0);
                next.data.insert("count".into(), json!(count + 1));
                match store.update(next).await {
                    Ok(_) => done += 1,
                    Err(error) => assert_eq!(error, Conflict),
                }
            }
        });
    }
    tasks.join_all().await;
    let end = world.store.get(&id).await.unwrap().unwrap();
    assert_eq!(end.data["count"], json!(TASKS * WRITES));
    assert_eq!(end.version, TASKS * WRITES);
}

pub async fn of_fifty_sessions_one_gets_the_token<S: Store>(world: World<S>) {
    for _ in 0..20 {
        let key = token_of("Alice");
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (store, key, session) = (world.store.clone(), key.clone(), world.inserted().await);
            tasks.spawn(async move {
                match store.link(key, link_to(&session)).await {
                    Ok(()) => Some(session.id.clone()),
                    Err(lost) => {
                        assert_eq!(lost, Taken);
                        None
                    }
                }
            });
        }
        let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(world.target(&key).await, winners.into_iter().next());
    }
}

pub async fn of_fifty_updates_one_gets_the_cookie<S: Store>(world: World<S>) {
    for _ in 0..20 {
        let wanted = CookieValue::generate().hash();
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let (store, session) = (world.store.clone(), world.inserted().await);
            tasks.spawn(async move {
                let next = Session { cookie: wanted, ..Session::clone(&session) };
                let won = store.update(next).await.is_ok();
                let old_leads_here = store.load(&session.cookie).await.unwrap().is_some();
                assert_eq!(won, !old_leads_here, "the old cookie dies if and only if the new one is taken over");
                won.then(|| session.id.clone())
            });
        }
        let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(world.store.load(&wanted).await.unwrap().map(|s| s.id.clone()), winners.into_iter().next());
    }
}

/// Logs out as the server does: compare-and-swap until it is done.
async fn end(store: Arc<impl Store>, mut session: Session) {
    let (id, keep_until) = (session.id.clone(), session.keep_until);
    loop {
        log_out(&mut session);
        session.keep_until = keep_until;
        match store.update(session).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error, Conflict),
        }
        session = Session::clone(&*store.get(&id).await.unwrap().unwrap());
    }
}

pub async fn a_logout_is_not_undone_by_racing_writes<S: Store>(world: World<S>) {
    for _ in 0..1_000 {
        let mut session = world.session();
        log_in(&mut session, "jackie");
        let session = world.store.insert(session, None).await.unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..50 {
            let (store, session) = (world.store.clone(), session.clone());
            tasks.spawn(async move {
                if n % 10 == 0 {
                    let later = session.keep_until.after(Duration::from_secs(60));
                    let touched = store.touch(&crate::used(&session, session.last_seen, later)).await;
                    assert!(matches!(touched, Ok(()) | Err(Conflict)), "{touched:?}");
                    return;
                }
                // Writes only what it read, while somebody was logged in.
                let mut next = Session::clone(&*store.get(&session.id).await.unwrap().unwrap());
                if next.user().is_some() {
                    next.data.insert(format!("key {n}"), json!(n));
                    let _won_or_lost = store.update(next).await;
                }
            });
        }
        tasks.spawn(end(world.store.clone(), Session::clone(&session)));
        tasks.join_all().await;
        let end = world.store.get(&session.id).await.unwrap().unwrap();
        assert!(end.user().is_none() && end.data.is_empty(), "the user came back to life");
        assert_eq!(end.keep_until, session.keep_until, "a touch does not revive what has ended");
    }
}

pub async fn touches_and_updates_do_not_lose_each_other<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    // All of it within what the clocks of nodes may differ.
    let second = |n: u64| Duration::from_millis(100 * n);
    let mut tasks = JoinSet::new();
    for n in 1..=TASKS {
        let store = world.store.clone();
        let used = crate::used(&session, session.last_seen.after(second(n)), session.keep_until.after(second(n)));
        tasks.spawn(async move { store.touch(&used).await.unwrap() });
        let (store, id) = (world.store.clone(), session.id.clone());
        tasks.spawn(async move {
            loop {
                let mut next = Session::clone(&*store.get(&id).await.unwrap().unwrap());
                next.data.insert(format!("{n}"), json!(n));
                if store.update(next).await.is_ok() {
                    return;
                }
            }
        });
    }
    tasks.join_all().await;
    let end = world.store.get(&session.id).await.unwrap().unwrap();
    assert_eq!(end.last_seen, session.last_seen.after(second(TASKS)));
    assert_eq!(end.keep_until, session.keep_until.after(second(TASKS)));
    assert_eq!((end.version, end.data.len() as u64), (TASKS, TASKS));
}

pub async fn the_index_by_user_follows_racing_logins<S: Store>(world: World<S>) {
    for _ in 0..50 {
        let id = world.inserted().await.id.clone();
        let mut tasks = JoinSet::new();
        for name in ["jackie", "john", ""].repeat(4) {
            let (store, id) = (world.store.clone(), id.clone());
            tasks.spawn(async move {
                loop {
                    let mut next = Session::clone(&*store.get(&id).await.unwrap().unwrap());
                    if name.is_empty() {
                        log_out(&mut next)
                    } else {
                        log_in(&mut next, name)
                    }
                    if store.update(next).await.is_ok() {
                        return;
                    }
                }
            });
        }
        tasks.join_all().await;
        let end = world.store.get(&id).await.unwrap().unwrap();
        for name in ["jackie", "john"] {
            let listed = world.store.of_user(name).await.unwrap().iter().any(|session| session.id == id);
            assert_eq!(listed, end.user().is_some_and(|user| user.username == name));
        }
    }
}

pub async fn links_that_are_made_at_once_stay_few<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let mut tasks = JoinSet::new();
    for _ in 0..2 * Link::MAX_PER_BROKER {
        let (store, link) = (world.store.clone(), link_to(&session));
        tasks.spawn(async move { store.link(token_of("Alice"), link).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(world.store.links_of(&session.id).await.unwrap().len(), Link::MAX_PER_BROKER);
}

pub async fn what_is_just_inserted_is_there_or_not<S: Store>(world: World<S>) {
    for _ in 0..50 {
        let session = Arc::new(world.session());
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let (store, session) = (world.store.clone(), session.clone());
            tasks.spawn(async move {
                let (at, keep) = (session.last_seen, session.keep_until);
                let answer = match n {
                    8 => store.insert(Session::clone(&session), None).await.map(drop),
                    n if n % 2 == 0 => store.touch(&crate::used(&session, at, keep)).await,
                    _ => store.link(token_of("Alice"), link_to(&session)).await,
                };
                assert!(answer == Ok(()) || n != 8 && answer == Err(Conflict), "{n}: {answer:?}");
            });
        }
        tasks.join_all().await;
    }
}

pub async fn links_that_make_room_are_no_other_sessions<S: Store>(world: World<S>) {
    for _ in 0..20 {
        let (full, other) = (world.inserted().await, world.inserted().await);
        let mut keys = Vec::new();
        for n in 0..Link::MAX_PER_BROKER {
            let (key, at) = (token_of("Alice"), full.created.after(Duration::from_millis(n as u64)));
            assert_eq!(world.store.link(key.clone(), Link { at, ..link_to(&full) }).await, Ok(()));
            keys.push(key);
        }
        let mut tasks = JoinSet::new();
        // The oldest make room, and lead elsewhere at the same time.
        for key in keys.iter().take(8).cloned() {
            let (store, full) = (world.store.clone(), full.clone());
            tasks.spawn(async move { assert_eq!(store.link(token_of("Alice"), link_to(&full)).await, Ok(())) });
            let (store, other) = (world.store.clone(), other.clone());
            tasks.spawn(async move {
                store.unlink(&Unlink::One(key.clone())).await.unwrap();
                assert_eq!(store.link(key, link_to(&other)).await, Ok(()));
            });
        }
        tasks.join_all().await;
        for key in keys.iter().take(8) {
            assert_eq!(world.target(key).await.as_ref(), Some(&other.id));
        }
        assert!(world.store.links_of(&full.id).await.unwrap().len() <= Link::MAX_PER_BROKER);
    }
}
