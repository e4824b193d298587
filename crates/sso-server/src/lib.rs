//! The server of shared-session single sign-on: it holds the users and, for each visitor, one session that all brokers
//! share.
//!
//! See [`Server::builder`] to make one and [`web::Site`] to put it on actix-web; `examples/minimal_server.rs` is a
//! whole server.
//!
//! # Layout
//!
//! A floor uses only floors below it.
//!
//! - top: [`web`]: HTTP in and out; nothing is decided there
//! - what the server can be asked to do, a file for each, which adds its methods to [`Server`]: [`attach`], [`login`],
//!   `logout`, [`remember`] me, [`resume`] (whose session is this?), [`account`], [`change_password`], [`operator`],
//!   [`data`], [`form`], [`access`] tokens
//! - what they share: `standing` (may a session's user still be there?), `ends` of logins, `sessions` (find and change
//!   them); [`browser`]: what a browser shows and gets
//! - `task`: one task's questions to store, users and brokers, for whose answers it waits; [`server`]: the parts;
//!   [`builder`]; [`error`]: what can happen to any task
//! - [`store`]: the contract for keeping sessions, and the stores; `directory`: users and brokers in SQL (feature `sql`)
//! - [`session`]: session, login and link as they are kept, the policy, and the lifecycle (has the login ended?)
//! - ground: [`brokers`], [`users`] and their passwords, [`both`] and [`cached`] to look them up in several places,
//!   [`throttle`], [`clock`], [`words`]

mod brokers;
pub mod directory;
mod error;
#[cfg(test)]
mod floors;
mod operations;
mod server;
pub mod session;
pub mod store;
mod users;
mod util;
#[cfg(feature = "actix")]
pub mod web;

pub use brokers::{Broker, BrokerList, BrokerSettings, Brokers, BrokersUnavailable, Entry, InvalidBroker};
#[cfg(feature = "sql")]
pub use directory::sql::SqlDirectory;
pub use error::{Error, PasswordError, Unavailable};
pub use operations::{
    access_token::{ActiveToken, Introspection},
    account::{AccountChange, AccountOverview, OwnSession, RECENT_PASSWORD, RememberedBrowser},
    attach::{AttachAnswer, AttachOutcome, CheckedAttach, RefusedAttach},
    change_password::PasswordChange,
    form_token::{FormError, TimeLimit},
    login::Credentials,
    session_lookup::{Resumed, Told},
};
pub use server::{
    Server,
    browser::{Browser, InvalidRememberToken, Remember, RememberToken, Visit},
    builder::{BuildError, ServerBuilder, check_public_url},
    ends::Ended,
};
pub use session::{
    policy::{InvalidPolicy, Policy, Setting},
    record::Session,
    token_policy::TokenPolicy,
};
pub use sso_core as core;
pub use sso_jwt as jwt;
pub use store::{contract::Store, memory::MemoryStore};
pub use users::{
    Account, HashingFailed, InvalidHash, PasswordHash, Passwords, SetOutcome, UserList, Users, UsersInMemory,
    UsersUnavailable, password_policy, username,
};
pub use util::{clock, humanize, rate_limit};
