//! Who may log in. [`Users`] finds an account by its name; a list, a closure or something of your own will do.

pub mod password;

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::{Map, Value};
use sso_core::wire::User;

pub use password::PasswordHash;

/// An account: who it is, and how the password is checked.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user as brokers will see it.
    pub user: User,
    /// The password's hash.
    pub password: PasswordHash,
}

impl Account {
    /// An account without attributes.
    pub fn new(username: impl Into<String>, password: PasswordHash) -> Self {
        Self { user: User { username: username.into(), attributes: Map::new() }, password }
    }

    /// Adds something that brokers may know of the user.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.user.attributes.insert(name.into(), value.into());
        self
    }
}

/// The accounts cannot be looked up now; the text is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("users are unavailable: {0}")]
pub struct UsersUnavailable(pub String);

/// Finds accounts.
#[async_trait]
pub trait Users: Send + Sync + 'static {
    /// The account of this name, to the letter; `None` if there is none.
    async fn find(&self, username: &str) -> Result<Option<Account>, UsersUnavailable>;
}

#[async_trait]
impl<F> Users for F
where
    F: Fn(&str) -> Option<Account> + Send + Sync + 'static,
{
    async fn find(&self, username: &str) -> Result<Option<Account>, UsersUnavailable> {
        Ok(self(username))
    }
}

/// Accounts that are known from the start.
#[derive(Clone, Debug, Default)]
pub struct UserList(HashMap<String, Account>);

impl FromIterator<Account> for UserList {
    /// Of two accounts with one name the later one counts.
    fn from_iter<I: IntoIterator<Item = Account>>(accounts: I) -> Self {
        Self(accounts.into_iter().map(|account| (account.user.username.clone(), account)).collect())
    }
}

#[async_trait]
impl Users for UserList {
    async fn find(&self, username: &str) -> Result<Option<Account>, UsersUnavailable> {
        Ok(self.0.get(username).cloned())
    }
}
