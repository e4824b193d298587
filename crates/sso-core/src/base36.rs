//! Base 36 in two versions: exact, and the one of PHP's `base_convert`.

use std::ops::RangeInclusive;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The length of an [`exact`] encoding: 36⁵⁰ is the first power of 36 over 2²⁵⁶.
pub const EXACT_LEN: usize = 50;

/// Writes a 256-bit big-endian integer in base 36, lower case, left-padded with `0` to [`EXACT_LEN`].
pub fn exact(bytes: &[u8; 32]) -> String {
    // 36^12 is the largest power of 36 in a u64: one long division yields twelve digits.
    const CHUNK: u64 = 36u64.pow(12);

    let mut limbs = [0u64; 4];
    for (limb, part) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = part.iter().fold(0, |n, b| n << 8 | u64::from(*b));
    }

    let mut out = [b'0'; EXACT_LEN];
    for digits in out.rchunks_mut(12) {
        let mut rest = 0u64;
        for limb in &mut limbs {
            let n = u128::from(rest) << 64 | u128::from(*limb);
            *limb = (n / u128::from(CHUNK)) as u64;
            rest = (n % u128::from(CHUNK)) as u64;
        }
        for place in digits.iter_mut().rev() {
            *place = digit(rest % 36);
            rest /= 36;
        }
    }
    out.iter().map(|b| char::from(*b)).collect()
}

/// Converts hexadecimal to base 36 as PHP's `base_convert($hex, 16, 36)` prints it.
///
/// PHP goes through a double as soon as the number does not fit in 63 bits, so only about 53 bits of a
/// digest survive. That weakness is the peer's; this function exists to understand it. As in PHP, characters that are
/// not hexadecimal digits are passed over.
pub fn php_base_convert(hex: &str) -> String {
    match php_number(hex) {
        PhpNumber::Integer(n) => integer_digits(n),
        PhpNumber::Float(f) => float_digits(f),
    }
}

/// [`php_base_convert`] of bytes: of `bin2hex($bytes)`, in PHP's words.
pub fn php(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        hex.push(char::from(digit(u64::from(byte >> 4))));
        hex.push(char::from(digit(u64::from(byte & 15))));
    }
    php_base_convert(&hex)
}

/// Whether `text` has a length in `length` and consists of `[0-9a-z]`.
pub fn is_base36(text: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

/// What PHP's `_php_math_basetozval` makes of a string of digits.
enum PhpNumber {
    Integer(i64),
    Float(f64),
}

fn php_number(hex: &str) -> PhpNumber {
    const LAST_SAFE: i64 = i64::MAX / 16;
    const LAST_DIGIT: i64 = i64::MAX % 16;

    let mut digits = hex.chars().filter_map(|c| c.to_digit(16)).map(i64::from);
    let mut n = 0i64;
    for d in digits.by_ref() {
        if n < LAST_SAFE || (n == LAST_SAFE && d <= LAST_DIGIT) {
            n = n * 16 + d;
        } else {
            // The first digit that does not fit, and all that follow, go on in a double.
            let first = n as f64 * 16.0 + d as f64;
            return PhpNumber::Float(digits.fold(first, |f, d| f * 16.0 + d as f64));
        }
    }
    PhpNumber::Integer(n)
}

fn integer_digits(mut n: i64) -> String {
    let mut reversed = Vec::with_capacity(13);
    loop {
        reversed.push(digit((n % 36).unsigned_abs()));
        n /= 36;
        if n == 0 {
            return text_of_reversed(&reversed);
        }
    }
}

/// PHP's `_php_math_zvaltobase` on a double. The quotient keeps its fraction, which is what makes the
/// digits PHP's own: neither rounding it nor truncating it gives the same text.
fn float_digits(mut value: f64) -> String {
    let mut reversed = Vec::with_capacity(64);
    loop {
        // In 0..36, so the cast cannot lose anything.
        reversed.push(digit((value % 36.0) as u64));
        value /= 36.0;
        if value.abs() < 1.0 || reversed.len() == 64 {
            return text_of_reversed(&reversed);
        }
    }
}

fn digit(n: u64) -> u8 {
    usize::try_from(n).ok().and_then(|n| DIGITS.get(n)).copied().unwrap_or(b'0')
}

fn text_of_reversed(digits: &[u8]) -> String {
    digits.iter().rev().map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exact_pads_to_its_length() {
        assert_eq!(exact(&[0; 32]), "0".repeat(50));
        let mut one = [0; 32];
        one[31] = 37;
        assert_eq!(exact(&one), format!("{}11", "0".repeat(48)));
    }

    #[test]
    fn php_keeps_small_numbers_exact_and_large_ones_not() {
        assert_eq!(php_base_convert("0"), "0");
        assert_eq!(php_base_convert("ff"), "73");
        assert_eq!(php_base_convert("7fffffffffffffff"), "1y2p0ij32e8e7");
        assert_eq!(php_base_convert(""), "0");
        assert_eq!(php(&[0xff]), "73");
    }

    proptest! {
        #[test]
        fn exact_agrees_with_a_big_integer(bytes: [u8; 32]) {
            let reference = BigUint::from_bytes_be(&bytes).to_str_radix(36);
            prop_assert_eq!(exact(&bytes), format!("{reference:0>50}"));
        }

        #[test]
        fn php_is_exact_up_to_63_bits(n in 0..=i64::MAX) {
            prop_assert_eq!(php_base_convert(&format!("{n:x}")), BigUint::from(n.unsigned_abs()).to_str_radix(36));
        }

        #[test]
        fn php_never_leaves_the_alphabet(hex in "\\PC{0,80}") {
            prop_assert!(is_base36(&php_base_convert(&hex), 1..=64));
        }
    }
}
