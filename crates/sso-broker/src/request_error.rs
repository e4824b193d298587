//! How a call fails: to the server, and to another service. Nothing that a service says or fails to say is about the
//! login, so its errors are a type of their own.

use std::error::Error;

use sso_core::wire::BearerErrorCode;

use crate::Why;

/// Why a call to the server gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The visitor has no token, or the server does not know it. A new attach helps.
    #[error("the visitor is not attached to a session")]
    NotAttached,
    /// Somebody has logged in since the visitor's token was attached, and it does not see that login. A new attach
    /// helps.
    #[error("{}", BearerErrorCode::Superseded.message())]
    Superseded,
    /// The visitor's session has ended: what servers of version 0.1 and of jasny/sso say. A new attach helps.
    #[error("the visitor's session has ended")]
    SessionEnded,
    /// The visitor's token is good, and the user who is logged in may not use this broker. The broker is not told who
    /// that is; a logout helps.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    UserNotAllowed,
    /// The server understood and says no. The text is its own, for people.
    #[error("{error}")]
    Refused {
        /// The HTTP status, 400 or higher.
        status: u16,
        /// The server's reason.
        error: String,
    },
    /// The answer is not one that the protocol knows: not JSON, broken, too large, a redirect.
    #[error("the SSO server's answer is not understood: {0}")]
    BadAnswer(String),
    /// No answer: no connection, too slow, or a gateway that says so (502, 503, 504).
    #[error("the SSO server cannot be reached: {0}")]
    Unreachable(String),
    /// The path leads away from the server, so the bearer token was not sent there.
    #[error("`{0}` is not a path of the SSO server")]
    ForeignPath(String),
}

impl RequestError {
    /// Whether a new attach helps, and why it is made.
    pub fn attach_again(&self) -> Option<Why> {
        match self {
            Self::NotAttached | Self::SessionEnded => Some(Why::Lost),
            Self::Superseded => Some(Why::Superseded),
            _ => None,
        }
    }

    /// Whether a new attach helps.
    pub fn is_healable(&self) -> bool {
        self.attach_again().is_some()
    }
}

impl From<BearerErrorCode> for RequestError {
    fn from(code: BearerErrorCode) -> Self {
        match code {
            BearerErrorCode::NotAttached => Self::NotAttached,
            BearerErrorCode::Superseded => Self::Superseded,
            BearerErrorCode::SessionEnded => Self::SessionEnded,
            BearerErrorCode::UserNotAllowed => Self::UserNotAllowed,
        }
    }
}

/// Why a call to a service gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// The service is on plain http and not on this machine, so the access token was not sent there.
    #[error("`{0}` is on plain http")]
    Insecure(String),
    /// No answer: no connection, too slow, or a gateway that says so (502, 503, 504).
    #[error("the service cannot be reached: {0}")]
    Unreachable(String),
    /// The answer is not JSON, broken, too large, or a redirect.
    #[error("the service's answer is not understood: {0}")]
    BadAnswer(String),
    /// The service says no.
    #[error("the service refuses with {status}: {error}")]
    Refused {
        /// The HTTP status, 400 or higher.
        status: u16,
        /// What it calls `error`; empty if it has no such text.
        error: String,
    },
}

/// The error with all its causes, which the client's own text leaves out; without the URL, whose query may be private.
impl From<reqwest::Error> for ServiceError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Self::Unreachable(text)
    }
}

/// The server is a service, too.
impl From<ServiceError> for RequestError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Unreachable(reason) => Self::Unreachable(reason),
            ServiceError::BadAnswer(what) => Self::BadAnswer(what),
            ServiceError::Insecure(place) => Self::ForeignPath(place),
            ServiceError::Refused { status, error } => Self::Refused { status, error },
        }
    }
}
