//! Calls of the broker's back end to other services, in the visitor's name.
//!
//! Nothing that a service says or fails to say is about the login: its errors are a type of their own.

use reqwest::header::ACCEPT;
use serde_json::Value;
use sso_core::{is_loopback, wire::AccessToken};
use url::Url;

use crate::{
    Client,
    dialect::{Answer, NoAnswer, error_text},
};

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

impl Client {
    /// A page of JSON at another service, asked for with its access token. `None`: it has no content.
    pub async fn get_from_service(&self, url: &Url, token: &AccessToken) -> Result<Option<Value>, ServiceError> {
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(ServiceError::Insecure(url.origin().ascii_serialization()));
        }
        let call = self.http().get(url.clone()).header(ACCEPT, "application/json").bearer_auth(&token.access_token);
        match Answer::read(call.send().await.map_err(NoAnswer::from)?).await? {
            Answer::Good(value) => Ok(value),
            Answer::Refusal(status, body) => {
                Err(ServiceError::Refused { status: status.as_u16(), error: error_text(&body).to_owned() })
            }
        }
    }
}

impl From<NoAnswer> for ServiceError {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Unreachable(reason) => Self::Unreachable(reason),
            NoAnswer::NotUnderstood(what) => Self::BadAnswer(what),
        }
    }
}
