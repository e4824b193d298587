//! The session: its [record], the [policy] that says how long it lives, and the [lifecycle] that
//! says what it is at an instant.

pub mod lifecycle;
pub mod policy;
pub mod record;

pub use lifecycle::{Expiry, Renewal, State};
pub use policy::Policy;
pub use record::{
    CookieHash, CookieValue, DestroyReason, Fingerprint, Link, LinkKey, OldCookie, Session, SessionId, SignedIn,
};
