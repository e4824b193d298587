//! A broker's secret that it shows itself (HTTP Basic), and how the server judges it without keeping it.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Secret;

/// What the server keeps to recognise a secret that it is shown: a hash, compared in constant time.
///
/// ```
/// use sso_core::{Credential, Secret};
///
/// let kept = Credential::of(&Secret::new("8iwzik1bwd"));
/// assert!(kept.accepts(b"8iwzik1bwd"));
/// assert!(!kept.accepts(b"8iwzik1bwe"));
/// ```
#[derive(Clone)]
pub struct Credential([u8; 32]);

impl Credential {
    /// Of the secret that was agreed.
    pub fn of(secret: &Secret) -> Self {
        Self(hash(secret.expose()))
    }

    /// Whether this is the secret.
    pub fn accepts(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(&hash(shown)).into()
    }
}

fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update("credential:").chain_update(secret).finalize().into()
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_secret_and_nothing_else_and_shows_nothing() {
        let kept = Credential::of(&Secret::new("8iwzik1bwd"));
        assert!(kept.accepts(b"8iwzik1bwd"));
        for wrong in [&b""[..], b"8iwzik1bw", b"8iwzik1bwd\0", b"8IWZIK1BWD", b"credential:8iwzik1bwd"] {
            assert!(!kept.accepts(wrong), "{wrong:?}");
        }
        assert_eq!(format!("{kept:?}"), "Credential(…)");
    }
}
