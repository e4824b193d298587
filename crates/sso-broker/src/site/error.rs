//! The errors that extractors and handlers return, and their answers to a script.

use sso_core::wire::ApiError;

use super::answer::Answer;
use crate::{RequestError, ServiceError};

/// The extractors work only inside the middleware.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the SSO middleware is not wrapped around this handler")]
pub struct MissingMiddleware;

/// Why a form was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FormRefused {
    /// It was not served to this visitor by this site, or not sent by a page of it.
    #[error("This form is no longer valid. Reload its page.")]
    Forged,
    /// It is not known that the user whose page it was on is logged in.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why nobody was logged out. Where it cannot be known whether this visitor asked for it, or whom it would log out,
/// people are asked.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct LogoutRefused(#[from] pub FormRefused);

impl From<RequestError> for LogoutRefused {
    fn from(error: RequestError) -> Self {
        Self(error.into())
    }
}

/// An error of ours that a handler returned. [`SsoSession::error_answer`](crate::SsoSession::error_answer) answers it
/// as suits the request.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// A call to the server failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A form was refused.
    #[error(transparent)]
    Form(#[from] FormRefused),
    /// A logout was refused.
    #[error(transparent)]
    Logout(#[from] LogoutRefused),
}

impl HandlerError {
    /// The answer to a script, and where nothing is known of the request.
    pub fn json(&self) -> Answer {
        match self {
            Self::Request(error)
            | Self::Form(FormRefused::Request(error))
            | Self::Logout(LogoutRefused(FormRefused::Request(error))) => error.json(),
            Self::Form(FormRefused::Forged) | Self::Logout(LogoutRefused(FormRefused::Forged)) => {
                Answer::json(403, &ApiError::new(FormRefused::Forged.to_string()))
            }
        }
    }
}

impl ServiceError {
    /// The answer where a call to another service failed. The visitor's login is as it was, and what the service said
    /// is for the log.
    pub fn json(&self) -> Answer {
        tracing::warn!(error = %self, "a call to a service failed");
        Answer::json(502, &ApiError::new("A service that this page needs does not do its part"))
    }
}
