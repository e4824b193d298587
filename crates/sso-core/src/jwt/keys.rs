//! The keys of one use of tokens: they sign, verify, and follow each other.
//!
//! What a key does at an instant follows from its times alone, so that all nodes with the same file change at the same moment:
//!
//! ```text
//!   published          signs_from        the next one's signs_from    retires
//!  ─────┬──────────────────┬──────────────────────┬──────────────────────┬─────
//!       │     Published    │       Signing        │       Retiring       │ gone
//!       └──── verifies, so that tokens made elsewhere are known ─────────┘
//! ```

use std::{fmt, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    DecodingKey, EncodingKey, Header, Validation, decode, encode,
    jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Claims, InvalidToken};
use crate::{base36, random};

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever verifies can sign, too.
    #[serde(rename = "HS256")]
    Hs256,
    /// Ed25519 (RFC 8037): whoever has the public key verifies, and cannot sign.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    fn jwa(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// When a key does what, in seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTimes {
    /// It verifies from here on.
    pub published: i64,
    /// It signs from here on, until another one does.
    pub signs_from: i64,
    /// It does nothing from here on; `None`: nobody has decided that yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires: Option<i64>,
}

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

/// A key with its name and its one algorithm. `Debug` does not show the secret.
#[derive(Clone)]
pub struct Key {
    kid: String,
    algorithm: Algorithm,
    times: KeyTimes,
    /// `None`: a public key, which only verifies.
    private: Option<Private>,
    decoding: DecodingKey,
    /// Only the signature is checked by it; the claims are checked here, by our own clock.
    validation: Validation,
    public: Option<Jwk>,
}

#[derive(Clone)]
struct Private {
    /// The HMAC secret, or Ed25519's PKCS #8.
    secret: Zeroizing<Vec<u8>>,
    encoding: EncodingKey,
}

/// Keys that cannot be used. Nothing of them is in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// The text is not what it should be.
    #[error("not a key file: {0}")]
    Malformed(String),
    /// This key is too short, or is not one.
    #[error("key `{0}` is not a good key of its algorithm (HS256 needs at least 32 bytes)")]
    BadKey(String),
    /// Two keys have one name.
    #[error("the key id `{0}` is given twice")]
    Twice(String),
    /// There is no key of this name.
    #[error("there is no key `{0}`")]
    Unknown(String),
    /// It is the only one that signs.
    #[error("`{0}` is the key that signs; rotate first")]
    StillSigning(String),
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

impl Key {
    /// The least length of an HS256 secret, in bytes (RFC 7518 section 3.2).
    pub const MIN_SECRET: usize = 32;

    /// A new key that signs at once.
    pub fn generate(algorithm: Algorithm, now: i64) -> Result<Self, InvalidKeys> {
        Self::generate_with(algorithm, KeyTimes { published: now, signs_from: now, retires: None })
    }

    fn generate_with(algorithm: Algorithm, times: KeyTimes) -> Result<Self, InvalidKeys> {
        let kid: String = base36::exact(&random::bytes()).chars().take(16).collect();
        let bad = |_| InvalidKeys::BadKey(kid.clone());
        let secret = match algorithm {
            Algorithm::Hs256 => random::bytes().to_vec(),
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().map_err(bad)?;
                // Version 1: the longer form is not understood by everyone.
                pair.to_pkcs8v1().map_err(bad)?.as_ref().to_vec()
            }
        };
        Self::private(kid, algorithm, secret, times)
    }

    /// An HS256 key from a secret that was agreed with the other side, good from the beginning of time.
    pub fn hs256(kid: impl Into<String>, secret: &[u8]) -> Result<Self, InvalidKeys> {
        Self::private(kid.into(), Algorithm::Hs256, secret.to_vec(), KeyTimes::ALWAYS)
    }

    fn private(kid: String, algorithm: Algorithm, secret: Vec<u8>, times: KeyTimes) -> Result<Self, InvalidKeys> {
        let secret = Zeroizing::new(secret);
        let (encoding, decoding, public) = match algorithm {
            Algorithm::Hs256 if secret.len() < Self::MIN_SECRET => return Err(InvalidKeys::BadKey(kid)),
            Algorithm::Hs256 => (EncodingKey::from_secret(&secret), DecodingKey::from_secret(&secret), None),
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(&secret).map_err(|_| InvalidKeys::BadKey(kid.clone()))?;
                let encoding = EncodingKey::from_ed_der(&secret);
                let mut jwk =
                    Jwk::from_encoding_key(&encoding, algorithm.jwa()).map_err(|_| InvalidKeys::BadKey(kid.clone()))?;
                jwk.common.key_id = Some(kid.clone());
                jwk.common.public_key_use = Some(PublicKeyUse::Signature);
                (encoding, DecodingKey::from_ed_der(pair.public_key().as_ref()), Some(jwk))
            }
        };
        let validation = signature_only(algorithm);
        let private = Some(Private { secret, encoding });
        Ok(Self { kid, algorithm, times, private, decoding, validation, public })
    }

    /// The public key of a JWKS; `None` if it is not an Ed25519 key with a name.
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        // A symmetric key in a public document is a mistake, or a trap.
        let AlgorithmParameters::OctetKeyPair(_) = &jwk.algorithm else { return None };
        let decoding = DecodingKey::from_jwk(jwk).ok()?;
        let (algorithm, kid) = (Algorithm::EdDsa, jwk.common.key_id.clone()?);
        let validation = signature_only(algorithm);
        let times = KeyTimes::ALWAYS;
        Some(Self { kid, algorithm, times, private: None, decoding, validation, public: Some(jwk.clone()) })
    }

    /// Its name, as in the header of the tokens that it signs.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// When it does what.
    pub fn times(&self) -> KeyTimes {
        self.times
    }

    /// The public half; `None` for HS256, which has none.
    pub fn public(&self) -> Option<&Jwk> {
        self.public.as_ref()
    }

    fn verifies(&self, now: i64) -> bool {
        now >= self.times.published && self.times.retires.is_none_or(|retires| now < retires)
    }
}

impl KeyTimes {
    /// Signs and verifies always.
    pub const ALWAYS: Self = Self { published: i64::MIN, signs_from: i64::MIN, retires: None };
}

fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm.jwa());
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

/// All keys of one use. `Debug` shows their names only.
#[derive(Clone)]
pub struct KeySet(Vec<Key>);

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

    /// The keys, the oldest first.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// The key that signs at `now`: of those whose time has come, the youngest.
    pub fn signing(&self, now: i64) -> Option<&Key> {
        let ready =
            self.0.iter().filter(|key| key.private.is_some() && key.times.signs_from <= now && key.verifies(now));
        ready.max_by_key(|key| key.times.signs_from)
    }

    /// What this key does at `now`.
    pub fn stage(&self, key: &Key, now: i64) -> Stage {
        if !key.verifies(now) && now >= key.times.published {
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
        let is_good_now = registered.nbf <= expected.now && expected.now < registered.exp;
        if is_of_use && is_for_us && is_good_now { Ok(token.claims) } else { Err(InvalidToken) }
    }

    /// The key of this name that verifies at `now`.
    pub fn find(&self, kid: &str, now: i64) -> Option<&Key> {
        self.0.iter().find(|key| key.kid == kid && key.verifies(now))
    }

    /// Adds a new key of the algorithm of the one that signs. It signs after `publish_for`, when every verifier can have it; the others
    /// retire when the last token that they signed, good for at most `longest_token`, is over.
    pub fn rotate(&mut self, now: i64, publish_for: Duration, longest_token: Duration) -> Result<&Key, InvalidKeys> {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let algorithm = self.signing(now).map_or(Algorithm::EdDsa, |key| key.algorithm);
        let signs_from = now.saturating_add(seconds(publish_for));
        let retires = signs_from.saturating_add(seconds(longest_token));
        self.0.retain(|key| key.times.retires.is_none_or(|retires| now < retires));
        for key in &mut self.0 {
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
        let before = self.0.len();
        self.0.retain(|key| key.kid != kid);
        if self.0.len() < before { Ok(()) } else { Err(InvalidKeys::Unknown(kid.to_owned())) }
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

    /// Private and public keys as text, for a file that only its owner reads.
    pub fn to_json(&self) -> Zeroizing<String> {
        let stored = self.0.iter().filter_map(Stored::of).collect();
        Zeroizing::new(serde_json::to_string_pretty(&File { keys: stored }).unwrap_or_default())
    }

    /// Reads [`to_json`](Self::to_json).
    pub fn from_json(json: &str) -> Result<Self, InvalidKeys> {
        let file: File = serde_json::from_str(json).map_err(|error| InvalidKeys::Malformed(shape(&error)))?;
        Self::new(file.keys.into_iter().map(Stored::into_key).collect::<Result<_, _>>()?)
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

/// What serde says, without what was in the text: that may be a secret.
fn shape(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

/// The file of a key set.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keys: Vec<Stored>,
}

/// A key in it.
#[derive(Serialize, Deserialize)]
struct Stored {
    kid: String,
    alg: Algorithm,
    /// base64url: the HMAC secret, or Ed25519's PKCS #8.
    secret: String,
    #[serde(flatten)]
    times: KeyTimes,
}

impl Stored {
    fn of(key: &Key) -> Option<Self> {
        let secret = URL_SAFE_NO_PAD.encode(key.private.as_ref()?.secret.as_slice());
        Some(Self { kid: key.kid.clone(), alg: key.algorithm, secret, times: key.times })
    }

    fn into_key(self) -> Result<Key, InvalidKeys> {
        let secret = Zeroizing::new(self.secret);
        let bytes = URL_SAFE_NO_PAD.decode(secret.as_bytes()).map_err(|_| InvalidKeys::BadKey(self.kid.clone()))?;
        Key::private(self.kid, self.alg, bytes, self.times)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}
