//! `sso`: the server, the commands of its operator, and the demo's sites, all in one process or one by one.
//!
//! - [`cli`]: the list of commands; [`commands`]: one file per command; [`input`], [`output`]: what they read and print
//! - [`config`]: `sso.toml` and the environment
//! - [`site`]: the server's own site; [`pages`]: what it shows
//! - [`keys`]: the keys of tokens; [`private_file`]: written for its owner only
//! - [`run`]: listens, and ends cleanly; [`deadline`]: ends connections that are too slow

mod cli;
mod commands;
mod config;
mod deadline;
mod input;
mod keys;
mod output;
mod pages;
mod private_file;
mod run;
mod site;

use std::process::ExitCode;

use clap::Parser;

/// What ends the program early, as one line for people.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// A setting is wrong; exit status 2, as for a wrong option.
    #[error("{0}")]
    Settings(String),
    /// Something could not be done; exit status 1.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    fn settings(error: impl ToString) -> Self {
        Self::Settings(error.to_string())
    }

    fn other(error: impl ToString) -> Self {
        Self::Other(error.to_string())
    }
}

#[actix_web::main]
async fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    run::start_log();
    match cli.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            match failure {
                Failure::Settings(_) => ExitCode::from(2),
                Failure::Other(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Tells the result of a command, on standard output.
#[expect(clippy::print_stdout, reason = "the command's result")]
fn say(text: impl std::fmt::Display) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the user's terminal is where a command's failure belongs")]
fn complain(failure: &Failure) {
    eprintln!("sso: {failure}");
}
