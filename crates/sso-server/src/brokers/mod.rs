//! The web sites that share the session. [`Brokers`] finds a broker by its id; a list, a closure or your own type can
//! implement it.

mod settings;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use sso_core::{
    AllowedOrigins, AttachRules, BearerToken, BrokerId, ChecksumKey, Credential, Encoding, Secret, Silent,
    VerificationCode, wire::User,
};

pub use settings::{BrokerSettings, InvalidBroker};

use crate::{users::Account, util::clock::Timestamp};

/// A web site that shares the session, and its permissions.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Its id.
    pub id: BrokerId,
    /// Its origins and return URLs.
    pub origins: AllowedOrigins,
    /// The silent attach that it may use (default: none).
    pub silent: Silent,
    /// Whether a silent attach may start a session, as with jasny/sso. For PHP AJAX brokers, whose script cannot fall
    /// back to a redirect. Off by default: another page may have planted such a session.
    pub silent_start: bool,
    /// Whether its back end may post passwords to `/api/login` (default: no). A login there cannot give the browser a
    /// new session cookie at once.
    pub password_login: bool,
    /// The services for which it may request [access tokens](crate::Server::access_token) and introspect them, usually
    /// by origin. The first is the default audience (default: none).
    pub audiences: Vec<String>,
    /// Who may use it while logged in (default: everyone).
    pub allowed_users: AllowedUsers,
    /// The user attributes that it sees; `None`, the default: all.
    pub attributes: Option<Vec<String>>,
    secret: PreparedSecret,
    previous: Option<(PreparedSecret, Option<Timestamp>)>,
}

/// The users who may use a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedUsers {
    /// Every user.
    #[default]
    Everyone,
    /// These users, and the members of these groups.
    Only {
        /// The names of the users.
        users: HashSet<String>,
        /// The names of the groups.
        groups: HashSet<String>,
    },
}

impl AllowedUsers {
    /// Whether this user is allowed.
    pub fn allows(&self, account: &Account) -> bool {
        match self {
            Self::Everyone => true,
            Self::Only { users, groups } => {
                users.contains(&account.user.username) || account.groups.iter().any(|group| groups.contains(group))
            }
        }
    }
}

/// A secret, prepared for checks.
#[derive(Clone, Debug)]
struct PreparedSecret {
    /// Computes checksums.
    key: ChecksumKey,
    /// Checks the secret itself, where the broker sends it.
    credential: Credential,
    strength_bits: u32,
}

impl PreparedSecret {
    fn new(secret: &Secret, encoding: Encoding) -> Self {
        Self {
            key: ChecksumKey::new(secret, encoding),
            credential: Credential::of(secret),
            strength_bits: secret.strength_bits(),
        }
    }
}

impl Broker {
    /// A broker with safe settings.
    pub fn new(id: BrokerId, secret: &Secret, encoding: Encoding, origins: AllowedOrigins) -> Self {
        Self {
            id,
            origins,
            silent: Silent::Off,
            silent_start: false,
            password_login: false,
            audiences: Vec::new(),
            allowed_users: AllowedUsers::Everyone,
            attributes: None,
            secret: PreparedSecret::new(secret, encoding),
            previous: None,
        }
    }

    /// Also accepts the previous secret until `until`, or with `None` as long as [`Brokers`] returns this value. So
    /// server and broker need not change the secret at the same moment. Both secrets must be equally strong.
    #[must_use]
    pub fn previous_secret(mut self, secret: &Secret, until: Option<Timestamp>) -> Self {
        self.previous = Some((PreparedSecret::new(secret, self.encoding()), until));
        self
    }

    /// How it writes checksums.
    pub fn encoding(&self) -> Encoding {
        self.secret.key.encoding()
    }

    /// Whether it is a jasny/sso broker, which never attaches again by itself.
    pub fn is_php(&self) -> bool {
        self.encoding() == Encoding::Php
    }

    /// Whether a checksum might be found by guessing. Then even a correct one has to wait after too many wrong ones. A
    /// correct checksum of 256 bits was not guessed, and never has to wait.
    pub(crate) fn is_guessable(&self) -> bool {
        self.is_php()
    }

    /// Its approximate size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        let attributes = self.attributes.as_ref().map_or(0, |names| names.iter().map(String::len).sum());
        let entry = match &self.allowed_users {
            AllowedUsers::Everyone => 0,
            AllowedUsers::Only { users, groups } => users.iter().chain(groups).map(String::len).sum::<usize>(),
        };
        size_of::<Self>() + attributes + entry
    }

    /// Whether each of its secrets has the [128 bits](Secret::MIN_BITS) that a server on a network requires.
    pub fn is_strong(&self) -> bool {
        let previous = self.previous.as_ref().map(|(known, _)| known);
        std::iter::once(&self.secret).chain(previous).all(|known| known.strength_bits >= Secret::MIN_BITS)
    }

    /// The user as this broker sees them.
    pub fn sees<'a>(&self, user: &'a User) -> Cow<'a, User> {
        let Some(names) = &self.attributes else { return Cow::Borrowed(user) };
        let seen = user.attributes.iter().filter(|(name, _)| names.contains(name));
        let attributes = seen.map(|(name, value)| (name.clone(), value.clone())).collect();
        Cow::Owned(User { username: user.username.clone(), attributes })
    }

    /// Whether the bearer token was made with this code and a secret that is valid at `now`.
    pub(crate) fn proves(&self, bearer: &BearerToken, code: &VerificationCode, now: Timestamp) -> bool {
        self.secrets(now).any(|known| bearer.is_proven(code, &known.key))
    }

    /// Whether this is a secret that is valid at `now`.
    pub(crate) fn accepts(&self, shown: &[u8], now: Timestamp) -> bool {
        self.secrets(now).any(|known| known.credential.accepts(shown))
    }

    /// The secret, and the previous one while it is accepted. Which of them matches is no secret to the sender.
    fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &PreparedSecret> {
        let previous = self.previous.as_ref().filter(|(_, until)| until.is_none_or(|until| now < until));
        std::iter::once(&self.secret).chain(previous.map(|(known, _)| known))
    }

    /// Whether a page of this origin may read the JSON of a silent attach, including the error that it is disabled.
    pub(crate) fn allows_cors(&self, origin: &str) -> bool {
        self.origins.allows_origin(origin)
    }

    pub(crate) fn rules(&self, now: Timestamp) -> AttachRules<'_> {
        let keys = self.secrets(now).map(|known| &known.key).collect();
        AttachRules { keys, origins: &self.origins, silent: self.silent }
    }
}

/// The brokers cannot be looked up now; the text is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("brokers are unavailable: {0}")]
pub struct BrokersUnavailable(pub String);

/// Finds brokers.
#[async_trait]
pub trait Brokers: Send + Sync + 'static {
    /// The broker with this id; `None` if it does not exist or is disabled.
    async fn find(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, BrokersUnavailable>;
}

#[async_trait]
impl<F> Brokers for F
where
    F: Fn(&BrokerId) -> Option<Arc<Broker>> + Send + Sync + 'static,
{
    async fn find(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, BrokersUnavailable> {
        Ok(self(id))
    }
}

/// A fixed list of brokers.
#[derive(Clone, Debug, Default)]
pub struct BrokerList(HashMap<BrokerId, Arc<Broker>>);

impl FromIterator<Broker> for BrokerList {
    /// If two brokers have the same id, the later one wins.
    fn from_iter<I: IntoIterator<Item = Broker>>(brokers: I) -> Self {
        Self(brokers.into_iter().map(|broker| (broker.id.clone(), Arc::new(broker))).collect())
    }
}

#[async_trait]
impl Brokers for BrokerList {
    async fn find(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, BrokersUnavailable> {
        Ok(self.0.get(id).cloned())
    }
}
