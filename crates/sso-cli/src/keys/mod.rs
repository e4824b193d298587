//! The keys of the server's tokens: a file for each purpose, and its reload. `sso keys` changes them.
//!
//! - [`mod@file`]: read and written so that only their owner sees them
//! - [`watch`]: a running server takes up what changed

pub(crate) mod file;
mod watch;

use std::{path::Path, time::Duration};

use clap::ValueEnum;
use sso_jwt::{Algorithm, SharedKeys};
use sso_server::{
    TokenPolicy,
    clock::{Clock, SystemClock},
};

use crate::Failure;

/// What keys are for. One set for each: a key of one purpose never counts for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// Access tokens: services verify them by the published keys
    Access,
    /// Remember-me cookies: the server alone makes and reads them
    Remember,
}

impl Purpose {
    pub(crate) const ALL: [Self; 2] = [Self::Access, Self::Remember];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Remember => "remember",
        }
    }

    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Access => Algorithm::EdDsa,
            Self::Remember => Algorithm::Hs256,
        }
    }

    /// How long a token of it lives.
    pub(crate) fn token_lifetime(self, tokens: &TokenPolicy) -> Duration {
        match self {
            Self::Access => tokens.access_lifetime,
            Self::Remember => tokens.remember_lifetime,
        }
    }
}

/// The keys of a running server.
pub(crate) struct ServerKeys {
    pub(crate) access: SharedKeys,
    pub(crate) remember: SharedKeys,
}

impl ServerKeys {
    /// Reads the files of this directory, and goes on watching them.
    pub(crate) fn load(dir: &Path) -> Result<Self, Failure> {
        let [access, remember] = Purpose::ALL.map(|purpose| watch::start(dir, purpose));
        Ok(Self { access: access?, remember: remember? })
    }
}

/// Copies the files of a directory into a new one.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    // Not between the two files of one rotation.
    let _lock = file::lock(from).map_err(Failure::settings)?;
    file::make_directory(to).map_err(Failure::other)?;
    for purpose in Purpose::ALL {
        let keys = file::load(from, purpose).map_err(Failure::settings)?;
        file::create(to, purpose, &keys).map_err(Failure::other)?;
    }
    Ok(())
}

/// The present instant, in seconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    SystemClock.now().as_secs()
}
