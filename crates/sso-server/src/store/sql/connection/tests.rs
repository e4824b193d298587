use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::sync::Barrier;

use super::*;

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().mode() & 0o777
}

#[tokio::test]
async fn a_new_file_and_what_is_beside_it_are_for_the_owner_only_and_an_old_one_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sso.db");
    let _open = Database::sqlite(&file).await.unwrap();
    for name in ["sso.db", "sso.db-wal", "sso.db-shm"] {
        assert_eq!(mode(&dir.path().join(name)), 0o600, "{name}");
    }
    // What a link leads to, too, which is not there yet.
    let (link, target) = (dir.path().join("link.db"), dir.path().join("target.db"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let _open = Database::sqlite(&link).await.unwrap();
    assert_eq!(mode(&target), 0o600);
    let old = dir.path().join("old.db");
    fs::write(&old, "").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(Database::sqlite(&old).await.is_ok());
    assert_eq!(mode(&old), 0o640);
}

async fn with_settings(names: [&str; 2]) -> Database {
    let database = Database::postgres(&sso_engines::new_postgres_store()).await.unwrap();
    for name in names {
        let insert = sqlx::query::<Any>("INSERT INTO sso_settings (name, record) VALUES ($1, $2)");
        insert.bind(name).bind(&b"old"[..]).execute(&database.pool).await.unwrap();
    }
    database
}

/// Writes both in one transaction. The first time, each of the two who do so has got its first one before they go on.
/// How often it was tried.
async fn write_both(database: &Database, names: [&str; 2], both: &Barrier) -> Result<u32, StoreError> {
    let tried = AtomicU32::new(0);
    let work = || async {
        let tried = tried.fetch_add(1, Ordering::SeqCst);
        let mut transaction = database.begin().await?;
        for (n, name) in names.into_iter().enumerate() {
            if (n, tried) == (1, 0) {
                both.wait().await;
            }
            let update = sqlx::query::<Any>("UPDATE sso_settings SET record = $2 WHERE name = $1");
            update.bind(name).bind(&b"new"[..]).execute(transaction.connection()?).await?;
        }
        transaction.commit().await
    };
    database.write(work).await.map(|()| tried.load(Ordering::SeqCst))
}

#[tokio::test]
async fn of_two_who_wait_for_each_other_both_get_through() {
    let (database, both) = (with_settings(["a", "b"]).await, Barrier::new(2));
    let (one, other) = tokio::join!(write_both(&database, ["a", "b"], &both), write_both(&database, ["b", "a"], &both));
    assert!(one.unwrap() + other.unwrap() > 2, "one of them was undone, and tried anew");
    // In the same order nobody is undone.
    let one = Barrier::new(1);
    assert_eq!(write_both(&database, ["a", "b"], &one).await, Ok(1));
}

#[tokio::test]
async fn what_is_undone_each_time_is_given_up_and_any_other_error_is_told_at_once() {
    let database = Database::postgres(&sso_engines::new_postgres_store()).await.unwrap();
    let tries = async |code: &str| {
        let tried = AtomicU32::new(0);
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$");
        let work = || {
            tried.fetch_add(1, Ordering::SeqCst);
            sqlx::query::<Any>(sqlx::AssertSqlSafe(raise.as_str())).execute(&database.pool)
        };
        assert!(matches!(database.write(work).await, Err(StoreError::Unavailable(_))), "{code}");
        tried.load(Ordering::SeqCst)
    };
    assert_eq!((tries("40P01").await, tries("40001").await), (WRITES, WRITES));
    assert_eq!((tries("40002").await, tries("23505").await), (1, 1));
}
