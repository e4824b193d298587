//! How the server's answers are read, and what its errors mean.

use reqwest::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;
use sso_core::wire::BearerErrorCode;

use crate::RequestError;

/// An answer is refused beyond this many bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Which server is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Ours: errors that a new attach heals carry a `code`.
    Own,
    /// jasny/sso's: such errors are told by status and text.
    Php,
}

impl Dialect {
    /// What an answer carries. `None`: it has no content.
    pub(crate) async fn read(self, response: Response) -> Result<Option<Value>, RequestError> {
        let status = response.status();
        match status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                return Err(RequestError::Unreachable(format!("it says {status}")));
            }
            StatusCode::NO_CONTENT => return Ok(None),
            _ => {}
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !content_type.eq_ignore_ascii_case("application/json") {
            return Err(RequestError::BadAnswer(format!("{status} with content type `{content_type}`")));
        }
        let bytes = limited(response).await?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| RequestError::BadAnswer(format!("{status} with broken JSON: {error}")))?;
        if status.is_success() {
            Ok(Some(value))
        } else if status.is_client_error() || status.is_server_error() {
            Err(self.refusal(status, &value))
        } else {
            Err(RequestError::BadAnswer(format!("{status}, which is not followed")))
        }
    }

    fn refusal(self, status: StatusCode, body: &Value) -> RequestError {
        let error = body.get("error").and_then(Value::as_str).unwrap_or_default();
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

pub(crate) async fn limited(mut response: Response) -> Result<Vec<u8>, RequestError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(RequestError::unreachable)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(RequestError::BadAnswer(format!("more than {MAX_ANSWER} bytes")));
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
        assert!(!refusal(Dialect::Own, 403, &format!(r#"{{"error":"{not_attached}"}}"#)).is_healable());
        assert!(!refusal(Dialect::Own, 403, r#"{"error":"x","code":"password_login_off"}"#).is_healable());
        let php = |status, text| refusal(Dialect::Php, status, &format!(r#"{{"error":"{text}"}}"#));
        assert_eq!(php(403, not_attached), RequestError::NotAttached);
        assert_eq!(php(401, ended), RequestError::SessionEnded);
        assert_eq!(php(400, ended), RequestError::Refused { status: 400, error: ended.into() });
        assert!(!php(403, "Not yours").is_healable());
        assert!(matches!(refusal(Dialect::Own, 400, "[]"), RequestError::BadAnswer(_)));
    }
}
