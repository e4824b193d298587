//! Callers go away in the middle of what they asked for: a browser that closes its connection, a time limit. Nothing of
//! it is left behind in the connections that the next ones use.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use sso_server::{
    Store,
    clock::{Clock, ManualClock, SystemClock},
    store::{SqlStore, StoreKeys},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use sso_store_tests::{World, family, used};

use crate::sql;

/// Lets the call go on so many times, and drops it.
async fn cancelled<T>(call: impl Future<Output = T>, polls: u32) {
    let mut call = pin!(call);
    for _ in 0..polls {
        if poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await {
            return;
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
}

/// `other` has connections of its own, and sees what is committed.
async fn what_is_acknowledged_is_committed(store: SqlStore, other: SqlStore) {
    let (store, world) =
        (Arc::new(store), World { store: Arc::new(other), clock: Arc::new(ManualClock::at(SystemClock.now())) });
    for round in 0..20 {
        let mut tasks = JoinSet::new();
        // More than there are connections.
        for n in 0..24 {
            let (store, session) = (store.clone(), world.session());
            // At last soon: a call that gets far would end what an earlier one has left.
            let polls = if round < 19 { (round + n) % 12 } else { 1 + n % 4 };
            tasks.spawn(async move { cancelled(store.insert(session, None), polls).await });
        }
        tasks.join_all().await;
    }
    let session = world.inserted().await;
    let later = |n: u64| session.last_seen.after(Duration::from_secs(n));
    for n in 1..=50 {
        let end = later(10_000);
        let mut tasks = JoinSet::new();
        for _ in 0..24 {
            let (store, session, at) = (store.clone(), session.clone(), later(n));
            tasks.spawn(async move { store.touch(&used(&session, at, end)).await.unwrap() });
        }
        tasks.join_all().await;
        assert_eq!(world.store.get(&session.id).await.unwrap().unwrap().last_seen, later(n));
        let family = family("jackie", later(n));
        store.put_family(family.clone()).await.unwrap();
        assert!(world.store.family(&family.id).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_postgresql_acknowledges_after_calls_that_were_given_up_is_committed() {
    let (url, keys) = (sql::new_database(), StoreKeys::generate());
    let open = async || SqlStore::postgres(&url, keys.clone(), SystemClock).await.unwrap();
    what_is_acknowledged_is_committed(open().await, open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_sqlite_acknowledges_after_calls_that_were_given_up_is_committed() {
    let (dir, keys) = (TempDir::new().unwrap(), StoreKeys::generate());
    let file = dir.path().join("sso.db");
    let open = async || SqlStore::sqlite(&file, keys.clone(), SystemClock).await.unwrap();
    what_is_acknowledged_is_committed(open().await, open().await).await;
}
