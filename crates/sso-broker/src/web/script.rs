//! What is asked by a script: that it is one of this site's own pages, and the errors it is told.

use actix_web::{
    HttpMessage, HttpResponse, Resource, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web,
};
use serde::de::DeserializeOwned;
use sso_core::{
    SentBy,
    wire::{ApiError, AttachBy},
};

use super::{
    FormRefused, LogoutRefused, SsoSession,
    answer::{json, public_text, status_of, told},
    asker::sent_by,
};
use crate::{RequestError, VerifyError};

/// The size of a request's body, in bytes.
const MAX_BODY: usize = 16 << 10;

/// Why a script did not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScriptError {
    #[error("No such command")]
    UnknownCommand,
    #[error("This command has another method")]
    WrongMethod(&'static str),
    #[error("Only this site's own pages may ask for this")]
    ForeignPage,
    #[error("The content type must be application/json")]
    NotJson,
    #[error("The request is too large")]
    TooLarge,
    #[error("The request is malformed")]
    Malformed,
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error("{}", public_text(.0))]
    Request(#[from] RequestError),
}

impl From<LogoutRefused> for ScriptError {
    fn from(LogoutRefused(error): LogoutRefused) -> Self {
        match error {
            FormRefused::Request(error) => Self::Request(error),
            FormRefused::Forged => Self::ForeignPage,
        }
    }
}

/// As one type: an error's answer is an ordinary answer here.
pub(super) type Answer = Result<HttpResponse, ScriptError>;

/// An address that answers in JSON to other methods than these, too.
pub(super) fn command(path: &str, methods: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || async move { refused(ScriptError::WrongMethod(methods)) }))
}

pub(super) const GET: &str = "GET, HEAD";
pub(super) const POST: &str = "POST";
pub(super) const GET_OR_POST: &str = "GET, HEAD, POST";

pub(super) fn refused(error: ScriptError) -> Answer {
    Err(error)
}

/// The JSON that a page of this site sent.
pub(super) async fn own_json<T: DeserializeOwned>(session: &SsoSession, body: web::Payload) -> Result<T, ScriptError> {
    let request = session.http_request();
    // A browser that does not say so is none we know.
    if sent_by(request, session.broker().public_url()) != SentBy::OwnPage {
        return Err(ScriptError::ForeignPage);
    }
    // Nothing that a plain form can send; a script of another origin would have to ask first, and is not answered.
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(ScriptError::NotJson);
    }
    let bytes = body.to_bytes_limited(MAX_BODY).await.map_err(|_| ScriptError::TooLarge)?;
    serde_json::from_slice(&bytes.map_err(|_| ScriptError::Malformed)?).map_err(|_| ScriptError::Malformed)
}

impl ResponseError for ScriptError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::UnknownCommand => StatusCode::NOT_FOUND,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::ForeignPage => StatusCode::FORBIDDEN,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed | Self::Verify(_) => StatusCode::BAD_REQUEST,
            Self::Request(error) => status_of(error),
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Request(error) = self {
            return told(error);
        }
        let attach = matches!(self, Self::Verify(_)).then_some(AttachBy::Redirect);
        let mut response = json(self.status_code(), &ApiError { attach, ..ApiError::new(self.to_string()) });
        if let Self::WrongMethod(methods) = self {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}
