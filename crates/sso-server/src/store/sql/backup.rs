//! A copy of a SQLite file that a server is using.

use std::{path::Path, time::Duration};

use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{SqlStore, unavailable};
use crate::store::{StoreError, StoreKeys};

/// What a copy has of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// All but sessions and remembered browsers. A session that was logged out after the copy was made would be live
    /// again when the copy is restored, and so would one that ended for a password change or a theft.
    Lasting,
    /// All: for a store that moves to another machine, and is not used any more where it was.
    Everything,
}

/// What only [`Copied::Everything`] has.
const PASSING: [&str; 4] =
    ["DELETE FROM sso_cookies", "DELETE FROM sso_links", "DELETE FROM sso_sessions", "DELETE FROM sso_families"];

/// Who else writes to the file is waited for so long.
const BUSY: Duration = Duration::from_secs(10);

impl SqlStore {
    /// Copies the store in the SQLite file `from`, which servers may be using, to `to`, which must not be there or be
    /// empty. It must be a store of these keys. The copy is of one instant.
    pub async fn copy_sqlite(from: &Path, to: &Path, keys: &StoreKeys, what: Copied) -> Result<(), StoreError> {
        let copied = async {
            let mut source = connect(from).await?;
            let record = sqlx::query_scalar::<Sqlite, Vec<u8>>("SELECT record FROM sso_settings WHERE name = 'keys'")
                .fetch_one(&mut source)
                .await?;
            if let Err(error) = keys.check("keys", &record) {
                return Ok(Err(error));
            }
            let name = to.to_str().ok_or_else(|| sqlx::Error::Configuration("its name is not UTF-8".into()))?;
            sqlx::query::<Sqlite>("VACUUM INTO $1").bind(name).execute(&mut source).await?;
            source.close().await?;
            if what == Copied::Lasting {
                let mut copy = connect(to).await?;
                for statement in PASSING {
                    sqlx::query::<Sqlite>(statement).execute(&mut copy).await?;
                }
                // What was deleted is still in the file until then.
                sqlx::query::<Sqlite>("VACUUM").execute(&mut copy).await?;
                copy.close().await?;
            }
            Ok(Ok(()))
        };
        copied.await.unwrap_or_else(|error: sqlx::Error| Err(unavailable(&error)))
    }
}

async fn connect(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .connect()
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sso_core::wire::User;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        session::{CookieValue, Login, Session},
        store::Store,
        util::clock::{Clock, ManualClock, SystemClock},
    };

    const KEPT: [&str; 5] = ["sso_brokers", "sso_schema", "sso_settings", "sso_used", "sso_users"];

    struct World {
        dir: TempDir,
        keys: StoreKeys,
        store: SqlStore,
        session: Arc<Session>,
    }

    impl World {
        /// A store with a session, its cookie and a used id.
        async fn new() -> Self {
            let (dir, keys) = (TempDir::new().unwrap(), StoreKeys::generate());
            let clock = Arc::new(ManualClock::at(SystemClock.now()));
            let store = SqlStore::sqlite(&dir.path().join("sso.db"), keys.clone(), clock.clone()).await.unwrap();
            let session = store.insert(Session::new(CookieValue::generate().hash(), clock.now()), None).await.unwrap();
            assert!(store.consume("used", session.keep_until).await.unwrap());
            Self { dir, keys, store, session }
        }

        async fn copied(&self, name: &str, what: Copied) -> Result<SqlStore, StoreError> {
            let to = self.dir.path().join(name);
            SqlStore::copy_sqlite(&self.dir.path().join("sso.db"), &to, &self.keys, what).await?;
            SqlStore::sqlite(&to, self.keys.clone(), SystemClock).await
        }
    }

    #[tokio::test]
    async fn a_copy_has_what_lasts_and_sessions_only_if_asked_for() {
        let world = World::new().await;
        for (name, what, has_session) in [("a", Copied::Lasting, false), ("b", Copied::Everything, true)] {
            let copy = world.copied(name, what).await.unwrap();
            assert_eq!(copy.get(&world.session.id).await.unwrap().is_some(), has_session, "{what:?}");
            assert_eq!(copy.load(&world.session.cookie).await.unwrap().is_some(), has_session, "{what:?}");
            assert!(!copy.consume("used", world.session.keep_until).await.unwrap(), "{what:?}");
        }
        // It was not touched.
        assert!(world.store.load(&world.session.cookie).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_is_left_out_is_not_in_the_file() {
        let world = World::new().await;
        let mut logged_in = Session::clone(&world.session);
        let user = User { username: "jackie".into(), attributes: Default::default() };
        logged_in.log_in(Login::new(user, [0; 32], world.session.last_seen), world.session.last_seen);
        world.store.update(logged_in).await.unwrap();
        let name = world.keys.session(&world.session.id);
        for (to, what, is_there) in [("a", Copied::Lasting, false), ("b", Copied::Everything, true)] {
            drop(world.copied(to, what).await.unwrap());
            let bytes = std::fs::read(world.dir.path().join(to)).unwrap();
            assert_eq!(bytes.windows(name.len()).any(|part| part == name.as_bytes()), is_there, "{what:?}");
        }
    }

    #[tokio::test]
    async fn every_table_is_known_to_last_or_to_pass() {
        let world = World::new().await;
        let file = world.dir.path().join("sso.db");
        let mut connection = connect(&file).await.unwrap();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sso_%'";
        let tables: Vec<String> =
            sqlx::query_scalar::<Sqlite, String>(tables).fetch_all(&mut connection).await.unwrap();
        for table in &tables {
            let passes = PASSING.contains(&format!("DELETE FROM {table}").as_str());
            assert!(passes != KEPT.contains(&table.as_str()), "does {table} belong into a backup?");
        }
        assert_eq!(tables.len(), PASSING.len() + KEPT.len());
    }

    #[tokio::test]
    async fn only_a_store_of_these_keys_is_copied_and_nothing_is_overwritten() {
        let world = World::new().await;
        let (file, to) = (world.dir.path().join("sso.db"), world.dir.path().join("copy"));
        let error = SqlStore::copy_sqlite(&file, &to, &StoreKeys::generate(), Copied::Everything).await.unwrap_err();
        assert!(error == StoreError::WrongKeys && !to.exists(), "{error}");
        let none = world.dir.path().join("none");
        assert!(SqlStore::copy_sqlite(&none, &to, &world.keys, Copied::Lasting).await.is_err());
        assert!(!none.exists() && !to.exists());
        std::fs::write(&to, "something else").unwrap();
        assert!(SqlStore::copy_sqlite(&file, &to, &world.keys, Copied::Lasting).await.is_err());
        assert_eq!(std::fs::read(&to).unwrap(), b"something else");
    }
}
