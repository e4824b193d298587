//! JSON Web Tokens (RFC 7519), beside shared-session single sign-on: who shares keys trusts each other's tokens.
//!
//! The SSO server signs *access tokens* for a user's calls to other services, and *remember-me tokens* for itself.
//! Applications that are linked sign *hand-offs* (crate `sso-handoff`). A service that takes access tokens needs an
//! [`AccessVerifier`], and neither a session nor a call to the server at each request.
//!
//! ```
//! use std::time::Duration;
//! use sso_jwt::{AccessClaims, Algorithm, Expected, KeySet, Registered};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (issuer, audience, now) = ("https://sso.example.com", "https://api.example.com", 1_800_000_000);
//! let keys = KeySet::generate(Algorithm::EdDsa, now)?;
//! let registered = Registered::new(issuer, "jackie", audience, now, Duration::from_secs(300));
//! let token = keys.sign(&AccessClaims { registered, client: "Alice".into(), session: None }, now)?;
//!
//! // The other side has the public half only.
//! let published = KeySet::from_jwks(&serde_json::to_string(&keys.jwks(now))?)?;
//! let claims: AccessClaims = published.verify(&token, &Expected { issuer, audience, now: now + 299 })?;
//! assert_eq!(claims.registered.sub, "jackie");
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! Both are on by default. Without them there are keys, claims and the verifier, and no async runtime.
//!
//! - `client`: [`JwksKeys`], keys that the server publishes, fetched with reqwest
//! - `actix`: [`Access`], the extractor for actix-web
//!
//! # Layout
//!
//! - `claims`: what a token says, a type for each use
//! - `key`: a key with its one algorithm; `keys`: all of one use, and when each does what; `file`: they as text;
//!   `shared`: key sets that are replaced while they are in use
//! - `verifier`: access tokens, as a service checks them, with keys at hand or with those of `jwks`; `actix`: the
//!   extractor
//!
//! # Rules
//!
//! One key set for each use; a key has one algorithm, and the token's header cannot choose another (RFC 8725 section
//! 3.1). Each use has its own `typ` and `aud`, so that a token can never pass for one of another use (section 3.11).
//! What is wrong with a token is told to nobody: [`InvalidToken`] has no reason in it.

#[cfg(feature = "actix")]
mod actix;
mod claims;
mod file;
#[cfg(feature = "client")]
mod jwks;
mod key;
mod keys;
mod shared;
mod verifier;

#[cfg(feature = "actix")]
pub use actix::{Access, TokenRefused};
pub use claims::{AccessClaims, Claims, HandoffClaims, Registered, RememberClaims};
#[cfg(feature = "client")]
pub use jwks::{JwksError, JwksKeys};
pub use key::{Algorithm, InvalidKeys, Key, KeyTimes};
pub use keys::{Expected, KeySet, SignError, Stage, key_id};
pub use shared::SharedKeys;
pub use verifier::{AccessKeys, AccessVerifier};

/// The token is not one of ours, not for us, or not good now. Nobody is told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid token")]
pub struct InvalidToken;

#[cfg(test)]
mod tests;
