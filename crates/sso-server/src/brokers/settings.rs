//! A broker's settings as configured, in a file or in SQL, and the checks that make a [`Broker`] of them.

use serde::{Deserialize, Serialize};
use sso_core::{AllowedOrigins, BrokerId, Encoding, ReturnPages, Secret, Silent, origin::InvalidOrigin};

use super::{AllowedUsers, Broker};
use crate::users::username::canonical;

/// A broker's settings: the keys of a `[[brokers]]` entry except its id and secrets. A missing key has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
// An unknown rule must be an error.
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// Its origins, or bare hosts.
    pub origins: Vec<String>,
    /// The return paths under each origin (default: `/sso/return`; for a `php` broker, any page).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_paths: Option<Vec<String>>,
    /// How it writes checksums.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checksum: Encoding,
    /// Whether its pages may attach without a redirect.
    #[serde(default, skip_serializing_if = "is_default")]
    pub silent: Silent,
    /// Whether a silent attach may start a session.
    #[serde(default, skip_serializing_if = "is_default")]
    pub silent_start: bool,
    /// Whether its back end may post passwords.
    #[serde(default, skip_serializing_if = "is_default")]
    pub password_login: bool,
    /// The services for which it may request access tokens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub audiences: Vec<String>,
    /// The users who may use it, in addition to `allow_groups`. If both are empty, everyone may.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_users: Vec<String>,
    /// The groups whose members may use it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_groups: Vec<String>,
    /// The user attributes that it sees; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<String>>,
}

/// Why the settings of a broker are not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBroker {
    /// The secret is empty.
    #[error("the secret is empty")]
    EmptySecret,
    /// An origin is missing or not valid.
    #[error(transparent)]
    Origin(#[from] InvalidOrigin),
}

impl BrokerSettings {
    /// Safe settings of a broker with these origins.
    pub fn new(origins: Vec<String>) -> Self {
        Self {
            origins,
            return_paths: None,
            checksum: Encoding::default(),
            silent: Silent::default(),
            silent_start: false,
            password_login: false,
            audiences: Vec::new(),
            allow_users: Vec::new(),
            allow_groups: Vec::new(),
            attributes: None,
        }
    }

    /// Checks the settings and makes the broker with this id and secret.
    pub fn broker(&self, id: BrokerId, secret: &Secret) -> Result<Broker, InvalidBroker> {
        if secret.expose().is_empty() {
            return Err(InvalidBroker::EmptySecret);
        }
        let returns = match (&self.return_paths, self.checksum) {
            (Some(paths), _) => ReturnPages::Paths(paths.clone()),
            (None, Encoding::Exact) => ReturnPages::Paths(vec!["/sso/return".into()]),
            // jasny/sso returns to the requested page.
            (None, Encoding::Php) => ReturnPages::Any,
        };
        let mut broker = Broker::new(id, secret, self.checksum, AllowedOrigins::new(&self.origins, returns)?);
        broker.silent = self.silent;
        broker.silent_start = self.silent_start;
        broker.password_login = self.password_login;
        broker.audiences.clone_from(&self.audiences);
        broker.attributes.clone_from(&self.attributes);
        if !self.allow_users.is_empty() || !self.allow_groups.is_empty() {
            broker.allowed_users = AllowedUsers::Only {
                // As written, and in canonical form. An account never gets in under another name than its own.
                users: self.allow_users.iter().flat_map(|name| [name.clone(), canonical(name).into_owned()]).collect(),
                groups: self.allow_groups.iter().cloned().collect(),
            };
        }
        Ok(broker)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
