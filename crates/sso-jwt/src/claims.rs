//! What a token says: the claims that all have, and a type for each use.

use std::time::Duration;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sso_core::{base36, random};

/// The claims of one use of tokens.
pub trait Claims: Serialize + DeserializeOwned {
    /// The `typ` in the header (RFC 8725 section 3.11): no token of another use has it.
    const TYP: &'static str;

    /// The claims that all tokens have.
    fn registered(&self) -> &Registered;
}

/// The registered claims (RFC 7519 section 4.1). All are required. Times are seconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Who made the token: an origin.
    pub iss: String,
    /// The user's name.
    pub sub: String,
    /// Whom it is for.
    pub aud: String,
    /// When it was made.
    pub iat: i64,
    /// From when on it is good.
    pub nbf: i64,
    /// From when on it is not.
    pub exp: i64,
    /// Its own name: 256 random bits.
    pub jti: String,
}

impl Registered {
    /// The claims of a new token that is good for `lifetime` from `now` on.
    pub fn new(
        iss: impl Into<String>,
        sub: impl Into<String>,
        aud: impl Into<String>,
        now: i64,
        lifetime: Duration,
    ) -> Self {
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Self {
            iss: iss.into(),
            sub: sub.into(),
            aud: aud.into(),
            iat: now,
            nbf: now,
            exp: now.saturating_add(lifetime),
            jti: base36::exact(&random::bytes()),
        }
    }
}

/// An access token (RFC 9068): any service that has the key knows the user by it, without asking the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The claims that all tokens have.
    #[serde(flatten)]
    pub registered: Registered,
    /// The broker that asked for it.
    #[serde(rename = "client_id")]
    pub client: String,
    /// A name for the login that it was made in, by which its maker, and nobody else, knows whether that goes on.
    #[serde(rename = "sid", default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// A remember-me token: it logs its browser in again when the session is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberClaims {
    /// The claims that all tokens have.
    #[serde(flatten)]
    pub registered: Registered,
    /// The family it belongs to: all successors of the token that one login with a password gave.
    #[serde(rename = "fam")]
    pub family: String,
}

/// A hand-off: it takes a logged-in user from one application to a page of another, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffClaims {
    /// The claims that all tokens have.
    #[serde(flatten)]
    pub registered: Registered,
    /// The page that the user wants, as a path of the receiver.
    pub path: String,
}

impl Claims for AccessClaims {
    const TYP: &'static str = "at+jwt";

    fn registered(&self) -> &Registered {
        &self.registered
    }
}

impl Claims for RememberClaims {
    const TYP: &'static str = "remember+jwt";

    fn registered(&self) -> &Registered {
        &self.registered
    }
}

impl Claims for HandoffClaims {
    const TYP: &'static str = "handoff+jwt";

    fn registered(&self) -> &Registered {
        &self.registered
    }
}
