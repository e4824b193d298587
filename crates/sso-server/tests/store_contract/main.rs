//! The [contract](sso_store_tests) of `Store`, of each store here, and what only one of them promises. (A store of
//! one's own: `crates/sso-store-tests/examples/json_store.rs`.)

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "in tests a panic is the finding")]

#[cfg(feature = "sql")]
mod cancelled;
mod directory;
mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "redis", feature = "sql"))]
mod runtimes;
#[cfg(feature = "sql")]
mod sql;
#[cfg(all(feature = "redis", feature = "sql"))]
mod tls;
#[cfg(all(feature = "redis", feature = "sql"))]
mod unreadable;

use sso_store_tests::contract;

contract!(memory_store, crate::memory::empty_store, 256);
#[cfg(feature = "redis")]
contract!(redis_store, crate::redis::empty_store, 64);
#[cfg(feature = "sql")]
contract!(sqlite_store, crate::sql::sqlite, 16);
#[cfg(feature = "sql")]
contract!(postgres_store, crate::sql::postgres, 16);
