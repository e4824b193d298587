//! Where accounts and brokers are looked up: in SQL, which commands change while servers run; in two places, one after
//! the other; and through a cache.

mod cache;
mod chain;
#[cfg(feature = "sql")]
pub(crate) mod sql;

pub use cache::{Cached, CachedBrokers, CachedUsers};
pub use chain::Chain;
#[cfg(feature = "sql")]
pub use sql::{DirectoryError, StoredBroker, StoredUser, Unreadable};
