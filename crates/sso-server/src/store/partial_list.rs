//! Lists of records with unreadable ones: sealed with a lost key, damaged, or written by another version.

use std::sync::Arc;

use super::{StoreError, keys::Kind};
use crate::session::{Family, Session};

/// The records of a list. One that cannot be read does not hide the others.
pub(super) struct PartialList<T> {
    pub(super) readable: Vec<T>,
    /// The store's names of the unreadable records.
    pub(super) unreadable: Vec<String>,
}

impl<T> PartialList<T> {
    /// From records by their names, which are keyed hashes and not secret. Each unreadable record is logged.
    pub(super) fn of(kind: Kind, records: impl IntoIterator<Item = (String, Result<T, StoreError>)>) -> Self {
        let mut listed = Self { readable: Vec::new(), unreadable: Vec::new() };
        for (name, record) in records {
            match record {
                Ok(record) => listed.readable.push(record),
                Err(error) => {
                    let kind = kind.label();
                    tracing::error!(kind, name, %error, "a record cannot be read, and is left out of a list");
                    listed.unreadable.push(name);
                }
            }
        }
        listed
    }
}

impl PartialList<Arc<Session>> {
    /// The sessions in which this user is logged in according to the sealed record: someone who can write to the store
    /// without its key could list other sessions here.
    pub(super) fn of_user(self, username: &str) -> Vec<Arc<Session>> {
        let is_theirs = |session: &Arc<Session>| session.user().is_some_and(|user| user.username == username);
        self.readable.into_iter().filter(is_theirs).collect()
    }
}

impl PartialList<Arc<Family>> {
    /// The families of this user, likewise.
    pub(super) fn of_user(self, username: &str) -> Vec<Arc<Family>> {
        self.readable.into_iter().filter(|family| family.username == username).collect()
    }
}
