//! Who may log in. [`Users`] finds an account by its name; a list, a closure or something of your own will do.

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

/// An account: who it is, and how the password is checked.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user as brokers will see it.
    pub user: User,
    /// The password's hash.
    pub password: PasswordHash,
    /// The groups that the user is in; a broker's [`AllowedUsers`](crate::AllowedUsers) may name them. No broker is
    /// told.
    pub groups: Vec<String>,
}

impl Account {
    /// An account without attributes, in no group.
    pub fn new(username: impl Into<String>, password: PasswordHash) -> Self {
        Self { user: User { username: username.into(), attributes: Map::new() }, password, groups: Vec::new() }
    }

    /// Adds something that brokers may know of the user.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.user.attributes.insert(name.into(), value.into());
        self
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn size(&self) -> usize {
        let groups = self.groups.iter().map(String::len).sum::<usize>();
        let attributes = serde_json::to_string(&self.user.attributes).map_or(0, |text| text.len());
        self.user.username.len() + self.password.text().len() + groups + attributes
    }

    /// Puts the user in a group.
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

/// What became of a password, or an attribute, that was to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOutcome {
    /// The account has it.
    Set,
    /// There is no such account, or it is disabled.
    NoAccount,
    /// The account has another one than that which was to be replaced, and keeps it.
    ChangedMeanwhile,
}

/// Finds accounts.
#[async_trait]
pub trait Users: Send + Sync + 'static {
    /// The account of this name; `None` if there is none or it is disabled. A login asks for the name as it was typed,
    /// and then in its [form that counts](username::canonical): names that are kept in that form are to be found to the
    /// letter. Asked at every call of a broker, so it must be fast; what it says may be some seconds old.
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable>;

    /// The same past any cache, as it is now: asked at a login, and before a session is ended because of what `find`
    /// said.
    async fn find_now(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        self.find(username).await
    }

    /// Whether accounts can be looked up at present (default: yes).
    async fn ping(&self) -> Result<(), UsersUnavailable> {
        Ok(())
    }

    /// Whether [`set_password`](Self::set_password) works for the account of this name (default: no).
    async fn can_set_password(&self, _username: &str) -> Result<bool, UsersUnavailable> {
        Ok(false)
    }

    /// Gives the account another password. `expected`: only in place of this one, judged at the same instant as the
    /// change is made, so that who showed it overwrites no later one; `None`: in place of any. What was found before
    /// ends no earlier than `find` forgets it; `find_now` finds the new one at once.
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

    /// Gives the account an attribute of this name, for something that its user says of themselves. `expected`: only in
    /// place of this value; `None`: only where the account has no such attribute, unlike at
    /// [`set_password`](Self::set_password). Both are judged at the same instant as the change is made, so that nothing
    /// is overwritten that somebody else has written meanwhile. `find` may find the one before for as long as it
    /// remembers anything.
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

/// Accounts that are known from the start. Each has its name in the [form that counts](username::canonical), however it
/// was given, and is found by that alone: an account of another form elsewhere is another one.
#[derive(Clone, Debug, Default)]
pub struct UserList(HashMap<String, Arc<Account>>);

impl FromIterator<Account> for UserList {
    /// Of two accounts with one name the later one counts.
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
