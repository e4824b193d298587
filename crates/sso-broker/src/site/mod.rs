//! What a site does with a request, as plain code that knows no framework. `actix` and `axum` translate to it.
//!
//! # Layout
//!
//! From the ground up:
//!
//! - `request`, `answer`: what is decided on, and what comes of it; `request_kind`: a person's page visit or something else
//! - `cookies`: [`CookieJar`]; `clear_cookies`: what is answered while a cookie comes twice with different values
//! - `pages`: what a visitor reads when something goes wrong; `sent_form`: what they sent, if it was a form; `error`: what
//!   handlers return
//! - `sso`: what a site has set; `session`: the handle of a handler, and form tokens
//! - `departure`: to the server, from the right host and with the wanted page kept; `failure`: the answers to errors;
//!   `visitor`: who is visiting a page
//! - `routes`: the addresses that the broker answers itself: `attach`, `logout`, and for scripts `popup` and `ajax`, on `script`

mod ajax;
mod answer;
mod attach;
pub(crate) mod clear_cookies;
mod cookies;
mod departure;
mod error;
mod failure;
mod logout;
pub(crate) mod pages;
mod popup;
mod request;
mod request_kind;
mod routes;
mod script;
mod sent_form;
pub(crate) mod session;
pub(crate) mod sso;
pub(crate) mod visitor;

pub use answer::Answer;
pub use cookies::CookieJar;
pub use error::{FormRefused, HandlerError, LogoutRefused, MissingMiddleware};
pub use pages::{Leave, Problem, ProblemKind, Script};
pub use request::Request;
