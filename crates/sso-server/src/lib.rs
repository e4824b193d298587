//! The server of shared-session single sign-on: it holds the users and, for each visitor, one session that all brokers
//! share.
//!
//! See [`Server::builder`] to make one and [`web::Site`] to put it on actix-web; `examples/minimal_server.rs` is a
//! whole server.
//!
//! # Layout
//!
//! The source folders are floors. A file imports only from its own floor and from those below it; a test checks this.
//!
//! - [`web`]: HTTP in and out; nothing is decided there
//! - `operations`: what the server can be asked to do, one file each. Each adds its methods to [`Server`]: attach,
//!   session lookup by cookie or bearer token, login, logout, remember me, account, password change, shared data,
//!   form tokens, access tokens, administration, expiry
//! - `server`: [`Server`], its builder, and what operations share; `error`. It knows no operation, so that each
//!   operation can import it
//! - [`directory`]: users and brokers in SQL (feature `sql`), and looked up in several places or through a cache
//! - [`store`]: the contract for keeping sessions, and the stores
//! - `brokers` ([`Brokers`]), `users` ([`Users`]): web sites and accounts, with their secrets and passwords
//! - [`session`]: session, login and link as they are kept, the policy, and the lifecycle (has the login ended?)
//! - `util`: [`clock`], [`rate_limit`], [`humanize`]

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

pub use brokers::{AllowedUsers, Broker, BrokerList, BrokerSettings, Brokers, BrokersUnavailable, InvalidBroker};
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
    session_lookup::{BrokerCall, LoggedOutStatus},
};
pub use server::{
    Server,
    browser::{Browser, InvalidRememberToken, Remember, RememberToken, Visit},
    builder::{BuildError, ServerBuilder, check_public_url},
    ends::EndedCounts,
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
