//! Users and brokers in SQL: [`SqlDirectory`], which `sso users` and `sso brokers` change while servers read it.
//!
//! The tables are in `store/sql/schema_2.sql`: in the database of the store, or in one of their own. What a broker's
//! secrets are is sealed with the store's keys; everything else is in clear. Servers ask through
//! [`Cached`](crate::directory::cache::Cached).

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

/// How many entries a list gives at once.
const PAGE: i64 = 500;

/// Users and brokers in SQLite or PostgreSQL. Clones are the same one.
#[derive(Clone)]
pub struct SqlDirectory {
    database: Database,
    keys: StoreKeys,
    clock: Arc<dyn Clock>,
}

/// Why a directory did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The name is taken.
    #[error("it is there already")]
    Exists,
    /// Nothing has this name.
    #[error("it is not there")]
    NotFound,
    /// Nobody can have this name.
    #[error(transparent)]
    Username(#[from] InvalidUsername),
    /// The settings make no broker.
    #[error(transparent)]
    Broker(#[from] InvalidBroker),
    /// Other keys than these sealed what is in it.
    #[error("the directory was filled with another key than store_key")]
    WrongKeys,
    /// It is there, and cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The database does not answer; the text is for the log.
    #[error("the directory is unavailable: {0}")]
    Unavailable(String),
}

/// An entry that is not as it should be: another program, or another version of this one, wrote it. It can be disabled
/// and removed all the same, and a user given another password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {what} of {name:?} cannot be read")]
pub struct Unreadable {
    /// The user's name, or the broker's id.
    pub name: String,
    /// What of it cannot be read.
    pub what: &'static str,
}

impl SqlDirectory {
    /// Opens the SQLite file, which is made if it is not there.
    pub async fn sqlite(file: &Path, keys: StoreKeys, clock: impl Clock) -> Result<Self, DirectoryError> {
        Self::open(Database::sqlite(file).await?, keys, clock).await
    }

    /// Opens the PostgreSQL database of this URL (`postgres://…`), which must be there; its tables are made.
    pub async fn postgres(url: &str, keys: StoreKeys, clock: impl Clock) -> Result<Self, DirectoryError> {
        Self::open(Database::postgres(url).await?, keys, clock).await
    }

    async fn open(database: Database, keys: StoreKeys, clock: impl Clock) -> Result<Self, DirectoryError> {
        check_keys(&database, &keys).await?;
        Ok(Self { database, keys, clock: Arc::new(clock) })
    }

    /// The directory in the database of a store, over the same connections.
    pub fn beside(store: &SqlStore, clock: impl Clock) -> Self {
        Self { database: store.database.clone(), keys: store.keys.clone(), clock: Arc::new(clock) }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Whether a change was about one row. [`NotFound`](DirectoryError::NotFound): there is none.
fn one(rows: u64) -> Result<(), DirectoryError> {
    if rows == 1 { Ok(()) } else { Err(DirectoryError::NotFound) }
}

/// What a column has, if that is a text.
fn text(row: &AnyRow, name: &str) -> Option<String> {
    column(row, name).ok()
}

/// What a column has, if that is a number.
fn number(row: &AnyRow, name: &str) -> Option<i64> {
    column(row, name).ok()
}

fn from_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// How often a change is made anew because somebody was faster.
const ATTEMPTS: usize = 1_000;

/// What was tried [`ATTEMPTS`] times.
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
