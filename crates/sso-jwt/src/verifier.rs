//! Verifies access tokens, for services that know users by them and keep no session: one call.

use std::{fmt, sync::Arc, time::SystemTime};

use sso_core::unix_time;

use crate::{AccessClaims, Expected, InvalidToken, SharedKeys};
#[cfg(feature = "client")]
use crate::{JwksKeys, key_id};

/// Verifies the access tokens of one server for one service. Clones share everything.
///
/// ```
/// use sso_jwt::{AccessVerifier, Algorithm, KeySet, SharedKeys};
///
/// # async fn run(token: &str, now: i64) -> Result<(), Box<dyn std::error::Error>> {
/// let keys = SharedKeys::new(KeySet::generate(Algorithm::Hs256, now)?);
/// let verifier = AccessVerifier::new("https://sso.example.com", "https://api.example.com", keys);
/// let claims = verifier.verify(token).await?;
/// println!("{} calls, through {}", claims.registered.sub, claims.client);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AccessVerifier(Arc<Inner>);

struct Inner {
    issuer: String,
    audience: String,
    keys: AccessKeys,
    /// Seconds since 1970-01-01 UTC.
    clock: Box<dyn Fn() -> i64 + Send + Sync>,
}

/// Where a verifier has its keys from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AccessKeys {
    /// They are at hand: a secret that is shared with the server (HS256), or public keys that something else keeps up
    /// to date.
    Shared(SharedKeys),
    /// The server publishes them (feature `client`).
    #[cfg(feature = "client")]
    Published(JwksKeys),
}

impl From<SharedKeys> for AccessKeys {
    fn from(keys: SharedKeys) -> Self {
        Self::Shared(keys)
    }
}

#[cfg(feature = "client")]
impl From<JwksKeys> for AccessKeys {
    fn from(keys: JwksKeys) -> Self {
        Self::Published(keys)
    }
}

impl AccessVerifier {
    /// `issuer`: the server's public URL, without a slash at its end. `audience`: this service, as the server's entries
    /// for brokers name it.
    pub fn new(issuer: &str, audience: &str, keys: impl Into<AccessKeys>) -> Self {
        Self::with_clock(issuer, audience, keys, || unix_time::seconds(SystemTime::now()))
    }

    /// The same with another clock: seconds since 1970-01-01 UTC.
    pub fn with_clock(
        issuer: &str,
        audience: &str,
        keys: impl Into<AccessKeys>,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        let (issuer, audience) = (issuer.to_owned(), audience.to_owned());
        Self(Arc::new(Inner { issuer, audience, keys: keys.into(), clock: Box::new(clock) }))
    }

    /// What the token says, if it is one of this server's for this service, and is good now.
    ///
    /// Without a key for it, and without the server to ask, no token is good.
    pub async fn verify(&self, token: &str) -> Result<AccessClaims, InvalidToken> {
        let keys = match &self.0.keys {
            AccessKeys::Shared(keys) => keys.current(),
            #[cfg(feature = "client")]
            AccessKeys::Published(keys) => keys.keys_for(&key_id(token)?).await,
        };
        let expected = Expected { issuer: &self.0.issuer, audience: &self.0.audience, now: (self.0.clock)() };
        keys.verify(token, &expected)
    }
}

impl fmt::Debug for AccessVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { issuer, audience, keys, .. } = &*self.0;
        f.debug_struct("AccessVerifier")
            .field("issuer", issuer)
            .field("audience", audience)
            .field("keys", keys)
            .finish_non_exhaustive()
    }
}
