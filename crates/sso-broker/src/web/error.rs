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

/// The form was not served to this visitor by this site.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("This form is no longer valid. Reload its page.")]
pub struct FormRefused;

impl ResponseError for FormRefused {
    fn status_code(&self) -> StatusCode {
        StatusCode::FORBIDDEN
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::Forbidden().json(ApiError::new(self.to_string()))
    }
}

/// Nobody knows whether this visitor asked to be logged out. People are asked; scripts get the status.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("This form is no longer valid. Load its page again.")]
pub struct LogoutUnverified;

impl ResponseError for LogoutUnverified {
    fn status_code(&self) -> StatusCode {
        FormRefused.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        FormRefused.error_response()
    }
}

/// The answer outside the middleware; inside, it knows more.
impl ResponseError for RequestError {
    fn status_code(&self) -> StatusCode {
        status_of(self)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(status_of(self)).json(told(self))
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
