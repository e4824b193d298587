//! One key: its algorithm, its times, its secret.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use jsonwebtoken::{
    DecodingKey, EncodingKey, Validation,
    jwk::{AlgorithmParameters, Jwk, PublicKeyUse},
};
use serde::{Deserialize, Serialize};
use sso_core::{base36, checksum::MacKey, random};
use zeroize::Zeroizing;

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
    pub(crate) fn jwa(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// When a key does what, in seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTimes {
    /// It was made, and verifies from here on; whose clock is behind takes it, too.
    pub published: i64,
    /// It signs from here on, until another one does.
    pub signs_from: i64,
    /// It does nothing from here on; `None`: nobody has decided that yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires: Option<i64>,
}

/// A key with its name and its one algorithm. `Debug` does not show the secret.
#[derive(Clone)]
pub struct Key {
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) times: KeyTimes,
    /// `None`: a public key, which only verifies.
    pub(crate) private: Option<Private>,
    pub(crate) decoding: DecodingKey,
    /// Only the signature is checked by it; the claims are checked here, by our own clock.
    pub(crate) validation: Validation,
    pub(crate) public: Option<Jwk>,
}

#[derive(Clone)]
pub(crate) struct Private {
    /// The HMAC secret, or Ed25519's PKCS #8.
    pub(crate) secret: Zeroizing<Vec<u8>>,
    pub(crate) encoding: EncodingKey,
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

impl Key {
    /// The least length of an HS256 secret, in bytes (RFC 7518 section 3.2).
    pub const MIN_SECRET: usize = 32;

    /// A new key that signs at once.
    pub fn generate(algorithm: Algorithm, now: i64) -> Result<Self, InvalidKeys> {
        Self::generate_with(algorithm, KeyTimes { published: now, signs_from: now, retires: None })
    }

    pub(crate) fn generate_with(algorithm: Algorithm, times: KeyTimes) -> Result<Self, InvalidKeys> {
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

    /// The key that this secret gives, always the same: whoever has the secret, and nobody else, has the key. It is
    /// good from the beginning of time.
    pub fn derived(algorithm: Algorithm, secret: &[u8; 32]) -> Result<Self, InvalidKeys> {
        let mac = MacKey::new(secret);
        let kid: String = base36::exact(&mac.mac(&["jwt: key id"])).chars().take(16).collect();
        let seed = Zeroizing::new(mac.mac(&["jwt: key"]));
        let secret = match algorithm {
            Algorithm::Hs256 => seed.to_vec(),
            Algorithm::EdDsa => {
                let bad = |_| InvalidKeys::BadKey(kid.clone());
                let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| InvalidKeys::BadKey(kid.clone()))?;
                pair.to_pkcs8v1().map_err(bad)?.as_ref().to_vec()
            }
        };
        Self::private(kid, algorithm, secret, KeyTimes::ALWAYS)
    }

    /// An HS256 key from a secret that was agreed with the other side, good from the beginning of time.
    pub fn hs256(kid: impl Into<String>, secret: &[u8]) -> Result<Self, InvalidKeys> {
        Self::private(kid.into(), Algorithm::Hs256, secret.to_vec(), KeyTimes::ALWAYS)
    }

    pub(crate) fn private(
        kid: String,
        algorithm: Algorithm,
        secret: Vec<u8>,
        times: KeyTimes,
    ) -> Result<Self, InvalidKeys> {
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
    pub(crate) fn from_jwk(jwk: &Jwk) -> Option<Self> {
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

    pub(crate) fn verifies(&self, now: i64) -> bool {
        self.times.retires.is_none_or(|retires| now < retires)
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

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
