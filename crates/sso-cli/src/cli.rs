//! The list of commands. Each is in its own file in `commands/`, with its options.

use clap::{Parser, Subcommand};
use sso_core::BrokerId;

use crate::{
    Failure,
    commands::{
        admin::AdminOptions, api, backup, broker, brokers, demo, keys, linked_app, server, sessions, tools, users,
    },
};

/// Shared-session single sign-on. Without a command: the demo.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: demo::DemoOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs all sites of the demo in one process
    Demo(demo::DemoOptions),
    /// Runs the server, from a configuration file and the environment
    Server(server::ServerOptions),
    /// Runs one broker site. Its secret comes from SSO_BROKER_SECRET only: options show in the list of processes
    Broker(broker::BrokerOptions),
    /// Runs the demo's JSON service alone, which knows its users by access tokens
    Api(api::ApiOptions),
    /// Runs one linked application, which has a session of its own. Its users and keys come from the environment only:
    /// SSO_USERS, such as `[{ username = "ada", password = "…" }]` with a hash that `sso hash-password` made,
    /// SSO_SESSION_KEY, and SSO_PAIR_KEY for its peer
    LinkedApp(linked_app::LinkedAppOptions),
    /// Reads a password from the terminal or the first line of standard input, and prints its hash
    HashPassword,
    /// Makes, shows and replaces the keys of tokens; a running server takes up every change by itself
    Keys(keys::KeysOptions),
    /// Adds, shows and changes users in the directory, while servers run
    Users(AdminOptions<users::Action>),
    /// Adds, shows and changes brokers in the directory, while servers run
    Brokers(AdminOptions<brokers::Action>),
    /// Shows where users are logged in, and ends that
    Sessions(AdminOptions<sessions::Action>),
    /// Copies the server's databases, keys and configuration into a new directory, while it runs
    Backup(backup::BackupOptions),
    /// Makes a secret for a new broker, and prints what the server and the broker need
    NewBroker {
        /// The broker's id: letters, digits and underscores
        id: BrokerId,
        /// Where it lives, such as `https://alice.example.com`
        origin: String,
    },
}

impl Cli {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command.unwrap_or(Command::Demo(self.demo)) {
            Command::Demo(options) => demo::run(&options).await,
            Command::Server(options) => server::run(&options).await,
            Command::Broker(options) => broker::run(&options).await,
            Command::Api(options) => api::run(&options).await,
            Command::LinkedApp(options) => linked_app::run(&options).await,
            Command::HashPassword => tools::hash_password(),
            Command::Keys(options) => keys::run(&options),
            Command::Users(options) => users::run(&options).await,
            Command::Brokers(options) => brokers::run(&options).await,
            Command::Sessions(options) => sessions::run(&options).await,
            Command::Backup(options) => backup::run(&options).await,
            Command::NewBroker { id, origin } => tools::new_broker(&id, &origin),
        }
    }
}
