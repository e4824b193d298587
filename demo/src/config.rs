//! The server's configuration: `sso.toml`, and the environment over it. Every mistake is told with its file and line, or with its variable.

use std::{fs, io, net::SocketAddr, path::Path, str::FromStr, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value};
use sso_core::{AllowedOrigins, BrokerId, Encoding, ReturnPages, Secret, Silent, wire::User};
use sso_server::{Account, Broker, BrokerList, PasswordHash, Policy, Server, ServerBuilder, UserList, is_loopback};
use toml::Spanned;
use url::Url;

use crate::{Failure, cli::ServerOptions};

/// The file that is read when no other is named.
const DEFAULT_FILE: &str = "sso.toml";
const DEFAULT_LISTEN: &str = "127.0.0.1:8000";

/// The environment variable of each key. Text is taken as it is; everything else is read as TOML.
const VARIABLES: [(&str, &str, Form); 10] = [
    ("SSO_PUBLIC_URL", "public_url", Form::Text),
    ("SSO_LISTEN", "listen", Form::Text),
    ("SSO_STORE", "store", Form::Text),
    ("SSO_PHP_ROUTES", "php_routes", Form::Toml),
    ("SSO_SESSION_IDLE_TIMEOUT", "session.idle_timeout", Form::Text),
    ("SSO_SESSION_ABSOLUTE_LIFETIME", "session.absolute_lifetime", Form::Text),
    ("SSO_SESSION_TOUCH_EVERY", "session.touch_every", Form::Text),
    ("SSO_SESSION_LINK_LIFETIME", "session.link_lifetime", Form::Text),
    ("SSO_BROKERS", "brokers", Form::Toml),
    ("SSO_USERS", "users", Form::Toml),
];

#[derive(Clone, Copy)]
enum Form {
    Text,
    Toml,
}

/// A configuration that was checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) public_url: Url,
    pub(crate) listen: SocketAddr,
    pub(crate) store: StoreUrl,
    pub(crate) php_routes: bool,
    pub(crate) policy: Policy,
    pub(crate) brokers: Vec<BrokerEntry>,
    users: Vec<UserEntry>,
}

/// Where sessions are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum StoreUrl {
    /// `memory:`: in this process.
    #[default]
    Memory,
}

impl StoreUrl {
    pub(crate) fn open(self, builder: ServerBuilder) -> ServerBuilder {
        match self {
            // The builder's own default.
            Self::Memory => builder,
        }
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "memory:" => Ok(Self::Memory),
            other => Err(format!("`{other}` is not a known store; expected `memory:`")),
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The keys as they are written; all may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    public_url: Option<Spanned<Url>>,
    listen: Option<SocketAddr>,
    store: Option<StoreUrl>,
    php_routes: Option<bool>,
    session: SessionKeys,
    brokers: Option<Vec<Spanned<BrokerEntry>>>,
    users: Option<Vec<UserEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SessionKeys {
    idle_timeout: Option<Spanned<Lifetime>>,
    absolute_lifetime: Option<Spanned<Lifetime>>,
    touch_every: Option<Spanned<Lifetime>>,
    link_lifetime: Option<Spanned<Lifetime>>,
}

/// A duration with its unit: `90s`, `20min`, `12h`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Lifetime(Duration);

impl TryFrom<String> for Lifetime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|error| format!("`{text}` is not a duration such as 90s, 20min or 12h: {error}"))
    }
}

/// A `[[brokers]]` entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrokerEntry {
    pub(crate) id: BrokerId,
    secret: Option<String>,
    secret_file: Option<String>,
    pub(crate) origins: Vec<String>,
    return_paths: Option<Vec<String>>,
    #[serde(default)]
    checksum: Encoding,
    #[serde(default)]
    silent: Silent,
    #[serde(default)]
    silent_start: bool,
    #[serde(default)]
    password_login: bool,
}

/// A `[[users]]` entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    username: String,
    password: Hash,
    #[serde(default)]
    attributes: Map<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Hash(PasswordHash);

impl TryFrom<String> for Hash {
    type Error = sso_server::users::password::InvalidHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// One place that settings come from, the file or a variable, and what it says.
struct Layer {
    name: String,
    text: String,
    /// Whether the text has lines that mean something to its writer.
    has_lines: bool,
    keys: Keys,
}

impl Layer {
    fn file(name: String, text: String) -> Result<Self, Failure> {
        Self { name, text, has_lines: true, keys: Keys::default() }.parsed()
    }

    fn variable(name: &str, key: &str, form: Form, value: &str) -> Result<Self, Failure> {
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
    fn wrong(&self, at: usize, what: impl std::fmt::Display) -> Failure {
        let line = self.text.get(..at).unwrap_or(&self.text).matches('\n').count() + 1;
        let place = if self.has_lines { format!("{}:{line}", self.name) } else { self.name.clone() };
        // The library's messages may have lines of their own.
        Failure::settings(format!("{place}: {}", what.to_string().replace('\n', " ")))
    }
}

/// What the layers say, the last one first.
struct Layers(Vec<Layer>);

impl Layers {
    fn find<'a, T>(&'a self, key: impl Fn(&'a Keys) -> Option<&'a T>) -> Option<(&'a T, &'a Layer)> {
        self.0.iter().rev().find_map(|layer| key(&layer.keys).map(|value| (value, layer)))
    }

    fn value<T: Clone>(&self, key: impl Fn(&Keys) -> Option<&T>) -> Option<T> {
        self.find(key).map(|(value, _)| value.clone())
    }
}

impl Config {
    /// Reads the file and the environment; the command's options come last.
    pub(crate) fn load(options: &ServerOptions) -> Result<Self, Failure> {
        let path = options.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let name = path.display().to_string();
        let file = match fs::read_to_string(path) {
            Ok(text) => Some((name, text)),
            // Everything may come from the environment.
            Err(error) if error.kind() == io::ErrorKind::NotFound && options.config.is_none() => None,
            Err(error) => return Err(Failure::settings(format!("cannot read {name}: {error}"))),
        };
        let mut config = Self::read(file, |variable| std::env::var(variable).ok())?;
        config.listen = options.listen.unwrap_or(config.listen);
        config.store = options.store.unwrap_or(config.store);
        Ok(config)
    }

    fn read(file: Option<(String, String)>, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let mut layers = Layers(Vec::new());
        if let Some((name, text)) = file {
            layers.0.push(Layer::file(name, text)?);
        }
        for (variable, key, form) in VARIABLES {
            if let Some(value) = environment(variable) {
                layers.0.push(Layer::variable(variable, key, form, &value)?);
            }
        }
        let public_url = layers.find(|keys| keys.public_url.as_ref());
        let Some((public_url, _)) = public_url else {
            return Err(Failure::settings("public_url is not set, neither in sso.toml nor as SSO_PUBLIC_URL"));
        };
        let listen = layers.value(|keys| keys.listen.as_ref());
        Ok(Self {
            public_url: public_url.get_ref().clone(),
            listen: listen.map_or_else(|| DEFAULT_LISTEN.parse().map_err(Failure::other), Ok)?,
            store: layers.value(|keys| keys.store.as_ref()).unwrap_or_default(),
            php_routes: layers.value(|keys| keys.php_routes.as_ref()).unwrap_or_default(),
            policy: policy(&layers)?,
            brokers: brokers(&layers, public_url.get_ref())?,
            users: layers.value(|keys| keys.users.as_ref()).unwrap_or_default(),
        })
    }

    /// Whether some broker attaches silently.
    pub(crate) fn has_silent_broker(&self) -> bool {
        self.brokers.iter().any(|broker| broker.silent != Silent::Off)
    }

    /// Builds the server.
    pub(crate) fn into_server(self) -> Result<Server, Failure> {
        let brokers = self.brokers.iter().map(|entry| entry.broker().map_err(Failure::settings));
        let brokers = brokers.collect::<Result<BrokerList, _>>()?;
        let users: UserList = self.users.into_iter().map(UserEntry::account).collect();
        let builder = Server::builder(self.public_url, brokers, users).policy(self.policy);
        self.store.open(builder).build().map_err(Failure::settings)
    }
}

fn policy(layers: &Layers) -> Result<Policy, Failure> {
    let default = Policy::default();
    let idle_timeout = layers.find(|keys| keys.session.idle_timeout.as_ref());
    let lifetime = |key: fn(&SessionKeys) -> Option<&Spanned<Lifetime>>, default| {
        layers.find(|keys| key(&keys.session)).map_or(default, |(lifetime, _)| lifetime.get_ref().0)
    };
    let policy = Policy {
        idle_timeout: lifetime(|keys| keys.idle_timeout.as_ref(), default.idle_timeout),
        absolute_lifetime: lifetime(|keys| keys.absolute_lifetime.as_ref(), default.absolute_lifetime),
        touch_every: lifetime(|keys| keys.touch_every.as_ref(), default.touch_every),
        link_lifetime: lifetime(|keys| keys.link_lifetime.as_ref(), default.link_lifetime),
    };
    policy.check().map_err(|error| {
        // The idle timeout, or the other one of the pair if that is the one that was set.
        let absolute = layers.find(|keys| keys.session.absolute_lifetime.as_ref());
        match idle_timeout.or(absolute) {
            Some((value, layer)) => layer.wrong(value.span().start, format!("[session] {error}")),
            None => Failure::settings(format!("[session] {error}")),
        }
    })?;
    Ok(policy)
}

fn brokers(layers: &Layers, public_url: &Url) -> Result<Vec<BrokerEntry>, Failure> {
    let Some((entries, layer)) = layers.find(|keys| keys.brokers.as_ref()) else { return Ok(Vec::new()) };
    let mut brokers: Vec<BrokerEntry> = Vec::with_capacity(entries.len());
    for spanned in entries {
        let entry = spanned.get_ref();
        let wrong = |what: String| layer.wrong(spanned.span().start, format!("broker {}: {what}", entry.id));
        let broker = entry.broker().map_err(wrong)?;
        if !broker.is_strong() && !is_loopback(public_url) {
            return Err(wrong("the secret has less than 128 bits; `sso new-broker` makes a good one".into()));
        }
        if brokers.iter().any(|other| other.id == entry.id) {
            return Err(wrong("this id is given twice".into()));
        }
        brokers.push(entry.clone());
    }
    Ok(brokers)
}

impl BrokerEntry {
    fn broker(&self) -> Result<Broker, String> {
        let secret = match (&self.secret, &self.secret_file) {
            (Some(secret), None) => Secret::new(secret.as_str()),
            (None, Some(file)) => {
                let text = fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
                Secret::new(text.trim_end_matches(['\r', '\n']))
            }
            _ => return Err("expected either `secret` or `secret_file`".into()),
        };
        let returns = match (&self.return_paths, self.checksum) {
            (Some(paths), _) => ReturnPages::Paths(paths.clone()),
            (None, Encoding::Exact) => ReturnPages::Paths(vec!["/sso/return".into()]),
            // jasny/sso returns to the page that was asked for.
            (None, Encoding::Php) => ReturnPages::Any,
        };
        let origins = AllowedOrigins::new(&self.origins, returns).map_err(|error| error.to_string())?;
        let mut broker = Broker::new(self.id.clone(), &secret, self.checksum, origins);
        broker.silent = self.silent;
        broker.silent_start = self.silent_start;
        broker.password_login = self.password_login;
        Ok(broker)
    }
}

impl UserEntry {
    fn account(self) -> Account {
        Account { user: User { username: self.username, attributes: self.attributes }, password: self.password.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "public_url = \"https://sso.example.com\"\n";

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let environment =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        Config::read(Some(("sso.toml".into(), text.into())), environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let text = format!("{GOOD}listen = \"127.0.0.1:1\"\n[session]\nidle_timeout = \"5min\"\n");
        let config = read(&text, &[]).unwrap();
        assert_eq!(config.policy.idle_timeout, Duration::from_secs(300));
        assert_eq!(config.listen.port(), 1);
        let brokers =
            "[{ id = \"A\", secret = \"0123456789012345678901234567890123456789\", origins = [\"https://a\"] }]";
        let variables = [
            ("SSO_LISTEN", "[::1]:2"),
            ("SSO_SESSION_IDLE_TIMEOUT", "90s"),
            ("SSO_PHP_ROUTES", "true"),
            ("SSO_BROKERS", brokers),
        ];
        let config = read(&text, &variables).unwrap();
        assert_eq!((config.listen.port(), config.php_routes), (2, true));
        assert_eq!(config.policy.idle_timeout, Duration::from_secs(90));
        assert_eq!(config.brokers.len(), 1);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let broker = |more: &str| format!("{GOOD}\n[[brokers]]\nid = \"A\"\norigins = [\"https://a\"]\n{more}\n");
        for (text, place, what) in [
            ("listen = \"127.0.0.1:1\"".to_owned(), "public_url is not set", ""),
            (format!("{GOOD}nonsense = 1"), "sso.toml:2: ", "unknown field `nonsense`"),
            (format!("{GOOD}\nstore = \"mysql:\""), "sso.toml:3: ", "`mysql:` is not a known store"),
            (format!("{GOOD}listen = \"here\""), "sso.toml:2: ", "invalid socket address"),
            (format!("{GOOD}[session]\nidle_timeout = \"20\""), "sso.toml:3: ", "`20` is not a duration such as"),
            (format!("{GOOD}[session]\nidle_timeout = \"-5s\""), "sso.toml:3: ", "is not a duration"),
            (format!("{GOOD}[session]\nidle_timeout = \"13h\""), "sso.toml:3: ", "must not be longer than"),
            (format!("{GOOD}[session]\nabsolute_lifetime = \"1min\""), "sso.toml:3: ", "must not be longer than"),
            (format!("{GOOD}[session]\nidle = \"1s\""), "sso.toml:3: ", "unknown field `idle`"),
            (broker(""), "sso.toml:3: broker A: ", "expected either `secret` or `secret_file`"),
            (broker("secret = \"short\""), "sso.toml:3: broker A: ", "less than 128 bits"),
            (broker("secret_file = \"/does/not/exist\""), "sso.toml:3: broker A: ", "cannot read"),
            (broker("checksum = \"md5\""), "sso.toml:6: ", "unknown variant `md5`"),
            (format!("{GOOD}users = [{{ username = \"a\", password = \"b\" }}]"), "sso.toml:2: ", "not an argon2"),
        ] {
            let error = read(&text, &[]).unwrap_err();
            assert!(error.starts_with(place) && error.contains(what) && !error.contains('\n'), "{text}\n{error}");
        }
        let error = read(GOOD, &[("SSO_SESSION_IDLE_TIMEOUT", "20")]).unwrap_err();
        assert!(error.starts_with("SSO_SESSION_IDLE_TIMEOUT: `20` is not a duration"), "{error}");
    }

    #[test]
    fn a_weak_secret_is_for_the_loopback_only() {
        let entry = "[[brokers]]\nid = \"A\"\norigins = [\"https://a\"]\nsecret = \"short\"\n";
        assert!(read(&format!("public_url = \"http://localhost:8000\"\n{entry}"), &[]).is_ok());
        assert!(read(&format!("{GOOD}{entry}"), &[]).is_err());
    }

    /// The shipped file is right, and the defaults that it tells are the real ones.
    #[test]
    fn the_shipped_file_tells_the_defaults() {
        let shipped = include_str!("../../sso.toml");
        let config = read(shipped, &[]).unwrap();
        assert_eq!(config.policy, Policy::default());
        let all_set: String = shipped
            .lines()
            .map(|line| line.strip_prefix("#").filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
            .collect();
        assert_ne!(all_set, shipped);
        let explicit = read(&all_set, &[]).unwrap();
        assert_eq!(explicit.policy, config.policy);
        assert_eq!(
            (explicit.listen, explicit.store, explicit.php_routes),
            (config.listen, config.store, config.php_routes)
        );
    }
}
