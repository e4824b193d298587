//! Lists of records, of which some may be unreadable: sealed with a key that is gone, damaged, or in the form of
//! another version.

use std::sync::Arc;

use super::{StoreError, keys::Kind};
use crate::session::{Family, Session};

/// The records of a list. One that cannot be read does not hide the others.
pub(super) struct PartialList<T> {
    pub(super) readable: Vec<T>,
    /// The names, in the store, of those that cannot be read.
    pub(super) unreadable: Vec<String>,
}

impl<T> PartialList<T> {
    /// From records by their names, which are keyed hashes and no secrets. Each that cannot be read is told in the log.
    pub(super) fn of(kind: Kind, records: impl IntoIterator<Item = (String, Result<T, StoreError>)>) -> Self {
        let mut listed = Self { readable: Vec::new(), unreadable: Vec::new() };
        for (name, record) in records {
            match record {
                Ok(record) => listed.readable.push(record),
                Err(error) => {
                    tracing::error!(kind = kind.label(), name, %error, "a record cannot be read, and is left out of a list");
                    listed.unreadable.push(name);
                }
            }
        }
        listed
    }
}

impl PartialList<Arc<Session>> {
    /// Those in which this user is logged in by what was sealed: who can write to the store, but has not its key, could
    /// list others' here.
    pub(super) fn of_user(self, username: &str) -> Vec<Arc<Session>> {
        let is_theirs = |session: &Arc<Session>| session.user().is_some_and(|user| user.username == username);
        self.readable.into_iter().filter(is_theirs).collect()
    }
}

impl PartialList<Arc<Family>> {
    /// Those of this user, likewise.
    pub(super) fn of_user(self, username: &str) -> Vec<Arc<Family>> {
        self.readable.into_iter().filter(|family| family.username == username).collect()
    }
}
