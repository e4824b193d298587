//! The server over HTTP: every answer of `Site::routes()`, as a browser or a broker's back end gets it.

#![cfg(feature = "actix")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "in tests a panic is the finding")]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod api;
mod api_errors;
mod attach;
mod cookies;
mod entry;
mod health;
mod http;
mod login;
mod password;
mod prompt;
mod renewed;
mod silent;
mod ways_back;
