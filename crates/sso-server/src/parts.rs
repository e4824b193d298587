//! The parts that a server is made of, and what every task does with them: find a broker, read and change a session.

use std::sync::Arc;

use sso_core::{BrokerId, FormKey, checksum::MacKey, is_loopback, jwt::SharedKeys};
use url::Url;

use crate::{
    brokers::{Broker, Brokers},
    clock::{Clock, Timestamp},
    resume::Browser,
    session::{
        CookieHash, CookieValue, EndReason, LinkKey, LinkState, Policy, Session, SessionId, TokenPolicy, lifecycle,
    },
    store::{Resolved, Store, StoreError},
    throttle::Throttle,
    users::{Users, password::Passwords},
};

/// The parts. [`Server`](crate::Server) puts them together.
pub(crate) struct Parts {
    pub(crate) public_url: Url,
    pub(crate) brokers: Box<dyn Brokers>,
    pub(crate) users: Box<dyn Users>,
    pub(crate) store: Box<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Policy,
    pub(crate) tokens: TokenPolicy,
    pub(crate) passwords: Passwords,
    /// Failed logins, by user, where the user is known and elsewhere, and by link.
    pub(crate) login_failures: Throttle,
    /// Wrong checksums, by broker and token: so that nobody can block a broker by failing on purpose.
    pub(crate) checksum_failures: Throttle,
    pub(crate) form_key: FormKey,
    pub(crate) fingerprint_key: MacKey,
    /// Names sessions, logins and remembered browsers where their ids must not be seen.
    pub(crate) handle_key: MacKey,
    pub(crate) session_name: String,
    /// Brokers ask for tokens that these sign; the public ones are for everybody.
    pub(crate) access_keys: SharedKeys,
    /// Only this server signs and verifies with these.
    pub(crate) remember_keys: SharedKeys,
    /// Makes what logins and remembered browsers keep of passwords, and the cookies of sessions that begin by remember-me.
    pub(crate) remember_mac: MacKey,
}

/// Something that a task needs does not answer. The cause is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is temporarily unavailable")]
pub struct Unavailable;

/// Why a change of a session did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("the session is gone")]
    Gone,
    /// The change gave up, having seen the session as it is now.
    #[error("the session is not what it was")]
    Abandoned,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// How often a change is made anew because somebody was faster: each time one of those who change the record at once has got through, and they
/// are never so many. A store that says "conflict" without end is out of order.
pub(crate) const ATTEMPTS: usize = 1_000;

impl Parts {
    /// The server's name in tokens.
    pub(crate) fn origin(&self) -> String {
        self.public_url.origin().ascii_serialization()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The broker of this id. One whose secret could be guessed offline is treated as disabled, unless all of this is on the loopback.
    pub(crate) async fn broker(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, Unavailable> {
        let broker = self.brokers.find(id).await.map_err(|error| {
            tracing::error!(%error, "cannot look up a broker");
            Unavailable
        })?;
        Ok(broker.filter(|broker| {
            let fit = broker.is_strong() || is_loopback(&self.public_url);
            if !fit {
                tracing::error!(%broker.id, "broker disabled: its secret has less than 128 bits");
            }
            fit
        }))
    }

    /// The session that a cookie leads to; see [`Store::load`].
    pub(crate) async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, Unavailable> {
        self.seen(self.store.load(cookie).await.map_err(unavailable)?).await
    }

    /// The session of this id.
    pub(crate) async fn session(&self, id: &SessionId) -> Result<Option<Arc<Session>>, Unavailable> {
        self.seen(self.store.get(id).await.map_err(unavailable)?).await
    }

    /// The link of a broker's token, and its session.
    pub(crate) async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, Unavailable> {
        let Some(found) = self.store.resolve(key).await.map_err(unavailable)? else { return Ok(None) };
        let session = self.seen(Some(found.session)).await?;
        Ok(session.map(|session| Resolved { session, ..found }))
    }

    /// What a link is now.
    pub(crate) fn link_state(&self, found: &Resolved) -> LinkState {
        found.link.state(&found.session, found.called, &self.policy, self.now())
    }

    /// The sessions in which this user is logged in, in no particular order.
    pub(crate) async fn sessions_of(&self, username: &str) -> Result<Vec<Arc<Session>>, Unavailable> {
        let mut sessions = Vec::new();
        for session in self.store.of_user(username).await.map_err(unavailable)? {
            sessions.extend(self.seen(Some(session)).await?);
        }
        sessions.retain(|session| session.is_of(username));
        Ok(sessions)
    }

    /// A session as it is now. Where a clock that was ahead has written times that lie in the future, these are now, and are written so: a login
    /// would not end otherwise.
    async fn seen(&self, found: Option<Arc<Session>>) -> Result<Option<Arc<Session>>, Unavailable> {
        let now = self.now();
        let Some(session) = found.filter(|session| !lifecycle::is_gone(session, now)) else { return Ok(None) };
        if !lifecycle::is_ahead(&session, now) {
            return Ok(Some(lifecycle::settled(session, &self.policy, now)));
        }
        tracing::warn!("a session has times in the future: a clock was ahead, here or at another node");
        let changed = self.change(&session, |session| {
            lifecycle::set_right(session, now);
            true
        });
        match changed.await {
            Ok(session) => Ok(Some(session)),
            Err(ChangeError::Gone | ChangeError::Abandoned) => Ok(None),
            Err(ChangeError::Unavailable(error)) => Err(error),
        }
    }

    /// Starts an anonymous session and gives the value of its cookie.
    pub(crate) async fn start(
        &self,
        browser: &Browser,
        silently: bool,
    ) -> Result<(Arc<Session>, CookieValue), Unavailable> {
        let (session, cookie) = self.new_session(browser, silently);
        let session = self.store.insert(session).await.map_err(unavailable)?;
        Ok((session, cookie))
    }

    /// An anonymous session, not kept yet, and the value of its cookie.
    pub(crate) fn new_session(&self, browser: &Browser, silently: bool) -> (Session, CookieValue) {
        let cookie = CookieValue::generate();
        let mut session = Session::new(cookie.hash(), self.now());
        session.begun_silently = silently;
        session.fingerprint = browser.fingerprint;
        session.browser.clone_from(&browser.name);
        (self.dated(session), cookie)
    }

    /// Changes a session, by compare-and-swap: `change` sees the newest record, as it is now, and may be called again.
    /// It returns `false` to give up.
    pub(crate) async fn change(
        &self,
        session: &Arc<Session>,
        mut change: impl FnMut(&mut Session) -> bool + Send,
    ) -> Result<Arc<Session>, ChangeError> {
        let mut current = session.clone();
        for _ in 0..ATTEMPTS {
            let mut next = Session::clone(&current);
            lifecycle::settle(&mut next, &self.policy, self.now());
            if !change(&mut next) {
                return Err(ChangeError::Abandoned);
            }
            let (expired, end) = (std::mem::take(&mut next.end_is_unwritten), next.last_end.clone());
            match self.store.update(self.dated(next)).await {
                Ok(updated) => {
                    if let Some(end) = end.filter(|_| expired) {
                        tracing::info!(username = end.username, reason = ?end.reason, "a login has ended");
                    }
                    return Ok(updated);
                }
                Err(StoreError::NotFound) => return Err(ChangeError::Gone),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(unavailable(error).into()),
            }
            current = self.store.get(&current.id).await.map_err(unavailable)?.ok_or(ChangeError::Gone)?;
        }
        Err(changes_all_the_time().into())
    }

    /// Ends a login, if it still `is_meant`. The session as it is now; `None`: it was not meant, or has gone.
    pub(crate) async fn end(
        &self,
        session: &Arc<Session>,
        reason: EndReason,
        is_meant: impl Fn(&Session) -> bool + Send + Sync,
    ) -> Result<Option<Arc<Session>>, Unavailable> {
        let now = self.now();
        let ended = self.change(session, |session| {
            let is_meant = is_meant(session);
            if reason.is_theft() {
                session.destroy(reason, now)
            } else {
                session.end(reason, now)
            }
            is_meant
        });
        match ended.await {
            Ok(ended) => {
                let username = session.last_user();
                match reason {
                    EndReason::Revoked | EndReason::TooMany => tracing::info!(username, ?reason, "a login was ended"),
                    reason => tracing::warn!(username, ?reason, "a login was ended"),
                }
                Ok(Some(ended))
            }
            Err(ChangeError::Gone | ChangeError::Abandoned) => Ok(None),
            Err(ChangeError::Unavailable(error)) => Err(error),
        }
    }

    /// Ends a login and has its browser forgotten, unless somebody else is logged in there by now; whether it did. Its
    /// brokers are told at their next call.
    pub(crate) async fn end_and_forget(
        &self,
        session: &Arc<Session>,
        username: &str,
        reason: EndReason,
    ) -> Result<bool, Unavailable> {
        self.forget(session.family()).await?;
        let Some(ended) = self.end(session, reason, |session| session.is_of(username)).await? else { return Ok(false) };
        // It may have got one since.
        if ended.family() != session.family() {
            self.forget(ended.family()).await?;
        }
        Ok(true)
    }

    /// Removes a family: none of its tokens works any more. Its sessions stay.
    pub(crate) async fn forget(&self, family: Option<&str>) -> Result<(), Unavailable> {
        if let Some(id) = family {
            self.store.remove_family(id).await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// Notes that a person used the session, at most once per `touch_every`.
    pub(crate) async fn touch(&self, session: &Arc<Session>) -> Result<(), Unavailable> {
        if lifecycle::needs_touch(session, &self.policy, self.now()) {
            self.touch_now(session).await?;
        }
        Ok(())
    }

    /// The same whenever it was. The session as it is then.
    pub(crate) async fn touch_now(&self, session: &Arc<Session>) -> Result<Arc<Session>, Unavailable> {
        let mut used = Session::clone(session);
        used.last_seen = lifecycle::use_at(session, self.now());
        let used = self.dated(used);
        match self.store.touch(&used).await {
            // It went away in between: whoever comes next is told so.
            Ok(()) | Err(StoreError::NotFound) => Ok(Arc::new(used)),
            // Somebody logged in or out meanwhile, or the login's end is not written yet: use does not undo that.
            Err(StoreError::Conflict) => {
                let touched = self.change(session, |session| {
                    session.last_seen = used.last_seen.max(session.last_seen);
                    true
                });
                match touched.await {
                    Ok(touched) => Ok(touched),
                    Err(ChangeError::Gone | ChangeError::Abandoned) => Ok(Arc::new(used)),
                    Err(ChangeError::Unavailable(error)) => Err(error),
                }
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Writes the ends of logins whose time is up, as every write to their sessions would; how many there were. At most 500 at a time.
    pub(crate) async fn settle_due(&self) -> Result<usize, Unavailable> {
        const AT_ONCE: usize = 500;
        let due = self.store.due(self.now(), AT_ONCE).await.map_err(unavailable)?;
        for session in &due {
            match self.change(session, |session| session.login.is_none()).await {
                Ok(_) | Err(ChangeError::Gone) => {}
                // It was used meanwhile, or its end was noted under another policy: the store is told the right one.
                Err(ChangeError::Abandoned) => match self.store.touch(&self.dated(Session::clone(session))).await {
                    Ok(()) | Err(StoreError::NotFound | StoreError::Conflict) => {}
                    Err(error) => return Err(unavailable(error)),
                },
                Err(ChangeError::Unavailable(error)) => return Err(error),
            }
        }
        Ok(due.len())
    }

    fn dated(&self, mut session: Session) -> Session {
        session.keep_until = lifecycle::keep_until(&session, &self.policy);
        session.ends = lifecycle::ends(&session, &self.policy);
        session
    }
}

/// What was tried [`ATTEMPTS`] times.
pub(crate) fn changes_all_the_time() -> Unavailable {
    unavailable(StoreError::Unavailable("a record changes all the time".into()))
}

/// Logs what the store said and keeps it from the visitor.
pub(crate) fn unavailable(error: StoreError) -> Unavailable {
    tracing::error!(%error, "the store failed");
    Unavailable
}
