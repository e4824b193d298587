//! The store in SQLite or PostgreSQL: one implementation, in the SQL that both speak.
//!
//! Records are sealed and found by keyed hashes ([`StoreKeys`]); the tables are in `schema_*.sql`. Every call is one statement or one
//! transaction, and waits for `TIMEOUT` at most; what may be about very many rows is many such steps.

mod backup;
mod connection;
mod families;
mod health;
mod links;
mod purge;
mod rotation;
mod sessions;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{Any, Row, any::AnyRow};
use tokio::{sync::Semaphore, task::JoinHandle};

pub use backup::Copied;
pub(crate) use connection::Database;
pub use purge::Purged;
pub(crate) use rotation::check_keys;

use super::{LinkOutcome, Removed, Resolved, Store, StoreError, StoreKeys, Unlink};
use crate::{
    clock::{Clock, Timestamp},
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
};

/// How long a call waits for the database.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Sessions in SQLite or PostgreSQL. Other nodes may use the same database, if they have the same keys.
pub struct SqlStore {
    pub(crate) database: Database,
    pub(crate) keys: StoreKeys,
    clock: Arc<dyn Clock>,
    purge: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) fn begin(self) -> &'static str {
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
        Self::open(Database::sqlite(file).await?, keys, clock).await
    }

    /// Opens the PostgreSQL database of this URL (`postgres://…`), which must be there; its tables are made.
    pub async fn postgres(url: &str, keys: StoreKeys, clock: impl Clock) -> Result<Self, StoreError> {
        Self::open(Database::postgres(url).await?, keys, clock).await
    }

    async fn open(database: Database, keys: StoreKeys, clock: impl Clock) -> Result<Self, StoreError> {
        check_keys(&database, &keys).await?;
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let purge = tokio::spawn(purge::run(database.clone(), clock.clone()));
        Ok(Self { database, keys, clock, purge })
    }

    /// Removes what has expired, as a task of the store does every minute: at most 500 records in one step, with pauses between the steps.
    pub async fn purge(&self) -> Result<Purged, StoreError> {
        purge::once(&self.database, &*self.clock).await
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
        f.debug_struct("SqlStore").field("database", &self.database).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn insert(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        match self.insert_session(&session, None).await? {
            LinkOutcome::Linked => Ok(Arc::new(session)),
            LinkOutcome::Taken | LinkOutcome::NoRoom => Err(StoreError::Conflict),
        }
    }

    async fn insert_linked(&self, session: Session, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        self.insert_session(&session, Some((&key, &link))).await
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

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        self.touch_session(used).await
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        self.sessions_due(by, most).await
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<LinkOutcome, StoreError> {
        self.put_link(&key, &link).await
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        self.note_call(&self.keys.link(key), at).await
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        self.cut_links(which).await
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        self.links_of_session(&self.keys.session(id)).await
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        Ok(self.sessions_of(&self.keys.user(username)).await?.of_user(username))
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let insert = "INSERT INTO sso_used (name, keep_until) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let insert = || sqlx::query::<Any>(insert).bind(self.keys.used(id)).bind(until.as_millis());
        Ok(self.database.execute(insert).await? == 1)
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
        Ok(self.families_of_user(&self.keys.user(username)).await?.of_user(username))
    }

    async fn remove_unreadable(&self, username: &str) -> Result<Removed, StoreError> {
        let (user, mut removed) = (self.keys.user(username), Removed::default());
        // First what could begin new sessions.
        for name in self.families_of_user(&user).await?.unreadable {
            removed.families += u64::from(self.delete_family(&name).await?);
        }
        for name in self.sessions_of(&user).await?.unreadable {
            removed.sessions += u64::from(self.delete_session_of(&user, &name).await?);
        }
        Ok(removed)
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        purge::everything(&self.database).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // A replica, and a file that somebody has locked, would answer any SELECT. Anybody may ask this, so it writes
        // nothing as long as writes work.
        let is_writable = || async {
            match self.database.engine {
                Engine::Sqlite => self.database.begin().await?.rollback().await.map(|()| true),
                Engine::Postgres => {
                    let setting = sqlx::query_scalar::<Any, String>("SELECT current_setting('transaction_read_only')");
                    Ok(setting.fetch_one(&self.database.pool).await? == "off")
                }
            }
        };
        if !self.database.write(is_writable).await? {
            return Err(StoreError::Unavailable("the database can only be read".into()));
        }
        self.database.prove_writes().await
    }
}

/// A value of a row.
pub(crate) fn column<'r, T>(row: &'r AnyRow, name: &str) -> Result<T, StoreError>
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
