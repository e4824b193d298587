//! The accounts. [`Users`] finds an account by its name; a list, a closure or your own type can implement it.

mod in_memory;
pub(crate) mod password;
pub mod password_policy;
pub mod username;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value};
use sso_core::wire::User;

pub use in_memory::UsersInMemory;
pub use password::{HashingFailed, InvalidHash, PasswordHash, Passwords};

/// An account: the user, the password hash and the groups.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user, as brokers see them.
    pub user: User,
    /// The password's hash.
    pub password: PasswordHash,
    /// The user's groups, for a broker's [`AllowedUsers`](crate::AllowedUsers). Brokers never see them.
    pub groups: Vec<String>,
}

impl Account {
    /// An account without attributes, in no group.
    pub fn new(username: impl Into<String>, password: PasswordHash) -> Self {
        Self { user: User { username: username.into(), attributes: Map::new() }, password, groups: Vec::new() }
    }

    /// Adds an attribute, which brokers may see.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.user.attributes.insert(name.into(), value.into());
        self
    }

    /// Its approximate size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        let groups = self.groups.iter().map(String::len).sum::<usize>();
        let attributes = serde_json::to_string(&self.user.attributes).map_or(0, |text| text.len());
        self.user.username.len() + self.password.text().len() + groups + attributes
    }

    /// Adds the user to a group.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.groups.push(name.into());
        self
    }
}

/// The accounts cannot be looked up now; the text is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("users are unavailable: {0}")]
pub struct UsersUnavailable(pub String);

/// The result of setting a password or an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOutcome {
    /// It was set.
    Set,
    /// The account does not exist or is disabled.
    NoAccount,
    /// The account no longer has the expected value, and was not changed.
    ChangedMeanwhile,
}

/// Finds accounts.
#[async_trait]
pub trait Users: Send + Sync + 'static {
    /// The account of this name; `None` if it does not exist or is disabled. A login looks up the name as typed, then
    /// in [canonical form](username::canonical); a name stored in that form must match exactly. Every broker call looks
    /// up a user, so this must be fast. The answer may be some seconds old.
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable>;

    /// The same past any cache. Called at a login, and before the answer of `find` ends a session.
    async fn find_now(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        self.find(username).await
    }

    /// Whether accounts can be looked up now (default: yes).
    async fn ping(&self) -> Result<(), UsersUnavailable> {
        Ok(())
    }

    /// Whether [`set_password`](Self::set_password) works for the account of this name (default: no).
    async fn can_set_password(&self, _username: &str) -> Result<bool, UsersUnavailable> {
        Ok(false)
    }

    /// Sets the account's password. With `expected`, only if it is still the present password; the check and the change
    /// are atomic, so a later change is never overwritten. With `None`, in any case. `find` may return the old password
    /// while it is cached; `find_now` returns the new one at once.
    async fn set_password(
        &self,
        _username: &str,
        _expected: Option<&PasswordHash>,
        _new: &PasswordHash,
    ) -> Result<SetOutcome, UsersUnavailable> {
        Err(UsersUnavailable("passwords cannot be changed here".into()))
    }

    /// Whether [`set_attribute`](Self::set_attribute) works for the account of this name (default: no).
    async fn can_set_attributes(&self, _username: &str) -> Result<bool, UsersUnavailable> {
        Ok(false)
    }

    /// Sets an attribute of the account, for data that its user enters. With `expected`, only if that is its present
    /// value; with `None`, only if the attribute is absent, unlike [`set_password`](Self::set_password). The check and
    /// the change are atomic, so no concurrent change is overwritten. `find` may return the old value while it is
    /// cached.
    async fn set_attribute(
        &self,
        _username: &str,
        _name: &str,
        _expected: Option<&Value>,
        _value: &Value,
    ) -> Result<SetOutcome, UsersUnavailable> {
        Err(UsersUnavailable("attributes cannot be changed here".into()))
    }
}

#[async_trait]
impl<F> Users for F
where
    F: Fn(&str) -> Option<Account> + Send + Sync + 'static,
{
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        Ok(self(username).map(Arc::new))
    }
}

/// A fixed list of accounts. Each name is converted to [canonical form](username::canonical), and is found only by it.
#[derive(Clone, Debug, Default)]
pub struct UserList(HashMap<String, Arc<Account>>);

impl FromIterator<Account> for UserList {
    /// If two accounts have the same name, the later one wins.
    fn from_iter<I: IntoIterator<Item = Account>>(accounts: I) -> Self {
        let named = |mut account: Account| {
            account.user.username = username::canonical(&account.user.username).into_owned();
            (account.user.username.clone(), Arc::new(account))
        };
        Self(accounts.into_iter().map(named).collect())
    }
}

#[async_trait]
impl Users for UserList {
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        Ok(self.0.get(username).cloned())
    }
}
