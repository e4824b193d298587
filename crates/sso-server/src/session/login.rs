//! What is kept of a login in its session, and of how the last one ended.

use std::fmt;

use serde::{Deserialize, Serialize};
use sso_core::{VerificationCode, wire::User};

use crate::util::clock::Timestamp;

/// A login: it lives in a [`Session`](super::Session), and has an idle and an absolute end.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Login {
    /// Who, as the account was then. Whether it is still that account is asked at every read.
    pub user: User,
    /// The session's [count](super::Session::epoch) when it began: its name in that session.
    pub epoch: u64,
    /// The code of the link that it was made through, by a broker's back end.
    pub through: Option<VerificationCode>,
    /// A keyed hash of the account's password hash: with another password the login is over.
    pub credential: [u8; 32],
    /// Its user is changing the password in this very session: the one that is good from that change on.
    pub next_credential: Option<Box<[u8; 32]>>,
    /// Since when; the absolute lifetime counts from here.
    pub at: Timestamp,
    /// When its user last authenticated: typed the password, here or, where the browser was remembered, when that
    /// began.
    pub auth_time: Timestamp,
    /// How.
    pub method: AuthMethod,
    /// The [`Family`](super::Family) by which its browser is remembered.
    pub family: Option<String>,
}

/// How a user was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// By the password.
    Password,
    /// By a remember-me token.
    Remembered,
}

impl Login {
    /// A login of `user` by the password that `credential` was made from. The session gives it its place in the count.
    pub fn new(user: User, credential: [u8; 32], now: Timestamp) -> Self {
        Self {
            user,
            epoch: 0,
            through: None,
            credential,
            next_credential: None,
            at: now,
            auth_time: now,
            method: AuthMethod::Password,
            family: None,
        }
    }

    /// The same of a browser that is remembered by this family, whose user typed the password at `auth_time`.
    #[must_use]
    pub fn remembered(self, family: String, auth_time: Timestamp) -> Self {
        Self { family: Some(family), auth_time, method: AuthMethod::Remembered, ..self }
    }

    /// Whether the password was not typed in this session.
    pub fn is_remembered(&self) -> bool {
        self.method == AuthMethod::Remembered
    }

    /// When the password was last typed in this session, if it was.
    pub fn password_at(&self) -> Option<Timestamp> {
        (!self.is_remembered()).then_some(self.auth_time)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("epoch", &self.epoch)
            .field("at", &self.at)
            .field("auth_time", &self.auth_time)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// How and when a session's last login ended.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Why.
    pub reason: EndReason,
    /// When.
    pub at: Timestamp,
    /// The session's [count](super::Session::epoch) after it: its name in that session.
    pub epoch: u64,
    /// Whose login it was.
    pub username: String,
    /// The login's [`epoch`](Login::epoch).
    pub began: u64,
    /// The login's [`through`](Login::through).
    pub through: Option<VerificationCode>,
    /// The login's family, until a logout has it forgotten: by it the browser may be logged in again.
    pub family: Option<String>,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End")
            .field("reason", &self.reason)
            .field("at", &self.at)
            .field("epoch", &self.epoch)
            .field("username", &self.username)
            .field("began", &self.began)
            .finish_non_exhaustive()
    }
}

/// Why a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Nobody used it.
    Idle,
    /// It was too long ago.
    Absolute,
    /// Its user logged out, or another one logged in.
    LoggedOut,
    /// A cookie came from another browser than the session is tied to.
    FingerprintChanged,
    /// A cookie came without the headers that tell the browser.
    FingerprintMissing,
    /// A remember-me token of its family was used a second time: somebody has a copy.
    RememberTokenReused,
    /// Its user's account is gone, or disabled.
    UserGone,
    /// Its user has another password than at the login.
    PasswordChanged,
    /// Its user has [too many](super::Policy::max_sessions_per_user), and it was the longest unused.
    TooMany,
    /// Its user ended it from another session, or who runs the server did.
    #[serde(other)]
    Revoked,
}

impl EndReason {
    /// Whether somebody else may have what leads to the session.
    pub fn is_theft(self) -> bool {
        matches!(self, Self::FingerprintChanged | Self::FingerprintMissing | Self::RememberTokenReused)
    }

    /// What brokers are told.
    pub fn to_wire(self) -> sso_core::wire::EndReason {
        match self {
            Self::Idle | Self::Absolute => sso_core::wire::EndReason::Expired,
            Self::LoggedOut => sso_core::wire::EndReason::LoggedOut,
            _ => sso_core::wire::EndReason::Revoked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_family_and_no_code() {
        let end = End {
            reason: EndReason::Idle,
            at: Timestamp::from_millis(1),
            epoch: 2,
            username: "jackie".into(),
            began: 1,
            through: Some(VerificationCode::generate()),
            family: Some("secret-family".into()),
        };
        let text = format!("{end:?}");
        assert!(text.contains("jackie") && text.contains("Idle"), "{text}");
        assert!(!text.contains("secret") && !text.contains("through"), "{text}");
    }
}
