//! What the server can be asked to do: one file for each operation, which adds its methods to
//! [`Server`](crate::server::Server).

pub(crate) mod access_token;
pub(crate) mod account;
mod admin;
pub(crate) mod attach;
pub(crate) mod change_password;
mod expiry;
pub(crate) mod form_token;
mod health;
pub(crate) mod login;
mod logout;
mod remember;
pub(crate) mod session_lookup;
mod shared_data;
mod user_attributes;
