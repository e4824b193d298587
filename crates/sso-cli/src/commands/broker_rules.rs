//! What the options of `sso brokers` say: rules, and secrets that are there already.

use std::path::PathBuf;

use clap::Args;
use sso_core::{Encoding, Secret, Silent};
use sso_server::BrokerSettings;

use crate::{Failure, config::encoding, input};

/// What a broker may do, as in sso.toml. Lists are given one by one and replace what was there; '' stands for none.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// Where visitors come back to, under each origin; '' for the default
    #[arg(long = "return-path", value_name = "PATH")]
    return_paths: Vec<String>,
    /// How it writes checksums: exact, or php for jasny/sso's brokers
    #[arg(long, value_parser = encoding)]
    checksum: Option<Encoding>,
    /// Whether its pages may attach without a redirect: off, json or jsonp
    #[arg(long, value_parser = silent)]
    silent: Option<Silent>,
    /// Whether that may start a session
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    silent_start: Option<bool>,
    /// Whether its back end may post passwords
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    password_login: Option<bool>,
    /// A service that it may have access tokens for
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// A user who may use it
    #[arg(long = "allow-user", value_name = "USER")]
    allow_users: Vec<String>,
    /// A group whose users may use it
    #[arg(long = "allow-group", value_name = "GROUP")]
    allow_groups: Vec<String>,
    /// An attribute of its users that it sees
    #[arg(long = "attribute", value_name = "NAME")]
    attributes: Vec<String>,
    /// It sees all attributes
    #[arg(long, conflicts_with = "attributes")]
    all_attributes: bool,
}

impl Rules {
    pub(super) fn put(&self, settings: &mut BrokerSettings) {
        if let Some(paths) = given(&self.return_paths) {
            settings.return_paths = Some(paths).filter(|paths| !paths.is_empty());
        }
        settings.checksum = self.checksum.unwrap_or(settings.checksum);
        settings.silent = self.silent.unwrap_or(settings.silent);
        settings.silent_start = self.silent_start.unwrap_or(settings.silent_start);
        settings.password_login = self.password_login.unwrap_or(settings.password_login);
        replace(&mut settings.audiences, &self.audiences);
        replace(&mut settings.allow_users, &self.allow_users);
        replace(&mut settings.allow_groups, &self.allow_groups);
        if self.all_attributes {
            settings.attributes = None;
        } else if let Some(names) = given(&self.attributes) {
            settings.attributes = Some(names);
        }
    }
}

fn given(list: &[String]) -> Option<Vec<String>> {
    let named: Vec<_> = list.iter().filter(|text| !text.is_empty()).cloned().collect();
    (!list.is_empty()).then_some(named)
}

pub(super) fn replace(list: &mut Vec<String>, by: &[String]) {
    if let Some(by) = given(by) {
        *list = by;
    }
}

/// A secret that the broker has already, in place of a new one.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct SecretOptions {
    /// The secret is in this file: the one that a PHP broker has already
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The secret is the first line of standard input
    #[arg(long)]
    secret_stdin: bool,
}

impl SecretOptions {
    /// The secret, and whether it is a new one.
    pub(super) fn secret(&self) -> Result<(Secret, bool), Failure> {
        match (&self.secret_file, self.secret_stdin) {
            (None, false) => Ok((Secret::generate(), true)),
            (file, _) => Ok((input::secret(file.as_deref())?, false)),
        }
    }
}

fn silent(text: &str) -> Result<Silent, &'static str> {
    match text {
        "off" => Ok(Silent::Off),
        "json" => Ok(Silent::Json),
        "jsonp" => Ok(Silent::Jsonp),
        _ => Err("expected `off`, `json` or `jsonp`"),
    }
}
