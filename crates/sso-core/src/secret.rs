//! The secret that a broker and the server share.

use std::fmt;

use zeroize::Zeroizing;

use crate::{base36, random};

/// A broker's secret: the HMAC key of its checksums.
///
/// It is never printed: `Debug` shows no byte of it, there is no `Display` and no comparison, and its
/// memory is wiped when it is dropped. Turn it into a [`ChecksumKey`](crate::ChecksumKey) to use it.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The least strength, in bits, that is fit for a server on a network.
    ///
    /// Anyone who sees a token and its checksum can try secrets offline, as fast as they can compute HMACs.
    pub const MIN_BITS: u32 = 128;

    /// Takes the bytes that were agreed with the other side, whatever their strength.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// A new secret of 256 random bits, as 50 characters of `[0-9a-z]`: fit for any configuration file.
    pub fn generate() -> Self {
        Self::new(base36::exact(&random::bytes()).into_bytes())
    }

    /// The secret itself, to hand it to its owner or to a keyed function.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// An upper bound of the secret's strength in bits, judged by its length and by the smallest usual
    /// alphabet that it fits in (digits, hex, lower-case letters and digits, …).
    ///
    /// It cannot see a bad choice (`passwordpasswordpasswordpassword`); it does see a short one.
    ///
    /// ```
    /// use sso_core::Secret;
    ///
    /// assert!(Secret::new("8iwzik1bwd").strength_bits() < Secret::MIN_BITS);
    /// assert!(Secret::generate().strength_bits() > Secret::MIN_BITS);
    /// ```
    pub fn strength_bits(&self) -> u32 {
        let all = |test: fn(&u8) -> bool| self.0.iter().all(test);
        // Bits per byte, times 1000: log2 of the alphabet's size.
        let per_byte: u64 = if all(u8::is_ascii_digit) {
            3_321
        } else if all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) || all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')) {
            4_000
        } else if all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()) {
            5_169
        } else if all(u8::is_ascii_alphanumeric) {
            5_954
        } else if all(u8::is_ascii_graphic) {
            6_554
        } else {
            8_000
        };
        u32::try_from(self.0.len() as u64 * per_byte / 1_000).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("8iwzik1bwd")), "Secret(…)");
    }

    #[test]
    fn strength_follows_length_and_alphabet() {
        assert_eq!(Secret::new("").strength_bits(), 0);
        assert_eq!(Secret::new("0123456789abcdef0123456789abcdef").strength_bits(), 128);
        assert_eq!(Secret::new("0123456789").strength_bits(), 33);
        assert_eq!(Secret::new(vec![0xff; 16]).strength_bits(), 128);
        assert!(Secret::new("8iwzik1bwd").strength_bits() < Secret::MIN_BITS);
        assert!(Secret::generate().strength_bits() >= 256);
    }
}
