//! The server's configuration: `sso.toml`, and the environment over it. Every mistake is told with its file and line,
//! or with its variable.

mod entries;
#[cfg(feature = "demo")]
mod environment;
mod layers;
mod policy;
mod store;

use std::{
    collections::HashMap,
    fs, io,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use sso_core::{Silent, is_loopback};
use sso_server::{
    BrokerList, MemoryStore, Policy, Server, SqlDirectory, TokenPolicy, UserList,
    clock::SystemClock,
    directory::{Cached, Chain},
    username::visible,
};
use url::Url;

use crate::{Failure, keys::ServerKeys};
use entries::{BrokerEntry, UserEntry};
use layers::{Layers, VARIABLES, layers_of};
use store::DirectoryUrl;

pub(crate) use entries::{SessionName, encoding, secret_in};
#[cfg(feature = "demo")]
pub(crate) use environment::{store_key_of_environment, users_of_environment, variable};
pub(crate) use layers::DEFAULT_FILE;
pub(crate) use store::{StoreKey, StoreOption, StoreUrl};

const DEFAULT_STORE: &str = "sso.db";
const DEFAULT_LISTEN: &str = "127.0.0.1:8000";

/// A configuration that was checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) public_url: Url,
    pub(crate) listen: SocketAddr,
    pub(crate) store: StoreUrl,
    store_key: Option<StoreKey>,
    directory: Option<DirectoryUrl>,
    pub(crate) php_routes: bool,
    pub(crate) policy: Policy,
    pub(crate) tokens: TokenPolicy,
    /// Where the keys of tokens are; without it they follow from the key of the store, and with `memory:` they last as
    /// long as the process.
    pub(crate) keys: Option<PathBuf>,
    session_name: Option<SessionName>,
    /// How many sessions without a user `memory:` keeps.
    max_anonymous: usize,
    pub(crate) brokers: Vec<BrokerEntry>,
    users: Vec<UserEntry>,
}

/// What a configuration leads to.
pub(crate) struct Opened {
    pub(crate) server: Server,
    /// The users and brokers that are not in the file, if there is a place for them.
    pub(crate) directory: Option<SqlDirectory>,
}

impl Config {
    /// Reads the file (default: `sso.toml`, if there is one) and the environment. This store takes the place of the
    /// configured one.
    pub(crate) fn load(file: Option<&Path>, store: Option<&StoreOption>) -> Result<Self, Failure> {
        let mut config = Self::checked(&layers_of(file)?)?;
        if let Some(store) = store {
            config.store = store.url()?;
        }
        Ok(config)
    }

    fn checked(layers: &Layers) -> Result<Self, Failure> {
        let public_url = layers.find(|keys| keys.public_url.as_ref());
        let Some((public_url, layer)) = public_url else {
            return Err(Failure::settings("public_url is not set, neither in sso.toml nor as SSO_PUBLIC_URL"));
        };
        sso_server::check_public_url(public_url.get_ref())
            .map_err(|error| layer.wrong(public_url.span().start, error))?;
        let listen = layers.value(|keys| keys.listen.as_ref());
        Ok(Self {
            public_url: public_url.get_ref().clone(),
            listen: listen.map_or_else(|| DEFAULT_LISTEN.parse().map_err(Failure::other), Ok)?,
            store: layers.value(|keys| keys.store.as_ref()).unwrap_or_else(|| StoreUrl::Sqlite(DEFAULT_STORE.into())),
            store_key: store_key(layers)?,
            directory: layers.value(|keys| keys.directory.as_ref()),
            php_routes: layers.value(|keys| keys.php_routes.as_ref()).unwrap_or_default(),
            policy: policy::sessions(layers)?,
            tokens: policy::tokens(layers)?,
            keys: layers.value(|keys| keys.jwt.keys.as_ref()),
            session_name: layers.value(|keys| keys.session.name.as_ref()),
            max_anonymous: layers
                .value(|keys| keys.session.max_anonymous.as_ref())
                .map_or(MemoryStore::MAX_ANONYMOUS, NonZeroUsize::get),
            brokers: brokers(layers, public_url.get_ref())?,
            users: users(layers)?,
        })
    }

    /// Whether some broker attaches silently.
    pub(crate) fn has_silent_broker(&self) -> bool {
        self.brokers.iter().any(|broker| broker.silent != Silent::Off)
    }

    /// The names of the users in the file.
    pub(crate) fn usernames(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(|user| user.username.as_str())
    }

    /// The key of the store and the directory, if it is set.
    pub(crate) fn store_key(&self) -> Option<&StoreKey> {
        self.store_key.as_ref()
    }

    /// The databases in files: of the store, and of the directory if that is another one.
    pub(crate) fn database_files(&self) -> (Option<&Path>, Option<&Path>) {
        let store = self.store.file();
        let directory = self.directory.as_ref().and_then(DirectoryUrl::file).filter(|file| store != Some(*file));
        (store, directory)
    }

    /// That the databases in files are there, with their keys: a command that is run in the wrong directory would make
    /// empty ones, and tell of a success in them.
    pub(crate) fn check_files(&self) -> Result<(), Failure> {
        let (store, directory) = self.database_files();
        for (file, what) in [(store, "store"), (directory, "directory")] {
            let Some(file) = file else { continue };
            if is_missing(file) {
                return Err(Failure::other(format!("there is no {what} {}", file.display())));
            }
            let key = store::place_beside(file);
            if self.store_key.is_none() && is_missing(&key) {
                return Err(Failure::other(format!("there is no key {} of the {what}", key.display())));
            }
        }
        Ok(())
    }

    /// Whether something is in PostgreSQL or Redis.
    pub(crate) fn has_other_databases(&self) -> bool {
        matches!(self.store, StoreUrl::Postgres(_) | StoreUrl::Redis(_))
            || self.directory.as_ref().is_some_and(|directory| directory.file().is_none())
    }

    /// The files in which brokers' secrets are, and a name for each.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = (String, &Path)> {
        self.brokers.iter().flat_map(BrokerEntry::secret_files)
    }

    /// The environment variables that are settings, but for the store's key.
    pub(crate) fn variables_in_use() -> Vec<&'static str> {
        let names = VARIABLES.iter().map(|(name, ..)| *name).filter(|name| *name != "SSO_STORE_KEY");
        names.filter(|name| std::env::var_os(name).is_some()).collect()
    }

    /// Builds the server that serves. Its keys are those of the configured directory, which is watched from now on.
    pub(crate) async fn open(self) -> Result<Opened, Failure> {
        let keys = self.keys.as_deref().map(ServerKeys::load).transpose()?;
        self.build(keys).await
    }

    /// Builds the server for a command, which neither makes nor reads tokens: their keys may be broken, and are not
    /// watched.
    pub(crate) async fn open_for_command(self) -> Result<Opened, Failure> {
        self.build(None).await
    }

    async fn build(self, keys: Option<ServerKeys>) -> Result<Opened, Failure> {
        let brokers = self.brokers.iter().map(|entry| entry.broker().map_err(Failure::settings));
        let brokers = brokers.collect::<Result<BrokerList, _>>()?;
        let users: UserList = self.users.into_iter().map(UserEntry::account).collect();
        let store = self.store.open(self.store_key.as_ref(), self.max_anonymous).await?;
        let directory = match &self.directory {
            Some(directory) => Some(directory.open(self.store_key.as_ref()).await?),
            None => store.directory(),
        };
        let builder = match &directory {
            // What the file says comes first.
            Some(directory) => Server::builder(
                self.public_url,
                Chain(brokers, Cached::brokers(directory.clone(), SystemClock)),
                Chain(users, Cached::users(directory.clone(), SystemClock)),
            ),
            None => Server::builder(self.public_url, brokers, users),
        };
        let mut builder = builder.policy(self.policy).tokens(self.tokens);
        if let Some(keys) = keys {
            builder = builder.access_keys(keys.access).remember_keys(keys.remember);
        }
        if let Some(SessionName(name)) = self.session_name {
            builder = builder.session_name(name);
        }
        let server = store.give_to(builder).build().map_err(Failure::settings)?;
        Ok(Opened { server, directory })
    }
}

/// `[jwt]` alone, for commands that need neither brokers nor users nor a store.
#[derive(Debug)]
pub(crate) struct TokenConfig {
    pub(crate) tokens: TokenPolicy,
    /// Where the keys of tokens are.
    pub(crate) keys: Option<PathBuf>,
}

impl TokenConfig {
    /// Reads the file (default: `sso.toml`, if there is one) and the environment.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, Failure> {
        let layers = layers_of(file)?;
        Ok(Self { tokens: policy::tokens(&layers)?, keys: layers.value(|keys| keys.jwt.keys.as_ref()) })
    }
}

/// Whatever else is wrong with a file is told when it is opened.
fn is_missing(file: &Path) -> bool {
    fs::metadata(file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn store_key(layers: &Layers) -> Result<Option<StoreKey>, Failure> {
    let file = layers.find(|keys| keys.store_key_file.as_ref());
    match (layers.value(|keys| keys.store_key.as_ref()), file) {
        (Some(_), Some((file, layer))) => {
            Err(layer.wrong(file.span().start, "expected either `store_key` or `store_key_file`"))
        }
        (None, Some((file, layer))) => {
            StoreKey::read(file.get_ref()).map(Some).map_err(|error| layer.wrong(file.span().start, error))
        }
        (key, None) => Ok(key),
    }
}

fn brokers(layers: &Layers, public_url: &Url) -> Result<Vec<BrokerEntry>, Failure> {
    let Some((entries, layer)) = layers.find(|keys| keys.brokers.as_ref()) else { return Ok(Vec::new()) };
    let mut brokers: Vec<BrokerEntry> = Vec::with_capacity(entries.len());
    for spanned in entries {
        let entry = spanned.get_ref();
        let wrong = |what: String| layer.wrong(spanned.span().start, format!("broker {}: {what}", entry.id));
        let broker = entry.broker().map_err(wrong)?;
        if !broker.is_strong() && !is_loopback(public_url) {
            return Err(wrong("a secret of it has less than 128 bits; `sso new-broker` makes a good one".into()));
        }
        if brokers.iter().any(|other| other.id == entry.id) {
            return Err(wrong("this id is given twice".into()));
        }
        brokers.push(entry.clone());
    }
    Ok(brokers)
}

fn users(layers: &Layers) -> Result<Vec<UserEntry>, Failure> {
    let Some((entries, layer)) = layers.find(|keys| keys.users.as_ref()) else { return Ok(Vec::new()) };
    let mut names = HashMap::new();
    for entry in entries {
        let name = entry.get_ref().username.as_str();
        let wrong = |what: &str| layer.wrong(entry.span().start, format!("user {}: {what}", name.escape_debug()));
        match names.insert(visible(name), name) {
            None => {}
            Some(known) if known == name => return Err(wrong("this name is given twice")),
            Some(_) => {
                let what = "another user's name differs only in white space, Unicode form or invisible characters";
                return Err(wrong(what));
            }
        }
    }
    Ok(entries.iter().map(|entry| entry.get_ref().clone()).collect())
}

#[cfg(test)]
mod tests;
