//! The session: its [record], the [family] of tokens by which a browser is remembered, the [policy] that says how long it lives, and the [lifecycle] that
//! says what it is at an instant.

pub mod family;
pub mod lifecycle;
pub mod policy;
pub mod record;

pub use family::{Family, OldToken};
pub use lifecycle::{Expiry, Renewal, State};
pub use policy::Policy;
pub use record::{
    CookieHash, CookieValue, DestroyReason, Fingerprint, Link, LinkKey, OldCookie, Session, SessionId, SignedIn,
};
