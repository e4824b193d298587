//! The server: what it is built from, and what its operations share. The operations themselves are one floor up, in
//! `operations/`: each adds its methods to [`Server`].

pub(crate) mod account_check;
pub(crate) mod browser;
pub(crate) mod builder;
pub(crate) mod ends;
pub(crate) mod sessions;
pub(crate) mod task;

use std::{fmt, sync::Arc};

use sso_core::{FormKey, checksum::MacKey};
use sso_jwt::SharedKeys;
use tokio::sync::Semaphore;
use url::Url;

use crate::{
    brokers::Brokers,
    session::{Policy, TokenPolicy},
    store::Store,
    users::{Passwords, Users},
    util::{
        clock::{Clock, Timestamp},
        rate_limit::RateLimiter,
    },
};

/// A server. Cheap to clone: clones are the same server.
#[derive(Clone)]
pub struct Server(pub(crate) Arc<Context>);

/// The parts of a server, shared by all its clones.
pub(crate) struct Context {
    pub(crate) public_url: Url,
    pub(crate) brokers: Box<dyn Brokers>,
    pub(crate) users: Box<dyn Users>,
    pub(crate) store: Box<dyn Store>,
    /// Limits how many calls wait for the store.
    pub(crate) store_permits: Semaphore,
    /// Limits how many lookups of users and brokers wait. Separate from the store's limit, since a logout needs no
    /// user.
    pub(crate) lookup_permits: Semaphore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Policy,
    pub(crate) tokens: TokenPolicy,
    pub(crate) passwords: Passwords,
    /// Failed logins, by user (known callers apart from others) and by link.
    pub(crate) login_failures: RateLimiter,
    /// Wrong checksums, by broker and token, so that nobody can block a broker by failing on purpose.
    pub(crate) checksum_failures: RateLimiter,
    pub(crate) form_key: FormKey,
    pub(crate) fingerprint_key: MacKey,
    /// Makes the public names of sessions, logins and remembered browsers, whose ids are secret.
    pub(crate) handle_key: MacKey,
    pub(crate) session_name: String,
    /// Sign access tokens; the public halves are published.
    pub(crate) access_keys: SharedKeys,
    /// Sign remember-me tokens, which only this server verifies.
    pub(crate) remember_keys: SharedKeys,
    /// Derives the password fingerprints that logins and remembered browsers keep, and the cookies of logins that may
    /// be repeated: by remember-me in several tabs, or by a form that is sent twice.
    pub(crate) remember_mac: MacKey,
}

impl Context {
    /// The server's name in tokens: its origin.
    pub(crate) fn origin(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Server {
    /// The name of the session cookie, without a prefix.
    pub fn session_name(&self) -> &str {
        &self.0.session_name
    }

    /// The URL by which browsers reach this server.
    pub fn public_url(&self) -> &Url {
        &self.0.public_url
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("public_url", &self.0.public_url.as_str()).finish_non_exhaustive()
    }
}
