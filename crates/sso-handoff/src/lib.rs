//! Hand-off: a user who is logged in at one application crosses over to a page of another, without the broker protocol
//! and without the SSO server.
//!
//! The two share keys. The [`Issuer`] makes a token for one page of one target, good for a minute and for one use. The
//! browser carries it to the target's one landing path, where the [`Receiver`] checks it and begins a session of its
//! own for the user of that name.
//!
//! ```
//! use sso_handoff::{
//!     Issuer, Receiver, Source, Target, TrustedIssuer,
//!     jwt::{Key, KeySet, SharedKeys},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = 1_800_000_000;
//! let keys = SharedKeys::new(KeySet::new(vec![Key::hs256("pair", b"a secret of these two, of 32 bytes or more")?])?);
//!
//! // At the shop, where jackie follows a link to the forum. The browser sends the token to `location`, in a form.
//! let forum = Target::new("https://forum.example.com", keys.clone())?;
//! let issuer = Issuer::new("https://shop.example.com")?.target(forum);
//! let handoff = issuer.hand_off("jackie", "https://forum.example.com/a/page", now)?;
//! assert_eq!(handoff.location(), "https://forum.example.com/sso/landing");
//!
//! // At the forum, where the form arrives.
//! let shop = TrustedIssuer::new("https://shop.example.com", keys)?;
//! let receiver = Receiver::new("https://forum.example.com")?.trust(shop);
//! let source = Source::Post { origin: Some("https://shop.example.com") };
//! let arrival = receiver.receive(&handoff.token, source, now).await?;
//! assert_eq!((arrival.username.as_str(), arrival.page.as_str()), ("jackie", "/a/page"));
//! # Ok(()) }
//! ```
//!
//! - HS256 keys are shared by a pair of applications, for either can make what the other accepts.
//! - With an Ed25519 key the receiver holds the public half only, and cannot issue.
//!
//! # Features
//!
//! - `actix` (on by default): the module [`actix`], the routes of both sides on actix-web and actix-session. It takes
//!   the layer `PlainCookies` from `sso-broker`; neither side is or needs a broker.
//!
//! # Layout
//!
//! - `issuer`, `receiver`: the two sides
//! - `link`: the proof in a link out; `ticket`: what a good token becomes, on its way to the next request
//! - `login`: who is logged in to the application's own session, and until when
//! - `pages`: what an application shows on the way
//! - [`actix`]: requests and answers

#[cfg(feature = "actix")]
pub mod actix;
mod issuer;
mod link;
mod login;
mod pages;
mod receiver;
mod ticket;

pub use async_trait::async_trait;
pub use issuer::{Handoff, HandoffError, Issuer, Target, Way};
pub use link::{Leaver, LinkKey};
pub use login::{Limits, Login};
pub use pages::{LandingPages, LeavingPage, LeavingPages, MayLeavePage, SwitchPage};
pub use receiver::{Arrival, MemoryUsedIds, Receiver, Source, TrustedIssuer, UsedIds};
pub use sso_core::LocalPath;
pub use sso_jwt as jwt;
pub use ticket::{Ticket, TicketKey};

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
