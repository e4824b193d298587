//! A session's place in memory, and what leads to it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use moka::{
    ops::compute::{CompResult, Op},
    sync::Cache,
};
use parking_lot::{Mutex, RwLock};

use super::{anonymous::Anonymous, index::Index, username};
use crate::{
    clock::Timestamp,
    session::{CookieHash, Link, LinkKey, Session, SessionId},
    store::room::noted,
};

/// A session's place. Links and cookies hold it directly, so that resolving a token is one look-up in one map.
pub(super) struct Cell(pub(super) RwLock<State>);

pub(super) struct State {
    pub(super) session: Arc<Session>,
    pub(super) phase: Phase,
    /// What must go when the session goes. A token that was linked to another session since may still be named.
    pub(super) links: Vec<LinkKey>,
    /// Among the anonymous ones, while it is one of them.
    place: Option<u64>,
}

/// Whether the session is in the store: it comes and goes in several maps, and for everybody at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Coming,
    There,
    Gone,
}

/// A link, as long as it was not cut.
pub(super) struct Linked {
    pub(super) link: Link,
    pub(super) cell: Arc<Cell>,
    /// Set under the cell's lock, so that link and session are seen at one instant.
    cut: AtomicBool,
    /// When its broker last called, in milliseconds; zero if it never did.
    called: AtomicI64,
}

/// What leads to cells. Only the one who writes holds the locks of two cells; no map calls back.
pub(super) struct Ways {
    pub(super) cookies: Cache<CookieHash, Arc<Cell>>,
    pub(super) links: Cache<LinkKey, Arc<Linked>>,
    /// The sessions in which somebody is logged in, by when that ends.
    pub(super) ends: Mutex<BTreeSet<(Timestamp, SessionId)>>,
    /// The sessions by who is logged in.
    pub(super) users: Index<SessionId>,
    pub(super) anonymous: Anonymous,
}

impl Cell {
    pub(super) fn new(session: Arc<Session>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(State { session, phase: Phase::Coming, links: Vec::new(), place: None })))
    }

    /// The session, if it is there.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        let state = self.0.read();
        (state.phase == Phase::There).then(|| state.session.clone())
    }
}

impl Linked {
    pub(super) fn new(link: Link, cell: Arc<Cell>) -> Arc<Self> {
        Arc::new(Self { link, cell, cut: AtomicBool::new(false), called: AtomicI64::new(0) })
    }

    pub(super) fn called(&self) -> Option<Timestamp> {
        noted(self.called.load(Ordering::Relaxed))
    }

    pub(super) fn note_call(&self, at: Timestamp) {
        self.called.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    /// Whether it was cut, or its session is gone. For who holds the cell's lock.
    pub(super) fn is_dead(&self, state: &State) -> bool {
        state.phase != Phase::There || self.cut.load(Ordering::Relaxed)
    }
}

impl Ways {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            cookies: Cache::builder().build(),
            links: Cache::builder().build(),
            ends: Mutex::default(),
            users: Index::default(),
            anonymous: Anonymous::new(limit),
        }
    }

    /// Notes that the session was just used, or has just become what it is.
    pub(super) fn renew(&self, cell: &Arc<Cell>, state: &mut State) {
        if may_make_room(&state.session) {
            state.place = self.anonymous.renew(state.place, cell);
        } else {
            self.anonymous.leave(state.place.take());
        }
    }

    /// The login of a session ends at another time now, or not any more, or is gone.
    pub(super) fn end_moved(&self, from: Timestamp, to: Timestamp, id: &SessionId) {
        if from != to {
            let mut ends = self.ends.lock();
            ends.remove(&(from, id.clone()));
            if to != Timestamp::NEVER {
                ends.insert((to, id.clone()));
            }
        }
    }

    /// Cuts a link of this session; whether it was one.
    pub(super) fn cut(&self, cell: &Arc<Cell>, key: &LinkKey) -> bool {
        forget(&self.links, key, |linked: &Arc<Linked>| {
            let is_meant = Arc::ptr_eq(&linked.cell, cell);
            if is_meant {
                linked.cut.store(true, Ordering::Relaxed);
            }
            is_meant
        })
    }

    /// The session is gone, and all that leads to it. It may be called again.
    pub(super) fn let_go(&self, cell: &Arc<Cell>) {
        let mut state = cell.0.write();
        if state.phase == Phase::Gone {
            return;
        }
        state.phase = Phase::Gone;
        self.anonymous.leave(state.place.take());
        self.users.forget(username(&state.session), &state.session.id);
        self.end_moved(state.session.ends, Timestamp::NEVER, &state.session.id);
        for cookie in state.session.cookies() {
            forget(&self.cookies, &cookie, |other| Arc::ptr_eq(other, cell));
        }
        for key in std::mem::take(&mut state.links) {
            self.cut(cell, &key);
        }
    }
}

/// Nobody is logged in, and no later logout has to find its remembered browser.
fn may_make_room(session: &Session) -> bool {
    session.login.is_none() && session.family().is_none()
}

/// Removes the entry if it is the one that is meant; whether it was.
fn forget<K, V>(map: &Cache<K, V>, key: &K, is_meant: impl Fn(&V) -> bool) -> bool
where
    K: Clone + Eq + std::hash::Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let result = map.entry_by_ref(key).and_compute_with(|entry| match entry {
        Some(entry) if is_meant(entry.value()) => Op::Remove,
        _ => Op::Nop,
    });
    matches!(result, CompResult::Removed(_))
}
