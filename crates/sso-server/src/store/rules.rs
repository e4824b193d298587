//! What every store decides alike: which times a session keeps, and which of its links make room for a new one. A store
//! that writes in a language of its own says the same there.

use crate::{
    session::{Link, Session},
    util::clock::{CLOCK_SKEW, Timestamp},
};

/// The record that an update leaves, of the one that is there and the one that comes; see
/// [`update`](super::Store::update).
pub fn updated(there: &Session, mut comes: Session, now: Timestamp) -> Session {
    comes.version += 1;
    // A touch may have come between, but no use in the future counts, nor what follows from it.
    if there.last_seen <= now.after(CLOCK_SKEW) {
        comes.last_seen = comes.last_seen.max(there.last_seen);
        // Another login, or none, has times of its own.
        if comes.epoch == there.epoch {
            comes.keep_until = comes.keep_until.max(there.keep_until);
            comes.ends = comes.ends.max(there.ends);
        }
    }
    comes
}

/// Notes a touch in the record that is there; see [`touch`](super::Store::touch).
pub fn note_touch(there: &mut Session, used: &Session) {
    there.last_seen = there.last_seen.max(used.last_seen);
    there.keep_until = there.keep_until.max(used.keep_until);
    there.ends = there.ends.max(used.ends);
}

/// A link that the session has at the broker already.
#[derive(Clone, Debug)]
pub struct OtherLink<K> {
    /// By what the store finds it.
    pub key: K,
    /// When it was made.
    pub made: Timestamp,
    /// When its broker called with it last, if it ever did.
    pub called: Option<Timestamp>,
}

/// Which of the others go for the new link, so that there are at most [`Link::MAX_PER_BROKER`]; `None`: none may, and
/// the new one has no room.
///
/// Brokers that attach anew by themselves lose the oldest. The others would lose their visitor: first go those that
/// never made a call, which nobody misses, then the longest unused, if that is [long ago](Link::UNUSED).
pub fn room_for<K>(new: &Link, mut others: Vec<OtherLink<K>>) -> Option<Vec<K>> {
    others.sort_by_key(|other| if new.php { (other.called, other.made) } else { (None, other.made) });
    others.truncate((others.len() + 1).saturating_sub(Link::MAX_PER_BROKER));
    let is_unused = |called: Timestamp| new.at.since(called) > Link::UNUSED;
    let may_go = |other: &OtherLink<K>| !new.php || other.called.is_none_or(is_unused);
    others.iter().all(may_go).then(|| others.into_iter().map(|other| other.key).collect())
}

/// A call's time as the stores outside this process keep it: zero stands for none.
#[cfg(any(feature = "sql", feature = "redis"))]
pub(super) fn noted(millis: i64) -> Option<Timestamp> {
    (millis != 0).then(|| Timestamp::from_millis(millis))
}
