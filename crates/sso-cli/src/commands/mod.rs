//! The commands, one file each: its options, and what runs it.
//!
//! - [`server`]: runs the server
//! - `demo`: the demo's, with the feature of that name
//! - [`users`], [`brokers`], [`sessions`]: change a server's users, brokers and sessions while it runs; [`admin`] has
//!   what they share, [`broker_rules`] the options that say what a broker may do
//! - [`keys`]: the keys of tokens; [`backup`]: a copy of all; [`tools`]: password hashes and brokers' secrets

pub(crate) mod admin;
pub(crate) mod backup;
mod broker_rules;
pub(crate) mod brokers;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod keys;
pub(crate) mod server;
pub(crate) mod sessions;
pub(crate) mod tools;
pub(crate) mod users;
