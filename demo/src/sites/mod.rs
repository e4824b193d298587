//! The sites, one file each, and below them what several have in common.
//!
//! - brokers: [`redirect_broker`], with its page [`reports`], and [`ajax_broker`]; [`broker_forms`] is in both
//! - [`linked_app`], with [`linked_sessions`]; [`api`], which has no pages
//! - [`server_handoff`]: what the demo adds to the server's site
//! - [`shared_pages`]: those that several sites have; [`service`]: what their `App`s are; [`error`]: why a site cannot
//!   be set up

pub(crate) mod ajax_broker;
pub(crate) mod api;
mod broker_forms;
pub(crate) mod error;
pub(crate) mod linked_app;
pub(crate) mod linked_sessions;
pub(crate) mod redirect_broker;
mod reports;
pub(crate) mod server_handoff;
pub(crate) mod service;
mod shared_pages;
