//! JSON Web Tokens (RFC 7519), the second way of single sign-on: applications that share keys trust each other's tokens.
//!
//! - [`claims`]: what a token says, a type for each use
//! - [`key`]: a key with its one algorithm; [`keys`]: all of one use, and when each does what; `file`: they as text
//! - [`shared`]: key sets that are replaced while they are in use
//!
//! One key set for each use; a key has one algorithm, and the token's header cannot choose another (RFC 8725 section 3.1). Each use has its
//! own `typ` and `aud`, so that a token can never pass for one of another use (section 3.11). What is wrong with a token is told to nobody:
//! [`InvalidToken`] has no reason in it.

pub mod claims;
mod file;
pub mod key;
pub mod keys;
pub mod shared;

pub use claims::{AccessClaims, Claims, HandoffClaims, Registered, RememberClaims};
pub use key::{Algorithm, InvalidKeys, Key, KeyTimes};
pub use keys::{Expected, KeySet, SignError, Stage, key_id};
pub use shared::SharedKeys;

/// The token is not one of ours, not for us, or not good now. Nobody is told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid token")]
pub struct InvalidToken;

#[cfg(test)]
mod tests;
