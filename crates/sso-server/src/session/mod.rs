//! The session: its [record], the [cookie] that points to it, the [policy] that says how long it lives, and the [lifecycle] that says what it is at an instant.
//!
//! Beside it: the [family] of tokens by which a browser is remembered, and the [`token_policy`].

pub mod cookie;
pub mod family;
pub mod lifecycle;
pub mod policy;
pub mod record;
pub mod token_policy;

pub use cookie::{CookieHash, CookieValue, InvalidCookie, OldCookie};
pub use family::{Family, OldToken};
pub use lifecycle::{Expiry, Renewal, State};
pub use policy::Policy;
pub use record::{DestroyReason, Fingerprint, Link, LinkKey, Session, SessionId, SignedIn};
pub use token_policy::TokenPolicy;
