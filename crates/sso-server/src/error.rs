//! The errors of all operations. `web/answer.rs` gives each its HTTP status, code and headers.

use std::{error, sync::Arc};

use sso_core::{
    AttachError,
    wire::{BearerErrorCode, INVALID_CREDENTIALS},
};

use crate::{
    session::Session,
    users::password_policy::PasswordPolicyError,
    util::{humanize, rate_limit::RateLimited},
};

/// The store, the users or the brokers do not answer. The cause is logged.
#[derive(Clone, Debug, thiserror::Error)]
#[error("The server is temporarily unavailable. Try again later.")]
pub struct Unavailable(#[source] Arc<dyn error::Error + Send + Sync>);

impl Unavailable {
    /// Logs the cause, which the visitor does not see.
    pub(crate) fn because(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        tracing::error!(%cause, "temporarily unavailable");
        Self(cause.into())
    }

    /// Every retry lost against a concurrent change.
    pub(crate) fn changes_all_the_time() -> Self {
        Self::because("a record changes all the time")
    }
}

impl PartialEq for Unavailable {
    /// The cause is only for the log, so it does not count.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Why an operation failed. `Display` is the text that goes over the wire.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A service that the operation needs does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Too many wrong passwords of this user or link, or wrong checksums or secrets of this broker.
    #[error("Too many failed attempts. Try again in {}.", humanize::limit(*retry_after))]
    TooManyFailures {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// The attach was refused.
    #[error(transparent)]
    Attach(#[from] AttachError),

    /// A broker's call has no `Authorization: Bearer …`.
    #[error("Broker didn't use bearer authentication")]
    NoBearer,
    /// The token is malformed or not attached, the broker is unknown, or the checksum is wrong: the caller does not
    /// learn which. Or the session was removed meanwhile.
    #[error("{}", BearerErrorCode::NotAttached.message())]
    NotAttached,
    /// A login happened since the link was made. The link does not see it, and its broker attaches again.
    #[error("{}", BearerErrorCode::Superseded.message())]
    Superseded,
    /// The user who is logged in may not use this broker.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    UserNotAllowed,

    /// Unknown user or wrong password: one text for both.
    #[error("{INVALID_CREDENTIALS}")]
    InvalidCredentials,
    /// The broker's back end may not post passwords.
    #[error("This broker may not log users in itself")]
    PasswordLoginOff,
    /// The password is correct, but the user may not use this broker.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    MayNotEnter,
    /// Another user has logged in with the same cookie since the login form was shown.
    #[error("Somebody has logged in in this browser in the meantime. Enter your password again to log in instead.")]
    LoggedInMeanwhile,
    /// Nobody is logged in (any more).
    #[error("Nobody is logged in")]
    NotLoggedIn,
    /// The password was not typed recently.
    #[error("Enter your password first")]
    PasswordNeeded,
    /// No session or browser of this user has this handle (any more).
    #[error("It has ended already")]
    AlreadyEnded,
    /// The password was not changed.
    #[error(transparent)]
    Password(#[from] PasswordError),

    /// The session's data would be more than [`Session::MAX_DATA`]; none of it was changed.
    #[error("Session data is limited to {} KiB", Session::MAX_DATA / 1024)]
    DataTooLarge,
    /// A login or a logout happened meanwhile. The data may be meant for another user and were not changed.
    #[error("The user of the session has changed")]
    UserChanged,
    /// The broker's settings name no audience, so it gets no access tokens.
    #[error("This broker has no audiences configured")]
    NoAudiences,
    /// The broker's settings do not name this audience.
    #[error("This audience is not among the broker's")]
    ForeignAudience,
    /// At introspection, broker id or secret is missing or wrong (the text is RFC 6749's).
    #[error("invalid_client")]
    InvalidClient,
}

/// Why a password was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Passwords are changed elsewhere, at the source of the users.
    #[error("Passwords cannot be changed here")]
    CannotChange,
    /// The two new passwords differ.
    #[error("The two new passwords are not the same.")]
    NotRepeated,
    /// The new password does not meet the policy.
    #[error(transparent)]
    Policy(#[from] PasswordPolicyError),
    /// The new password is the current one.
    #[error("The new password is the same as the current one.")]
    Unchanged,
    /// The current password is no longer the one that was typed: an administrator or the user changed it elsewhere.
    #[error("The password was changed elsewhere in the meantime. This change was not made.")]
    ChangedMeanwhile,
}

impl From<RateLimited> for Error {
    fn from(RateLimited { retry_after }: RateLimited) -> Self {
        Self::TooManyFailures { retry_after }
    }
}
