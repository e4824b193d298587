//! Which web sites take part. [`Brokers`] finds a broker by its id; a list, a closure or something of your own will do.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use sso_core::{AllowedOrigins, AttachRules, BrokerId, ChecksumKey, Credential, Encoding, Secret, Silent};

/// A web site that takes part, and what it may do.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Its id.
    pub id: BrokerId,
    /// Computes its checksums.
    pub key: ChecksumKey,
    /// Where it lives and may be returned to.
    pub origins: AllowedOrigins,
    /// Which silent attach it may use (default: none).
    pub silent: Silent,
    /// Whether a silent attach may start a session, as jasny/sso does. For PHP AJAX brokers, whose script cannot
    /// fall back to a redirect. Off by default: such a session is one that another page may have planted.
    pub silent_start: bool,
    /// Whether its back end may post passwords to `/api/login` (default: no). A login there cannot give the browser a new
    /// session cookie at once.
    pub password_login: bool,
    /// The services that it may have [access tokens](crate::access) for, and may ask about: their origins, or what else they go by. The first
    /// is meant where it names none (default: none).
    pub audiences: Vec<String>,
    /// Judges the secret where the broker shows it itself.
    pub(crate) credential: Credential,
    strength_bits: u32,
}

impl Broker {
    /// A broker with the safe settings.
    pub fn new(id: BrokerId, secret: &Secret, encoding: Encoding, origins: AllowedOrigins) -> Self {
        Self {
            id,
            key: ChecksumKey::new(secret, encoding),
            origins,
            silent: Silent::Off,
            silent_start: false,
            password_login: false,
            audiences: Vec::new(),
            credential: Credential::of(secret),
            strength_bits: secret.strength_bits(),
        }
    }

    /// Whether it is a jasny/sso broker. Such a broker never attaches again by itself.
    pub fn is_php(&self) -> bool {
        self.key.encoding() == Encoding::Php
    }

    /// Whether a checksum of it might be found by trying: then even a right one must wait after too many wrong ones. A right one of 256 bits
    /// was not guessed, and is never held up by what others sent.
    pub(crate) fn is_guessable(&self) -> bool {
        self.is_php()
    }

    /// Whether its secret has the [128 bits](Secret::MIN_BITS) that a server on a network asks for.
    pub fn is_strong(&self) -> bool {
        self.strength_bits >= Secret::MIN_BITS
    }

    /// Whether a page of this origin may read the JSON of a silent attach, if only that it is not enabled.
    pub(crate) fn allows_cors(&self, origin: &str) -> bool {
        self.origins.allows_origin(origin)
    }

    pub(crate) fn rules(&self) -> AttachRules<'_> {
        AttachRules { key: &self.key, origins: &self.origins, silent: self.silent }
    }
}

/// The brokers cannot be looked up now; the text is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("brokers are unavailable: {0}")]
pub struct BrokersUnavailable(pub String);

/// Finds brokers.
#[async_trait]
pub trait Brokers: Send + Sync + 'static {
    /// The broker of this id; `None` if there is none or it is disabled.
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

/// Brokers that are known from the start.
#[derive(Clone, Debug, Default)]
pub struct BrokerList(HashMap<BrokerId, Arc<Broker>>);

impl FromIterator<Broker> for BrokerList {
    /// Of two brokers with one id the later one counts.
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
