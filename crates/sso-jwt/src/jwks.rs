//! The keys that the server publishes, fetched when they are needed and kept while it is down.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Limited};
use reqwest::{Body, redirect::Policy};
use sso_core::is_loopback;
use url::Url;

use crate::{KeySet, SharedKeys};

/// How long a fetch may take to connect, and in all: requests wait for it.
const LIMITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

/// A document is refused beyond this many bytes.
const MAX_DOCUMENT: usize = 1 << 20;

/// The public keys at a JWKS URL. Clones share everything.
///
/// They are fetched anew when they are [five minutes](Self::MAX_AGE) old, so that retired keys go; and for a token
/// whose key is unknown, at most every [30 seconds](Self::MIN_PAUSE), so that strangers cannot make us hammer the
/// server. However many ask, one fetch is under way at a time. If it fails the keys at hand stay.
///
/// ```
/// use sso_jwt::{AccessVerifier, JwksKeys};
///
/// let keys = JwksKeys::new("https://sso.example.com/.well-known/jwks.json")?;
/// let verifier = AccessVerifier::new("https://sso.example.com", "https://api.example.com", keys);
/// # Ok::<(), sso_jwt::JwksError>(())
/// ```
#[derive(Clone)]
pub struct JwksKeys(Arc<Inner>);

struct Inner {
    url: Url,
    http: reqwest::Client,
    max_age: Duration,
    min_pause: Duration,
    keys: SharedKeys,
    times: Mutex<Times>,
    /// Held by the one who fetches.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Default)]
struct Times {
    /// When the keys at hand were fetched.
    fetched: Option<Instant>,
    /// When that was last tried.
    tried: Option<Instant>,
}

/// Keys cannot be had from such a URL.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JwksError {
    /// Whoever is on the way could put keys of their own in their place.
    #[error("the JWKS URL must be https://… (or http://… on the loopback): `{0}`")]
    Url(String),
    /// The HTTP client cannot be made.
    #[error("no HTTP client: {0}")]
    Client(String),
}

impl JwksKeys {
    /// Keys are at most this old, while the server can be reached.
    pub const MAX_AGE: Duration = Duration::from_secs(5 * 60);
    /// Between two fetches is at least this.
    pub const MIN_PAUSE: Duration = Duration::from_secs(30);
    /// While there are no keys at all, this.
    const FIRST_PAUSE: Duration = Duration::from_secs(1);

    /// The keys at this URL, such as `https://sso.example.com/.well-known/jwks.json`. Nothing is fetched yet.
    pub fn new(url: &str) -> Result<Self, JwksError> {
        Self::with_times(url, Self::MAX_AGE, Self::MIN_PAUSE)
    }

    /// The same with another age and pause.
    pub fn with_times(url: &str, max_age: Duration, min_pause: Duration) -> Result<Self, JwksError> {
        let wrong = || JwksError::Url(url.to_owned());
        let parsed = Url::parse(url).map_err(|_| wrong())?;
        if parsed.scheme() != "https" && !(parsed.scheme() == "http" && is_loopback(&parsed)) {
            return Err(wrong());
        }
        let http = http_client(&parsed).map_err(|error| JwksError::Client(error.to_string()))?;
        let none = KeySet::new(Vec::new()).map_err(|error| JwksError::Client(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            url: parsed,
            http,
            max_age,
            min_pause,
            keys: SharedKeys::new(none),
            times: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        })))
    }

    /// The keys for a token that names this one.
    pub(crate) async fn keys_for(&self, kid: &str) -> Arc<KeySet> {
        if self.0.would_help(kid) {
            // Waits for the fetch that is under way, if one is; it may have helped.
            let _flight = self.0.flight.lock().await;
            if self.0.would_help(kid) && self.0.may_fetch() {
                self.0.fetch().await;
            }
        }
        self.0.keys.current()
    }
}

impl Inner {
    /// Whether newer keys may make a difference.
    fn would_help(&self, kid: &str) -> bool {
        let is_old = self.times().fetched.is_none_or(|at| at.elapsed() >= self.max_age);
        is_old || !self.keys.current().keys().iter().any(|key| key.kid() == kid)
    }

    /// Whether the last fetch is long enough ago.
    fn may_fetch(&self) -> bool {
        let Times { fetched, tried } = *self.times();
        let pause = if fetched.is_some() { self.min_pause } else { self.min_pause.min(JwksKeys::FIRST_PAUSE) };
        tried.is_none_or(|at| at.elapsed() >= pause)
    }

    async fn fetch(&self) {
        let begun = Instant::now();
        self.times().tried = Some(begun);
        match self.download().await {
            Ok(keys) => {
                self.keys.replace(keys);
                self.times().fetched = Some(begun);
            }
            Err(reason) => tracing::warn!(url = %self.url, reason, "cannot fetch the keys; those at hand stay"),
        }
    }

    async fn download(&self) -> Result<KeySet, String> {
        let told = |error: reqwest::Error| error.without_url().to_string();
        let response = self.http.get(self.url.clone()).send().await.map_err(told)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(response.status().to_string());
        }
        let body = Limited::new(Body::from(response), MAX_DOCUMENT).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        KeySet::from_jwks(&String::from_utf8_lossy(&body)).map_err(|error| error.to_string())
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        // A time is written whole or not at all.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows no redirect and uses no proxy: the keys are those of this URL, or none.
fn http_client(url: &Url) -> Result<reqwest::Client, reqwest::Error> {
    let mut client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        // The next fetch is far away; until then the server will have closed the connection.
        .pool_max_idle_per_host(0)
        .connect_timeout(LIMITS.0)
        .timeout(LIMITS.1)
        .user_agent(concat!("sso-jwt/", env!("CARGO_PKG_VERSION")));
    if let Some(name) = url.domain().filter(|_| is_loopback(url)) {
        // glibc does not know `sso.localhost`. Nor can a hosts file or a DNS server send such a name elsewhere.
        client = client.resolve_to_addrs(name, &[(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]);
    }
    client.build()
}

impl fmt::Debug for JwksKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksKeys").field("url", &self.0.url.as_str()).finish_non_exhaustive()
    }
}
