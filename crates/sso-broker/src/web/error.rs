//! The errors that extractors and handlers return, and their answers outside the middleware.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use sso_core::wire::ApiError;

use super::answer::{status_of, told};
use crate::{RequestError, ServiceError};

/// The extractors work only inside [`Sso::middleware`](super::Sso::middleware).
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the SSO middleware is not wrapped around this handler")]
pub struct MissingMiddleware;

impl ResponseError for MissingMiddleware {}

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

impl ResponseError for FormRefused {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Forged => StatusCode::FORBIDDEN,
            Self::Request(error) => error.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Forged => HttpResponse::Forbidden().json(ApiError::new(self.to_string())),
            Self::Request(error) => error.error_response(),
        }
    }
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

impl ResponseError for LogoutRefused {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.0.error_response()
    }
}

/// The answer outside the middleware; inside, it knows more.
impl ResponseError for RequestError {
    fn status_code(&self) -> StatusCode {
        status_of(self)
    }

    fn error_response(&self) -> HttpResponse {
        told(self)
    }
}

/// Of another service, and so none of the middleware's: the visitor's login is as it was. What the service said is for the log.
impl ResponseError for ServiceError {
    fn status_code(&self) -> StatusCode {
        StatusCode::BAD_GATEWAY
    }

    fn error_response(&self) -> HttpResponse {
        tracing::warn!(error = %self, "a call to a service failed");
        HttpResponse::build(self.status_code())
            .json(ApiError::new("A service that this page needs does not do its part"))
    }
}
