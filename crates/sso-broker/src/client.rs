//! The calls from the broker's back end to the server.

use std::time::Duration;

use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    redirect::Policy,
};
use serde_json::{Map, Value};
use sso_core::{
    BearerToken,
    wire::{BearerErrorCode, User},
};
use url::Url;

use crate::{RequestError, probe::Probe, resolver::Resolver};

/// An answer is refused beyond this many bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How long the server may take to show that it is there.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// An HTTP client for one server. It follows no redirect, keeps no cookie, uses no proxy: what it sends are credentials.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// The attach URL, on the origin at which the server is called.
    base: Url,
    dialect: Dialect,
    probe: Probe,
}

/// Which server is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Ours: errors that a new attach heals carry a `code`.
    Own,
    /// jasny/sso's: such errors are told by status and text.
    Php,
}

/// What a request carries.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing.
    None,
    /// A form of names and values.
    Form(Vec<(String, String)>),
    /// JSON.
    Json(Value),
}

impl Client {
    pub(crate) fn new(
        base: Url,
        dialect: Dialect,
        connect_limit: Duration,
        total_limit: Duration,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Resolver)
            .connect_timeout(connect_limit)
            .timeout(total_limit)
            .user_agent(concat!("sso-broker/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, base, dialect, probe: Probe::default() })
    }

    /// The user who is logged in. `None`: nobody is.
    pub async fn info(&self, bearer: &BearerToken) -> Result<Option<User>, RequestError> {
        match self.request(bearer, Method::GET, &self.api("info"), Body::None).await? {
            None | Some(Value::Null) => Ok(None),
            Some(value) => user(value).map(Some),
        }
    }

    /// Logs the visitor in, at all brokers. The server allows it only to brokers that it trusts with passwords.
    pub async fn login(&self, bearer: &BearerToken, username: &str, password: &str) -> Result<User, RequestError> {
        let form = [("username", username), ("password", password)].map(|(name, value)| (name.into(), value.into()));
        let answer = self.request(bearer, Method::POST, &self.api("login"), Body::Form(form.into())).await?;
        user(answer.unwrap_or_default())
    }

    /// Logs the visitor out, at all brokers.
    pub async fn logout(&self, bearer: &BearerToken) -> Result<(), RequestError> {
        self.request(bearer, Method::POST, &self.api("logout"), Body::None).await.map(drop)
    }

    /// The data that all brokers share in this session. Any of them may have written them.
    pub async fn data(&self, bearer: &BearerToken) -> Result<Map<String, Value>, RequestError> {
        data_in(self.request(bearer, Method::GET, &self.api("data"), Body::None).await?)
    }

    /// Merges into the shared data, key by key; `null` removes a key. Returns all of them.
    pub async fn merge_data(
        &self,
        bearer: &BearerToken,
        changes: Map<String, Value>,
    ) -> Result<Map<String, Value>, RequestError> {
        let body = Body::Json(Value::Object(changes));
        data_in(self.request(bearer, Method::POST, &self.api("data"), body).await?)
    }

    /// Any call of the server's API for this visitor. `None`: the answer has no content.
    ///
    /// A path that starts with `/` is relative to the server's origin, any other to the attach URL's folder.
    pub async fn request(
        &self,
        bearer: &BearerToken,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<Option<Value>, RequestError> {
        let url = self.url(path)?;
        let call = self.http.request(method, url).header(ACCEPT, "application/json").bearer_auth(bearer.to_wire());
        let call = match body {
            Body::None => call,
            Body::Form(fields) => call.form(&fields),
            Body::Json(value) => call.json(&value),
        };
        let answer = match call.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => Err(RequestError::unreachable(error)),
        };
        if let Err(RequestError::Unreachable(reason)) = &answer {
            tracing::warn!(%reason, "the SSO server cannot be reached");
        }
        self.probe.note(!matches!(answer, Err(RequestError::Unreachable(_))));
        answer
    }

    /// Whether the server answers at all: any answer but a server error. Known for a few seconds.
    pub async fn is_reachable(&self) -> bool {
        let ask = async {
            let Ok(url) = self.url("/healthz") else { return false };
            let answer = self.http.get(url).timeout(PROBE_LIMIT).send().await;
            // jasny/sso's server has no such page; its 404 is an answer, too.
            answer.is_ok_and(|response| !response.status().is_server_error())
        };
        self.probe.answer(ask).await
    }

    fn api(&self, call: &str) -> String {
        match self.dialect {
            Dialect::Own => format!("/api/{call}"),
            Dialect::Php => format!("/api/{call}.php"),
        }
    }

    /// A path's URL. `//evil.example/x` is a path, too, for whoever joins it: the bearer token stays with the server.
    fn url(&self, path: &str) -> Result<Url, RequestError> {
        let url = self.base.join(path).ok().filter(|url| url.origin() == self.base.origin());
        url.ok_or_else(|| RequestError::ForeignPath(path.to_owned()))
    }

    async fn read(&self, response: Response) -> Result<Option<Value>, RequestError> {
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

    fn refusal(&self, status: StatusCode, body: &Value) -> RequestError {
        let error = body.get("error").and_then(Value::as_str).unwrap_or_default();
        let code = match self.dialect {
            Dialect::Own => body.get("code").and_then(|code| serde_json::from_value(code.clone()).ok()),
            Dialect::Php => [BearerErrorCode::NotAttached, BearerErrorCode::SessionEnded]
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

async fn limited(mut response: Response) -> Result<Vec<u8>, RequestError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(RequestError::unreachable)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(RequestError::BadAnswer(format!("more than {MAX_ANSWER} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn user(value: Value) -> Result<User, RequestError> {
    serde_json::from_value(value).map_err(|_| RequestError::BadAnswer("this is not a user".into()))
}

fn data_in(answer: Option<Value>) -> Result<Map<String, Value>, RequestError> {
    match answer {
        None => Ok(Map::new()),
        Some(Value::Object(data)) => Ok(data),
        Some(_) => Err(RequestError::BadAnswer("the data are not an object".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(dialect: Dialect) -> Client {
        let base = "http://localhost:8000/sso/attach?x".parse().unwrap();
        Client::new(base, dialect, Duration::from_secs(1), Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn paths_are_relative_to_the_origin_or_the_attach_urls_folder() {
        let client = client(Dialect::Own);
        for (path, url) in [
            ("/api/info", "http://localhost:8000/api/info"),
            ("info.php?a=b", "http://localhost:8000/sso/info.php?a=b"),
            ("../x", "http://localhost:8000/x"),
        ] {
            assert_eq!(client.url(path).unwrap().as_str(), url);
        }
        for foreign in
            ["//evil.example/", "/\\evil.example", "https://localhost:8000/", "http://localhost:8001/", "data:,"]
        {
            assert!(matches!(client.url(foreign), Err(RequestError::ForeignPath(_))), "{foreign}");
        }
    }

    #[test]
    fn an_error_heals_by_code_or_with_php_by_text() {
        let refusal = |dialect, status: u16, json: &str| {
            client(dialect).refusal(StatusCode::from_u16(status).unwrap(), &serde_json::from_str(json).unwrap())
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
