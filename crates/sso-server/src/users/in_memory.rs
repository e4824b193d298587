//! Accounts in memory that users can change.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::RwLock;
use serde_json::Value;

use super::{Account, SetOutcome, Users, UsersUnavailable};

/// A list of accounts. Users' changes last until the process ends: for trials and tests.
#[derive(Debug, Default)]
pub struct UsersInMemory(RwLock<HashMap<String, Arc<Account>>>);

impl FromIterator<Account> for UsersInMemory {
    /// If two accounts have the same name, the later one wins.
    fn from_iter<I: IntoIterator<Item = Account>>(accounts: I) -> Self {
        let accounts = accounts.into_iter().map(|account| (account.user.username.clone(), Arc::new(account)));
        Self(RwLock::new(accounts.collect()))
    }
}

#[async_trait]
impl Users for UsersInMemory {
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        Ok(self.0.read().get(username).cloned())
    }

    async fn can_set_attributes(&self, username: &str) -> Result<bool, UsersUnavailable> {
        Ok(self.0.read().contains_key(username))
    }

    async fn set_attribute(
        &self,
        username: &str,
        name: &str,
        expected: Option<&Value>,
        value: &Value,
    ) -> Result<SetOutcome, UsersUnavailable> {
        let mut accounts = self.0.write();
        let Some(account) = accounts.get_mut(username) else { return Ok(SetOutcome::NoAccount) };
        if account.user.attributes.get(name) != expected {
            return Ok(SetOutcome::ChangedMeanwhile);
        }
        Arc::make_mut(account).user.attributes.insert(name.to_owned(), value.clone());
        Ok(SetOutcome::Set)
    }
}
