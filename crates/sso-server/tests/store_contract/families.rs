//! The contract's rules about remember-me families.

use std::time::Duration;

use sso_server::{
    Store,
    clock::{Clock, Timestamp},
    session::{CookieValue, Family, OldToken},
    store::StoreError::{Conflict, NotFound},
};
use tokio::task::JoinSet;

use crate::World;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn family(username: &str, now: Timestamp) -> Family {
    let random = || CookieValue::generate().expose().to_owned();
    Family {
        id: random(),
        version: 0,
        username: username.into(),
        jti: random(),
        issued: now,
        old: None,
        password: [1; 32],
        browser: "Firefox".into(),
        created: now,
        last_used: now,
        expires: now.after(DAY),
    }
}

async fn names<S: Store>(world: &World<S>, username: &str) -> Vec<String> {
    let families = world.store.families_of(username).await.unwrap();
    let mut ids: Vec<_> = families.iter().map(|family| family.id.clone()).collect();
    ids.sort();
    ids
}

pub(crate) async fn a_family_is_found_by_id_and_by_user<S: Store>(world: World<S>) {
    let (one, two) = (family("jackie", world.clock.now()), family("jackie", world.clock.now()));
    let other = family("john", world.clock.now());
    for family in [&one, &two, &other] {
        assert_eq!(*world.store.insert_family(family.clone()).await.unwrap(), *family);
    }
    assert_eq!(world.store.family(&one.id).await.unwrap().as_deref(), Some(&one));
    let mut both = vec![one.id, two.id];
    both.sort();
    assert_eq!(names(&world, "jackie").await, both);
    assert_eq!(names(&world, "john").await, [other.id]);
    assert!(names(&world, "nobody").await.is_empty());
    assert!(world.store.family("none").await.unwrap().is_none());
}

pub(crate) async fn inserting_never_overwrites_a_family<S: Store>(world: World<S>) {
    let first = family("jackie", world.clock.now());
    world.store.insert_family(first.clone()).await.unwrap();
    let thief = Family { id: first.id.clone(), ..family("john", world.clock.now()) };
    assert_eq!(world.store.insert_family(thief).await.unwrap_err(), Conflict);
    assert_eq!(world.store.family(&first.id).await.unwrap().as_deref(), Some(&first));
    assert!(names(&world, "john").await.is_empty());
}

pub(crate) async fn only_the_newest_version_of_a_family_is_replaced<S: Store>(world: World<S>) {
    let now = world.clock.now();
    let first = family("jackie", now);
    assert_eq!(world.store.update_family(first.clone()).await.unwrap_err(), NotFound);
    world.store.insert_family(first.clone()).await.unwrap();
    let old = OldToken { jti: first.jti.clone(), replaced: now, successor_seen: None };
    let next = Family { jti: "second".into(), old: Some(old), ..first.clone() };
    let updated = world.store.update_family(next.clone()).await.unwrap();
    assert_eq!(*updated, Family { version: 1, ..next.clone() });
    assert_eq!(world.store.update_family(next).await.unwrap_err(), Conflict);
    assert_eq!(world.store.family(&first.id).await.unwrap(), Some(updated.clone()));
    assert_eq!(world.store.update_family(Family::clone(&updated)).await.unwrap().version, 2);
    assert_eq!(names(&world, "jackie").await, [first.id]);
}

pub(crate) async fn a_removed_family_is_gone<S: Store>(world: World<S>) {
    let (one, two) = (family("jackie", world.clock.now()), family("jackie", world.clock.now()));
    world.store.insert_family(one.clone()).await.unwrap();
    world.store.insert_family(two.clone()).await.unwrap();
    assert_eq!(world.store.remove_family(&one.id).await, Ok(true));
    assert_eq!(world.store.remove_family(&one.id).await, Ok(false));
    assert!(world.store.family(&one.id).await.unwrap().is_none());
    assert_eq!(world.store.update_family(one).await.unwrap_err(), NotFound);
    assert_eq!(names(&world, "jackie").await, [two.id]);
}

pub(crate) async fn an_expired_family_may_go<S: Store>(world: World<S>) {
    let kept = family("jackie", world.clock.now());
    world.store.insert_family(kept.clone()).await.unwrap();
    world.clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(world.store.family(&kept.id).await.unwrap().as_deref(), Some(&kept));
    let longer = Family { expires: kept.expires.after(DAY), ..kept.clone() };
    world.store.update_family(longer).await.unwrap();
    world.clock.advance(DAY);
    assert!(world.store.family(&kept.id).await.unwrap().is_some(), "its time was moved");
}

pub(crate) async fn of_fifty_uses_of_a_token_one_replaces_it<S: Store>(world: World<S>) {
    for _ in 0..20 {
        let first = world.store.insert_family(family("jackie", world.clock.now())).await.unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..50 {
            let (store, family) = (world.store.clone(), Family::clone(&first));
            tasks.spawn(async move { store.update_family(Family { jti: n.to_string(), ..family }).await.ok() });
        }
        let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(world.store.family(&first.id).await.unwrap().as_ref(), winners.first());
    }
}

pub(crate) async fn a_removed_family_does_not_come_back<S: Store>(world: World<S>) {
    for _ in 0..50 {
        let first = world.store.insert_family(family("jackie", world.clock.now())).await.unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let (store, family) = (world.store.clone(), Family::clone(&first));
            tasks.spawn(async move {
                let gone = match n {
                    0 => store.remove_family(&family.id).await.unwrap(),
                    _ => store.update_family(family).await.is_ok(),
                };
                assert!(gone || n != 0, "only one removes it");
            });
        }
        tasks.join_all().await;
        assert!(world.store.family(&first.id).await.unwrap().is_none());
        assert!(names(&world, "jackie").await.is_empty());
    }
}
