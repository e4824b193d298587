//! The keys of one use of tokens: they sign, verify, and follow each other.
//!
//! What a key does at an instant follows from its times alone, so that all nodes with the same file change at the same
//! moment:
//!
//! ```text
//!   published          signs_from        the next one's signs_from    retires
//!  ─────┬──────────────────┬──────────────────────┬──────────────────────┬─────
//!       │     Published    │       Signing        │       Retiring       │ gone
//!       └──── verifies, so that tokens made elsewhere are known ─────────┘
//! ```

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Header, decode, encode, jwk::JwkSet};
use serde::Deserialize;

use crate::{Algorithm, Claims, InvalidKeys, InvalidToken, Key, KeyTimes, file::shape};

/// What a key does at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It verifies; its time to sign is yet to come.
    Published,
    /// It is the one that signs.
    Signing,
    /// It verifies what it signed before.
    Retiring,
    /// It does nothing any more.
    Retired,
}

/// No key signs at this instant, or it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key can sign now")]
pub struct SignError;

/// What a verifier asks of a token.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who must have made it.
    pub issuer: &'a str,
    /// Whom it must be for.
    pub audience: &'a str,
    /// The present instant, in seconds since 1970-01-01 UTC.
    pub now: i64,
}

/// All keys of one use. `Debug` shows their names only.
#[derive(Clone)]
pub struct KeySet(pub(crate) Vec<Key>);

impl KeySet {
    /// From keys whose names differ.
    pub fn new(keys: Vec<Key>) -> Result<Self, InvalidKeys> {
        let mut seen = std::collections::HashSet::new();
        match keys.iter().find(|key| !seen.insert(key.kid.as_str())) {
            Some(twice) => Err(InvalidKeys::Twice(twice.kid.clone())),
            None => Ok(Self(keys)),
        }
    }

    /// One new key, which signs at once.
    pub fn generate(algorithm: Algorithm, now: i64) -> Result<Self, InvalidKeys> {
        Ok(Self(vec![Key::generate(algorithm, now)?]))
    }

    /// One key, [derived](Key::derived) from this secret.
    pub fn derived(algorithm: Algorithm, secret: &[u8; 32]) -> Result<Self, InvalidKeys> {
        Ok(Self(vec![Key::derived(algorithm, secret)?]))
    }

    /// The clock of who verifies may be so many seconds behind the one of who signs. Nothing lives longer by that.
    pub const LEEWAY: i64 = 30;

    /// The keys, the oldest first.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// The key that signs at `now`: of those whose time has come, the youngest; of two of one time, the one that was
    /// added later.
    pub fn signing(&self, now: i64) -> Option<&Key> {
        let ready =
            self.0.iter().filter(|key| key.private.is_some() && key.times.signs_from <= now && key.verifies(now));
        ready.max_by_key(|key| key.times.signs_from)
    }

    /// What this key does at `now`.
    pub fn stage(&self, key: &Key, now: i64) -> Stage {
        if !key.verifies(now) {
            Stage::Retired
        } else if now < key.times.signs_from {
            Stage::Published
        } else if self.signing(now).is_some_and(|signing| signing.kid == key.kid) {
            Stage::Signing
        } else {
            Stage::Retiring
        }
    }

    /// Signs claims with the key of the instant.
    pub fn sign<C: Claims>(&self, claims: &C, now: i64) -> Result<String, SignError> {
        let key = self.signing(now).ok_or(SignError)?;
        let private = key.private.as_ref().ok_or(SignError)?;
        let header =
            Header { typ: Some(C::TYP.into()), kid: Some(key.kid.clone()), ..Header::new(key.algorithm.jwa()) };
        encode(&header, claims, &private.encoding).map_err(|_| SignError)
    }

    /// The claims of a token that is ours, of this use, for this audience, and good now.
    pub fn verify<C: Claims>(&self, token: &str, expected: &Expected<'_>) -> Result<C, InvalidToken> {
        let kid = key_id(token)?;
        let key = self.find(&kid, expected.now).ok_or(InvalidToken)?;
        let token = decode::<C>(token, &key.decoding, &key.validation).map_err(|_| InvalidToken)?;
        // Media types are compared without regard to case (RFC 7515 section 4.1.9).
        let is_of_use = token.header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(C::TYP));
        let registered = token.claims.registered();
        let is_for_us = registered.iss == expected.issuer && registered.aud == expected.audience;
        let is_good_now = registered.nbf <= expected.now.saturating_add(Self::LEEWAY) && expected.now < registered.exp;
        if is_of_use && is_for_us && is_good_now { Ok(token.claims) } else { Err(InvalidToken) }
    }

    /// The key of this name that verifies at `now`.
    pub fn find(&self, kid: &str, now: i64) -> Option<&Key> {
        self.0.iter().find(|key| key.kid == kid && key.verifies(now))
    }

    /// Adds a new key of the algorithm of the one that signs. It signs after `publish_for`, when every verifier can
    /// have it; the others retire when the last token that they signed, good for at most `longest_token`, is over.
    pub fn rotate(&mut self, now: i64, publish_for: Duration, longest_token: Duration) -> Result<&Key, InvalidKeys> {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let algorithm = self.signing(now).map_or(Algorithm::EdDsa, |key| key.algorithm);
        let signs_from = now.saturating_add(seconds(publish_for));
        let retires = signs_from.saturating_add(seconds(longest_token));
        self.0.retain(|key| key.times.retires.is_none_or(|retires| now < retires));
        for key in &mut self.0 {
            // One that waits for longer than the new one would sign after it, until its own end: it gives way.
            key.times.signs_from = key.times.signs_from.min(signs_from);
            key.times.retires = Some(key.times.retires.map_or(retires, |earlier| earlier.min(retires)));
        }
        self.0.push(Key::generate_with(algorithm, KeyTimes { published: now, signs_from, retires: None })?);
        self.0.last().ok_or_else(|| InvalidKeys::Unknown(String::new()))
    }

    /// Ends a key at once: what it signed is not accepted any more.
    pub fn retire(&mut self, kid: &str, now: i64) -> Result<(), InvalidKeys> {
        if self.signing(now).is_some_and(|signing| signing.kid == kid) {
            return Err(InvalidKeys::StillSigning(kid.to_owned()));
        }
        let index = self.0.iter().position(|key| key.kid == kid);
        let retired = self.0.remove(index.ok_or_else(|| InvalidKeys::Unknown(kid.to_owned()))?);
        // The one before a key that waited signs in its place, until the one after it does.
        if let Some(end) = retired.times.retires.filter(|_| now < retired.times.signs_from) {
            let before = self.0.iter_mut().filter(|key| key.times.signs_from <= retired.times.signs_from);
            if let Some(key) = before.filter(|key| key.verifies(now)).max_by_key(|key| key.times.signs_from) {
                key.times.retires = key.times.retires.map(|own| own.max(end));
            }
        }
        Ok(())
    }

    /// The public keys that verify at `now` (RFC 7517). An HS256 key has no public half and is never among them.
    pub fn jwks(&self, now: i64) -> JwkSet {
        JwkSet { keys: self.0.iter().filter(|key| key.verifies(now)).filter_map(|key| key.public.clone()).collect() }
    }

    /// The Ed25519 keys of a JWKS document; others in it are left out.
    pub fn from_jwks(json: &str) -> Result<Self, InvalidKeys> {
        let set: JwkSet = serde_json::from_str(json).map_err(|error| InvalidKeys::Malformed(shape(&error)))?;
        Self::new(set.keys.iter().filter_map(Key::from_jwk).collect())
    }
}

/// The name of the key that a token says it was signed with. Nothing of the token is checked by that.
pub fn key_id(token: &str) -> Result<String, InvalidToken> {
    /// All of the header that is needed: to read the rest twice would cost as much as HS256 itself.
    #[derive(Deserialize)]
    struct Named {
        kid: String,
    }

    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok()).ok_or(InvalidToken)?;
    serde_json::from_slice::<Named>(&header).map(|header| header.kid).map_err(|_| InvalidToken)
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
