//! What can happen to any operation. Its status, code and headers over HTTP are in `web/answer.rs`.

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

/// Something that an operation needs does not answer: the store, the users, the brokers. The cause is in the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("The server is temporarily unavailable. Try again later.")]
pub struct Unavailable(#[source] Arc<dyn error::Error + Send + Sync>);

impl Unavailable {
    /// Logs the cause, which is kept from the visitor.
    pub(crate) fn because(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        tracing::error!(%cause, "temporarily unavailable");
        Self(cause.into())
    }

    /// What was tried again and again, each time because somebody else was faster.
    pub(crate) fn changes_all_the_time() -> Self {
        Self::because("a record changes all the time")
    }
}

impl PartialEq for Unavailable {
    /// The cause is for the log: nobody chooses by it.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Why an operation did not do what was asked. `Display` gives the text that goes over the wire.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// What it needs does not answer.
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
    /// Malformed, unknown broker, not attached, or wrong checksum: the caller is not told which. Or the session went
    /// away meanwhile.
    #[error("{}", BearerErrorCode::NotAttached.message())]
    NotAttached,
    /// Somebody has logged in since the link was made: it does not see that login, and its broker attaches anew.
    #[error("{}", BearerErrorCode::Superseded.message())]
    Superseded,
    /// Somebody is logged in who may not use this broker.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    UserNotAllowed,

    /// Unknown user or wrong password: one text for both.
    #[error("{INVALID_CREDENTIALS}")]
    InvalidCredentials,
    /// The broker's back end may not post passwords.
    #[error("This broker may not log users in itself")]
    PasswordLoginOff,
    /// The password is right, and its user may not use this broker.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    MayNotEnter,
    /// Somebody else has logged in with the same cookie since the login form was shown.
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
    /// Someone logged in or out meanwhile; the data may be meant for somebody else, and were not changed.
    #[error("The user of the session has changed")]
    UserChanged,
    /// There is no access token: the broker's entry names no service.
    #[error("This broker has no audiences configured")]
    NoAudiences,
    /// Nor does it name this one.
    #[error("This audience is not among the broker's")]
    ForeignAudience,
    /// At introspection, broker id and secret do not fit, or are not there (the text is RFC 6749's).
    #[error("invalid_client")]
    InvalidClient,
}

/// Why a password was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Passwords are changed where the users come from.
    #[error("Passwords cannot be changed here")]
    CannotChange,
    /// The two new ones differ.
    #[error("The two new passwords are not the same.")]
    NotRepeated,
    /// The new one is not fit.
    #[error(transparent)]
    Policy(#[from] PasswordPolicyError),
    /// It is the old one.
    #[error("The new password is the same as the current one.")]
    Unchanged,
    /// It is another one by now than the old one that was typed: an operator set it, or the user did elsewhere.
    #[error("The password was changed elsewhere in the meantime. This change was not made.")]
    ChangedMeanwhile,
}

impl From<RateLimited> for Error {
    fn from(RateLimited { retry_after }: RateLimited) -> Self {
        Self::TooManyFailures { retry_after }
    }
}
