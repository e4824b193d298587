//! The session cookie: its value, which only the browser has, and the hash that the store has.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sso_core::{base36, random};

use crate::util::clock::Timestamp;

/// The value of a browser's session cookie: 256 random bits, 50 characters. Only the server makes them.
#[derive(Clone)]
pub struct CookieValue(String);

/// The text is not a session cookie of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a session cookie of this server")]
pub struct InvalidCookie;

impl CookieValue {
    /// A new random value.
    pub fn generate() -> Self {
        Self(base36::exact(&random::bytes()))
    }

    /// A value derived from a MAC, so that several requests make the same one.
    pub(crate) fn from_mac(mac: [u8; 32]) -> Self {
        Self(base36::exact(&mac))
    }

    /// The hash by which the store finds it.
    pub fn hash(&self) -> CookieHash {
        CookieHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The text for the `Set-Cookie` header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for CookieValue {
    type Err = InvalidCookie;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if base36::is_base36(text, base36::EXACT_LEN..=base36::EXACT_LEN) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidCookie)
        }
    }
}

impl fmt::Debug for CookieValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieValue(…)")
    }
}

/// SHA-256 of a [`CookieValue`]: reading the store does not reveal the cookie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CookieHash([u8; 32]);

impl CookieHash {
    /// For stores.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CookieHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieHash(…)")
    }
}

/// A cookie value that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldCookie {
    /// Its hash.
    pub hash: CookieHash,
    /// When it stops working: [`NEVER`](Timestamp::NEVER) until its successor is seen, in the past once it is dead.
    pub works_until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_of_our_form_are_cookies() {
        let value = CookieValue::generate();
        assert_eq!(value.expose().parse::<CookieValue>().unwrap().hash(), value.hash());
        for bad in ["", "x", &"A".repeat(50), &"a".repeat(51)] {
            assert_eq!(bad.parse::<CookieValue>().err(), Some(InvalidCookie));
        }
    }
}
