//! What stands in the configuration: brokers, users, the store's URL, durations.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Map, Value};
use sso_core::{BrokerId, Encoding, Secret, Silent, wire::User};
use sso_server::{Account, Broker, BrokerSettings, PasswordHash};

/// The name of the session cookie: 1 to 64 letters, digits and underscores.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SessionName(pub(crate) String);

impl FromStr for SessionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for SessionName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits { Ok(Self(text)) } else { Err(format!("`{text}` is not 1 to 64 letters, digits or underscores")) }
    }
}

/// A duration with its unit: `90s`, `20min`, `12h`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Lifetime(pub(super) Duration);

impl TryFrom<String> for Lifetime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|error| format!("`{text}` is not a duration such as 90s, 20min or 12h: {error}"))
    }
}

/// How a broker writes checksums, as an option of a command says it.
pub(crate) fn encoding(text: &str) -> Result<Encoding, &'static str> {
    match text {
        "exact" => Ok(Encoding::Exact),
        "php" => Ok(Encoding::Php),
        _ => Err("expected `exact` or `php`"),
    }
}

/// A `[[brokers]]` entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrokerEntry {
    pub(crate) id: BrokerId,
    secret: Option<SecretText>,
    secret_file: Option<PathBuf>,
    previous_secret: Option<SecretText>,
    previous_secret_file: Option<PathBuf>,
    pub(crate) origins: Vec<String>,
    return_paths: Option<Vec<String>>,
    #[serde(default)]
    checksum: Encoding,
    #[serde(default)]
    pub(super) silent: Silent,
    #[serde(default)]
    silent_start: bool,
    #[serde(default)]
    password_login: bool,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    allow_users: Vec<String>,
    #[serde(default)]
    allow_groups: Vec<String>,
    attributes: Option<Vec<String>>,
}

impl BrokerEntry {
    /// The files in which its secrets are, and a name for each.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = (String, &Path)> {
        let files = [("secret", &self.secret_file), ("previous_secret", &self.previous_secret_file)];
        files.into_iter().filter_map(|(name, file)| Some((format!("{}.{name}", self.id), file.as_deref()?)))
    }

    /// The broker, checked.
    pub(super) fn broker(&self) -> Result<Broker, String> {
        let secret = secret("secret", self.secret.as_ref(), self.secret_file.as_deref())?;
        let secret = secret.ok_or("expected either `secret` or `secret_file`")?;
        let file = self.previous_secret_file.as_deref();
        let previous = self::secret("previous_secret", self.previous_secret.as_ref(), file)?;
        if previous.as_ref().is_some_and(|previous| previous.expose() == secret.expose()) {
            return Err("`previous_secret` is the secret itself".into());
        }
        let broker = self.settings().broker(self.id.clone(), &secret).map_err(|error| error.to_string())?;
        Ok(match previous {
            Some(previous) => broker.previous_secret(&previous, None),
            None => broker,
        })
    }

    fn settings(&self) -> BrokerSettings {
        BrokerSettings {
            origins: self.origins.clone(),
            return_paths: self.return_paths.clone(),
            checksum: self.checksum,
            silent: self.silent,
            silent_start: self.silent_start,
            password_login: self.password_login,
            audiences: self.audiences.clone(),
            allow_users: self.allow_users.clone(),
            allow_groups: self.allow_groups.clone(),
            attributes: self.attributes.clone(),
        }
    }
}

/// A secret that is given in one of two ways, or not at all.
fn secret(key: &str, text: Option<&SecretText>, file: Option<&Path>) -> Result<Option<Secret>, String> {
    let secret = match (text, file) {
        (None, None) => return Ok(None),
        (Some(SecretText(secret)), None) => secret.clone(),
        (None, Some(file)) => secret_in(file)?,
        (Some(_), Some(_)) => return Err(format!("expected either `{key}` or `{key}_file`")),
    };
    if secret.expose().is_empty() { Err(format!("the {key} is empty")) } else { Ok(Some(secret)) }
}

/// The secret that is all there is in a file, but for the end of its line.
pub(crate) fn secret_in(file: &Path) -> Result<Secret, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// A secret as it is written in the file. `Debug` does not show it.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
struct SecretText(Secret);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// A `[[users]]` entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserEntry {
    pub(super) username: String,
    password: Hash,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
struct Attributes(Map<String, Value>);

impl TryFrom<Map<String, Value>> for Attributes {
    type Error = &'static str;

    fn try_from(attributes: Map<String, Value>) -> Result<Self, Self::Error> {
        if attributes.contains_key("username") {
            return Err("`username` is the user's name, and no attribute");
        }
        Ok(Self(attributes))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Hash(PasswordHash);

impl TryFrom<String> for Hash {
    type Error = sso_server::InvalidHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl UserEntry {
    pub(super) fn account(self) -> Account {
        let user = User { username: self.username, attributes: self.attributes.0 };
        Account { user, password: self.password.0, groups: self.groups }
    }
}
