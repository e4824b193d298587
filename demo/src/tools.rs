//! The operator's small tools: password hashes and broker secrets.

use std::io::{self, BufRead, IsTerminal};

use sso_core::{AllowedOrigins, BrokerId, ReturnPages, Secret};
use sso_server::PasswordHash;

use crate::Failure;

/// `sso hash-password`.
#[expect(clippy::print_stdout, reason = "the command's result")]
pub(crate) fn hash_password() -> Result<(), Failure> {
    let password = if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").map_err(Failure::other)?;
        if rpassword::prompt_password("Once more: ").map_err(Failure::other)? != password {
            return Err(Failure::other("the two passwords are not the same"));
        }
        password
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(Failure::other)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.is_empty() {
        return Err(Failure::other("the password is empty"));
    }
    println!("{}", PasswordHash::new(&password).map_err(Failure::other)?.text());
    Ok(())
}

/// `sso new-broker ID ORIGIN`.
#[expect(clippy::print_stdout, reason = "the command's result")]
pub(crate) fn new_broker(id: &BrokerId, origin: &str) -> Result<(), Failure> {
    AllowedOrigins::new(&[origin], ReturnPages::Any).map_err(Failure::settings)?;
    let secret = Secret::generate();
    let secret = String::from_utf8_lossy(secret.expose());
    println!(
        "# for the server's sso.toml\n\
         [[brokers]]\n\
         id      = \"{id}\"\n\
         secret  = \"{secret}\"\n\
         origins = [\"{origin}\"]\n\n\
         # for the broker's environment\n\
         SSO_BROKER_ID={id}\n\
         SSO_BROKER_SECRET={secret}"
    );
    Ok(())
}
