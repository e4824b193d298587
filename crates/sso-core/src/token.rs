//! The two random values of a link: the broker's token and the server's verification code.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{base36, broker_id::is_word, random};

/// A broker's random name for one visitor's session: 32 to 128 characters of `[A-Za-z0-9_]`.
///
/// The broker makes it and keeps it with the visitor; attaching links it to the session at the server.
/// The lower bound closes an attack on the model: jasny/sso attaches an *empty* token, which an attacker
/// can hold as well as anybody.
///
/// Together with its code a token is a credential, so `Debug` shows only its first four characters.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(Box<str>);

/// The text is not a broker token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is 32 to 128 letters, digits or underscores")]
pub struct InvalidToken;

impl Token {
    /// A new token of 256 random bits, 50 characters.
    pub fn generate() -> Self {
        Self(base36::exact(&random::bytes()).into())
    }

    /// The token as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_word(text, 32..=128) { Ok(Self(text.into())) } else { Err(InvalidToken) }
    }
}

impl TryFrom<String> for Token {
    type Error = InvalidToken;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Token> for String {
    fn from(value: Token) -> Self {
        value.0.into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}…)", self.0.get(..4).unwrap_or_default())
    }
}

/// The server's proof that a token was attached in the browser that now shows it: 1 to 128 characters
/// of `[0-9a-z]`; ours are 50.
///
/// It is random and kept in the link. (jasny/sso derives it without a key from the session id, so whoever sees
/// a session id in a log can compute it.)
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerificationCode(Box<str>);

/// In constant time.
impl PartialEq for VerificationCode {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for VerificationCode {}

/// The text is not a verification code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a verification code is 1 to 128 lower-case letters or digits")]
pub struct InvalidCode;

impl VerificationCode {
    /// A new code of 256 random bits, 50 characters.
    pub fn generate() -> Self {
        Self(base36::exact(&random::bytes()).into())
    }

    /// The code as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VerificationCode {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if base36::is_base36(text, 1..=128) { Ok(Self(text.into())) } else { Err(InvalidCode) }
    }
}

impl TryFrom<String> for VerificationCode {
    type Error = InvalidCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VerificationCode> for String {
    fn from(value: VerificationCode) -> Self {
        value.0.into()
    }
}

impl fmt::Debug for VerificationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_32_to_128_word_characters_are_accepted() {
        for good in ["0".repeat(32), "Z_9".repeat(20), "a".repeat(128)] {
            assert!(good.parse::<Token>().is_ok(), "{good}");
        }
        for bad in ["".to_owned(), "a".repeat(31), "a".repeat(129), "-".repeat(40), "ä".repeat(20)] {
            assert!(bad.parse::<Token>().is_err(), "{bad}");
        }
    }

    #[test]
    fn made_values_are_long_different_and_valid() {
        let (a, b) = (Token::generate(), Token::generate());
        assert_ne!(a, b);
        assert_eq!(a.as_str().len(), 50);
        assert_eq!(a.as_str().parse::<Token>(), Ok(a));
        assert_eq!(VerificationCode::generate().as_str().len(), 50);
    }

    #[test]
    fn codes_are_lower_case_base36() {
        assert!("1".parse::<VerificationCode>().is_ok());
        for bad in ["", "A", "a b", "a%0d", &"1".repeat(129)] {
            assert!(bad.parse::<VerificationCode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_gives_nothing_away() {
        let token: Token = "abcdefghijklmnopqrstuvwxyz0123456789".parse().unwrap();
        assert_eq!(format!("{token:?}"), "Token(abcd…)");
        let code: VerificationCode = "abc".parse().unwrap();
        assert_eq!(format!("{code:?}"), "VerificationCode(…)");
    }
}
