//! The commands and their options.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use sso_broker::SilentMode;
use sso_core::{BrokerId, Encoding};

use crate::{
    Failure,
    admin::{AdminOptions, brokers, sessions, users},
    backup::{self, BackupOptions},
    config::{SessionName, StoreOption},
    demo,
    keys::command::{self, KeysOptions},
    sites, tools,
};

/// Shared-session single sign-on. Without a command: the demo.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: DemoOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs all sites of the demo in one process
    Demo(DemoOptions),
    /// Runs the server, from a configuration file and the environment
    Server(ServerOptions),
    /// Runs one broker site. Its secret comes from SSO_BROKER_SECRET only: options show in the list of processes
    Broker(BrokerOptions),
    /// Runs the demo's JSON service alone, which knows its users by access tokens
    Api(ApiOptions),
    /// Runs one linked application, which has a session of its own. Its users and keys come from the environment only:
    /// SSO_USERS, such as `[{ username = "ada", password = "…" }]` with a hash that `sso hash-password` made,
    /// SSO_SESSION_KEY, and SSO_PAIR_KEY for its peer
    LinkedApp(LinkedAppOptions),
    /// Reads a password from the terminal or the first line of standard input, and prints its hash
    HashPassword,
    /// Makes, shows and replaces the keys of tokens; a running server takes up every change by itself
    Keys(KeysOptions),
    /// Adds, shows and changes users in the directory, while servers run
    Users(AdminOptions<users::Action>),
    /// Adds, shows and changes brokers in the directory, while servers run
    Brokers(AdminOptions<brokers::Action>),
    /// Shows where users are logged in, and ends that
    Sessions(AdminOptions<sessions::Action>),
    /// Copies the server's databases, keys and configuration into a new directory, while it runs
    Backup(BackupOptions),
    /// Makes a secret for a new broker, and prints what the server and the broker need
    NewBroker {
        /// The broker's id: letters, digits and underscores
        id: BrokerId,
        /// Where it lives, such as `https://alice.example.com`
        origin: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// The server's port; the other sites have the following ones
    #[arg(long, default_value_t = 8000, value_parser = clap::value_parser!(u16).range(1..=65_529))]
    pub(crate) base_port: u16,
    /// All sites on plain `localhost`, for browsers that do not resolve names under it
    #[arg(long)]
    pub(crate) same_site: bool,
    /// Where sessions are kept: memory:, sqlite:FILE, postgres://… or redis://…
    #[arg(long, env = "SSO_STORE", hide_env_values = true, default_value = "memory:")]
    pub(crate) store: StoreOption,
    /// The file with the key of that store, which PostgreSQL and Redis need; or SSO_STORE_KEY, the key itself [default for sqlite:FILE: FILE.key, which is made]
    #[arg(long, env = "SSO_STORE_KEY_FILE")]
    pub(crate) store_key_file: Option<PathBuf>,
    /// End sessions that nobody used for so long, such as 90s
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Warn so long before the end of a session [default: 2min, or half of a short idle timeout]
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(crate) warn_before: Option<Duration>,
    /// Accept forms for so long [default: 10min, or half of a short idle timeout]
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(crate) form_timeout: Option<Duration>,
    /// The name of the session cookie [default: random]
    #[arg(long, env = "SSO_SESSION_NAME")]
    pub(crate) session_name: Option<SessionName>,
    /// End logins after so long, whatever the activity
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(crate) absolute_lifetime: Option<Duration>,
    /// Secure cookies although the sites are plain http. Chromium and Firefox keep them; WebKit does not, and nobody can log in there. With
    /// them silent attach works in Chromium, if it allows third-party cookies
    #[arg(long)]
    pub(crate) secure_cookies: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    /// The configuration file [default: sso.toml, if there is one]
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// The address to listen at, in place of the configured one
    #[arg(long)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where sessions are kept, in place of the configured store
    #[arg(long)]
    pub(crate) store: Option<StoreOption>,
}

#[derive(Debug, Args)]
pub(crate) struct BrokerOptions {
    /// How its visitors are attached
    #[arg(long, value_enum, default_value_t = BrokerKind::Redirect)]
    pub(crate) kind: BrokerKind,
    /// The address to listen at
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// The site's origin as browsers see it [default: http:// and the address]
    #[arg(long, env = "SSO_BROKER_URL")]
    pub(crate) public_url: Option<String>,
    /// The server's attach URL as browsers see it
    #[arg(long, env = "SSO_SERVER")]
    pub(crate) server: String,
    /// The origin at which the broker itself calls the server, if it is another
    #[arg(long, env = "SSO_SERVER_BACKCHANNEL")]
    pub(crate) backchannel: Option<String>,
    /// The broker's id
    #[arg(long, env = "SSO_BROKER_ID")]
    pub(crate) id: BrokerId,
    /// The server is a jasny/sso one
    #[arg(long, env = "SSO_PHP_SERVER")]
    pub(crate) php_server: bool,
    /// How checksums are written; the server's entry for this broker says the same
    #[arg(long, env = "SSO_CHECKSUM", default_value = "exact", value_parser = encoding)]
    pub(crate) checksum: Encoding,
    /// Also shows a login form of its own; the server's entry for this broker must allow it (redirect only)
    #[arg(long)]
    pub(crate) own_form: bool,
    /// How the page attaches silently (ajax only)
    #[arg(long, default_value = "json", value_parser = silent)]
    pub(crate) silent: SilentMode,
    /// Allows plain http to a server on another machine, for a network that encrypts by itself
    #[arg(long)]
    pub(crate) insecure_backchannel: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LinkedAppOptions {
    /// The address to listen at
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// Its name, as people read it
    #[arg(long, default_value = "Nora")]
    pub(crate) name: String,
    /// The application's origin as browsers see it [default: http:// and the address]
    #[arg(long, env = "SSO_APP_URL")]
    pub(crate) public_url: Option<String>,
    /// The origin of the application that it exchanges users with; SSO_PAIR_KEY is then the key that the two share
    #[arg(long, env = "SSO_PEER")]
    pub(crate) peer: Option<String>,
    /// The name of its session cookie: applications on one host with the same name, SSO_SESSION_KEY and store share
    /// one sign-on
    #[arg(long, env = "SSO_SESSION_NAME", default_value = "sso_linked")]
    pub(crate) session_name: SessionName,
    /// Where its sessions and used hand-offs are: `memory:`, in this process, or `sqlite:FILE`, which other applications may share
    #[arg(long, env = "SSO_SESSION_STORE", default_value = "memory:")]
    pub(crate) store: StoreOption,
}

#[derive(Debug, Args)]
pub(crate) struct ApiOptions {
    /// The address to listen at
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// The service's own origin, which tokens must be for [default: http:// and the address]
    #[arg(long)]
    pub(crate) public_url: Option<String>,
    /// The server's origin: it makes the tokens, and publishes the keys
    #[arg(long)]
    pub(crate) server: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BrokerKind {
    /// By redirect, on each page
    Redirect,
    /// By a script
    Ajax,
}

impl Cli {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command.unwrap_or(Command::Demo(self.demo)) {
            Command::Demo(options) => demo::run(&options).await,
            Command::Server(options) => sites::server::run(&options).await,
            Command::Broker(options) => sites::run_broker(&options).await,
            Command::Api(options) => sites::api::run(&options).await,
            Command::LinkedApp(options) => sites::linked_app::run(&options).await,
            Command::HashPassword => tools::hash_password(),
            Command::Keys(options) => command::run(&options),
            Command::Users(options) => users::run(&options).await,
            Command::Brokers(options) => brokers::run(&options).await,
            Command::Sessions(options) => sessions::run(&options).await,
            Command::Backup(options) => backup::run(&options).await,
            Command::NewBroker { id, origin } => tools::new_broker(&id, &origin),
        }
    }
}

pub(crate) fn encoding(text: &str) -> Result<Encoding, &'static str> {
    match text {
        "exact" => Ok(Encoding::Exact),
        "php" => Ok(Encoding::Php),
        _ => Err("expected `exact` or `php`"),
    }
}

fn silent(text: &str) -> Result<SilentMode, &'static str> {
    match text {
        "json" => Ok(SilentMode::Json),
        "jsonp" => Ok(SilentMode::Jsonp),
        _ => Err("expected `json` or `jsonp`"),
    }
}
