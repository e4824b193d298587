//! The server's own site: [`server`], with its pages [`account`] and [`profile`].

mod account;
mod profile;
mod server;

pub(crate) use server::{ServerPages, ServerSite};
