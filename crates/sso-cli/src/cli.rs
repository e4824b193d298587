//! The list of commands. Each is in its own file in `commands/`, with its options.

use clap::{Parser, Subcommand};
use sso_core::BrokerId;

#[cfg(feature = "demo")]
use crate::commands::demo::{DemoCommand, DemoOptions};
use crate::{
    Failure,
    commands::{admin::AdminOptions, backup, brokers, keys, server, sessions, tools, users},
};

/// Shared-session single sign-on. Without a command: the demo.
#[cfg(feature = "demo")]
#[derive(Debug, Parser)]
#[command(name = "sso", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: DemoOptions,
}

/// Shared-session single sign-on.
#[cfg(not(feature = "demo"))]
#[derive(Debug, Parser)]
#[command(name = "sso", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server, from a configuration file and the environment
    Server(server::ServerOptions),
    #[cfg(feature = "demo")]
    #[command(flatten)]
    Demo(DemoCommand),
    /// Reads a password from the terminal or the first line of standard input, and prints its hash
    HashPassword,
    /// Makes, shows and replaces the keys of tokens; a running server takes up every change by itself
    Keys(keys::KeysOptions),
    /// Adds, shows and changes users in the directory, while servers run
    Users(AdminOptions<users::UsersAction>),
    /// Adds, shows and changes brokers in the directory, while servers run
    Brokers(AdminOptions<brokers::BrokersAction>),
    /// Shows where users are logged in, and ends that
    Sessions(AdminOptions<sessions::SessionsAction>),
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
        #[cfg(feature = "demo")]
        let command = self.command.unwrap_or(Command::Demo(DemoCommand::Demo(self.demo)));
        #[cfg(not(feature = "demo"))]
        let command = self.command;
        match command {
            Command::Server(options) => server::run(&options).await,
            #[cfg(feature = "demo")]
            Command::Demo(command) => command.run().await,
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
