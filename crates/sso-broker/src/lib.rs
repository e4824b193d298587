//! The broker of shared-session single sign-on: what a web site needs to join the visitor's one session.
//!
//! The session lives at the SSO server, and every broker shares it: whoever logs in at one is logged in at all. A broker
//! makes a random token for each visitor, sends the browser to the server with it once (*attach*), and from then on
//! asks the server, with a bearer token made of token, verification code and its own secret, who the visitor is.
//!
//! # How to
//!
//! With actix-web, four lines: a [`Broker`], an [`Sso`] around it, its middleware and its routes. A handler that takes a
//! [`Visitor`] knows its user; attaching, attaching again and a server that is down are taken care of.
//!
//! ```no_run
//! # #[cfg(feature = "actix")] {
//! use actix_web::{App, HttpServer};
//! use sso_broker::{Broker, Sso, Visitor, actix::get_or_head};
//!
//! async fn home(visitor: Visitor) -> String {
//!     visitor.user.map_or("Hello, stranger".into(), |user| format!("Hello, {}", user.username))
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::from_env()?.public_url("http://alice.localhost:8001").build()?;
//! let sso = Sso::new(broker);
//! HttpServer::new(move || App::new().wrap(sso.middleware()).configure(sso.routes()).route("/", get_or_head().to(home)))
//!     .bind("127.0.0.1:8001")?
//!     .run()
//!     .await?;
//! # Ok(()) }
//! # }
//! ```
//!
//! For services that take access tokens there is the crate `sso-jwt`, for links between applications `sso-handoff`.
//!
//! With axum (feature `axum`) it is the same with `Sso::layer`, which serves the routes, too:
//!
//! ```no_run
//! # #[cfg(feature = "axum")] {
//! use axum::{Router, routing::get};
//! use sso_broker::{Broker, Sso, Visitor};
//!
//! # async fn home(visitor: Visitor) -> String { String::new() }
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # let broker = Broker::from_env()?.public_url("http://alice.localhost:8001").build()?;
//! let app = Router::new().route("/", get(home)).layer(Sso::new(broker).layer());
//! # let _: Router = app;
//! # Ok(()) }
//! # }
//! ```
//!
//! With another framework, [`site`] has the same decisions as plain code, and shows how to call them. Below that, the
//! methods of [`Broker`] work on any [`TokenStore`].
//!
//! # Layout
//!
//! From the ground up:
//!
//! - [`tokens`]: where a visitor's token is kept, and what is kept; `shelf`: under which keys
//! - `resolver`: how host names are resolved; `time`: the present instant
//! - [`client`]: the calls to the server, on `probe` (does it answer at all?) and `dialect` (how its answers are read);
//!   and to other services; [`request_error`]: how they fail
//! - [`config`]: what is set, and what is refused
//! - [`broker`]: attach and return, without a framework; `notes`: when a token is replaced, and which end of a login was told
//! - [`site`]: what a web site does with a request, from who is asking to what a failed call becomes
//! - `actix`, `axum` (features of these names; `actix` is on by default): the same for these frameworks, by extractors, a
//!   middleware or layer, and routes
//!
//! # Warnings
//!
//! - [`TokenStore`]: token and code together are the visitor. Keep them where scripts and other sites cannot read.
//! - The session's shared data come from every broker: read them as you read a form.
//! - A form that changes something needs a form token; see [`SsoSession::check_form`].

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
pub mod axum;
pub mod broker;
pub mod client;
pub mod config;
mod dialect;
mod notes;
mod probe;
pub mod request_error;
mod resolver;
mod shelf;
pub mod site;
mod time;
pub mod tokens;

pub use broker::{AttachOutcome, Broker, SilentAttach, VerifyError};
pub use client::{Body, Client, Info};
pub use config::{BrokerBuilder, ConfigError};
pub use request_error::{RequestError, ServiceError};
pub use reqwest::Method;
pub use site::{
    pages::Pages,
    session::SsoSession,
    sso::{SilentMode, Sso},
    visitor::{OptionalVisitor, Visitor},
};
pub use sso_core::{
    BrokerId, Encoding, LocalPath, Secret,
    wire::{AccessToken, EndReason, Ended, SessionStatus, User},
};
pub use tokens::{Lifetime, TokenStore, Why};
