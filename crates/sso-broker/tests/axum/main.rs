//! The broker on axum: the cases of `tests/web`, all that are not about actix-web, with a site on axum.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod outside;
mod site;

#[path = "../web/browser.rs"]
mod browser;
#[path = "../web/server.rs"]
mod server;

#[path = "../web/ajax.rs"]
mod ajax;
#[path = "../web/barred.rs"]
mod barred;
#[path = "../web/cookies.rs"]
mod cookies;
#[path = "../web/elsewhere.rs"]
mod elsewhere;
#[path = "../web/ended.rs"]
mod ended;
#[path = "../web/forms.rs"]
mod forms;
#[path = "../web/head.rs"]
mod head;
#[path = "../web/healing.rs"]
mod healing;
#[path = "../web/late.rs"]
mod late;
#[path = "../web/long.rs"]
mod long;
#[path = "../web/php.rs"]
mod php;
#[path = "../web/popup.rs"]
mod popup;
#[path = "../web/redirect.rs"]
mod redirect;
#[path = "../web/sent_forms.rs"]
mod sent_forms;
#[path = "../web/service.rs"]
mod service;
#[path = "../web/stores.rs"]
mod stores;
