//! Rules that all stores share: which times a session keeps, and which links make room for a new one. A store with its
//! own query language implements the same rules there.

use crate::{
    session::{Link, Session},
    util::clock::{CLOCK_SKEW, Timestamp},
};

/// The result of an update, from the stored and the new record; see [`update`](super::Store::update).
pub fn updated(there: &Session, mut comes: Session, now: Timestamp) -> Session {
    comes.version += 1;
    // A touch may have happened in between. A use in the future does not count.
    if there.last_seen <= now.after(CLOCK_SKEW) {
        comes.last_seen = comes.last_seen.max(there.last_seen);
        // The times of another login, or of none, differ.
        if comes.epoch == there.epoch {
            comes.keep_until = comes.keep_until.max(there.keep_until);
            comes.ends = comes.ends.max(there.ends);
        }
    }
    comes
}

/// Applies a touch to the stored record; see [`touch`](super::Store::touch).
pub fn note_touch(there: &mut Session, used: &Session) {
    there.last_seen = there.last_seen.max(used.last_seen);
    there.keep_until = there.keep_until.max(used.keep_until);
    there.ends = there.ends.max(used.ends);
}

/// An existing link of the session at the broker.
#[derive(Clone, Debug)]
pub struct OtherLink<K> {
    /// Its key in the store.
    pub key: K,
    /// When it was made.
    pub made: Timestamp,
    /// When its broker last called with it, if ever.
    pub called: Option<Timestamp>,
}

/// Which existing links make room for the new one, to keep at most [`Link::MAX_PER_BROKER`]; `None` if no link may be
/// removed, and the new one has no room.
///
/// Brokers that attach again by themselves lose the oldest links. jasny/sso brokers would lose their visitor, so links
/// that never made a call are removed first, then the longest unused, if unused for [long enough](Link::UNUSED).
pub fn room_for<K>(new: &Link, mut others: Vec<OtherLink<K>>) -> Option<Vec<K>> {
    others.sort_by_key(|other| if new.php { (other.called, other.made) } else { (None, other.made) });
    others.truncate((others.len() + 1).saturating_sub(Link::MAX_PER_BROKER));
    let is_unused = |called: Timestamp| new.at.since(called) > Link::UNUSED;
    let may_go = |other: &OtherLink<K>| !new.php || other.called.is_none_or(is_unused);
    others.iter().all(may_go).then(|| others.into_iter().map(|other| other.key).collect())
}

/// The time of a call as stored outside this process: zero means none.
#[cfg(any(feature = "sql", feature = "redis"))]
pub(super) fn noted(millis: i64) -> Option<Timestamp> {
    (millis != 0).then(|| Timestamp::from_millis(millis))
}
