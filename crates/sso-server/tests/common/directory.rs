//! Users that a test changes while the server runs, behind a cache that it can stop.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use sso_server::{Account, PasswordHash, SetOutcome, Users, UsersUnavailable};

use super::BCRYPT;

type Accounts = HashMap<String, Arc<Account>>;

#[derive(Clone, Default)]
pub(crate) struct Directory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    accounts: Accounts,
    /// What `find` says, where that is older than the truth.
    stale: Option<Accounts>,
    is_down: bool,
    /// Removed once they are found the next time.
    leaving: Option<String>,
    /// Put once somebody of this name is found the next time.
    coming: Option<Account>,
}

impl Directory {
    /// With jackie and john, both with the password of the tests; john is in the group `staff`.
    pub(crate) fn new() -> Self {
        let directory = Self::default();
        directory.put(Account::new("jackie", hash()).attribute("fullname", "Jackie").attribute("email", "j@example"));
        directory.put(Account::new("john", hash()).attribute("fullname", "John").group("staff"));
        directory
    }

    pub(crate) fn put(&self, account: Account) {
        self.0.lock().accounts.insert(account.user.username.clone(), Arc::new(account));
    }

    /// Disables an account; `put` enables it again.
    pub(crate) fn remove(&self, username: &str) -> Account {
        let account = self.0.lock().accounts.remove(username).unwrap();
        Account::clone(&account)
    }

    /// Disables it at the moment after it was found once more.
    pub(crate) fn remove_after_the_next_find(&self, username: &str) {
        self.0.lock().leaving = Some(username.into());
    }

    /// Changes an account at the moment after it was found once more.
    pub(crate) fn put_after_the_next_find(&self, account: Account) {
        self.0.lock().coming = Some(account);
    }

    /// From now on `find` hears of no change.
    pub(crate) fn stop_the_cache(&self) {
        let mut state = self.0.lock();
        state.stale = Some(state.accounts.clone());
    }

    pub(crate) fn is_down(&self, is_down: bool) {
        self.0.lock().is_down = is_down;
    }
}

/// The hash of the password of the tests: another one than the first, though of the same password.
pub(crate) fn another_hash() -> PasswordHash {
    PasswordHash::new(super::PASSWORD).unwrap()
}

pub(crate) fn hash() -> PasswordHash {
    BCRYPT.parse().unwrap()
}

impl State {
    fn check(&self) -> Result<(), UsersUnavailable> {
        if self.is_down { Err(UsersUnavailable("the test says so".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Users for Directory {
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        let state = self.0.lock();
        state.check()?;
        Ok(state.stale.as_ref().unwrap_or(&state.accounts).get(username).cloned())
    }

    async fn find_now(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        let mut state = self.0.lock();
        state.check()?;
        if state.leaving.as_deref() == Some(username) {
            state.leaving = None;
            return Ok(state.accounts.remove(username));
        }
        let found = state.accounts.get(username).cloned();
        if let Some(account) = state.coming.take_if(|account| account.user.username == username) {
            state.accounts.insert(username.into(), Arc::new(account));
        }
        Ok(found)
    }

    async fn can_set_password(&self, username: &str) -> Result<bool, UsersUnavailable> {
        let state = self.0.lock();
        state.check()?;
        Ok(state.accounts.contains_key(username))
    }

    async fn set_password(
        &self,
        username: &str,
        expected: Option<&PasswordHash>,
        new: &PasswordHash,
    ) -> Result<SetOutcome, UsersUnavailable> {
        let mut state = self.0.lock();
        state.check()?;
        let Some(account) = state.accounts.get_mut(username) else { return Ok(SetOutcome::NoAccount) };
        if expected.is_some_and(|expected| expected.text() != account.password.text()) {
            return Ok(SetOutcome::ChangedMeanwhile);
        }
        Arc::make_mut(account).password = new.clone();
        Ok(SetOutcome::Set)
    }
}
