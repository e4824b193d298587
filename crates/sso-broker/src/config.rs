//! How a broker is configured, and what is refused.

use std::time::Duration;

use sso_core::{
    AllowedOrigins, BrokerId, ChecksumKey, Encoding, FormKey, ReturnPages, Secret, broker_id::InvalidBrokerId,
    is_loopback, origin::InvalidOrigin,
};
use url::Url;

use crate::{Broker, broker::Parts, client::Client, dialect::Dialect, shelf::Shelf, tokens::Lifetime};

/// A broker that is being configured. Begin with [`Broker::builder`] or [`Broker::from_env`], end with
/// [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use]
pub struct BrokerBuilder {
    server: String,
    id: BrokerId,
    secret: Secret,
    public_url: Option<String>,
    backchannel: Option<String>,
    insecure_backchannel: bool,
    encoding: Encoding,
    dialect: Dialect,
    php_cookies: bool,
    return_path: String,
    attach_limit: Duration,
    token_lifetime: Lifetime,
    connect_limit: Duration,
    total_limit: Duration,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An environment variable is not set, or not text.
    #[error("the environment variable {0} is not set")]
    MissingVariable(&'static str),
    /// The broker's id has other characters than it may.
    #[error(transparent)]
    BrokerId(#[from] InvalidBrokerId),
    /// The server's attach URL is not one.
    #[error(
        "`{0}` is not the server's attach URL, such as https://sso.example.com/attach (jasny/sso's: …/attach.php); an origin or a folder is not enough"
    )]
    ServerUrl(String),
    /// [`BrokerBuilder::public_url`] was not called.
    #[error("the broker's public URL is not set")]
    NoPublicUrl,
    /// The broker's public URL is not an origin.
    #[error("`{0}` is not an origin such as https://alice.example.com")]
    NotAnOrigin(String),
    /// The public URL or the return path has a form that the server would refuse.
    #[error(transparent)]
    Place(#[from] InvalidOrigin),
    /// The return path is an address that the broker answers with something else.
    #[error("the return path {0} is another address of the broker's own")]
    ReturnPath(String),
    /// Cookies of a plain http site can be read and planted on the way.
    #[error("the public URL {0} must be https: plain http is for the loopback only")]
    InsecurePublicUrl(Url),
    /// Passwords and bearer tokens would cross a network in clear.
    #[error("the back channel {0} is plain http to another machine, which must be allowed explicitly")]
    InsecureBackchannel(Url),
    /// The secret can be found by trying, by anyone who sees one attach URL.
    #[error("the broker's secret has {0} bits at most; {min} are needed", min = Secret::MIN_BITS)]
    WeakSecret(u32),
    /// There is no secret: anyone could make the broker's checksums.
    #[error("the broker's secret is empty")]
    NoSecret,
    /// The HTTP client cannot be made: the system's certificates, most likely.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// What begins so under `/sso/` is answered by the broker, and is no return.
const OWN_PATHS: [&str; 7] =
    ["/sso/attach", "/sso/login", "/sso/logout", "/sso/long-page", "/sso/session", "/sso/ajax", "/sso/clear-cookies"];

impl BrokerBuilder {
    pub(crate) fn new(server_attach_url: &str, id: BrokerId, secret: Secret) -> Self {
        Self {
            server: server_attach_url.to_owned(),
            id,
            secret,
            public_url: None,
            backchannel: None,
            insecure_backchannel: false,
            encoding: Encoding::Exact,
            dialect: Dialect::Own,
            php_cookies: false,
            return_path: "/sso/return".to_owned(),
            attach_limit: Duration::from_secs(600),
            token_lifetime: Lifetime::Session,
            connect_limit: Duration::from_secs(1),
            total_limit: Duration::from_secs(5),
        }
    }

    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        let required = |name| std::env::var(name).map_err(|_| ConfigError::MissingVariable(name));
        let id = required("SSO_BROKER_ID")?.parse()?;
        let secret = Secret::new(required("SSO_BROKER_SECRET")?);
        let builder = Self::new(&required("SSO_SERVER")?, id, secret);
        Ok(match std::env::var("SSO_SERVER_BACKCHANNEL") {
            Ok(origin) => builder.backchannel(&origin),
            Err(_) => builder,
        })
    }

    /// The origin of this site as browsers see it. Required: it is never guessed from a `Host` header, which is the
    /// visitor's to choose.
    pub fn public_url(mut self, origin: &str) -> Self {
        self.public_url = Some(origin.to_owned());
        self
    }

    /// The origin at which this broker itself calls the server, when it is not the one that browsers see.
    pub fn backchannel(mut self, origin: &str) -> Self {
        self.backchannel = Some(origin.to_owned());
        self
    }

    /// Allows a back channel of plain http to another machine, for a network that encrypts by itself.
    pub fn allow_insecure_backchannel(mut self) -> Self {
        self.insecure_backchannel = true;
        self
    }

    /// How checksums are written; the server's entry for this broker must say the same.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// The server is jasny/sso's: its encoding, its API paths (`/api/info.php`, …), and its errors, which are told
    /// apart by their text.
    pub fn php_server(mut self) -> Self {
        self.encoding = Encoding::Php;
        self.dialect = Dialect::Php;
        self
    }

    /// Keeps token and code under jasny/sso's names (`sso_token_<id>`, `sso_verify_<id>`), to share them with PHP
    /// pages of the same site. Weaker, since these names cannot have the `__Host-` prefix: another site under the same
    /// domain can plant such cookies.
    pub fn php_cookies(mut self) -> Self {
        self.php_cookies = true;
        self
    }

    /// The page that the server sends visitors back to; `/sso/return` by default.
    pub fn return_path(mut self, path: &str) -> Self {
        self.return_path = path.to_owned();
        self
    }

    /// How long a visitor may take at the server, login included; ten minutes by default, as long as the server's login
    /// form is accepted. Who comes back later is sent there once more, and then gets to the wanted page.
    pub fn attach_limit(mut self, limit: Duration) -> Self {
        self.attach_limit = limit;
        self
    }

    /// How long a visitor's token is kept; until the browser is closed by default.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = Lifetime::AtMost(lifetime);
        self
    }

    /// How long a call to the server may take to connect, and in all; 1 s and 5 s by default.
    pub fn time_limits(mut self, connect: Duration, total: Duration) -> Self {
        (self.connect_limit, self.total_limit) = (connect, total);
        self
    }

    /// Checks it all.
    pub fn build(self) -> Result<Broker, ConfigError> {
        let public_text = self.public_url.ok_or(ConfigError::NoPublicUrl)?;
        let public_url = Url::parse(&public_text).map_err(|_| ConfigError::NotAnOrigin(public_text.clone()))?;
        // What the server will check of our return URL, checked before anyone is sent there.
        AllowedOrigins::new(&[&public_text], ReturnPages::Paths(vec![self.return_path.clone()]))?;
        if OWN_PATHS.iter().any(|own| self.return_path.starts_with(own)) {
            return Err(ConfigError::ReturnPath(self.return_path));
        }
        if public_url.scheme() != "https" && !is_loopback(&public_url) {
            return Err(ConfigError::InsecurePublicUrl(public_url));
        }
        if public_url.scheme() != "https" {
            tracing::info!(%public_url, "plain http: cookies are neither Secure nor bound to this host");
        }
        if self.secret.expose().is_empty() {
            return Err(ConfigError::NoSecret);
        }
        if !is_loopback(&public_url) && self.secret.strength_bits() < Secret::MIN_BITS {
            return Err(ConfigError::WeakSecret(self.secret.strength_bits()));
        }

        let attach_url = attach_url(&self.server).ok_or(ConfigError::ServerUrl(self.server))?;
        let mut back_url = attach_url.clone();
        if let Some(text) = self.backchannel {
            back_url = on_origin(&back_url, &text).ok_or(ConfigError::NotAnOrigin(text))?;
        }
        if back_url.scheme() != "https" && !is_loopback(&back_url) && !self.insecure_backchannel {
            return Err(ConfigError::InsecureBackchannel(back_url));
        }

        Ok(Broker::from_parts(Parts {
            shelf: Shelf::new(&self.id, self.php_cookies, self.token_lifetime),
            id: self.id,
            key: ChecksumKey::new(&self.secret, self.encoding),
            form_key: FormKey::new(self.secret.expose()),
            attach_url,
            public_url,
            return_path: self.return_path,
            attach_limit: self.attach_limit,
            client: Client::new(back_url, self.dialect, self.connect_limit, self.total_limit)
                .map_err(|error| ConfigError::Client(error.to_string()))?,
        }))
    }
}

/// The page that visitors are sent to. Another name than `attach` is allowed, for a server behind addresses of its own;
/// it is told, since visitors who are sent to a page that attaches nobody stay there.
fn attach_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let page = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || !plain || page.is_empty() {
        return None;
    }
    if !matches!(page, "attach" | "attach.php") {
        tracing::warn!(%url, "the server's attach URL ends neither in /attach nor in /attach.php: is it the right page?");
    }
    Some(url)
}

/// The URL `page`, moved to the origin in `text`.
fn on_origin(page: &Url, text: &str) -> Option<Url> {
    // The checks of a broker's own origin are the right ones here, too; only a bare host says too little.
    AllowedOrigins::new(&[text], ReturnPages::Any).ok()?;
    let mut url = Url::parse(text).ok()?;
    url.set_path(page.path());
    url.set_query(page.query());
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(server: &str) -> BrokerBuilder {
        Broker::builder(server, "Alice".parse().unwrap(), Secret::generate()).public_url("https://alice.example")
    }

    fn good() -> BrokerBuilder {
        builder("https://sso.example/attach")
    }

    #[test]
    fn only_attach_urls_and_origins_are_accepted() {
        assert!(good().build().is_ok());
        assert!(good().backchannel("https://10.0.0.1:8443").build().is_ok());
        for good in ["https://sso.example/attach?a=b", "https://example/sso/attach.php", "https://sso.example/enter"] {
            assert!(builder(good).build().is_ok(), "{good}");
        }
        for bad in [
            "",
            "sso.example",
            "ftp://sso.example/attach",
            "https://u:p@sso.example/attach",
            "https://sso.example/attach#a",
        ] {
            assert!(matches!(builder(bad).build(), Err(ConfigError::ServerUrl(_))), "{bad}");
        }
        // Visitors would end at the server's first page.
        for bad in
            ["https://sso.example", "https://sso.example/", "https://example.com/sso/", "https://sso.example/?attach"]
        {
            let error = builder(bad).build().unwrap_err().to_string();
            assert!(error.contains("https://sso.example.com/attach") && error.contains("attach.php"), "{error}");
        }
        for bad in ["", "alice.example", "/"] {
            assert!(matches!(good().public_url(bad).build(), Err(ConfigError::NotAnOrigin(_))), "{bad}");
            assert!(matches!(good().backchannel(bad).build(), Err(ConfigError::NotAnOrigin(_))), "{bad}");
        }
        for bad in ["https://alice.example/path", "https://u@alice.example", "ftp://alice.example"] {
            assert!(matches!(good().public_url(bad).build(), Err(ConfigError::Place(_))), "{bad}");
        }
        assert!(matches!(good().return_path("sso").build(), Err(ConfigError::Place(_))));
        for own in ["/sso/attach", "/sso/session/back", "/sso/ajax/verify"] {
            assert!(matches!(good().return_path(own).build(), Err(ConfigError::ReturnPath(_))), "{own}");
        }
        assert!(good().return_path("/sso/back").build().is_ok());
        let without = Broker::builder("https://sso.example/attach", "Alice".parse().unwrap(), Secret::generate());
        assert!(matches!(without.build(), Err(ConfigError::NoPublicUrl)));
    }

    #[test]
    fn plain_http_is_for_the_loopback() {
        for near in ["http://sso.localhost:8000/attach", "http://127.0.0.2/attach", "http://[::1]/attach"] {
            assert!(builder(near).build().is_ok(), "{near}");
        }
        let far = || builder("http://sso.example/attach");
        assert!(matches!(far().build(), Err(ConfigError::InsecureBackchannel(_))));
        assert!(far().allow_insecure_backchannel().build().is_ok());
        assert!(far().backchannel("http://localhost:8000").build().is_ok());
        let public = |origin: &str| good().public_url(origin).build();
        assert!(matches!(public("http://alice.example"), Err(ConfigError::InsecurePublicUrl(_))));
        assert!(public("http://alice.localhost:8001").is_ok());
    }

    #[test]
    fn a_weak_secret_is_for_the_loopback() {
        let weak =
            || Broker::builder("https://sso.example/attach", "Alice".parse().unwrap(), Secret::new("8iwzik1bwd"));
        assert!(matches!(weak().public_url("https://alice.example").build(), Err(ConfigError::WeakSecret(51))));
        assert!(weak().public_url("http://alice.localhost:8001").build().is_ok());
        let none = Broker::builder("http://localhost/attach", "Alice".parse().unwrap(), Secret::new(""));
        assert!(matches!(none.public_url("http://localhost:1").build(), Err(ConfigError::NoSecret)));
    }
}
