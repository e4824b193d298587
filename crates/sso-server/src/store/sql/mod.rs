//! The store in SQLite or PostgreSQL: one implementation, in the SQL that both speak.
//!
//! Records are sealed and found by keyed hashes ([`StoreKeys`]); the tables are in `schema_1.sql`. Every call is one statement or one
//! transaction, and waits for `TIMEOUT` at most.

mod connection;
mod families;
mod links;
mod purge;
mod sessions;

use std::{fmt, future::Future, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{Any, AnyPool, Row, any::AnyRow};
use tokio::{sync::Semaphore, task::JoinHandle};

use super::{LinkOutcome, Resolved, Store, StoreError, StoreKeys, Unlink, keys::Kind};
use crate::{
    clock::{Clock, Timestamp},
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
};

/// How long a call waits for the database.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sessions in SQLite or PostgreSQL. Other nodes may use the same database, if they have the same keys.
pub struct SqlStore {
    pool: AnyPool,
    keys: StoreKeys,
    engine: Engine,
    /// SQLite has one writer at a time; waiting here is fair, and cheaper than asking it again and again.
    writers: Semaphore,
    purge: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    fn begin(self) -> &'static str {
        match self {
            // Read-then-write under a plain BEGIN fails where it should wait.
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    fn connections(self) -> u32 {
        match self {
            Self::Sqlite => 4,
            Self::Postgres => 16,
        }
    }

    fn writers(self) -> usize {
        match self {
            Self::Sqlite => 1,
            Self::Postgres => Semaphore::MAX_PERMITS,
        }
    }
}

impl SqlStore {
    /// Opens the SQLite file, which is made if it is not there.
    pub async fn sqlite(file: &Path, keys: StoreKeys, clock: impl Clock) -> Result<Self, StoreError> {
        let file = file.to_str().ok_or_else(|| StoreError::Unavailable("the file's name is not UTF-8".into()))?;
        let file = file.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        Self::open(Engine::Sqlite, &format!("sqlite:{file}?mode=rwc"), keys, clock).await
    }

    /// Opens the PostgreSQL database of this URL (`postgres://…`), which must be there; its tables are made.
    pub async fn postgres(url: &str, keys: StoreKeys, clock: impl Clock) -> Result<Self, StoreError> {
        Self::open(Engine::Postgres, url, keys, clock).await
    }

    async fn open(engine: Engine, url: &str, keys: StoreKeys, clock: impl Clock) -> Result<Self, StoreError> {
        let pool = connection::open(engine, url).await?;
        let purge = tokio::spawn(purge::run(pool.clone(), clock));
        let store = Self { pool, keys, engine, writers: Semaphore::new(engine.writers()), purge };
        store.check_keys().await?;
        Ok(store)
    }

    /// Whether these are the keys that the store was made with: other ones would find nothing, and log everybody out.
    async fn check_keys(&self) -> Result<(), StoreError> {
        // This one's place is not a keyed hash, so that other keys find it and fail to open it.
        self.setting_at("keys", "sso").await.map(|_| ())
    }

    /// What the store has under this name; `value` is put there if it has nothing. All nodes get the same.
    pub async fn setting(&self, name: &str, value: &str) -> Result<String, StoreError> {
        self.setting_at(&self.keys.setting(name), value).await
    }

    async fn setting_at(&self, place: &str, value: &str) -> Result<String, StoreError> {
        let sealed = self.keys.seal(Kind::Setting, place, value.as_bytes())?;
        let record: Vec<u8> = self
            .write(async {
                sqlx::query::<Any>("INSERT INTO sso_settings (name, record) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                    .bind(place)
                    .bind(sealed)
                    .execute(&self.pool)
                    .await?;
                sqlx::query_scalar::<Any, Vec<u8>>("SELECT record FROM sso_settings WHERE name = $1")
                    .bind(place)
                    .fetch_one(&self.pool)
                    .await
            })
            .await?;
        let text = self.keys.open(Kind::Setting, place, &record)?;
        String::from_utf8(text.to_vec()).map_err(|_| StoreError::Unavailable("a setting is not text".into()))
    }

    /// A call that only reads.
    async fn read<T>(&self, call: impl Future<Output = Result<T, sqlx::Error>> + Send) -> Result<T, StoreError> {
        match tokio::time::timeout(TIMEOUT, call).await {
            Ok(result) => result.map_err(|error| unavailable(&error)),
            Err(_) => Err(StoreError::Unavailable("the database did not answer in time".into())),
        }
    }

    /// A call that writes.
    async fn write<T>(&self, call: impl Future<Output = Result<T, sqlx::Error>> + Send) -> Result<T, StoreError> {
        self.read(async {
            let _turn = self.writers.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
            call.await
        })
        .await
    }

    /// The session in a row that has its columns.
    fn session_in(&self, row: &AnyRow) -> Result<Session, StoreError> {
        let name: String = column(row, "name")?;
        let mut session = self.keys.open_session(&name, &column::<Vec<u8>>(row, "record")?)?;
        // A touch moves these alone.
        session.last_seen = Timestamp::from_millis(column(row, "last_seen")?);
        session.keep_until = Timestamp::from_millis(column(row, "keep_until")?);
        Ok(session)
    }
}

impl Drop for SqlStore {
    fn drop(&mut self) {
        self.purge.abort();
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("engine", &self.engine).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn insert(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        self.insert_session(session).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        self.session_named(&self.keys.session(id)).await
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        self.session_of_cookie(&self.keys.cookie(cookie)).await
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        self.resolve_link(&self.keys.link(key)).await
    }

    async fn update(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        self.update_session(session).await
    }

    async fn touch(&self, id: &SessionId, at: Timestamp, keep_until: Timestamp) -> Result<(), StoreError> {
        self.touch_session(&self.keys.session(id), at, keep_until).await
    }

    async fn link(&self, key: LinkKey, link: Link, replaces: Option<&SessionId>) -> Result<LinkOutcome, StoreError> {
        self.put_link(&key, &link, replaces).await
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        self.cut_links(which).await
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        self.links_of_session(&self.keys.session(id)).await
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        self.sessions_of(&self.keys.user(username)).await
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let insert = "INSERT INTO sso_used (name, keep_until) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let insert = sqlx::query::<Any>(insert).bind(self.keys.used(id)).bind(until.as_millis());
        Ok(self.write(insert.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn insert_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.put_family(family).await
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        self.family_named(&self.keys.family(id)).await
    }

    async fn update_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        self.replace_family(family).await
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        self.delete_family(&self.keys.family(id)).await
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        self.families_of_user(&self.keys.user(username)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let query = sqlx::query::<Any>("SELECT version FROM sso_schema LIMIT 1");
        self.read(query.fetch_optional(&self.pool)).await.map(|_| ())
    }
}

/// A value of a row.
fn column<'r, T>(row: &'r AnyRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    row.try_get(name).map_err(|error| unavailable(&error))
}

/// A version as both databases have it.
fn version_of(version: u64) -> Result<i64, StoreError> {
    i64::try_from(version).map_err(|_| StoreError::Conflict)
}

fn unavailable(error: &sqlx::Error) -> StoreError {
    // One line, and never what was bound to the statement.
    StoreError::Unavailable(error.to_string().replace('\n', " "))
}
