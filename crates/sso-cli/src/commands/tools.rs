//! The operator's small tools: password hashes and broker secrets.

use sso_core::{AllowedOrigins, BrokerId, ReturnPages, Secret};

use crate::{Failure, input, say};

/// `sso hash-password`.
pub(crate) fn hash_password() -> Result<(), Failure> {
    say(input::new_password()?.text());
    Ok(())
}

/// `sso new-broker ID ORIGIN`.
pub(crate) fn new_broker(id: &BrokerId, origin: &str) -> Result<(), Failure> {
    AllowedOrigins::new(&[origin], ReturnPages::Any).map_err(Failure::settings)?;
    let secret = Secret::generate();
    let secret = String::from_utf8_lossy(secret.expose());
    say(format_args!(
        "# for the server's sso.toml\n\
         [[brokers]]\n\
         id      = \"{id}\"\n\
         secret  = \"{secret}\"\n\
         origins = [\"{origin}\"]\n\n\
         # for the broker's environment\n\
         SSO_BROKER_ID={id}\n\
         SSO_BROKER_SECRET={secret}"
    ));
    Ok(())
}
