//! Users and brokers in SQL: [`SqlDirectory`], which `sso users` and `sso brokers` change while servers read it.
//!
//! The tables are in `store/sql/schema_2.sql`: in the store's database or in a separate one. Brokers' secrets are
//! sealed with the store's keys; everything else is plain text. Servers look up through
//! [`Cached`](crate::directory::Cached).

mod brokers;
mod users;

use std::{fmt, path::Path, sync::Arc};

pub use brokers::StoredBroker;
pub use users::StoredUser;

use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;

use crate::{
    brokers::InvalidBroker,
    store::{
        StoreError, StoreKeys,
        sql::{Database, SqlStore, check_keys, column},
    },
    users::username::InvalidUsername,
    util::clock::{Clock, Timestamp},
};

/// Entries per page of a list.
const PAGE: i64 = 500;

/// Users and brokers in SQLite or PostgreSQL. Clones share the connections.
#[derive(Clone)]
pub struct SqlDirectory {
    database: Database,
    keys: StoreKeys,
    clock: Arc<dyn Clock>,
}

/// Why a directory operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The name is taken.
    #[error("it is there already")]
    Exists,
    /// Nothing has this name.
    #[error("it is not there")]
    NotFound,
    /// The name is not valid.
    #[error(transparent)]
    Username(#[from] InvalidUsername),
    /// The settings are not valid.
    #[error(transparent)]
    Broker(#[from] InvalidBroker),
    /// The directory was sealed with other keys.
    #[error("the directory was filled with another key than store_key")]
    WrongKeys,
    /// The entry cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The database does not answer; the text is for the log.
    #[error("the directory is unavailable: {0}")]
    Unavailable(String),
}

/// An invalid entry: another program or another version wrote it. It can still be disabled or removed, and a user can
/// get a new password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} of {name:?} cannot be read")]
pub struct Unreadable {
    /// The user's name, or the broker's id.
    pub name: String,
    /// The part that cannot be read.
    pub what: &'static str,
}

impl SqlDirectory {
    /// Opens the SQLite file, and creates it if it does not exist.
    pub async fn sqlite(file: &Path, keys: StoreKeys, clock: impl Clock) -> Result<Self, DirectoryError> {
        Self::open(Database::sqlite(file).await?, keys, clock).await
    }

    /// Opens the PostgreSQL database of this URL (`postgres://…`), which must exist, and creates its tables.
    pub async fn postgres(url: &str, keys: StoreKeys, clock: impl Clock) -> Result<Self, DirectoryError> {
        Self::open(Database::postgres(url).await?, keys, clock).await
    }

    async fn open(database: Database, keys: StoreKeys, clock: impl Clock) -> Result<Self, DirectoryError> {
        check_keys(&database, &keys).await?;
        Ok(Self { database, keys, clock: Arc::new(clock) })
    }

    /// The directory in the store's database, over the same connections.
    pub fn beside(store: &SqlStore, clock: impl Clock) -> Self {
        Self { database: store.database.clone(), keys: store.keys.clone(), clock: Arc::new(clock) }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Fails with [`NotFound`](DirectoryError::NotFound) unless one row changed.
fn one(rows: u64) -> Result<(), DirectoryError> {
    if rows == 1 { Ok(()) } else { Err(DirectoryError::NotFound) }
}

/// The text in a column, if it is one.
fn text(row: &AnyRow, name: &str) -> Option<String> {
    column(row, name).ok()
}

/// The number in a column, if it is one.
fn number(row: &AnyRow, name: &str) -> Option<i64> {
    column(row, name).ok()
}

fn from_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Maximum compare-and-swap retries.
const ATTEMPTS: usize = 1_000;

/// The error after [`ATTEMPTS`] retries.
fn changes_all_the_time() -> DirectoryError {
    DirectoryError::Unavailable("a record changes all the time".into())
}

impl From<StoreError> for DirectoryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(text) => Self::Unavailable(text),
            StoreError::WrongKeys => Self::WrongKeys,
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl fmt::Debug for SqlDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlDirectory").field("database", &self.database).finish_non_exhaustive()
    }
}
