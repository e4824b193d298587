//! The account page: what users see of their own sessions and remembered browsers, and what they can end there.
//!
//! Sessions and families are named by handles, MACs of their ids: an id never leaves the server.

use std::{sync::Arc, time::Duration};

use sso_core::{BrokerId, base36, wire::User};

use crate::{
    error::{Error, Unavailable},
    operations::login::Credentials,
    server::{
        Context, Server,
        browser::{Browser, Visit},
        task::Task,
    },
    session::{CookieValue, EndReason, Family, Login, Session, SessionId},
    util::clock::Timestamp,
};

/// Ending other sessions or forgetting browsers requires a password typed in this session within this time.
pub const RECENT_PASSWORD: Duration = Duration::from_secs(15 * 60);

/// What the account page shows.
#[derive(Clone, Debug)]
pub struct AccountOverview {
    /// The user who is logged in.
    pub user: User,
    /// Their sessions: this one first, then by their last use.
    pub sessions: Vec<OwnSession>,
    /// The remembered browsers, in the same order.
    pub browsers: Vec<RememberedBrowser>,
    /// Whether the user can change the password here.
    pub can_change_password: bool,
    /// Whether the password was typed recently enough to end sessions without typing it again.
    pub is_confirmed: bool,
    /// The time of this overview.
    pub now: Timestamp,
}

impl AccountOverview {
    /// Whether there are sessions or remembered browsers other than the present one.
    pub fn has_others(&self) -> bool {
        self.sessions.iter().any(|own| !own.is_this) || self.browsers.iter().any(|known| !known.is_this)
    }
}

/// A session of the user.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// Its name on the page.
    pub handle: String,
    /// The browser's name, as sent by the browser.
    pub browser: Option<String>,
    /// When the user logged in there.
    pub since: Timestamp,
    /// When it was last used.
    pub last_seen: Timestamp,
    /// Whether a remembered browser began the login, and no password was typed since.
    pub is_remembered: bool,
    /// When the password was last typed there.
    pub password_at: Option<Timestamp>,
    /// The brokers that are attached to it.
    pub brokers: Vec<BrokerId>,
    /// Whether it is the present one.
    pub is_this: bool,
}

/// A browser that is remembered.
#[derive(Clone, Debug)]
pub struct RememberedBrowser {
    /// Its name on the page.
    pub handle: String,
    /// Its name, as sent by the browser.
    pub browser: String,
    /// When it was first remembered.
    pub created: Timestamp,
    /// When it last logged its user in.
    pub last_used: Timestamp,
    /// When it expires if it is not used.
    pub expires: Timestamp,
    /// Whether it is the present one.
    pub is_this: bool,
}

/// What the user may end on the account page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// End the session with this handle and forget its browser.
    End(String),
    /// End all sessions except the present one, and forget all other browsers.
    EndOthers,
    /// Forget the browser with this handle. Its session continues.
    Forget(String),
}

impl Server {
    /// The overview for the user of this session; `None` if nobody is logged in.
    pub async fn account(&self, session: &Session) -> Result<Option<AccountOverview>, Unavailable> {
        let task = self.task();
        let Some(user) = session.user().cloned() else { return Ok(None) };
        let sessions = task.own_sessions(&user.username, Some(&session.id)).await?;
        let families = task.families_of(&user.username).await?;
        let shown = |family: &Arc<Family>| RememberedBrowser {
            handle: task.family_handle(family),
            browser: family.browser.clone(),
            created: family.created,
            last_used: family.last_used,
            expires: family.expires,
            is_this: session.family() == Some(&family.id),
        };
        let mut browsers: Vec<_> = families.iter().map(shown).collect();
        browsers.sort_by_key(|browser| (!browser.is_this, std::cmp::Reverse(browser.last_used)));
        let can_change_password = task.look_up(task.users.can_set_password(&user.username)).await?;
        let now = task.now();
        Ok(Some(AccountOverview {
            user,
            sessions,
            browsers,
            can_change_password,
            is_confirmed: is_confirmed(session, now),
            now,
        }))
    }

    /// Ends sessions of this session's user, or forgets browsers. Fails unless the password was typed in this session
    /// [recently](RECENT_PASSWORD).
    pub async fn change_account(&self, session: &Session, change: &AccountChange) -> Result<(), Error> {
        let task = self.task();
        let username = session.user().map(|user| user.username.as_str()).ok_or(Error::NotLoggedIn)?;
        if !is_confirmed(session, task.now()) {
            return Err(Error::PasswordNeeded);
        }
        match change {
            AccountChange::End(handle) => {
                let sessions = task.sessions_of(username).await?;
                let meant = sessions.iter().find(|own| task.session_handle(own) == *handle);
                let meant = meant.ok_or(Error::AlreadyEnded)?;
                task.end_and_forget(meant, EndReason::Revoked, |own| own.is_of(username)).await?;
            }
            AccountChange::EndOthers => {
                task.end_all(username, Some(session), EndReason::Revoked).await?;
            }
            AccountChange::Forget(handle) => {
                let families = task.families_of(username).await?;
                let meant = families.iter().find(|family| task.family_handle(family) == *handle);
                task.forget(Some(&meant.ok_or(Error::AlreadyEnded)?.id)).await?;
            }
        }
        Ok(())
    }

    /// Confirms the password of the user who is logged in. This changes rights, so the same write replaces the cookie's
    /// value.
    pub async fn confirm_password(
        &self,
        browser: impl Into<Browser>,
        credentials: &Credentials,
    ) -> Result<Visit, Error> {
        let (task, browser) = (self.task(), browser.into());
        let is_theirs = |session: &Session| session.is_of(&credentials.username);
        let session = task.by_cookie(&browser).await?.filter(|session| is_theirs(session));
        let session = session.ok_or(Error::NotLoggedIn)?;
        let account = task.authenticate(credentials, true, None).await?;
        if account.user.username != credentials.username {
            // The account is gone, and another account has its name in canonical form.
            return Err(Error::NotLoggedIn);
        }
        let credential = task.credential(&account.password);
        let (cookie, now) = (CookieValue::generate(), task.now());
        let confirm = |session: &mut Session| {
            session.confirm(credential, now);
            session.replace_cookie(cookie.hash(), now);
            is_theirs(session)
        };
        let session = task.change(&session, confirm).await?.ok_or(Error::NotLoggedIn)?;
        tracing::info!(username = %credentials.username, "confirmed the password");
        Ok(Visit { set_cookie: Some(cookie), ..Visit::unchanged(session) })
    }
}

impl Task<'_> {
    /// The sessions of a user: the present one first, then by last use.
    pub(crate) async fn own_sessions(
        &self,
        username: &str,
        this: Option<&SessionId>,
    ) -> Result<Vec<OwnSession>, Unavailable> {
        let mut sessions = Vec::new();
        for own in self.sessions_of(username).await? {
            let links = self.ask(self.store.links_of(&own.id)).await?;
            let mut brokers: Vec<_> = links.into_iter().map(|(key, _)| key.broker).collect();
            brokers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
            brokers.dedup();
            sessions.push(OwnSession {
                handle: self.session_handle(&own),
                browser: own.browser.clone(),
                since: own.login.as_ref().map_or(own.created, |login| login.at),
                last_seen: own.last_seen,
                is_remembered: own.is_remembered(),
                password_at: own.login.as_ref().and_then(Login::password_at),
                brokers,
                is_this: Some(&own.id) == this,
            });
        }
        sessions.sort_by_key(|own| (!own.is_this, std::cmp::Reverse(own.last_seen)));
        Ok(sessions)
    }
}

impl Context {
    pub(crate) fn session_handle(&self, session: &Session) -> String {
        base36::exact(&self.handle_key.mac(&["session ", session.id.as_str()]))
    }

    fn family_handle(&self, family: &Family) -> String {
        base36::exact(&self.handle_key.mac(&["family ", &family.id]))
    }
}

fn is_confirmed(session: &Session, now: Timestamp) -> bool {
    let typed = session.login.as_ref().and_then(Login::password_at);
    typed.is_some_and(|typed| now.since(typed) < RECENT_PASSWORD)
}
