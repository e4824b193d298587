//! A key set as text: the private file that only its owner reads, and the public document.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Algorithm, InvalidKeys, Key, KeySet, KeyTimes};

impl KeySet {
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

/// What serde says, without what was in the text: that may be a secret.
pub(crate) fn shape(error: &serde_json::Error) -> String {
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
