//! The name by which a broker is known to the server.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A broker's id: 1 to 64 characters of `[A-Za-z0-9_]`.
///
/// The alphabet leaves out `-`, which separates the parts of a [bearer token](crate::bearer), so
/// that a bearer token can be read in one way only.
///
/// ```
/// use sso_core::BrokerId;
///
/// let id: BrokerId = "Alice".parse()?;
/// assert_eq!(id.as_str(), "Alice");
/// assert!("Alice's site".parse::<BrokerId>().is_err());
/// # Ok::<(), sso_core::broker_id::InvalidBrokerId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BrokerId(Box<str>);

/// The text is not a broker id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a broker id is 1 to 64 letters, digits or underscores")]
pub struct InvalidBrokerId;

impl BrokerId {
    /// The id as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as jasny/sso writes it in cookie names: lower case, and each run of `_` as one.
    ///
    /// ```
    /// # use sso_core::BrokerId;
    /// assert_eq!("My__Shop".parse::<BrokerId>()?.cookie_name(), "my_shop");
    /// # Ok::<(), sso_core::broker_id::InvalidBrokerId>(())
    /// ```
    pub fn cookie_name(&self) -> String {
        let mut name = String::with_capacity(self.0.len());
        for c in self.0.chars() {
            if c != '_' || !name.ends_with('_') {
                name.push(c.to_ascii_lowercase());
            }
        }
        name
    }
}

impl FromStr for BrokerId {
    type Err = InvalidBrokerId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_word(text, 1..=64) { Ok(Self(text.into())) } else { Err(InvalidBrokerId) }
    }
}

impl TryFrom<String> for BrokerId {
    type Error = InvalidBrokerId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BrokerId> for String {
    fn from(id: BrokerId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` has a length in `length` and consists of ASCII letters, digits and underscores.
pub(crate) fn is_word(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_words_up_to_64_characters() {
        for good in ["A", "Alice", "my_shop_2", &"x".repeat(64)] {
            assert!(good.parse::<BrokerId>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a-b", "é", "a\0", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<BrokerId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn serde_checks_too() {
        assert!(serde_json::from_str::<BrokerId>("\"Alice\"").is_ok());
        assert!(serde_json::from_str::<BrokerId>("\"a-b\"").is_err());
    }
}
