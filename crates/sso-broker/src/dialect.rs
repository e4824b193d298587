//! How answers are read, and what the errors of the server mean.

use reqwest::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;
use sso_core::wire::BearerErrorCode;

use crate::{RequestError, ServiceError};

/// An answer is refused beyond this many bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Which server is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Ours: errors after which a new attach helps carry a `code`.
    Own,
    /// jasny/sso's: such errors are told by status and text.
    Php,
}

/// What somebody answers, be it the server or a service.
#[derive(Debug)]
pub(crate) enum ApiAnswer {
    /// `None`: it has no content.
    Good(Option<Value>),
    /// The status is 400 or higher.
    Refusal(StatusCode, Value),
}

impl ApiAnswer {
    /// What an answer carries.
    pub(crate) async fn read(response: Response) -> Result<Self, ServiceError> {
        let status = response.status();
        match status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                return Err(ServiceError::Unreachable(format!("it says {status}")));
            }
            StatusCode::NO_CONTENT => return Ok(Self::Good(None)),
            _ => {}
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !content_type.eq_ignore_ascii_case("application/json") {
            return Err(ServiceError::BadAnswer(format!("{status} with content type `{content_type}`")));
        }
        let bytes = limited(response).await?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| ServiceError::BadAnswer(format!("{status} with broken JSON: {error}")))?;
        if status.is_success() {
            Ok(Self::Good(Some(value)))
        } else if status.is_client_error() || status.is_server_error() {
            Ok(Self::Refusal(status, value))
        } else {
            Err(ServiceError::BadAnswer(format!("{status}, which is not followed")))
        }
    }
}

/// The text of a refusal, for people; empty if there is none.
pub(crate) fn error_text(body: &Value) -> &str {
    body.get("error").and_then(Value::as_str).unwrap_or_default()
}

impl Dialect {
    /// What the server's answer carries. `None`: it has no content.
    pub(crate) async fn read(self, response: Response) -> Result<Option<Value>, RequestError> {
        match ApiAnswer::read(response).await? {
            ApiAnswer::Good(value) => Ok(value),
            ApiAnswer::Refusal(status, body) => Err(self.refusal(status, &body)),
        }
    }

    fn refusal(self, status: StatusCode, body: &Value) -> RequestError {
        let error = error_text(body);
        let code = match self {
            Self::Own => body.get("code").and_then(|code| serde_json::from_value(code.clone()).ok()),
            Self::Php => [BearerErrorCode::NotAttached, BearerErrorCode::SessionEnded]
                .into_iter()
                .find(|code| matches!(status.as_u16(), 401 | 403) && error == code.message()),
        };
        match code {
            Some(code) => code.into(),
            None if error.is_empty() => RequestError::BadAnswer(format!("{status} without an error text")),
            None => RequestError::Refused { status: status.as_u16(), error: error.to_owned() },
        }
    }
}

/// The bytes of an answer, if they are not too many.
pub(crate) async fn limited(mut response: Response) -> Result<Vec<u8>, ServiceError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(ServiceError::BadAnswer(format!("more than {MAX_ANSWER} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_heals_by_code_or_with_php_by_text() {
        let refusal = |dialect: Dialect, status: u16, json: &str| {
            dialect.refusal(StatusCode::from_u16(status).unwrap(), &serde_json::from_str(json).unwrap())
        };
        let (not_attached, ended) = (BearerErrorCode::NotAttached.message(), BearerErrorCode::SessionEnded.message());
        let coded = r#"{"error":"x","code":"session_ended"}"#;
        assert_eq!(refusal(Dialect::Own, 401, coded), RequestError::SessionEnded);
        let coded = r#"{"error":"x","code":"superseded"}"#;
        assert_eq!(refusal(Dialect::Own, 403, coded), RequestError::Superseded);
        assert!(RequestError::Superseded.is_healable());
        assert!(!refusal(Dialect::Own, 403, &format!(r#"{{"error":"{not_attached}"}}"#)).is_healable());
        assert!(!refusal(Dialect::Own, 403, r#"{"error":"x","code":"password_login_off"}"#).is_healable());
        let php = |status, text| refusal(Dialect::Php, status, &format!(r#"{{"error":"{text}"}}"#));
        assert_eq!(php(403, not_attached), RequestError::NotAttached);
        assert_eq!(php(401, ended), RequestError::SessionEnded);
        assert_eq!(php(400, ended), RequestError::Refused { status: 400, error: ended.into() });
        assert!(!php(403, "Not yours").is_healable());
        assert!(!php(403, BearerErrorCode::Superseded.message()).is_healable(), "it knows no such thing");
        assert!(matches!(refusal(Dialect::Own, 400, "[]"), RequestError::BadAnswer(_)));
    }
}
