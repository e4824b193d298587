//! The store in SQLite or PostgreSQL: one implementation, in the SQL that both speak.
//!
//! Records are sealed and found by keyed hashes ([`StoreKeys`]); the tables are in `schema_*.sql`. Every call is one
//! statement or one transaction, and waits for `TIMEOUT` at most; what may be about very many rows is many such steps.

mod backup;
mod calls;
mod connection;
mod health;
mod purge;
mod rotation;
mod rows;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use sqlx::{Any, Row, any::AnyRow};
use tokio::{sync::Semaphore, task::JoinHandle};

pub use backup::Copied;
pub(crate) use connection::Database;
pub use purge::Purged;
pub(crate) use rotation::check_keys;

use super::{StoreError, StoreKeys};
use crate::util::clock::Clock;

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

    /// Removes what has expired, as a task of the store does every minute: at most 500 records in one step, with pauses
    /// between the steps.
    pub async fn purge(&self) -> Result<Purged, StoreError> {
        purge::once(&self.database, &*self.clock).await
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

/// A value of a row.
pub(crate) fn column<'r, T>(row: &'r AnyRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    row.try_get(name).map_err(|error| unavailable(&error))
}

fn unavailable(error: &sqlx::Error) -> StoreError {
    // One line, and never what was bound to the statement.
    StoreError::Unavailable(error.to_string().replace('\n', " "))
}
