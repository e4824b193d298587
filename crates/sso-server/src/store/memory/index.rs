//! What belongs to whom: ids by user name. It may name too much, never too little; who reads it looks at the records.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use parking_lot::Mutex;

pub(super) struct Index<Id>(Mutex<HashMap<String, HashSet<Id>>>);

impl<Id> Default for Index<Id> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Id: Clone + Eq + Hash> Index<Id> {
    pub(super) fn add(&self, username: Option<&str>, id: &Id) {
        if let Some(username) = username {
            self.0.lock().entry(username.to_owned()).or_default().insert(id.clone());
        }
    }

    pub(super) fn forget(&self, username: Option<&str>, id: &Id) {
        let mut users = self.0.lock();
        if let Some((username, ids)) = username.and_then(|username| Some((username, users.get_mut(username)?))) {
            ids.remove(id);
            if ids.is_empty() {
                users.remove(username);
            }
        }
    }

    /// The same id belongs to somebody else, or to nobody, now.
    pub(super) fn moved(&self, from: Option<&str>, to: Option<&str>, id: &Id) {
        if from != to {
            self.forget(from, id);
            self.add(to, id);
        }
    }

    pub(super) fn of(&self, username: &str) -> Vec<Id> {
        self.0.lock().get(username).into_iter().flatten().cloned().collect()
    }
}
