//! Where settings come from: the file, and the environment over it; and how a mistake is told with its place.

use std::{
    ffi::OsString,
    fs, io,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::entries::{BrokerEntry, Lifetime, SessionName, UserEntry};
use super::store::{DirectoryUrl, StoreKey, StoreUrl};
use crate::Failure;

/// The file that is read when no other is named.
pub(crate) const DEFAULT_FILE: &str = "sso.toml";

/// The environment variable of each key. Text is taken as it is; everything else is read as TOML.
pub(super) const VARIABLES: [(&str, &str, Form); 26] = [
    ("SSO_PUBLIC_URL", "public_url", Form::Text),
    ("SSO_LISTEN", "listen", Form::Text),
    ("SSO_STORE", "store", Form::Text),
    ("SSO_STORE_KEY", "store_key", Form::Text),
    ("SSO_STORE_KEY_FILE", "store_key_file", Form::Text),
    ("SSO_DIRECTORY", "directory", Form::Text),
    ("SSO_PHP_ROUTES", "php_routes", Form::Toml),
    ("SSO_SESSION_IDLE_TIMEOUT", "session.idle_timeout", Form::Text),
    ("SSO_SESSION_ABSOLUTE_LIFETIME", "session.absolute_lifetime", Form::Text),
    ("SSO_SESSION_NEVER_EXPIRE", "session.never_expire", Form::Toml),
    ("SSO_SESSION_WARN_BEFORE", "session.warn_before", Form::Text),
    ("SSO_SESSION_FORM_TIMEOUT", "session.form_timeout", Form::Text),
    ("SSO_SESSION_REGENERATE_EVERY", "session.regenerate_every", Form::Text),
    ("SSO_SESSION_FINGERPRINT", "session.fingerprint", Form::Toml),
    ("SSO_SESSION_NAME", "session.name", Form::Text),
    ("SSO_SESSION_MAX_ANONYMOUS", "session.max_anonymous", Form::Toml),
    ("SSO_SESSION_TOUCH_EVERY", "session.touch_every", Form::Text),
    ("SSO_SESSION_LINK_LIFETIME", "session.link_lifetime", Form::Text),
    ("SSO_SESSION_MAX_SESSIONS_PER_USER", "session.max_sessions_per_user", Form::Toml),
    ("SSO_JWT_KEYS", "jwt.keys", Form::Text),
    ("SSO_JWT_ACCESS_LIFETIME", "jwt.access_lifetime", Form::Text),
    ("SSO_JWT_REMEMBER_LIFETIME", "jwt.remember_lifetime", Form::Text),
    ("SSO_JWT_REMEMBER_ABSOLUTE", "jwt.remember_absolute", Form::Text),
    ("SSO_JWT_REMEMBER_ME", "jwt.remember_me", Form::Toml),
    ("SSO_BROKERS", "brokers", Form::Toml),
    ("SSO_USERS", "users", Form::Toml),
];

#[derive(Clone, Copy)]
pub(super) enum Form {
    Text,
    Toml,
}

/// The keys as they are written; all may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Keys {
    pub(super) public_url: Option<Spanned<Url>>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) store: Option<StoreUrl>,
    pub(super) store_key: Option<StoreKey>,
    pub(super) store_key_file: Option<Spanned<PathBuf>>,
    pub(super) directory: Option<DirectoryUrl>,
    pub(super) php_routes: Option<bool>,
    pub(super) session: SessionKeys,
    pub(super) jwt: JwtKeys,
    pub(super) brokers: Option<Vec<Spanned<BrokerEntry>>>,
    pub(super) users: Option<Vec<Spanned<UserEntry>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SessionKeys {
    pub(super) idle_timeout: Option<Spanned<Lifetime>>,
    pub(super) absolute_lifetime: Option<Spanned<Lifetime>>,
    pub(super) never_expire: Option<bool>,
    pub(super) warn_before: Option<Spanned<Lifetime>>,
    pub(super) form_timeout: Option<Spanned<Lifetime>>,
    pub(super) regenerate_every: Option<Spanned<Lifetime>>,
    pub(super) fingerprint: Option<bool>,
    pub(super) name: Option<SessionName>,
    pub(super) max_anonymous: Option<NonZeroUsize>,
    pub(super) touch_every: Option<Spanned<Lifetime>>,
    pub(super) link_lifetime: Option<Spanned<Lifetime>>,
    pub(super) max_sessions_per_user: Option<NonZeroUsize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct JwtKeys {
    pub(super) keys: Option<PathBuf>,
    pub(super) access_lifetime: Option<Spanned<Lifetime>>,
    pub(super) remember_lifetime: Option<Spanned<Lifetime>>,
    pub(super) remember_absolute: Option<Spanned<Lifetime>>,
    pub(super) remember_me: Option<bool>,
}

/// One place that settings come from, the file or a variable, and what it says.
pub(super) struct Layer {
    name: String,
    text: String,
    /// Whether the text has lines that mean something to its writer.
    has_lines: bool,
    pub(super) keys: Keys,
}

impl Layer {
    pub(super) fn file(name: String, text: String) -> Result<Self, Failure> {
        Self { name, text, has_lines: true, keys: Keys::default() }.parsed()
    }

    pub(super) fn variable(name: &str, key: &str, form: Form, value: &str) -> Result<Self, Failure> {
        let value = match form {
            Form::Text => toml::Value::from(value).to_string(),
            Form::Toml => value.to_owned(),
        };
        let text = format!("{key} = {value}");
        Self { name: name.to_owned(), text, has_lines: false, keys: Keys::default() }.parsed()
    }

    fn parsed(mut self) -> Result<Self, Failure> {
        self.keys = toml::from_str(&self.text)
            .map_err(|error| self.wrong(error.span().map_or(0, |span| span.start), error.message()))?;
        Ok(self)
    }

    /// The failure for what stands at this byte.
    pub(super) fn wrong(&self, at: usize, what: impl std::fmt::Display) -> Failure {
        let line = self.text.get(..at).unwrap_or(&self.text).matches('\n').count() + 1;
        let place = if self.has_lines { format!("{}:{line}", self.name) } else { self.name.clone() };
        // The library's messages may have lines of their own.
        Failure::settings(format!("{place}: {}", what.to_string().replace('\n', " ")))
    }
}

/// What the layers say, the last one first.
pub(super) struct Layers(pub(super) Vec<Layer>);

impl Layers {
    pub(super) fn find<'a, T>(&'a self, key: impl Fn(&'a Keys) -> Option<&'a T>) -> Option<(&'a T, &'a Layer)> {
        self.0.iter().rev().find_map(|layer| key(&layer.keys).map(|value| (value, layer)))
    }

    pub(super) fn value<T: Clone>(&self, key: impl Fn(&Keys) -> Option<&T>) -> Option<T> {
        self.find(key).map(|(value, _)| value.clone())
    }
}

/// The file, and the environment over it.
pub(super) fn layers_of(file: Option<&Path>) -> Result<Layers, Failure> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => Some((name, text)),
        // Everything may come from the environment.
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_none() => None,
        Err(error) => return Err(Failure::settings(format!("cannot read {name}: {error}"))),
    };
    check_variables(std::env::vars_os())?;
    parse(text, |variable| std::env::var(variable).ok())
}

pub(super) fn parse(
    file: Option<(String, String)>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Layers, Failure> {
    let mut layers = Layers(Vec::new());
    if let Some((name, text)) = file {
        layers.0.push(Layer::file(name, text)?);
    }
    for (variable, key, form) in VARIABLES {
        if let Some(value) = environment(variable) {
            layers.0.push(Layer::variable(variable, key, form, &value)?);
        }
    }
    Ok(layers)
}

/// What our variables begin with, and nobody else's.
const OUR_PREFIXES: [&str; 2] = ["SSO_SESSION_", "SSO_JWT_"];

/// A variable that looks like one of ours and is none is a mistake, and so is one that is not text.
pub(super) fn check_variables(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<(), Failure> {
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let is_ours = VARIABLES.iter().any(|(variable, ..)| *variable == name);
        if OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !is_ours {
            return Err(Failure::settings(format!("{name}: unknown variable")));
        }
        if is_ours && value.to_str().is_none() {
            return Err(Failure::settings(format!("{name}: expected text in UTF-8")));
        }
    }
    Ok(())
}
