//! Sources of accounts and brokers: SQL tables, which commands change while servers run; a chain of two sources; a
//! cache.

mod cache;
mod chain;
#[cfg(feature = "sql")]
pub(crate) mod sql;

pub use cache::{Cached, CachedBrokers, CachedUsers};
pub use chain::Chain;
#[cfg(feature = "sql")]
pub use sql::{DirectoryError, StoredBroker, StoredUser, Unreadable};
