//! The sites, one file each, and below them what several have in common.
//!
//! - [`server`], with its pages [`account`] and [`profile`]; [`server_handoff`] is what the demo adds to it
//! - brokers: [`redirect_broker`], with its page [`reports`], and [`ajax_broker`]; [`broker_forms`] is in both
//! - [`linked_app`], with [`linked_sessions`]; [`api`], which has no pages
//! - [`shared_pages`]: those that several sites have; [`service`]: what their `App`s are; [`error`]: why a site cannot be
//!   set up

mod account;
pub(crate) mod ajax_broker;
pub(crate) mod api;
mod broker_forms;
pub(crate) mod error;
pub(crate) mod linked_app;
pub(crate) mod linked_sessions;
mod profile;
pub(crate) mod redirect_broker;
mod reports;
pub(crate) mod server;
pub(crate) mod server_handoff;
mod service;
mod shared_pages;
