//! The bearer token: what a broker shows at each call to the server.

use std::str::FromStr;

use crate::{BrokerId, Checksum, ChecksumKey, Token, VerificationCode};

/// `SSO-<broker>-<token>-<checksum>`, sent as `Authorization: Bearer …` (RFC 6750).
///
/// ```
/// use sso_core::{BearerToken, ChecksumKey, Encoding, Secret, Token, VerificationCode};
///
/// let key = ChecksumKey::new(&Secret::generate(), Encoding::Exact);
/// let (token, code) = (Token::generate(), VerificationCode::generate());
/// let bearer = BearerToken::new("Alice".parse()?, token, &code, &key);
///
/// let received: BearerToken = bearer.to_wire().parse()?;
/// assert!(received.is_proven(&code, &key));
/// assert!(!received.is_proven(&VerificationCode::generate(), &key));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BearerToken {
    /// Who calls.
    pub broker: BrokerId,
    /// For which visitor.
    pub token: Token,
    checksum: Checksum,
}

/// The text is not a bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bearer token is SSO-<broker>-<token>-<checksum>")]
pub struct InvalidBearer;

impl BearerToken {
    /// Makes the bearer token of an attached visitor.
    pub fn new(broker: BrokerId, token: Token, code: &VerificationCode, key: &ChecksumKey) -> Self {
        let checksum = key.bearer(code, &token);
        Self { broker, token, checksum }
    }

    /// Whether it was made with this code and key.
    pub fn is_proven(&self, code: &VerificationCode, key: &ChecksumKey) -> bool {
        key.bearer(code, &self.token) == self.checksum
    }

    /// The text of the token. It is a credential: for the `Authorization` header and nowhere else.
    pub fn to_wire(&self) -> String {
        format!("SSO-{}-{}-{}", self.broker, self.token.as_str(), self.checksum.as_str())
    }

    /// Reads the value of an `Authorization` header. `None`: there is none of the scheme `Bearer`.
    ///
    /// The scheme's case does not matter (RFC 9110 section 11.1).
    pub fn from_authorization(header: &str) -> Option<Result<Self, InvalidBearer>> {
        let (scheme, credentials) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| credentials.trim_start_matches(' ').parse())
    }
}

impl FromStr for BearerToken {
    type Err = InvalidBearer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(InvalidBearer);
        let (prefix, broker, token, checksum) = (next()?, next()?, next()?, next()?);
        if prefix != "SSO" || parts.next().is_some() {
            return Err(InvalidBearer);
        }
        Ok(Self {
            broker: broker.parse().map_err(|_| InvalidBearer)?,
            token: token.parse().map_err(|_| InvalidBearer)?,
            checksum: checksum.parse().map_err(|_| InvalidBearer)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_not_one() {
        let token = "t".repeat(32);
        assert!(format!("SSO-Alice-{token}-abc").parse::<BearerToken>().is_ok());
        for bad in [
            String::new(),
            "SSO".into(),
            format!("SSO-Alice-{token}"),
            format!("SSO-Alice-{token}-"),
            format!("SSO-Alice-{token}-ABC"),
            format!("SSO-Alice-{token}-abc-d"),
            format!("sso-Alice-{token}-abc"),
            format!("SSO--{token}-abc"),
            "SSO-Alice--abc".into(),
            "SSO-Alice-short-abc".into(),
            format!("SSO-Alice-{token}-abc\n"),
        ] {
            assert_eq!(bad.parse::<BearerToken>().err(), Some(InvalidBearer), "{bad:?}");
        }
    }

    #[test]
    fn authorization_header() {
        let wire = format!("SSO-Alice-{}-abc", "t".repeat(32));
        for good in [format!("Bearer {wire}"), format!("bearer  {wire}")] {
            assert!(matches!(BearerToken::from_authorization(&good), Some(Ok(_))), "{good}");
        }
        assert!(matches!(BearerToken::from_authorization("Bearer x"), Some(Err(InvalidBearer))));
        for other in ["", "Bearer", "Basic abc", &wire] {
            assert!(BearerToken::from_authorization(other).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(broker in "[A-Za-z0-9_]{1,64}", token in "[A-Za-z0-9_]{32,128}", checksum in "[0-9a-z]{1,64}") {
            let wire = format!("SSO-{broker}-{token}-{checksum}");
            let bearer: BearerToken = wire.parse().unwrap();
            prop_assert_eq!(bearer.broker.as_str(), broker);
            prop_assert_eq!(bearer.token.as_str(), token);
            prop_assert_eq!(bearer.to_wire(), wire);
        }
    }
}
