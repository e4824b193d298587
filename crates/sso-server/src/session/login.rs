//! The record of a login in its session, and of the end of the last one.

use std::fmt;

use serde::{Deserialize, Serialize};
use sso_core::{VerificationCode, wire::User};

use crate::util::clock::Timestamp;

/// A login: it lives in a [`Session`](super::Session), and has an idle and an absolute end.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Login {
    /// The user, as in the account at that time. Every read checks it against the account.
    pub user: User,
    /// The session's [epoch](super::Session::epoch) when it began: its name in that session.
    pub epoch: u64,
    /// The code of the link that it was made through, by a broker's back end.
    pub through: Option<VerificationCode>,
    /// A keyed hash of the account's password hash: the login ends when the password changes.
    pub credential: [u8; 32],
    /// Set during a password change in this session: the credential that is valid afterwards.
    pub next_credential: Option<Box<[u8; 32]>>,
    /// When it began. The absolute lifetime counts from here.
    pub at: Timestamp,
    /// When its user last typed the password: here or, for a remembered browser, when it was first remembered.
    pub auth_time: Timestamp,
    /// How the user authenticated.
    pub method: AuthMethod,
    /// The [`Family`](super::Family) by which its browser is remembered.
    pub family: Option<String>,
}

/// How a user was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// With the password.
    Password,
    /// With a remember-me token.
    Remembered,
}

impl Login {
    /// A login of `user` with the password of `credential`. The session sets its epoch.
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

    /// The same for a browser remembered by this family, whose user typed the password at `auth_time`.
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
    /// The reason.
    pub reason: EndReason,
    /// The time.
    pub at: Timestamp,
    /// The session's [count](super::Session::epoch) after it: its name in that session.
    pub epoch: u64,
    /// The user of the login.
    pub username: String,
    /// The login's [`epoch`](Login::epoch).
    pub began: u64,
    /// The login's [`through`](Login::through).
    pub through: Option<VerificationCode>,
    /// The login's family, until a logout removes it. It may log the browser in again.
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
    /// The idle timeout was reached.
    Idle,
    /// The absolute lifetime was reached.
    Absolute,
    /// Its user logged out, or another one logged in.
    LoggedOut,
    /// The cookie came from another browser than the session's.
    FingerprintChanged,
    /// The cookie came without the headers that identify the browser.
    FingerprintMissing,
    /// A remember-me token of its family was used twice: somebody has a copy.
    RememberTokenReused,
    /// The account is gone or disabled.
    UserGone,
    /// The password has changed.
    PasswordChanged,
    /// Its user has [too many](super::Policy::max_sessions_per_user) logins, and it was the longest unused.
    TooMany,
    /// Its user ended it from another session, or an administrator did.
    #[serde(other)]
    Revoked,
}

impl EndReason {
    /// Whether the session's cookie or tokens may be in the wrong hands.
    pub fn is_theft(self) -> bool {
        matches!(self, Self::FingerprintChanged | Self::FingerprintMissing | Self::RememberTokenReused)
    }

    /// The reason as brokers see it.
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
