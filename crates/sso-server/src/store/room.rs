//! Which of a session's links at a broker make room for a new one.

use crate::{clock::Timestamp, session::Link};

/// A link that is there already.
pub(super) struct Other<K> {
    pub(super) key: K,
    pub(super) made: Timestamp,
    /// When its broker called with it last, if it ever did.
    pub(super) called: Option<Timestamp>,
}

/// Those that go; `None`: none may, and the new one has no room.
///
/// Brokers that attach anew by themselves lose the oldest. The others would lose their visitor: first go those that
/// never made a call, which nobody misses, then the longest unused, if that is long ago.
pub(super) fn made_for<K>(new: &Link, mut others: Vec<Other<K>>) -> Option<Vec<K>> {
    others.sort_by_key(|other| if new.php { (other.called, other.made) } else { (None, other.made) });
    others.truncate((others.len() + 1).saturating_sub(Link::MAX_PER_BROKER));
    let is_unused = |called: Timestamp| new.at.since(called) > Link::UNUSED;
    let may_go = |other: &Other<K>| !new.php || other.called.is_none_or(is_unused);
    others.iter().all(may_go).then(|| others.into_iter().map(|other| other.key).collect())
}

/// A call's time as stores keep it: zero stands for none.
#[cfg(any(feature = "sql", feature = "redis"))]
#[cfg(any(feature = "sql", feature = "redis"))]
pub(super) fn noted(millis: i64) -> Option<Timestamp> {
    (millis != 0).then(|| Timestamp::from_millis(millis))
}
