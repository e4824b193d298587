//! The contract's rules about remember-me families.

use std::{sync::Arc, time::Duration};

use sso_server::{
    Store,
    clock::{Clock, Timestamp},
    session::{CookieValue, Family, OldToken},
    store::StoreError::Conflict,
};
use tokio::task::JoinSet;

use crate::World;

pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A family that works for a day, not yet in the store.
pub fn family(username: &str, now: Timestamp) -> Family {
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

/// One that is in the store.
async fn kept<S: Store>(world: &World<S>, username: &str) -> Arc<Family> {
    world.store.put_family(family(username, world.clock.now())).await.unwrap()
}

async fn names<S: Store>(world: &World<S>, username: &str) -> Vec<String> {
    let families = world.store.families_of(username).await.unwrap();
    let mut ids: Vec<_> = families.iter().map(|family| family.id.clone()).collect();
    ids.sort();
    ids
}

pub async fn a_family_is_found_by_id_and_by_user<S: Store>(world: World<S>) {
    let first = family("jackie", world.clock.now());
    let one = world.store.put_family(first.clone()).await.unwrap();
    assert_eq!(*one, Family { version: 1, ..first });
    let (two, other) = (kept(&world, "jackie").await, kept(&world, "john").await);
    assert_eq!(world.store.family(&one.id).await.unwrap(), Some(one.clone()));
    let mut both = vec![one.id.clone(), two.id.clone()];
    both.sort();
    assert_eq!(names(&world, "jackie").await, both);
    assert_eq!(names(&world, "john").await, [&*other.id]);
    assert!(names(&world, "nobody").await.is_empty());
    assert!(world.store.family("none").await.unwrap().is_none());
}

pub async fn a_new_family_never_overwrites_another<S: Store>(world: World<S>) {
    let first = kept(&world, "jackie").await;
    let thief = Family { id: first.id.clone(), ..family("john", world.clock.now()) };
    assert_eq!(world.store.put_family(thief).await.unwrap_err(), Conflict);
    assert_eq!(world.store.family(&first.id).await.unwrap(), Some(first));
    assert!(names(&world, "john").await.is_empty());
}

pub async fn only_the_newest_version_of_a_family_is_replaced<S: Store>(world: World<S>) {
    let now = world.clock.now();
    let never = Family { version: 1, ..family("jackie", now) };
    assert_eq!(world.store.put_family(never.clone()).await.unwrap_err(), Conflict);
    assert!(names(&world, "jackie").await.is_empty());
    let first = kept(&world, "jackie").await;
    let old = OldToken { jti: first.jti.clone(), replaced: now, successor_seen: None };
    let next = Family { jti: "second".into(), old: Some(old), ..Family::clone(&first) };
    let updated = world.store.put_family(next.clone()).await.unwrap();
    assert_eq!(*updated, Family { version: 2, ..next.clone() });
    for version in [0, 1, 3] {
        let late = Family { version, ..next.clone() };
        assert_eq!(world.store.put_family(late).await.unwrap_err(), Conflict);
    }
    assert_eq!(world.store.family(&first.id).await.unwrap(), Some(updated.clone()));
    assert_eq!(world.store.put_family(Family::clone(&updated)).await.unwrap().version, 3);
    assert_eq!(names(&world, "jackie").await, [&*first.id]);
}

pub async fn a_removed_family_is_gone<S: Store>(world: World<S>) {
    let (one, two) = (kept(&world, "jackie").await, kept(&world, "jackie").await);
    assert_eq!(world.store.remove_family(&one.id).await, Ok(true));
    assert_eq!(world.store.remove_family(&one.id).await, Ok(false));
    assert!(world.store.family(&one.id).await.unwrap().is_none());
    assert_eq!(world.store.put_family(Family::clone(&one)).await.unwrap_err(), Conflict);
    assert_eq!(names(&world, "jackie").await, [&*two.id]);
}

pub async fn an_expired_family_may_go<S: Store>(world: World<S>) {
    let first = kept(&world, "jackie").await;
    world.clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(world.store.family(&first.id).await.unwrap().as_ref(), Some(&first));
    let longer = Family { expires: first.expires.after(DAY), ..Family::clone(&first) };
    world.store.put_family(longer).await.unwrap();
    world.clock.advance(DAY);
    assert!(world.store.family(&first.id).await.unwrap().is_some(), "its time was moved");
}

pub async fn of_fifty_uses_of_a_token_one_replaces_it<S: Store>(world: World<S>) {
    for _ in 0..20 {
        let first = kept(&world, "jackie").await;
        let mut tasks = JoinSet::new();
        for n in 0..50 {
            let (store, family) = (world.store.clone(), Family::clone(&first));
            tasks.spawn(async move { store.put_family(Family { jti: n.to_string(), ..family }).await.ok() });
        }
        let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(world.store.family(&first.id).await.unwrap().as_ref(), winners.first());
    }
}

pub async fn a_removed_family_does_not_come_back<S: Store>(world: World<S>) {
    for _ in 0..50 {
        let first = kept(&world, "jackie").await;
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let (store, family) = (world.store.clone(), Family::clone(&first));
            tasks.spawn(async move {
                let gone = match n {
                    0 => store.remove_family(&family.id).await.unwrap(),
                    _ => store.put_family(family).await.is_ok(),
                };
                assert!(gone || n != 0, "only one removes it");
            });
        }
        tasks.join_all().await;
        assert!(world.store.family(&first.id).await.unwrap().is_none());
        assert!(names(&world, "jackie").await.is_empty());
    }
}
