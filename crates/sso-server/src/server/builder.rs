//! Building a server from its parts.

use std::{fmt, sync::Arc, time::Duration};

use sso_core::{FormKey, base36, checksum::MacKey, is_loopback, random};
use sso_jwt::{Algorithm, InvalidKeys, KeySet, SharedKeys};
use tokio::sync::Semaphore;
use url::Url;

use crate::{
    brokers::Brokers,
    server::{Context, Server},
    session::{Policy, TokenPolicy, policy::InvalidPolicy},
    store::{MemoryStore, Store},
    users::{Passwords, Users, password::HashingFailed},
    util::{
        clock::{Clock, SystemClock},
        rate_limit::RateLimiter,
    },
};

/// Maximum number of calls that wait at once. Further calls fail, so that a hanging service does not fill the memory.
const MAX_WAITING: usize = 1_000;

/// Builds a [`Server`]; see [`Server::builder`].
pub struct ServerBuilder {
    public_url: Url,
    brokers: Box<dyn Brokers>,
    users: Box<dyn Users>,
    store: Option<Box<dyn Store>>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    tokens: TokenPolicy,
    secret: Vec<u8>,
    session_name: Option<String>,
    access_keys: Option<SharedKeys>,
    remember_keys: Option<SharedKeys>,
}

/// Why a server cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The public URL is not valid.
    #[error("public_url must be https://… (or http://… on the loopback) without path, query and user: `{0}`")]
    PublicUrl(Url),
    /// The lifetimes contradict each other.
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
    /// Password hashing does not work.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// Token keys could not be derived.
    #[error(transparent)]
    Keys(#[from] InvalidKeys),
}

impl Server {
    /// Starts building a server.
    ///
    /// `public_url` is the URL by which browsers reach it. Brokers and users come from lists, closures, or your own
    /// types.
    pub fn builder(public_url: Url, brokers: impl Brokers, users: impl Users) -> ServerBuilder {
        ServerBuilder {
            public_url,
            brokers: Box::new(brokers),
            users: Box::new(users),
            store: None,
            clock: Arc::new(SystemClock),
            policy: Policy::default(),
            tokens: TokenPolicy::default(),
            secret: random::bytes().to_vec(),
            session_name: None,
            access_keys: None,
            remember_keys: None,
        }
    }
}

impl ServerBuilder {
    /// Where sessions are kept (default: in memory).
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// The source of time (default: the system clock).
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long sessions live.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How long tokens live, and whether users can be remembered.
    #[must_use]
    pub fn tokens(mut self, tokens: TokenPolicy) -> Self {
        self.tokens = tokens;
        self
    }

    /// The secret of form tokens and fingerprints. The token keys and the name of the session cookie are derived from
    /// it, unless set. At least 256 random bits (default: random for each run). All nodes of one site need the same
    /// secret, also after a restart.
    #[must_use]
    pub fn secret(mut self, secret: &[u8]) -> Self {
        self.secret = secret.to_vec();
        self
    }

    /// The name of the session cookie (default: derived from the secret and the public URL). Servers on one host with
    /// the same name, secret and store share one sign-on. Others need different names, since cookies ignore ports.
    #[must_use]
    pub fn session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// The keys of access tokens (default: an Ed25519 key derived from the secret).
    #[must_use]
    pub fn access_keys(mut self, keys: SharedKeys) -> Self {
        self.access_keys = Some(keys);
        self
    }

    /// The keys of remember-me tokens, which only this server reads (default: an HS256 key derived from the secret).
    #[must_use]
    pub fn remember_keys(mut self, keys: SharedKeys) -> Self {
        self.remember_keys = Some(keys);
        self
    }

    /// Checks the settings and builds the server.
    pub fn build(self) -> Result<Server, BuildError> {
        check_public_url(&self.public_url)?;
        self.policy.check()?;
        self.tokens.check()?;
        if self.policy.never_expire {
            tracing::warn!("sessions never expire: fit for internal applications in a trusted network only");
        }
        let secret = MacKey::new(&self.secret);
        let keys = |given: Option<SharedKeys>, algorithm, purpose: &str| match given {
            Some(keys) => Ok(keys),
            None => KeySet::derived(algorithm, &secret.mac(&["token keys: ", purpose])).map(SharedKeys::new),
        };
        let session_name = self.session_name.unwrap_or_else(|| {
            // Different for servers on other ports of this host, since cookies ignore ports.
            format!("sso_{:.8}", base36::exact(&secret.mac(&["session name: ", self.public_url.as_str()])))
        });
        let store = self.store.unwrap_or_else(|| Box::new(MemoryStore::new(self.clock.clone())));
        Ok(Server(Arc::new(Context {
            public_url: self.public_url,
            brokers: self.brokers,
            users: self.users,
            store,
            store_permits: Semaphore::new(MAX_WAITING),
            lookup_permits: Semaphore::new(MAX_WAITING),
            clock: self.clock,
            policy: self.policy,
            tokens: self.tokens,
            passwords: Passwords::new()?,
            login_failures: RateLimiter::new(5, Duration::from_secs(30)),
            checksum_failures: RateLimiter::new(10, Duration::from_secs(60)),
            form_key: FormKey::new(&self.secret),
            session_name,
            access_keys: keys(self.access_keys, Algorithm::EdDsa, "access")?,
            remember_keys: keys(self.remember_keys, Algorithm::Hs256, "remember")?,
            remember_mac: secret.derive("remember me"),
            fingerprint_key: secret.derive("fingerprint"),
            handle_key: secret.derive("session handle"),
        })))
    }
}

/// Checks a public URL: https anywhere, plain http only on the loopback, and nothing but an origin.
pub fn check_public_url(url: &Url) -> Result<(), BuildError> {
    let has_user = !url.username().is_empty() || url.password().is_some();
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_user;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    if is_bare && is_safe { Ok(()) } else { Err(BuildError::PublicUrl(url.clone())) }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("public_url", &self.public_url.as_str()).finish_non_exhaustive()
    }
}
