//! What the commands share that go by a server's configuration: `sso users`, `sso brokers`, `sso sessions`, `sso
//! backup`.
//!
//! They work on the server's databases, and need no server that runs.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use sso_core::{BrokerId, is_loopback};
use sso_server::{
    Broker, Server, SqlDirectory, Unavailable,
    core::wire::User,
    directory::{DirectoryError, Unreadable},
    password_policy::ContextWords,
    username::canonical,
};

use crate::{
    Failure,
    config::{Config, DEFAULT_FILE, Opened, StoreOption, StoreUrl},
    output,
};

/// Which server it is about.
#[derive(Debug, Args)]
pub(crate) struct ConfigOptions {
    /// The configuration file of the server [default: sso.toml, if there is one]; SSO_… variables count over it
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// The store, in place of the configured one
    // By another name inside: clap would hand the demo's default of `store` down to it.
    #[arg(id = "configured_store", long = "store", value_name = "STORE", global = true)]
    store: Option<StoreOption>,
}

/// A command, and the server that it is about.
#[derive(Debug, Args)]
pub(crate) struct AdminOptions<A: Subcommand> {
    #[command(flatten)]
    pub(super) config: ConfigOptions,
    #[command(subcommand)]
    pub(super) action: A,
}

impl ConfigOptions {
    /// The configuration of that server.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        Config::load(self.config.as_deref(), self.store.as_ref())
    }

    /// Its file, whether it is there or not.
    pub(crate) fn file(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE))
    }
}

/// The parts of a server that a command works on.
pub(super) struct Admin {
    pub(super) server: Server,
    pub(super) directory: Option<SqlDirectory>,
    /// What the configuration itself has: it comes first, and only its file changes it.
    pub(super) configured_users: BTreeSet<String>,
    pub(super) configured_brokers: BTreeSet<BrokerId>,
    has_own_sessions: bool,
    /// The store's name, for people.
    pub(super) store: String,
}

/// Whether the files of the store and the directory, and their keys, are made where there are none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingFile {
    /// The first user or broker is added before the first start of the server.
    Create,
    Fail,
}

impl Admin {
    pub(super) async fn open(options: &ConfigOptions, missing: MissingFile) -> Result<Self, Failure> {
        let config = options.load()?;
        if missing == MissingFile::Fail {
            config.check_files()?;
        }
        let configured_users = config.usernames().map(str::to_owned).collect();
        let configured_brokers = config.brokers.iter().map(|broker| broker.id.clone()).collect();
        let has_own_sessions = config.store == StoreUrl::Memory;
        let store = config.store.name();
        let Opened { server, directory } = config.open_for_command().await?;
        Ok(Self { server, directory, configured_users, configured_brokers, has_own_sessions, store })
    }

    fn directory(&self) -> Result<&SqlDirectory, Failure> {
        self.directory.as_ref().ok_or_else(|| {
            let what = "there is no directory: set `directory`, or a `store` in SQLite or PostgreSQL";
            Failure::settings(what)
        })
    }

    /// The directory, to change this user in it.
    pub(super) fn directory_for_user(&self, name: &str) -> Result<&SqlDirectory, Failure> {
        if self.is_configured(name) {
            return Err(is_configured("user", name));
        }
        self.directory()
    }

    /// Whether the configuration has this user, whatever the form of the name.
    pub(super) fn is_configured(&self, name: &str) -> bool {
        self.configured_users.iter().any(|known| canonical(known) == canonical(name))
    }

    /// The name of the user who is meant, as a login finds them: the one of this very name, or else of the form of it
    /// that counts.
    pub(super) async fn user_meant<'a>(&self, name: &'a str) -> Result<Cow<'a, str>, Failure> {
        let form = canonical(name);
        if form == name || self.configured_users.contains(name) {
            return Ok(name.into());
        }
        if let Some(known) = self.configured_users.iter().find(|known| canonical(known) == form) {
            return Ok(known.clone().into());
        }
        let Some(directory) = &self.directory else { return Ok(form) };
        match directory.user(name).await {
            Ok(None) => Ok(form),
            Ok(Some(_)) | Err(DirectoryError::Unreadable(_)) => Ok(name.into()),
            Err(error) => Err(failed("user", name, error)),
        }
    }

    /// What others know of this user's account.
    pub(super) fn own_words(&self, user: &User) -> ContextWords {
        ContextWords::new(user, self.server.public_url())
    }

    /// The directory, to change this broker in it.
    pub(super) fn directory_for_broker(&self, id: &BrokerId) -> Result<&SqlDirectory, Failure> {
        if self.configured_brokers.contains(id) {
            return Err(is_configured("broker", id.as_str()));
        }
        self.directory()
    }

    /// The sessions are in the memory of a server, and out of reach: whoever may not be there any more is noticed
    /// there.
    pub(super) fn sessions(&self) -> Result<&Server, Failure> {
        if self.has_own_sessions {
            return Err(Failure::settings(
                "with store = \"memory:\" sessions are in the server's own memory, where no command reaches them",
            ));
        }
        Ok(&self.server)
    }

    /// The rule for secrets is that of the configuration file.
    pub(super) fn check_strength(&self, broker: &Broker) -> Result<(), Failure> {
        if broker.is_strong() || is_loopback(self.server.public_url()) {
            return Ok(());
        }
        Err(Failure::other(format!("broker {}: the secret has less than 128 bits", broker.id)))
    }

    /// All that the directory has, readable or not, page by page: each begins after the name of the last.
    pub(super) async fn all<T>(
        &self,
        name: impl Fn(&T) -> &str,
        page: impl AsyncFn(&SqlDirectory, &str) -> Result<Vec<Result<T, Unreadable>>, DirectoryError>,
    ) -> Result<Vec<Result<T, Unreadable>>, Failure> {
        let Some(directory) = &self.directory else { return Ok(Vec::new()) };
        let mut found: Vec<Result<T, Unreadable>> = Vec::new();
        loop {
            let last = found.last().map_or("", |entry| entry.as_ref().map_or_else(|odd| &odd.name, &name));
            let next = page(directory, last).await.map_err(Failure::other)?;
            if next.is_empty() {
                return Ok(found);
            }
            found.extend(next);
        }
    }
}

fn is_configured(what: &str, name: &str) -> Failure {
    let name = output::printable(name);
    Failure::other(format!("{what} {name} is in the configuration, which comes first: change it there"))
}

/// The failure, told with what it is about.
pub(super) fn failed(what: &str, name: &str, error: DirectoryError) -> Failure {
    let name = output::printable(name);
    Failure::other(match error {
        DirectoryError::Exists => format!("{what} {name} is there already"),
        DirectoryError::NotFound => format!("there is no {what} {name} in the directory"),
        error @ (DirectoryError::Unavailable(_) | DirectoryError::WrongKeys | DirectoryError::Unreadable(_)) => {
            error.to_string()
        }
        error => format!("{what} {name}: {error}"),
    })
}

/// The cause is in the log, just before this.
pub(super) fn store_failed(_: Unavailable) -> Failure {
    Failure::other("the store does not answer")
}
