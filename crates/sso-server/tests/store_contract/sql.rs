//! Empty stores in SQLite and PostgreSQL for the contract, and what only they promise.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::Connection;
use sso_server::{
    Store,
    clock::{Clock, ManualClock, SystemClock},
    session::Family,
    store::{SqlStore, StoreError, StoreKeys},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use sso_store_tests::{World, families::DAY, family, log_in, token_of, used};

/// An empty store in a file of its own.
pub(crate) async fn sqlite(clock: Arc<ManualClock>) -> SqlStore {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // One directory for all, in memory where that goes: these files need not survive anything, and each write would
    // wait for the disk.
    static DIRECTORY: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (directory, _) = DIRECTORY.get_or_init(|| {
        let in_memory = TempDir::with_prefix_in("sso-sqlite", "/dev/shm");
        let directory = in_memory.or_else(|_| TempDir::with_prefix("sso-sqlite")).unwrap().keep();
        // It goes when the test program has ended: the script's standard input closes then.
        let script = "cat >/dev/null; rm -rf \"$0\"";
        (
            directory.clone(),
            Command::new("sh").args(["-c", script]).arg(&directory).stdin(Stdio::piped()).spawn().unwrap(),
        )
    });
    let file = directory.join(format!("{}.db", NEXT.fetch_add(1, Ordering::SeqCst)));
    SqlStore::sqlite(&file, StoreKeys::generate(), clock).await.unwrap()
}

pub(crate) async fn postgres(clock: Arc<ManualClock>) -> SqlStore {
    SqlStore::postgres(&new_database(), StoreKeys::generate(), clock).await.unwrap()
}

/// Its commits do not wait for the disk; nothing here is about a crash.
pub(crate) fn new_database() -> String {
    format!("{}?options[synchronous_commit]=off", sso_engines::new_postgres_store())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_file_at_once() {
    let dir = TempDir::new().unwrap();
    let (file, keys) = (dir.path().join("a %20#?.db"), StoreKeys::generate());
    let open = |_| {
        tokio::spawn({
            let (file, keys) = (file.clone(), keys.clone());
            async move { SqlStore::sqlite(&file, keys, SystemClock).await.unwrap().ping().await }
        })
    };
    for task in (0..6).map(open).collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap(), Ok(()));
    }
    assert!(file.exists(), "under its very name");
}

#[tokio::test]
async fn a_store_opens_with_its_own_keys_only() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("sso.db");
    let keys = StoreKeys::new(&[[1; 32]]).unwrap();
    let store = SqlStore::sqlite(&file, keys, SystemClock).await.unwrap();
    let world = World { store: Arc::new(store), clock: Arc::new(ManualClock::at(SystemClock.now())) };
    let mut session = world.session();
    log_in(&mut session, "jackie");
    let session = world.store.insert(session, None).await.unwrap();
    drop(world);

    let other = SqlStore::sqlite(&file, StoreKeys::generate(), SystemClock).await.unwrap_err();
    assert_eq!(other, StoreError::WrongKeys);
    let rotated = StoreKeys::new(&[[2; 32], [1; 32]]).unwrap();
    let store = SqlStore::sqlite(&file, rotated, SystemClock).await.unwrap();
    assert_eq!(store.load(&session.cookie).await.unwrap().unwrap().user(), session.user());
}

/// Who can write to the database, but has no key, names another session in the row of their own link.
async fn a_link_leads_only_where_it_was_made_for(url: &str, store: SqlStore) {
    let world = World { store: Arc::new(store), clock: Arc::new(ManualClock::at(SystemClock.now())) };
    let (own, victim) = (world.inserted().await, world.inserted().await);
    let (link, other) = (token_of("Alice"), token_of("Alice"));
    world.linked(&link, &own).await;
    world.linked(&other, &victim).await;
    assert_eq!(world.target(&link).await.as_ref(), Some(&own.id));

    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    let move_all = "UPDATE sso_links SET session = (SELECT MIN(session) FROM sso_links)";
    assert_eq!(sqlx::query(move_all).execute(&mut connection).await.unwrap().rows_affected(), 2);
    let found = [world.store.resolve(&link).await, world.store.resolve(&other).await];
    let led = found.iter().filter(|found| found.is_ok()).count();
    assert_eq!(led, 1, "the one that leads where it did before");
    assert!(found.iter().any(|found| matches!(found, Err(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn what_is_listed_under_another_users_name_is_not_theirs() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("sso.db");
    let store = SqlStore::sqlite(&file, StoreKeys::generate(), SystemClock).await.unwrap();
    let world = World { store: Arc::new(store), clock: Arc::new(ManualClock::at(SystemClock.now())) };
    for name in ["jackie", "john"] {
        let mut session = world.session();
        log_in(&mut session, name);
        world.store.insert(session, None).await.unwrap();
        world.store.put_family(family(name, world.clock.now())).await.unwrap();
    }
    let count = async |name: &str| {
        (world.store.of_user(name).await.unwrap().len(), world.store.families_of(name).await.unwrap().len())
    };
    assert_eq!((count("jackie").await, count("john").await), ((1, 1), (1, 1)));
    let mut connection = sqlx::AnyConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    for table in ["sso_sessions", "sso_families"] {
        let all_are_one = format!("UPDATE {table} SET username = (SELECT MIN(username) FROM {table})");
        sqlx::query(sqlx::AssertSqlSafe(all_are_one)).execute(&mut connection).await.unwrap();
    }
    let (jackie, john) = (count("jackie").await, count("john").await);
    assert_eq!(jackie.0 + john.0 + jackie.1 + john.1, 2, "each its own: {jackie:?} {john:?}");
}

#[tokio::test]
async fn a_link_in_sqlite_leads_only_where_it_was_made_for() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("sso.db");
    let store = SqlStore::sqlite(&file, StoreKeys::generate(), SystemClock).await.unwrap();
    a_link_leads_only_where_it_was_made_for(&format!("sqlite:{}", file.display()), store).await;
}

#[tokio::test]
async fn a_link_in_postgresql_leads_only_where_it_was_made_for() {
    let url = new_database();
    let store = SqlStore::postgres(&url, StoreKeys::generate(), SystemClock).await.unwrap();
    a_link_leads_only_where_it_was_made_for(&url, store).await;
}

/// Two nodes remove what has expired, both at once.
async fn only_what_has_expired_is_removed(open: impl AsyncFn(Arc<ManualClock>) -> SqlStore) {
    const EXPIRED: u64 = 1_100;
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let world = World { store: Arc::new(open(clock.clone()).await), clock: clock.clone() };
    let other = open(clock.clone()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..EXPIRED + 1 {
        let (store, session) = (world.store.clone(), world.session());
        tasks.spawn(async move { store.insert(session, None).await.unwrap() });
        // More would be waiting than a database has patience for.
        if tasks.len() == 100 {
            tasks.join_next().await;
        }
    }
    let sessions = tasks.join_all().await;
    let (touched, old) = (&sessions[0], &sessions[1]);
    let (kept_link, lost_link) = (token_of("Alice"), token_of("Alice"));
    world.linked(&kept_link, touched).await;
    world.linked(&lost_link, old).await;
    let family = |days| Family { expires: clock.now().after(days * DAY), ..family("jackie", clock.now()) };
    let (lost_family, kept_family) = (family(1), family(3));
    for family in [&lost_family, &kept_family] {
        world.store.put_family(family.clone()).await.unwrap();
    }
    for (id, days) in [("lost", 1), ("kept", 3)] {
        assert!(world.store.consume(id, clock.now().after(days * DAY)).await.unwrap());
    }
    assert_eq!(world.store.purge().await.unwrap().records, 0, "nothing has expired");

    clock.advance(2 * DAY);
    let now = clock.now();
    world.store.touch(&used(touched, now, now.after(DAY))).await.unwrap();
    let live = world.inserted().await;
    let (here, there) = tokio::join!(world.store.purge(), other.purge());
    let (here, there) = (here.unwrap(), there.unwrap());
    // What one of them was just removing, the other one left alone: the next look finds nothing left.
    let rest = world.store.purge().await.unwrap();
    assert_eq!(here.records + there.records + rest.records, EXPIRED + 2, "{here:?} {there:?} {rest:?}");
    for purged in [here, there, rest] {
        assert!(purged.records <= 500 * purged.steps, "{purged:?}");
    }
    assert!(here.steps + there.steps > 6, "in several steps: {here:?} {there:?}");
    assert_eq!(world.store.purge().await.unwrap().records, 0);

    assert!(
        world.store.get(&old.id).await.unwrap().is_none() && world.store.load(&old.cookie).await.unwrap().is_none()
    );
    assert!(world.target(&lost_link).await.is_none() && world.store.family(&lost_family.id).await.unwrap().is_none());
    assert!(world.store.consume("lost", now).await.unwrap(), "it is forgotten");
    assert!(world.store.load(&live.cookie).await.unwrap().is_some());
    assert!(world.store.load(&touched.cookie).await.unwrap().is_some(), "it was used meanwhile");
    assert_eq!(world.target(&kept_link).await.as_ref(), Some(&touched.id));
    assert!(world.store.family(&kept_family.id).await.unwrap().is_some());
    assert!(!world.store.consume("kept", now).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_what_has_expired_is_removed_from_sqlite() {
    let (dir, keys) = (TempDir::new().unwrap(), StoreKeys::generate());
    let file = dir.path().join("sso.db");
    only_what_has_expired_is_removed(async |clock| SqlStore::sqlite(&file, keys.clone(), clock).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_what_has_expired_is_removed_from_postgresql() {
    let (url, keys) = (new_database(), StoreKeys::generate());
    only_what_has_expired_is_removed(async |clock| SqlStore::postgres(&url, keys.clone(), clock).await.unwrap()).await;
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
    log_in(&mut session, "a_name_to_search_for");
    let session = world.store.insert(session, None).await.unwrap();
    let key = token_of("A_broker_to_search_for");
    world.linked(&key, &session).await;
    for file in ["sso.db", "sso.db-wal"] {
        let bytes = std::fs::read(dir.path().join(file)).unwrap();
        for secret in ["a_name_to_search_for", "A_broker_to_search_for", key.token.as_str()] {
            assert!(!bytes.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret} in {file}");
        }
    }
}
