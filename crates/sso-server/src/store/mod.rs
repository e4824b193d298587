//! Where sessions, links, remember-me families and used ids are kept: the contract, and the stores.
//!
//! # The contract
//!
//! - **Atomic.** Each call happens wholly or not at all, at one instant, also when many come at once. Only
//!   [`remove_all`](Store::remove_all), and [`unlink`](Store::unlink) of more than one link, go in steps: what is made
//!   meanwhile may be missed.
//! - **Ordered.** Once a call has returned, every later call, from anywhere, sees its effect.
//! - **Nothing is lost or overwritten.** A call that writes says what it was made from, and puts only what is not
//!   there: a version, a count, a token without a link. If the store has something else, or nothing any more, the call
//!   is refused. A refusal ([`Conflict`](StoreError::Conflict), [`Taken`](StoreError::Taken),
//!   [`NoRoom`](StoreError::NoRoom)) says that nothing was written.
//! - **Kept.** A record stays until its `keep_until`, and its links stay with it. Afterwards both may go at any time. A
//!   store does not judge whether a login has ended or a session is gone; `session/lifecycle/mod.rs`
//!   does. A family stays until it `expires`, a used id until the time given with it; whether a family still works is
//!   not the store's to judge either.
//! - **Few.** A session has at most [`Link::MAX_PER_BROKER`](crate::session::Link::MAX_PER_BROKER) links at a broker;
//!   when one is made, [others make room](room_for). A store may also let sessions go in which nobody is logged in, if
//!   there are too many; the longest unused first, and never any other.
//! - **Honest.** What cannot be done is an error: never a panic, never a default in place of an answer. Only a call
//!   that failed with [`Unavailable`](StoreError::Unavailable) may have happened all the same. No call waits for ever;
//!   the server gives up sooner. But a record that cannot be read is left out of lists, and told in the log, so that it
//!   hides no other one; [`remove_unreadable`](Store::remove_unreadable) ends it.
//!
//! A store outside this crate keeps the records as their serde derives write them. The crate `sso-store-tests` runs the
//! rules against it, and has a store as an example.

#[allow(dead_code, reason = "used by the stores outside this process, each of which is a feature")]
mod codec;
pub(crate) mod contract;
#[allow(dead_code, reason = "likewise")]
pub(crate) mod keys;
pub(crate) mod memory;
#[cfg(any(feature = "redis", feature = "sql"))]
mod partial_list;
#[cfg(feature = "redis")]
mod redis;
mod rules;
#[cfg(any(feature = "redis", feature = "sql"))]
mod runtime;
#[cfg(feature = "sql")]
pub(crate) mod sql;

pub(crate) use contract::Store;
pub use contract::{Removed, Resolved, StoreError, Unlink};
pub use keys::{NoStoreKey, StoreKeys, StoreSecret};
pub(crate) use memory::MemoryStore;
#[cfg(feature = "redis")]
pub use redis::{InvalidRedisUrl, RedisStore};
pub use rules::{OtherLink, note_touch, room_for, updated};
#[cfg(feature = "sql")]
pub use sql::{Copied, Purged, SqlStore};
