//! Hand-off: a user who is logged in at one application crosses over to a page of another, without the broker protocol.
//!
//! The two share keys. The [`Issuer`] makes a token for one page of one target, good for a minute and for one use; the browser carries it to
//! the target's one landing path, where the [`Receiver`] checks it and begins a session of its own for the user of that name.
//! With actix-web, see [`web::handoff`](crate::web::handoff).
//!
//! - HS256 keys are shared by a pair of applications, for either can make what the other accepts.
//! - With an Ed25519 key the receiver holds the public half only, and cannot issue.

mod issuer;
mod login;
mod receiver;

pub use issuer::{Handoff, HandoffError, Issuer, Target, Way};
pub use login::{Limits, Login};
pub use receiver::{Arrival, MemoryUsedIds, Receiver, Source, TrustedIssuer, UsedIds};

use sso_core::LocalPath;
use url::Url;

/// The length of a page in a hand-off, in bytes: it goes into a token, and that into a cookie.
const MAX_PAGE: usize = 512;

/// The landing path unless another is agreed on.
pub const LANDING_PATH: &str = "/sso/landing";

/// The address of an application is not an origin, such as `https://shop.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin such as https://shop.example.com (http is for the loopback only)")]
pub struct NotAnOrigin(String);

/// Reads an origin: https anywhere, plain http on the loopback only, and nothing after the port.
fn origin(text: &str) -> Result<Url, NotAnOrigin> {
    let refused = || NotAnOrigin(text.to_owned());
    let url: Url = text.parse().map_err(|_| refused())?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && sso_core::is_loopback(&url));
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    if is_safe && is_bare && is_anonymous { Ok(url) } else { Err(refused()) }
}

/// Reads a page of `site` that is to be handed over with a user. `None`: it is not one, or too long.
fn page_of(site: &Url, text: &str) -> Option<LocalPath> {
    LocalPath::parse(text, site).filter(|page| page.as_str().len() <= MAX_PAGE)
}

#[cfg(test)]
mod tests;
