//! The session: its record ([`Session`]), the [`Login`] that lives in it, the cookie
//! ([`CookieValue`], [`CookieHash`]) and the [`Link`]s that lead to it, and the [`Policy`] that says how
//! long they live. `lifecycle.rs` computes what a record is at an instant.
//!
//! Beside it: the [`Family`] of tokens by which a browser is remembered, and the [`TokenPolicy`].

pub(crate) mod cookie;
pub(crate) mod family;
pub(crate) mod lifecycle;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod policy;
pub(crate) mod record;
pub(crate) mod token_policy;

pub use cookie::{CookieHash, CookieValue, InvalidCookie, OldCookie};
pub use family::{Family, OldToken, TokenState, browser_name};
pub(crate) use lifecycle::Renewal;
pub use link::{Link, LinkKey, LinkState};
pub use login::{AuthMethod, End, EndReason, Login};
pub(crate) use policy::Policy;
pub(crate) use record::Session;
pub use record::{Fingerprint, SessionId};
pub(crate) use token_policy::TokenPolicy;
