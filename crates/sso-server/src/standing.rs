//! The standing of a login: whether its user may still be there, as the account is now.

use crate::{
    parts::{Parts, Unavailable},
    users::{Account, UsersUnavailable},
};

/// What a login and a remembered browser keep of the account's password: a keyed hash of its hash. With another password it is another one.
pub(crate) fn credential(parts: &Parts, account: &Account) -> [u8; 32] {
    parts.remember_mac.mac(&["password\n", account.password.text()])
}

/// Logs what the users' side said and keeps it from the visitor.
pub(crate) fn unavailable(error: UsersUnavailable) -> Unavailable {
    tracing::error!(%error, "cannot look up a user");
    Unavailable
}
