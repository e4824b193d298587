//! The commands, one file each: its options, and what runs it.
//!
//! - [`demo`], [`server`], [`broker`], [`api`], [`linked_app`]: run sites
//! - [`users`], [`brokers`], [`sessions`]: change a server's users, brokers and sessions while it runs; [`admin`] has
//!   what they share, [`broker_rules`] the options that say what a broker may do
//! - [`keys`]: the keys of tokens; [`backup`]: a copy of all; [`tools`]: password hashes and brokers' secrets

pub(crate) mod admin;
pub(crate) mod api;
pub(crate) mod backup;
pub(crate) mod broker;
mod broker_rules;
pub(crate) mod brokers;
pub(crate) mod demo;
pub(crate) mod keys;
pub(crate) mod linked_app;
pub(crate) mod server;
pub(crate) mod sessions;
pub(crate) mod tools;
pub(crate) mod users;
