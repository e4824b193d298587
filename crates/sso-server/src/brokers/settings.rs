//! What an operator says of a broker, wherever it is written down, and the checks that make a [`Broker`] of it.

use serde::{Deserialize, Serialize};
use sso_core::{AllowedOrigins, BrokerId, Encoding, ReturnPages, Secret, Silent, origin::InvalidOrigin};

use super::{AllowedUsers, Broker};
use crate::users::username::canonical;

/// What a broker may do and where it lives: the keys of a `[[brokers]]` entry but its id and its secrets. A key that is
/// not there has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
// A rule that this version does not know must not be passed over.
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// Its origins, or bare hosts.
    pub origins: Vec<String>,
    /// Where visitors come back to, under each origin (default: `/sso/return`; of a `php` broker any page).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_paths: Option<Vec<String>>,
    /// How it writes checksums.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checksum: Encoding,
    /// Whether its pages may attach without a redirect.
    #[serde(default, skip_serializing_if = "is_default")]
    pub silent: Silent,
    /// Whether that may start a session.
    #[serde(default, skip_serializing_if = "is_default")]
    pub silent_start: bool,
    /// Whether its back end may post passwords.
    #[serde(default, skip_serializing_if = "is_default")]
    pub password_login: bool,
    /// The services that it may have access tokens for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub audiences: Vec<String>,
    /// The users who may enter, beside those of `allow_groups`. Both empty: everybody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_users: Vec<String>,
    /// The groups whose users may enter.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_groups: Vec<String>,
    /// The attributes of its users that it sees; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<String>>,
}

/// Why what was said makes no broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBroker {
    /// It could not prove itself.
    #[error("the secret is empty")]
    EmptySecret,
    /// It lives nowhere, or where that is cannot be read.
    #[error(transparent)]
    Origin(#[from] InvalidOrigin),
}

impl BrokerSettings {
    /// The settings that are safe, of a broker that lives here.
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

    /// The broker of this id and secret, checked.
    pub fn broker(&self, id: BrokerId, secret: &Secret) -> Result<Broker, InvalidBroker> {
        if secret.expose().is_empty() {
            return Err(InvalidBroker::EmptySecret);
        }
        let returns = match (&self.return_paths, self.checksum) {
            (Some(paths), _) => ReturnPages::Paths(paths.clone()),
            (None, Encoding::Exact) => ReturnPages::Paths(vec!["/sso/return".into()]),
            // jasny/sso returns to the page that was asked for.
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
                // As they are written, and as they were meant. An account is never let in under another name than its
                // own.
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
