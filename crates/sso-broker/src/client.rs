//! The calls from the broker's back end to the server, and to other services in the visitor's name.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Method,
    header::{ACCEPT, HeaderMap},
    redirect::Policy,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sso_core::{
    BearerToken, is_loopback,
    wire::{
        ACTIVITY_HEADER, ACTIVITY_NONE, AccessToken, ENDED_HEADER, EndReason, Ended, RESUME_HEADER, SessionStatus, User,
    },
};
use url::Url;

use crate::{
    RequestError, ServiceError,
    dialect::{ApiAnswer, Dialect, error_text},
    probe::Probe,
    resolver::Resolver,
};

/// How long the server may take to show that it is there.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// An idle connection is kept for so long. Servers close theirs after 5 s (actix-web, Apache); a call on its way at
/// that moment fails, and nobody knows whether it was carried out.
const IDLE_LIMIT: Duration = Duration::from_secs(3);

/// An HTTP client for one server. It follows no redirect, keeps no cookie, uses no proxy: what it sends are
/// credentials.
///
/// Each call extends the visitor's login, as an activity of theirs. Where no person is behind a call (a script that
/// asks again and again, a job), make it [`passively`](Self::passively). Clones share everything.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    is_passive: bool,
}

#[derive(Debug)]
struct Shared {
    http: reqwest::Client,
    /// The attach URL, on the origin at which the server is called.
    base: Url,
    dialect: Dialect,
    probe: Probe,
}

/// Who is logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The user. `None`: nobody is.
    pub user: Option<User>,
    /// Then, how the last login ended that this visitor's token saw, and which end of the session's that was.
    pub ended: Option<(EndReason, u64)>,
    /// Then, whether the browser is remembered: a new attach by a redirect logs it in again.
    pub resume: bool,
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
        let http = http_client(connect_limit, total_limit)?;
        let shared = Shared { http, base, dialect, probe: Probe::default() };
        Ok(Self { shared: Arc::new(shared), is_passive: false })
    }

    /// The same client for calls without a person behind them: none extends the login, but
    /// [`keepalive`](Self::keepalive).
    ///
    /// jasny/sso's server does not know the difference.
    pub fn passively(&self) -> Self {
        Self { is_passive: true, ..self.clone() }
    }

    /// Who is logged in.
    pub async fn info(&self, bearer: &BearerToken) -> Result<Info, RequestError> {
        let (answer, headers) = self.call(bearer, Method::GET, &self.api("info"), Body::None).await?;
        match answer {
            None | Some(Value::Null) => {
                Ok(Info { user: None, ended: ended_in(&headers), resume: headers.contains_key(RESUME_HEADER) })
            }
            Some(value) => Ok(Info { user: Some(parse(Some(value), "user")?), ..Info::default() }),
        }
    }

    /// Logs the visitor in, at all brokers. The server allows it only to brokers that it trusts with passwords.
    pub async fn login(&self, bearer: &BearerToken, username: &str, password: &str) -> Result<User, RequestError> {
        let form = [("username", username), ("password", password)].map(|(name, value)| (name.into(), value.into()));
        let answer = self.request(bearer, Method::POST, &self.api("login"), Body::Form(form.into())).await?;
        parse(answer, "user")
    }

    /// Logs the visitor out, at all brokers. Which end of a login that was, if there was one and the server says so.
    pub async fn logout(&self, bearer: &BearerToken) -> Result<Option<u64>, RequestError> {
        let (_, headers) = self.call(bearer, Method::POST, &self.api("logout"), Body::None).await?;
        Ok(ended_in(&headers).map(|(_, n)| n))
    }

    /// What is left of the login. Asking does not extend it.
    ///
    /// jasny/sso's server does not tell: no limits are known then.
    pub async fn session(&self, bearer: &BearerToken) -> Result<SessionStatus, RequestError> {
        self.passively().status(bearer, Method::GET, "session").await
    }

    /// Extends the login, up to its absolute limit, for a person who asks for it. What is left of it then.
    pub async fn keepalive(&self, bearer: &BearerToken) -> Result<SessionStatus, RequestError> {
        let active = Self { is_passive: false, ..self.clone() };
        active.status(bearer, Method::POST, "session/keepalive").await
    }

    async fn status(&self, bearer: &BearerToken, method: Method, call: &str) -> Result<SessionStatus, RequestError> {
        if self.shared.dialect == Dialect::Php {
            return self.info(bearer).await.map(|info| without_limits(info.user));
        }
        parse(self.request(bearer, method, &self.api(call), Body::None).await?, "session's status")
    }

    /// The data that all brokers share in this session. Any of them may have written them.
    pub async fn data(&self, bearer: &BearerToken) -> Result<Map<String, Value>, RequestError> {
        let data = self.request(bearer, Method::GET, &self.api("data"), Body::None).await?;
        data.map_or(Ok(Map::new()), |data| parse(Some(data), "map"))
    }

    /// Merges into the shared data, key by key; `null` removes a key. Returns all of them.
    pub async fn merge_data(
        &self,
        bearer: &BearerToken,
        changes: Map<String, Value>,
    ) -> Result<Map<String, Value>, RequestError> {
        let body = Body::Json(Value::Object(changes));
        let data = self.request(bearer, Method::POST, &self.api("data"), body).await?;
        data.map_or(Ok(Map::new()), |data| parse(Some(data), "map"))
    }

    /// A token for calls to another service in the name of the visitor, who must be logged in: to `audience`, or to the
    /// first that the server's entry for this broker names.
    pub async fn access_token(
        &self,
        bearer: &BearerToken,
        audience: Option<&str>,
    ) -> Result<AccessToken, RequestError> {
        let form = audience.map(|audience| ("audience".to_owned(), audience.to_owned()));
        let body = form.map_or(Body::None, |field| Body::Form(vec![field]));
        parse(self.request(bearer, Method::POST, &self.api("token"), body).await?, "access token")
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
        Ok(self.call(bearer, method, path, body).await?.0)
    }

    /// The same with the answer's headers.
    async fn call(
        &self,
        bearer: &BearerToken,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<(Option<Value>, HeaderMap), RequestError> {
        let url = self.url(path)?;
        let Shared { http, dialect, probe, .. } = &*self.shared;
        let call = http.request(method, url).header(ACCEPT, "application/json").bearer_auth(bearer.to_wire());
        let call = if self.is_passive { call.header(ACTIVITY_HEADER, ACTIVITY_NONE) } else { call };
        let call = match body {
            Body::None => call,
            Body::Form(fields) => call.form(&fields),
            Body::Json(value) => call.json(&value),
        };
        let (answer, is_up) = match call.send().await {
            Ok(response) => {
                let headers = response.headers().clone();
                let answer = dialect.read(response).await.map(|value| (value, headers));
                let is_up = !matches!(answer, Err(RequestError::Unreachable(_)));
                (answer, Some(is_up))
            }
            // One slow call (a login that waits for its turn) does not mean that the server is down.
            Err(error) => {
                let is_up = error.is_connect().then_some(false);
                (Err(ServiceError::from(error).into()), is_up)
            }
        };
        if let Err(RequestError::Unreachable(reason)) = &answer {
            tracing::warn!(%reason, "the SSO server cannot be reached");
        }
        if let Some(is_up) = is_up {
            probe.note(is_up);
        }
        answer
    }

    /// Whether the server answers at all: any answer but a server error. Known for a few seconds.
    pub async fn is_reachable(&self) -> bool {
        let ask = async {
            let Ok(url) = self.url("/healthz") else { return false };
            let answer = self.shared.http.get(url).timeout(PROBE_LIMIT).send().await;
            // jasny/sso's server has no such page; its 404 is an answer, too.
            answer.is_ok_and(|response| !response.status().is_server_error())
        };
        self.shared.probe.answer(ask).await
    }

    /// A page of JSON at another service, asked for with its access token. `None`: it has no content.
    pub async fn get_from_service(&self, url: &Url, token: &AccessToken) -> Result<Option<Value>, ServiceError> {
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(ServiceError::Insecure(url.origin().ascii_serialization()));
        }
        let call = self.shared.http.get(url.clone()).header(ACCEPT, "application/json");
        match ApiAnswer::read(call.bearer_auth(&token.access_token).send().await?).await? {
            ApiAnswer::Good(value) => Ok(value),
            ApiAnswer::Refusal(status, body) => {
                Err(ServiceError::Refused { status: status.as_u16(), error: error_text(&body).to_owned() })
            }
        }
    }

    fn api(&self, call: &str) -> String {
        match self.shared.dialect {
            Dialect::Own => format!("/api/{call}"),
            Dialect::Php => format!("/api/{call}.php"),
        }
    }

    /// A path's URL. `//evil.example/x` is a path, too, for whoever joins it: the bearer token stays with the server.
    fn url(&self, path: &str) -> Result<Url, RequestError> {
        let base = &self.shared.base;
        let url = base.join(path).ok().filter(|url| url.origin() == base.origin());
        url.ok_or_else(|| RequestError::ForeignPath(path.to_owned()))
    }
}

/// What sends credentials: no redirect is followed, no proxy used, and names of this machine stay here.
pub(crate) fn http_client(connect_limit: Duration, total_limit: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Resolver)
        .pool_idle_timeout(IDLE_LIMIT)
        .connect_timeout(connect_limit)
        .timeout(total_limit)
        .user_agent(concat!("sso-broker/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The status of a session whose limits are not known, or of a visitor who has none.
pub(crate) fn without_limits(user: Option<User>) -> SessionStatus {
    SessionStatus {
        authenticated: user.is_some(),
        username: user.map(|user| user.username),
        ..SessionStatus::default()
    }
}

fn ended_in(headers: &HeaderMap) -> Option<(EndReason, u64)> {
    Ended::from_header(headers.get(ENDED_HEADER)?.to_str().ok()?)
}

/// The answer as what it should be.
fn parse<T: DeserializeOwned>(answer: Option<Value>, what: &str) -> Result<T, RequestError> {
    serde_json::from_value(answer.unwrap_or_default())
        .map_err(|_| RequestError::BadAnswer(format!("this is no {what}")))
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
}
