//! Where sessions, users and brokers are kept: the URLs, the key, and how they are opened.

use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Deserialize;
use sso_core::{Secret, base36, checksum::MacKey, random};
use sso_server::{
    MemoryStore, ServerBuilder, SqlDirectory,
    clock::SystemClock,
    store::{RedisStore, SqlStore, StoreError, StoreKeys},
};

use crate::{
    Failure,
    private_file::{self, PrivateFileError},
};

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum StoreUrl {
    /// `memory:`: in this process.
    Memory,
    /// `sqlite:FILE`: in this file.
    Sqlite(PathBuf),
    /// `postgres://…`; the URL may have a password in it.
    Postgres(Location),
    /// `redis://…` or `rediss://…`; likewise.
    Redis(Location),
}

/// A store as an option of a command names it. A wrong one is told later: clap would repeat it, with the password that
/// may be in it.
#[derive(Clone, Debug)]
pub(crate) struct StoreOption(Result<StoreUrl, String>);

impl FromStr for StoreOption {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse()))
    }
}

impl StoreOption {
    pub(crate) fn url(&self) -> Result<StoreUrl, Failure> {
        self.0.clone().map_err(|error| Failure::settings(format!("--store: {error}")))
    }
}

/// A URL that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Location(String);

impl Location {
    fn host(&self) -> String {
        let url = url::Url::parse(&self.0).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "localhost".to_owned())
    }
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Location(…)")
    }
}

/// The secrets of a store, as they are written: separated by white space, the newest first.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct StoreKey(Secret);

impl From<String> for StoreKey {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// A store that is open, and what its keys are made from.
pub(crate) enum OpenStore {
    Memory(MemoryStore),
    Sql(Box<SqlStore>, StoreKeys),
    Redis(Box<RedisStore>, StoreKeys),
}

impl StoreUrl {
    /// What it is, for people: not the URL, which may have a password in it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Memory => "the memory".to_owned(),
            Self::Sqlite(file) => format!("the store {}", file.display()),
            Self::Postgres(location) => format!("the store in PostgreSQL at {}", location.host()),
            Self::Redis(location) => format!("the store in Redis at {}", location.host()),
        }
    }

    /// The file that it is, if it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(file) => Some(file),
            Self::Memory | Self::Postgres(_) | Self::Redis(_) => None,
        }
    }

    /// Opens the store; in memory it has room for `max_anonymous` sessions without a user.
    pub(crate) async fn open(&self, key: Option<&StoreKey>, max_anonymous: usize) -> Result<OpenStore, Failure> {
        let cannot = |error| Failure::other(format!("cannot open the store: {error}"));
        match self {
            Self::Memory => Ok(OpenStore::Memory(MemoryStore::bounded(SystemClock, max_anonymous))),
            Self::Sqlite(file) => {
                let keys = given_or_beside(key, file)?;
                let store = SqlStore::sqlite(file, keys.clone(), SystemClock).await.map_err(cannot)?;
                Ok(OpenStore::Sql(Box::new(store), keys))
            }
            Self::Postgres(Location(url)) => {
                let keys = given(key, "a store in PostgreSQL")?;
                let store = SqlStore::postgres(url, keys.clone(), SystemClock).await.map_err(cannot)?;
                Ok(OpenStore::Sql(Box::new(store), keys))
            }
            Self::Redis(Location(url)) => {
                let keys = given(key, "a store in Redis")?;
                let store = RedisStore::open(url, keys.clone(), SystemClock).map_err(Failure::settings)?;
                match store.check_keys().await {
                    Err(StoreError::WrongKeys) => return Err(cannot(StoreError::WrongKeys)),
                    // It may come later, and is asked then.
                    Err(error) => tracing::error!(%error, "the store is not there yet"),
                    Ok(()) => {}
                }
                Ok(OpenStore::Redis(Box::new(store), keys))
            }
        }
    }
}

impl OpenStore {
    /// The users and brokers that are in the same database.
    pub(super) fn directory(&self) -> Option<SqlDirectory> {
        match self {
            Self::Sql(store, _) => Some(SqlDirectory::beside(store, SystemClock)),
            Self::Memory(_) | Self::Redis(..) => None,
        }
    }

    /// Gives the store to the builder, with the secret from which the server makes what must not change at a restart.
    pub(crate) fn give_to(self, builder: ServerBuilder) -> ServerBuilder {
        match self {
            Self::Memory(store) => builder.store(store),
            Self::Redis(store, keys) => builder.secret(&keys.derive("server")).store(*store),
            Self::Sql(store, keys) => builder.secret(&keys.derive("server")).store(*store),
        }
    }
}

/// Where users and brokers are that are not in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "StoreUrl")]
pub(super) enum DirectoryUrl {
    Sqlite(PathBuf),
    Postgres(Location),
}

impl TryFrom<StoreUrl> for DirectoryUrl {
    type Error = &'static str;

    fn try_from(url: StoreUrl) -> Result<Self, Self::Error> {
        match url {
            StoreUrl::Sqlite(file) => Ok(Self::Sqlite(file)),
            StoreUrl::Postgres(location) => Ok(Self::Postgres(location)),
            StoreUrl::Memory | StoreUrl::Redis(_) => {
                Err("users and brokers cannot be kept there; expected `sqlite:FILE` or `postgres://…`")
            }
        }
    }
}

impl DirectoryUrl {
    /// The file that it is, if it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(file) => Some(file),
            Self::Postgres(_) => None,
        }
    }

    pub(super) async fn open(&self, key: Option<&StoreKey>) -> Result<SqlDirectory, Failure> {
        let directory = match self {
            Self::Sqlite(file) => SqlDirectory::sqlite(file, given_or_beside(key, file)?, SystemClock).await,
            Self::Postgres(Location(url)) => {
                SqlDirectory::postgres(url, given(key, "a directory in PostgreSQL")?, SystemClock).await
            }
        };
        directory.map_err(|error| Failure::other(format!("cannot open the directory: {error}")))
    }
}

/// The keys of a file.
fn given_or_beside(key: Option<&StoreKey>, file: &Path) -> Result<StoreKeys, Failure> {
    match key {
        Some(key) => key.keys(),
        None => key_beside(file)?.keys(),
    }
}

/// The keys of a database that has no file to keep one beside.
fn given(key: Option<&StoreKey>, what: &str) -> Result<StoreKeys, Failure> {
    match key {
        Some(key) => key.keys(),
        None => Err(Failure::settings(format!("{what} needs store_key or store_key_file"))),
    }
}

impl StoreKey {
    /// From a file that only its owner can read.
    pub(super) fn read(file: &Path) -> Result<Self, PrivateFileError> {
        Ok(Self(Secret::new(private_file::read(file)?.as_bytes())))
    }

    /// The key beside this file, which is there.
    pub(crate) fn beside(file: &Path) -> Result<Self, Failure> {
        Self::read(&place_beside(file)).map_err(Failure::other)
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &[u8] {
        self.0.expose()
    }

    pub(crate) fn keys(&self) -> Result<StoreKeys, Failure> {
        let text = str::from_utf8(self.0.expose()).unwrap_or_default();
        let mut secrets = Vec::new();
        for secret in text.split_ascii_whitespace().map(Secret::new) {
            if secret.strength_bits() < Secret::MIN_BITS {
                return Err(Failure::settings("a store's key has less than 128 bits"));
            }
            secrets.push(MacKey::new(secret.expose()).mac(&["store key"]));
        }
        StoreKeys::new(&secrets).map_err(Failure::settings)
    }
}

/// Where the key of a SQLite file is, unless it is set.
pub(super) fn place_beside(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".key");
    path.into()
}

/// The key beside a SQLite file, which the first start makes.
fn key_beside(file: &Path) -> Result<StoreKey, Failure> {
    let path = place_beside(file);
    // Whole under another name first, so that nobody reads half of it; a link never overwrites.
    let draft = path.with_extension(format!("{:.8}", base36::exact(&random::bytes())));
    if !path.exists() {
        let made = private_file::write_new(&draft, Secret::generate().expose());
        let made = made.and_then(|()| fs::hard_link(&draft, &path));
        let _gone = fs::remove_file(&draft);
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Failure::other(format!("cannot make {}: {error}", path.display())));
            }
            _ => {}
        }
    }
    StoreKey::read(&path).map_err(Failure::other)
}

const EXPECTED: &str = "`memory:`, `sqlite:FILE`, `postgres://…` or `redis://…`";

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some(("sqlite", file)) if !file.is_empty() && !file.starts_with("//") => Ok(Self::Sqlite(file.into())),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") && url::Url::parse(text).is_ok() => {
                Ok(Self::Postgres(Location(text.into())))
            }
            Some(("redis" | "rediss", rest)) if rest.starts_with("//") && url::Url::parse(text).is_ok() => {
                Ok(Self::Redis(Location(text.into())))
            }
            // Not the text itself: it may have a password in it.
            Some((scheme, _)) => Err(format!("`{scheme}:` is not a known store; expected {EXPECTED}")),
            None => Err(format!("this is not a store; expected {EXPECTED}")),
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
