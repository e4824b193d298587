//! What the commands read from the terminal or from standard input: passwords, secrets, and whether it is meant.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
};

use sso_core::Secret;
use sso_server::{
    PasswordHash,
    password_policy::{ContextWords, check_new},
};

use crate::{Failure, config::secret_in};

/// A new password for the user of whom this is known, by the rules of the page where users change it.
pub(crate) fn new_password_of(own: &ContextWords) -> Result<PasswordHash, Failure> {
    let password = typed_password()?;
    check_new(&password, own).map_err(Failure::other)?;
    PasswordHash::new(&password).map_err(Failure::other)
}

/// A new password, whoever it is for.
pub(crate) fn new_password() -> Result<PasswordHash, Failure> {
    PasswordHash::new(&typed_password()?).map_err(Failure::other)
}

/// Twice from the terminal, or the first line of standard input.
fn typed_password() -> Result<String, Failure> {
    let password = if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").map_err(Failure::other)?;
        if rpassword::prompt_password("Once more: ").map_err(Failure::other)? != password {
            return Err(Failure::other("the two passwords are not the same"));
        }
        password
    } else {
        first_line()?
    };
    if password.is_empty() {
        return Err(Failure::other("the password is empty"));
    }
    Ok(password)
}

/// A password's hash, from the first line of standard input.
pub(crate) fn password_hash() -> Result<PasswordHash, Failure> {
    first_line()?.trim().parse().map_err(Failure::other)
}

/// A secret that somebody has already: of the file, or of the first line of standard input.
pub(crate) fn secret(file: Option<&Path>) -> Result<Secret, Failure> {
    match file {
        Some(file) => secret_in(file).map_err(Failure::other),
        None => first_line().map(Secret::new),
    }
}

/// Whether it is meant. Without a terminal nobody can say so.
#[expect(clippy::print_stderr, reason = "a question is no result")]
pub(crate) fn confirmed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::settings("there is no terminal to ask: say --yes"));
    }
    eprint!("{question} Type `yes`: ");
    io::stderr().flush().map_err(Failure::other)?;
    Ok(first_line()? == "yes")
}

fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(Failure::other)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
