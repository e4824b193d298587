//! Empty stores in SQLite and PostgreSQL for the contract, and what only they promise.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sso_server::{
    Store,
    clock::{Clock, ManualClock, SystemClock},
    store::{SqlStore, StoreError, StoreKeys},
};
use tempfile::TempDir;

use crate::{World, token_of, user};

/// An empty store in a file of its own.
pub(crate) async fn sqlite(clock: Arc<ManualClock>) -> SqlStore {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // One directory for all, which goes with the temporary directory of the run.
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| TempDir::with_prefix("sso-sqlite").unwrap().keep());
    let file = directory.join(format!("{}.db", NEXT.fetch_add(1, Ordering::SeqCst)));
    SqlStore::sqlite(&file, StoreKeys::generate(), clock).await.unwrap()
}

pub(crate) async fn postgres(clock: Arc<ManualClock>) -> SqlStore {
    SqlStore::postgres(&sso_engines::new_postgres_store(), StoreKeys::generate(), clock).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_file_at_once() {
    let dir = TempDir::new().unwrap();
    let (file, keys) = (dir.path().join("a %20#?.db"), StoreKeys::generate());
    let open = |_| {
        tokio::spawn({
            let (file, keys) = (file.clone(), keys.clone());
            async move { SqlStore::sqlite(&file, keys, SystemClock).await.unwrap().setting("name", "x").await.unwrap() }
        })
    };
    for task in (0..6).map(open).collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap(), "x");
    }
    assert!(file.exists(), "under its very name");
}

#[tokio::test]
async fn a_store_opens_with_its_own_keys_only_and_keeps_its_settings() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("sso.db");
    let keys = StoreKeys::new(&[[1; 32]]).unwrap();
    let store = SqlStore::sqlite(&file, keys, SystemClock).await.unwrap();
    assert_eq!(store.setting("name", "first").await.unwrap(), "first");
    let world = World { store: Arc::new(store), clock: Arc::new(ManualClock::at(SystemClock.now())) };
    let mut session = world.session();
    session.sign_in(user("jackie"), crate::CREDENTIAL, session.last_seen);
    let session = world.store.insert(session).await.unwrap();
    drop(world);

    let other = SqlStore::sqlite(&file, StoreKeys::generate(), SystemClock).await.unwrap_err();
    assert!(other.to_string().contains("does not open with the store's keys"), "{other}");
    let rotated = StoreKeys::new(&[[2; 32], [1; 32]]).unwrap();
    let store = SqlStore::sqlite(&file, rotated, SystemClock).await.unwrap();
    assert_eq!(store.setting("name", "second").await.unwrap(), "first");
    assert_eq!(store.load(&session.cookie).await.unwrap().unwrap().user(), session.user());
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unavailable() {
    let keys = StoreKeys::generate;
    let missing = SqlStore::sqlite("/does/not/exist/sso.db".as_ref(), keys(), SystemClock).await;
    assert!(matches!(missing, Err(StoreError::Unavailable(_))));
    let refused = SqlStore::postgres("postgres://sso@127.0.0.1:1/sso", keys(), SystemClock).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn what_is_in_the_file_says_nothing() {
    let dir = TempDir::new().unwrap();
    let store = SqlStore::sqlite(&dir.path().join("sso.db"), StoreKeys::generate(), SystemClock).await.unwrap();
    let world = World { store: Arc::new(store), clock: Arc::new(ManualClock::at(SystemClock.now())) };
    let mut session = world.session();
    session.sign_in(user("a_name_to_search_for"), crate::CREDENTIAL, session.last_seen);
    let session = world.store.insert(session).await.unwrap();
    let key = token_of("A_broker_to_search_for");
    world.linked(&key, &session.id).await;
    for file in ["sso.db", "sso.db-wal"] {
        let bytes = std::fs::read(dir.path().join(file)).unwrap();
        for secret in ["a_name_to_search_for", "A_broker_to_search_for", key.token.as_str()] {
            assert!(!bytes.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret} in {file}");
        }
    }
}
