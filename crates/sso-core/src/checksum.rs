//! Checksums: how a broker proves that it knows the secret.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{Secret, Token, VerificationCode, base36};

/// How a digest is written on the wire. One broker uses one encoding: a server that took both would be
/// only as strong as the weaker one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// All 256 bits, in [exact base 36](base36::exact).
    #[default]
    Exact,
    /// What PHP's `base_convert` leaves of them (about 53 bits), for jasny/sso peers.
    Php,
}

/// A broker's secret, made ready to compute its checksums.
///
/// The key schedule of the HMAC is done once, here, and not for each request.
#[derive(Clone)]
pub struct ChecksumKey {
    mac: MacKey,
    encoding: Encoding,
}

impl ChecksumKey {
    /// Makes the secret ready.
    pub fn new(secret: &Secret, encoding: Encoding) -> Self {
        Self { mac: MacKey::new(secret.expose()), encoding }
    }

    /// The encoding that this broker uses.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The checksum of an attach request: over `attach:TOKEN`.
    pub fn attach(&self, token: &Token) -> Checksum {
        self.checksum(&["attach:", token.as_str()])
    }

    /// The checksum of a bearer token: over `bearer:CODE:TOKEN`.
    ///
    /// The code is in it, so a token that was seen in an attach URL is worth nothing by itself.
    pub fn bearer(&self, code: &VerificationCode, token: &Token) -> Checksum {
        self.checksum(&["bearer:", code.as_str(), ":", token.as_str()])
    }

    fn checksum(&self, parts: &[&str]) -> Checksum {
        let digest = self.mac.mac(parts);
        Checksum(match self.encoding {
            Encoding::Exact => base36::exact(&digest).into(),
            Encoding::Php => base36::php(&digest).into(),
        })
    }
}

impl fmt::Debug for ChecksumKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChecksumKey({:?}, …)", self.encoding)
    }
}

/// A checksum on the wire: 1 to 64 characters of `[0-9a-z]`.
///
/// Equality takes the same time wherever the first difference is, so that it cannot be found digit by
/// digit. `Debug` shows nothing: jasny/sso logged the *expected* checksum of a failed request.
#[derive(Clone)]
pub struct Checksum(Box<str>);

/// The text is not a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is 1 to 64 lower-case letters or digits")]
pub struct InvalidChecksum;

impl Checksum {
    /// The checksum as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Checksum {
    type Err = InvalidChecksum;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if base36::is_base36(text, 1..=64) { Ok(Self(text.into())) } else { Err(InvalidChecksum) }
    }
}

impl PartialEq for Checksum {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Checksum {}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checksum(…)")
    }
}

/// A key of HMAC-SHA256, made ready: its key schedule is done once.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Makes a key ready; it may have any length.
    pub fn new(key: &[u8]) -> Self {
        match Hmac::new_from_slice(key) {
            Ok(mac) => Self(mac),
            // RFC 2104 keys have any length; the error exists for other MACs.
            Err(_) => unreachable!("HMAC takes a key of any length"),
        }
    }

    /// The key for one purpose, derived from this one: what is known of one says nothing of another.
    pub fn derive(&self, purpose: &str) -> Self {
        Self::new(&self.mac(&[purpose]))
    }

    /// The MAC of the parts, one after the other.
    pub fn mac(&self, parts: &[&str]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(secret: &str) -> ChecksumKey {
        ChecksumKey::new(&Secret::new(secret), Encoding::Exact)
    }

    #[test]
    fn exact_checksum_is_the_hmac_in_base_36() {
        // From OpenSSL and Python: int(hmac.new(b"key", b"attach:" + b"a"*32, "sha256").hexdigest(), 16) in base 36.
        let token = "a".repeat(32).parse().unwrap();
        assert_eq!(key("key").attach(&token).as_str(), ATTACH_OF_32_A);
    }

    const ATTACH_OF_32_A: &str = "4ihkp463vk0yujmtd2wz5eg275atydef2l33n4x0jzqqvju6s6";

    #[test]
    fn checksums_depend_on_secret_purpose_code_and_token() {
        let (token, other) = (Token::generate(), Token::generate());
        let (code, other_code) = (VerificationCode::generate(), VerificationCode::generate());
        let good = key("one").bearer(&code, &token);
        assert_eq!(good, key("one").bearer(&code, &token));
        for wrong in [
            key("two").bearer(&code, &token),
            key("one").bearer(&other_code, &token),
            key("one").bearer(&code, &other),
            key("one").attach(&token),
        ] {
            assert_ne!(good, wrong);
        }
    }

    #[test]
    fn debug_gives_nothing_away() {
        let key = key("8iwzik1bwd");
        assert_eq!(format!("{key:?}"), "ChecksumKey(Exact, …)");
        assert_eq!(format!("{:?}", key.attach(&Token::generate())), "Checksum(…)");
    }

    proptest! {
        #[test]
        fn equality_is_that_of_the_texts(a in "[0-9a-z]{1,64}", b in "[0-9a-z]{1,64}") {
            let (x, y): (Checksum, Checksum) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(x == y, a == b);
            prop_assert!(x == x.clone());
        }
    }
}
