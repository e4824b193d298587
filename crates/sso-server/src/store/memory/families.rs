//! The remember-me families of the store in memory.

use std::sync::Arc;

use moka::{
    notification::RemovalCause,
    ops::compute::{CompResult, Op},
    sync::Cache,
};

use super::{KeepUntil, Kept, index::Index};
use crate::{
    clock::{Clock, Timestamp},
    session::Family,
    store::StoreError,
};

pub(super) struct Families {
    families: Cache<String, Arc<Family>>,
    users: Arc<Index<String>>,
}

impl Kept for Arc<Family> {
    fn keep_until(&self) -> Timestamp {
        self.expires
    }
}

impl Families {
    pub(super) fn new(clock: impl Clock) -> Self {
        let users = Arc::new(Index::default());
        let lost = users.clone();
        let families = Cache::builder()
            .expire_after(KeepUntil(clock))
            .eviction_listener(move |id: Arc<String>, family: Arc<Family>, cause| {
                if cause != RemovalCause::Replaced {
                    lost.forget(Some(&family.username), &*id);
                }
            })
            .build();
        Self { families, users }
    }

    pub(super) fn insert(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        let family = Arc::new(family);
        let result = self.families.entry_by_ref(&family.id).and_compute_with(|entry| match entry {
            Some(_) => Op::Nop,
            None => {
                self.users.add(Some(&family.username), &family.id);
                Op::Put(family.clone())
            }
        });
        if matches!(result, CompResult::Inserted(_)) { Ok(family) } else { Err(StoreError::Conflict) }
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Family>> {
        self.families.get(id)
    }

    pub(super) fn update(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        let version = family.version;
        let next = Arc::new(Family { version: version + 1, ..family });
        let result = self.families.entry_by_ref(&next.id).and_compute_with(|entry| {
            let is_newest = entry.is_some_and(|entry| entry.value().version == version);
            if is_newest { Op::Put(next.clone()) } else { Op::Nop }
        });
        match result {
            CompResult::ReplacedWith(_) => Ok(next),
            CompResult::StillNone(_) => Err(StoreError::NotFound),
            _ => Err(StoreError::Conflict),
        }
    }

    pub(super) fn remove(&self, id: &str) -> bool {
        // As an update does it, so that neither comes between the other's look and its step.
        let result = self.families.entry_by_ref(id).and_compute_with(|_| Op::Remove);
        matches!(result, CompResult::Removed(_))
    }

    /// Removes all of them; how many.
    pub(super) fn remove_all(&self) -> u64 {
        self.families.iter().filter(|(id, _)| self.remove(id)).count() as u64
    }

    pub(super) fn of(&self, username: &str) -> Vec<Arc<Family>> {
        let families = self.users.of(username).into_iter().filter_map(|id| self.get(&id));
        families.filter(|family| family.username == username).collect()
    }
}
