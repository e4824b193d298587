//! The sites of the demo. `sso demo` runs all of them beside the server; `sso broker`, `sso linked-app` and `sso api`
//! run one.
//!
//! - `sites/`: one file per site; `pages/`: what they show
//!
//! A site is set up, and makes an `App` for each thread of the program that listens.

mod pages;
mod sites;

pub use sites::{
    ajax_broker::AjaxBroker,
    api::Api,
    error::SetupError,
    linked_app::{LinkedApp, Peer, Setup},
    linked_sessions::{OpenError, Sessions, SharedSessions},
    redirect_broker::RedirectBroker,
    server_handoff::ServerHandoff,
    service::SiteService,
};
