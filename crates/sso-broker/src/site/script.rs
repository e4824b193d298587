//! What is asked by a script: that it is one of this site's own pages, and the errors it is told.

use serde::de::DeserializeOwned;
use sso_core::{
    SentBy,
    wire::{ApiError, AttachBy},
};

use super::{
    answer::Answer,
    error::{FormRefused, LogoutRefused},
    session::SsoSession,
};
use crate::{RequestError, VerifyError};

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
    #[error("{}", .0.public_text())]
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

/// An answer to a script.
pub(super) type ScriptAnswer = Result<Answer, ScriptError>;

/// The JSON that a page of this site sent. The body is read only where it is needed; `None`: it is too long.
pub(super) async fn own_json<T: DeserializeOwned>(
    session: &SsoSession,
    body: impl Future<Output = Option<Vec<u8>>>,
) -> Result<T, ScriptError> {
    let request = session.http_request();
    // A browser that does not say so is none we know.
    if request.sent_by(session.broker().public_url()) != SentBy::OwnPage {
        return Err(ScriptError::ForeignPage);
    }
    // Nothing that a plain form can send; a script of another origin would have to ask first, and is not answered.
    if !request.is_of_type("application/json") {
        return Err(ScriptError::NotJson);
    }
    let bytes = body.await.ok_or(ScriptError::TooLarge)?;
    serde_json::from_slice(&bytes).map_err(|_| ScriptError::Malformed)
}

impl ScriptError {
    fn status(&self) -> u16 {
        match self {
            Self::UnknownCommand => 404,
            Self::WrongMethod(_) => 405,
            Self::ForeignPage => 403,
            Self::NotJson => 415,
            Self::TooLarge => 413,
            Self::Malformed | Self::Verify(_) => 400,
            Self::Request(error) => error.status(),
        }
    }

    pub(super) fn answer(&self) -> Answer {
        if let Self::Request(error) = self {
            return error.json();
        }
        let attach = matches!(self, Self::Verify(_)).then_some(AttachBy::Redirect);
        let answer = Answer::json(self.status(), &ApiError { attach, ..ApiError::new(self.to_string()) });
        match self {
            Self::WrongMethod(methods) => answer.with("allow", *methods),
            _ => answer,
        }
    }
}
