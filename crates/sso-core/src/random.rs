//! Randomness for everything that must not be guessed.

/// 256 bits from a cryptographically secure generator that the operating system seeds.
pub fn bytes() -> [u8; 32] {
    rand::random()
}
