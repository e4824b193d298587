//! The broker on actix-web, over real sockets, against a small SSO server that checks everything with `sso-core`.
//!
//! `server` is that server, `site` a web site that uses the broker, `browser` its visitor. `tests/axum` runs the same
//! cases on axum.

#![cfg(feature = "actix")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod browser;
mod sent_forms;
mod server;
mod site;

mod actix_session;
mod ajax;
mod barred;
mod client;
mod cookies;
mod elsewhere;
mod ended;
mod forms;
mod head;
mod healing;
mod late;
mod long;
mod php;
mod popup;
mod redirect;
mod service;
mod stores;
