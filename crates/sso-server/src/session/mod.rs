//! The session: its [record], the [login] that lives in it, the [cookie] and the [links](link) that lead to it, the [policy] that says how long they
//! live, and the [lifecycle] that says what a record is at an instant.
//!
//! Beside it: the [family] of tokens by which a browser is remembered, and the [`token_policy`].

pub mod cookie;
pub mod family;
pub mod lifecycle;
pub mod link;
pub mod login;
pub mod policy;
pub mod record;
pub mod token_policy;

pub use cookie::{CookieHash, CookieValue, InvalidCookie, OldCookie};
pub use family::{Family, OldToken, TokenState};
pub use lifecycle::Renewal;
pub use link::{Link, LinkKey, LinkState};
pub use login::{AuthMethod, End, EndReason, Login};
pub use policy::Policy;
pub use record::{Fingerprint, Session, SessionId};
pub use token_policy::TokenPolicy;
