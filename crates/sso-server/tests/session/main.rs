//! What a server does with sessions, asked through `Server`: no HTTP, a clock that is moved by hand, a store that
//! counts.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "in tests a panic is the finding")]

#[path = "../common/mod.rs"]
mod common;

mod account;
mod attach;
mod browsers;
mod clock;
mod data;
mod entry;
mod lifetimes;
mod limit;
mod links;
mod login;
mod names;
mod passwords;
mod remember;
mod setup;
mod standing;
mod throttles;
