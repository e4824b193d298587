//! The settings of a site that has no configuration file: those in the environment.

use std::{env::VarError, path::Path};

use sso_server::UserList;

use super::{
    StoreKey,
    entries::UserEntry,
    layers::{Form, Layer, Layers},
    users,
};
use crate::Failure;

/// A setting that has to be in the environment.
pub(crate) fn variable(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| Failure::settings(format!("the environment variable {name} is not set")))
}

/// The users in `SSO_USERS`.
pub(crate) fn users_of_environment() -> Result<UserList, Failure> {
    let name = "SSO_USERS";
    let layers = Layers(vec![Layer::variable(name, "users", Form::Toml, &variable(name)?)?]);
    Ok(users(&layers)?.into_iter().map(UserEntry::account).collect())
}

/// The key of the store: `SSO_STORE_KEY`, or what is in this file.
pub(crate) fn store_key_of_environment(file: Option<&Path>) -> Result<Option<StoreKey>, Failure> {
    match (std::env::var("SSO_STORE_KEY"), file) {
        (Err(VarError::NotPresent), None) => Ok(None),
        (Err(VarError::NotPresent), Some(file)) => StoreKey::read(file).map(Some).map_err(Failure::settings),
        (Ok(key), None) => Ok(Some(key.into())),
        (Err(VarError::NotUnicode(_)), None) => Err(Failure::settings("SSO_STORE_KEY: expected text in UTF-8")),
        (_, Some(_)) => Err(Failure::settings("expected either SSO_STORE_KEY or a file with the store's key")),
    }
}
