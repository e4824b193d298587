//! Finds brokers, sessions and families, and changes sessions.

use std::sync::Arc;

use sso_core::{BrokerId, is_loopback};

use crate::{
    brokers::Broker,
    error::Unavailable,
    server::{Context, browser::Browser, task::Task},
    session::{CookieHash, CookieValue, Family, LinkKey, LinkState, Session, SessionId, lifecycle},
    store::Resolved,
};

/// Maximum compare-and-swap retries. In each round one concurrent writer succeeds, so reaching the limit means the
/// store is broken.
pub(crate) const ATTEMPTS: usize = 1_000;

impl Context {
    /// The present state of a link.
    pub(crate) fn link_state(&self, found: &Resolved) -> LinkState {
        found.link.state(&found.session, found.called, &self.policy, self.now())
    }

    /// A new anonymous session, not stored yet, and the value of its cookie.
    pub(crate) fn new_session(&self, browser: &Browser, silently: bool) -> (Session, CookieValue) {
        let cookie = CookieValue::generate();
        let mut session = Session::new(cookie.hash(), self.now());
        session.begun_silently = silently;
        browser.tie(&mut session);
        (self.dated(session), cookie)
    }

    /// The session with its derived times: until when it is kept, and when its login ends.
    pub(crate) fn dated(&self, mut session: Session) -> Session {
        session.keep_until = lifecycle::keep_until(&session, &self.policy);
        session.ends = lifecycle::ends(&session, &self.policy);
        session
    }
}

impl Task<'_> {
    /// The broker with this id. A broker whose secret could be guessed offline counts as disabled, except on the
    /// loopback.
    pub(crate) async fn broker(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, Unavailable> {
        let broker = self.look_up(self.brokers.find(id)).await?;
        Ok(broker.filter(|broker| {
            let fit = broker.is_strong() || is_loopback(&self.public_url);
            if !fit {
                tracing::error!(%broker.id, "broker disabled: its secret has less than 128 bits");
            }
            fit
        }))
    }

    /// The session that a cookie leads to; see [`Store::load`](crate::store::Store::load).
    pub(crate) async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, Unavailable> {
        self.seen(self.ask(self.store.load(cookie)).await?).await
    }

    /// The session of this id.
    pub(crate) async fn session(&self, id: &SessionId) -> Result<Option<Arc<Session>>, Unavailable> {
        self.seen(self.ask(self.store.get(id)).await?).await
    }

    /// The link of a broker's token, and its session.
    pub(crate) async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, Unavailable> {
        let Some(found) = self.ask(self.store.resolve(key)).await? else { return Ok(None) };
        let session = self.seen(Some(found.session)).await?;
        Ok(session.map(|session| Resolved { session, ..found }))
    }

    /// The sessions in which this user is logged in, in no particular order.
    pub(crate) async fn sessions_of(&self, username: &str) -> Result<Vec<Arc<Session>>, Unavailable> {
        let mut sessions = Vec::new();
        for session in self.ask(self.store.of_user(username)).await? {
            sessions.extend(self.seen(Some(session)).await?);
        }
        sessions.retain(|session| session.is_of(username));
        Ok(sessions)
    }

    /// A session as it is now. Times in the future, written by a clock that was ahead, are set to now and stored:
    /// otherwise the login would not end.
    async fn seen(&self, found: Option<Arc<Session>>) -> Result<Option<Arc<Session>>, Unavailable> {
        let now = self.now();
        let Some(session) = found.filter(|session| !lifecycle::is_gone(session, now)) else { return Ok(None) };
        if !lifecycle::is_ahead(&session, now) {
            return Ok(Some(lifecycle::settled(session, &self.policy, now)));
        }
        tracing::warn!("a session has times in the future: a clock was ahead, here or at another node");
        let set_right = |session: &mut Session| {
            lifecycle::set_right(session, now);
            true
        };
        self.change(&session, set_right).await
    }

    /// The family of this id, if it still works.
    pub(crate) async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, Unavailable> {
        match self.ask(self.store.family(id)).await? {
            Some(family) => self.working(family).await,
            None => Ok(None),
        }
    }

    /// The families that remember this user and still work, in no particular order.
    pub(crate) async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, Unavailable> {
        let mut families = Vec::new();
        for family in self.ask(self.store.families_of(username)).await? {
            families.extend(self.working(family).await?);
        }
        Ok(families)
    }

    /// The family if it still works, with times in the future corrected as in a session.
    async fn working(&self, family: Arc<Family>) -> Result<Option<Arc<Family>>, Unavailable> {
        let mut right = Family::clone(&family);
        right.set_right(self.now(), &self.tokens);
        let family = if right == *family {
            family
        } else {
            // A faster writer has corrected it as well, or has removed it.
            let written = self.write(self.store.put_family(right.clone())).await?;
            written.unwrap_or_else(|_| Arc::new(right))
        };
        Ok(Some(family).filter(|family| self.now() < family.expires))
    }

    /// Starts an anonymous session, whose cookie is never sent.
    pub(crate) async fn start(&self, browser: &Browser) -> Result<Arc<Session>, Unavailable> {
        self.ask(self.store.insert(self.new_session(browser, false).0, None)).await
    }

    /// Changes a session by compare-and-swap. `change` sees the newest record and may be called several times; it
    /// returns `false` to give up. Returns the changed session, or `None` if `change` gave up or the session is gone.
    pub(crate) async fn change(
        &self,
        session: &Arc<Session>,
        mut change: impl FnMut(&mut Session) -> bool + Send,
    ) -> Result<Option<Arc<Session>>, Unavailable> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let mut next = Session::clone(&current);
            lifecycle::settle(&mut next, &self.policy, self.now());
            if !change(&mut next) {
                return Ok(None);
            }
            let (expired, end) = (std::mem::take(&mut next.end_is_unwritten), next.last_end.clone());
            if let Ok(updated) = self.write(self.store.update(self.dated(next))).await? {
                if let Some(end) = end.filter(|_| expired) {
                    tracing::info!(username = end.username, reason = ?end.reason, "a login has ended");
                }
                return Ok(Some(updated));
            }
            match self.ask(self.store.get(&current.id)).await? {
                Some(newer) => current = newer,
                None => return Ok(None),
            }
        }
        Err(Unavailable::changes_all_the_time())
    }

    /// Notes that a person used the session, at most once per `touch_every`. A failed write is only logged: the answer
    /// is known, and the next use is noted instead.
    pub(crate) async fn touch(&self, session: &Arc<Session>) {
        if lifecycle::needs_touch(session, &self.policy, self.now()) && self.touch_now(session).await.is_err() {
            tracing::warn!("a session's use could not be noted");
        }
    }

    /// The same without the interval. Returns the session after it.
    pub(crate) async fn touch_now(&self, session: &Arc<Session>) -> Result<Arc<Session>, Unavailable> {
        let mut used = Session::clone(session);
        used.last_seen = lifecycle::use_at(session, self.now());
        let used = self.dated(used);
        if self.write(self.store.touch(&used)).await?.is_err() {
            // The session changed meanwhile, is gone, or its login has ended without a record of the end. Use does not
            // undo an end.
            let touch = |session: &mut Session| {
                session.last_seen = used.last_seen.max(session.last_seen);
                true
            };
            if let Some(touched) = self.change(session, touch).await? {
                return Ok(touched);
            }
        }
        // If it was removed in between, the next call reports it.
        Ok(Arc::new(used))
    }
}
