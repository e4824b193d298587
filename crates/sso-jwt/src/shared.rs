//! A key set that is replaced while it is in use: keys rotate without a restart.

use std::{fmt, sync::Arc};

use parking_lot::RwLock;

use crate::KeySet;

/// A key set that can be replaced at any time. Cheap to clone: clones are the same.
#[derive(Clone)]
pub struct SharedKeys(Arc<RwLock<Arc<KeySet>>>);

impl SharedKeys {
    /// Begins with these keys.
    pub fn new(keys: KeySet) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(keys))))
    }

    /// The keys as they are now.
    pub fn current(&self) -> Arc<KeySet> {
        self.0.read().clone()
    }

    /// Puts others in their place. Who is at work with the old ones finishes with them.
    pub fn replace(&self, keys: KeySet) {
        *self.0.write() = Arc::new(keys);
    }
}

impl fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedKeys").field(&self.current()).finish()
    }
}
