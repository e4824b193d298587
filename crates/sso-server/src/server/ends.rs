//! Ends logins for reasons other than time, with the sessions and families that belong to them.

use std::sync::Arc;

use crate::{
    error::Unavailable,
    server::task::Task,
    session::{EndReason, Session},
};

/// How many sessions and remembered browsers were ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedCounts {
    /// Sessions with a login; after [`end_everything`](crate::Server::end_everything), all sessions.
    pub sessions: u64,
    /// Browsers that were remembered.
    pub browsers: u64,
}

impl Task<'_> {
    /// Ends a login if `is_meant` still holds; `is_meant` may also change the session. Returns the ended session, or
    /// `None` if it was not meant or is gone.
    pub(crate) async fn end(
        &self,
        session: &Arc<Session>,
        reason: EndReason,
        mut is_meant: impl FnMut(&mut Session) -> bool + Send,
    ) -> Result<Option<Arc<Session>>, Unavailable> {
        let now = self.now();
        let end = |session: &mut Session| {
            let is_meant = is_meant(session);
            if reason.is_theft() {
                session.destroy(reason, now);
            } else {
                session.end(reason, now);
            }
            is_meant
        };
        let ended = self.change(session, end).await?;
        if ended.is_some() {
            let username = session.last_user();
            match reason {
                // The logout itself logs this.
                EndReason::LoggedOut => {}
                EndReason::Revoked | EndReason::TooMany => tracing::info!(username, ?reason, "a login was ended"),
                reason => tracing::warn!(username, ?reason, "a login was ended"),
            }
        }
        Ok(ended)
    }

    /// The same, and forgets the browser. The browser comes first, so that a partial failure can be retried. Brokers
    /// notice at their next call.
    pub(crate) async fn end_and_forget(
        &self,
        session: &Arc<Session>,
        reason: EndReason,
        mut is_meant: impl FnMut(&mut Session) -> bool + Send,
    ) -> Result<Option<Arc<Session>>, Unavailable> {
        self.forget(session.family()).await?;
        let mut family = None;
        let is_meant = |current: &mut Session| {
            family = current.family().map(str::to_owned);
            is_meant(current)
        };
        let ended = self.end(session, reason, is_meant).await?;
        // It may have a new family since.
        if ended.is_some() && family.as_deref() != session.family() {
            self.forget(family.as_deref()).await?;
        }
        Ok(ended)
    }

    /// Removes a family, so that none of its tokens works. Its sessions stay.
    pub(crate) async fn forget(&self, family: Option<&str>) -> Result<(), Unavailable> {
        if let Some(id) = family {
            self.ask(self.store.remove_family(id)).await?;
        }
        Ok(())
    }

    /// Removes a family and ends all its sessions: of a tab that returned a moment ago, from before the browser lost
    /// its session cookie, of a thief.
    pub(crate) async fn end_family(&self, username: &str, id: &str, reason: EndReason) -> Result<(), Unavailable> {
        self.forget(Some(id)).await?;
        if reason.is_theft() {
            // An unreadable session may belong to this family.
            self.ask(self.store.remove_unreadable(username)).await?;
        }
        for session in self.sessions_of(username).await? {
            self.end(&session, reason, |session| session.family() == Some(id)).await?;
        }
        Ok(())
    }

    /// Ends all sessions of this user except `keep`, and forgets all browsers except that session's.
    pub(crate) async fn end_all(
        &self,
        username: &str,
        keep: Option<&Session>,
        reason: EndReason,
    ) -> Result<EndedCounts, Unavailable> {
        let unreadable = self.ask(self.store.remove_unreadable(username)).await?;
        let mut ended = EndedCounts { sessions: unreadable.sessions, browsers: unreadable.families };
        if ended != EndedCounts::default() {
            tracing::warn!(username, ended.sessions, ended.browsers, "what could not be read was removed");
        }
        // Families first: they could begin new sessions.
        for family in self.families_of(username).await? {
            if keep.and_then(Session::family) != Some(&family.id) {
                self.forget(Some(&family.id)).await?;
                ended.browsers += 1;
            }
        }
        for own in self.sessions_of(username).await?.iter().filter(|own| keep.is_none_or(|keep| keep.id != own.id)) {
            let was_theirs = self.end_and_forget(own, reason, |own| own.is_of(username)).await?;
            ended.sessions += u64::from(was_theirs.is_some());
        }
        Ok(ended)
    }

    /// Ends the longest unused logins of this session's user if there are too many. Only logins that began before this
    /// session's count: of two logins at once with room for one, the later one stays.
    ///
    /// Store errors do not undo the login; the next one makes up for it.
    pub(crate) async fn make_room(&self, session: &Session) {
        if self.end_longest_unused(session).await.is_err() {
            tracing::warn!("logins that may be too many were left");
        }
    }

    async fn end_longest_unused(&self, session: &Session) -> Result<(), Unavailable> {
        let Some(user) = session.user() else { return Ok(()) };
        let mut sessions = self.sessions_of(&user.username).await?;
        let too_many = sessions.len().saturating_sub(self.policy.max_sessions_per_user.get());
        if too_many == 0 {
            return Ok(());
        }
        let began = |session: &Session| (session.login.as_ref().map(|login| login.at), session.id.clone());
        let this = began(session);
        sessions.retain(|other| began(other) < this);
        sessions.sort_by_key(|other: &Arc<Session>| other.last_seen);
        let is_theirs = |session: &mut Session| session.is_of(&user.username);
        for longest_unused in sessions.iter().take(too_many) {
            if session.family().is_some_and(|family| longest_unused.family() == Some(family)) {
                // Left by this browser before it lost its session cookie: the browser stays remembered.
                self.end(longest_unused, EndReason::TooMany, is_theirs).await?;
            } else {
                // A remembered browser would log in again at its next visit and end another login.
                self.end_and_forget(longest_unused, EndReason::TooMany, is_theirs).await?;
            }
        }
        Ok(())
    }
}
