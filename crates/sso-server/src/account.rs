//! The account page: what its user sees of their sessions and of the browsers that are remembered, and what they end there.
//!
//! Sessions and families are named by handles, MACs of their ids: an id never leaves the server.

use std::time::Duration;

use sso_core::{BrokerId, base36, wire::User};

use crate::{
    clock::Timestamp,
    login::{self, Credentials, LoginError},
    parts::{Parts, Unavailable, unavailable},
    remember,
    resume::{self, Browser, Visit},
    session::{AuthMethod, CookieValue, EndReason, Login, Session, SessionId},
    standing,
};

/// Who ends other sessions or forgets browsers has typed the password in this session so recently.
pub const RECENT_PASSWORD: Duration = Duration::from_secs(15 * 60);

/// What the account page shows.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who is logged in.
    pub user: User,
    /// Their sessions: this one first, then by their last use.
    pub sessions: Vec<OwnSession>,
    /// The browsers that are remembered, likewise.
    pub browsers: Vec<RememberedBrowser>,
    /// Whether they can change their password here.
    pub can_change_password: bool,
    /// Whether the password was typed so recently that something can be ended without typing it again.
    pub is_confirmed: bool,
    /// When this was so.
    pub now: Timestamp,
}

impl Account {
    /// Whether there are other sessions or other remembered browsers than those that ask, which could be ended.
    pub fn has_others(&self) -> bool {
        self.sessions.iter().any(|own| !own.is_this) || self.browsers.iter().any(|known| !known.is_this)
    }
}

/// A session of the user.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// What names it on the page.
    pub handle: String,
    /// The browser that it is in, as it calls itself.
    pub browser: Option<String>,
    /// Since when the user is logged in there.
    pub since: Timestamp,
    /// When it was last used.
    pub last_seen: Timestamp,
    /// Whether its browser was remembered, and no password typed since.
    pub is_remembered: bool,
    /// When the password was last typed there.
    pub password_at: Option<Timestamp>,
    /// The brokers that are attached to it.
    pub brokers: Vec<BrokerId>,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// A browser that is remembered.
#[derive(Clone, Debug)]
pub struct RememberedBrowser {
    /// What names it on the page.
    pub handle: String,
    /// As it calls itself.
    pub browser: String,
    /// Since when.
    pub created: Timestamp,
    /// When that last logged its user in.
    pub last_used: Timestamp,
    /// Until when, if it is not used.
    pub expires: Timestamp,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// What the user may end on the account page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// The session of this handle; its browser is not remembered any more.
    End(String),
    /// All sessions but the one that asks; no other browser is remembered any more.
    EndOthers,
    /// That the browser of this handle is remembered; its session goes on.
    Forget(String),
}

/// Why nothing was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Nobody is logged in.
    #[error("Nobody is logged in")]
    NotLoggedIn,
    /// The password has to be typed first.
    #[error("Enter your password first")]
    PasswordNeeded,
    /// No session or browser of this user has this handle (any more).
    #[error("It has ended already")]
    NotFound,
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What the account page shows to the user of this session; `None` if nobody is logged in.
pub(crate) async fn overview(parts: &Parts, session: &Session) -> Result<Option<Account>, Unavailable> {
    let Some(user) = session.user().cloned() else { return Ok(None) };
    let sessions = sessions(parts, &user.username, Some(&session.id)).await?;
    let mut browsers: Vec<_> = remember::of_user(parts, &user.username)
        .await?
        .iter()
        .map(|family| RememberedBrowser {
            handle: family_handle(parts, &family.id),
            browser: family.browser.clone(),
            created: family.created,
            last_used: family.last_used,
            expires: family.expires,
            is_this: session.family() == Some(&family.id),
        })
        .collect();
    browsers.sort_by_key(|browser| (!browser.is_this, std::cmp::Reverse(browser.last_used)));
    let is_confirmed = is_confirmed(session, parts.now());
    let can_change_password =
        parts.users.can_set_password(&user.username).await.map_err(standing::users_unavailable)?;
    Ok(Some(Account { user, sessions, browsers, can_change_password, is_confirmed, now: parts.now() }))
}

/// The sessions of a user: the one that asks first, then by their last use.
pub(crate) async fn sessions(
    parts: &Parts,
    username: &str,
    this: Option<&SessionId>,
) -> Result<Vec<OwnSession>, Unavailable> {
    let mut sessions = Vec::new();
    for own in parts.sessions_of(username).await? {
        let links = parts.store.links_of(&own.id).await.map_err(unavailable)?;
        let mut brokers: Vec<_> = links.into_iter().map(|(key, _)| key.broker).collect();
        brokers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        brokers.dedup();
        sessions.push(OwnSession {
            handle: session_handle(parts, &own),
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

/// Ends something of the user of this session.
pub(crate) async fn change(parts: &Parts, session: &Session, change: &AccountChange) -> Result<(), AccountError> {
    let username = session.user().map(|user| user.username.as_str()).ok_or(AccountError::NotLoggedIn)?;
    if !is_confirmed(session, parts.now()) {
        return Err(AccountError::PasswordNeeded);
    }
    match change {
        AccountChange::End(handle) => {
            let sessions = parts.sessions_of(username).await?;
            let meant = sessions.iter().find(|own| session_handle(parts, own) == *handle);
            parts.end_and_forget(meant.ok_or(AccountError::NotFound)?, username, EndReason::Revoked).await?;
        }
        AccountChange::EndOthers => {
            end_all(parts, username, Some(session), EndReason::Revoked).await?;
        }
        AccountChange::Forget(handle) => {
            let families = remember::of_user(parts, username).await?;
            let meant = families.iter().find(|family| family_handle(parts, &family.id) == *handle);
            parts.forget(Some(&meant.ok_or(AccountError::NotFound)?.id)).await?;
        }
    }
    Ok(())
}

/// How much was ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sessions in which somebody was logged in; with everything, also those in which nobody was.
    pub sessions: u64,
    /// Browsers that were remembered.
    pub browsers: u64,
}

/// Ends all sessions of this user but `keep`, and forgets all browsers but that session's.
pub(crate) async fn end_all(
    parts: &Parts,
    username: &str,
    keep: Option<&Session>,
    reason: EndReason,
) -> Result<Ended, Unavailable> {
    let unreadable = parts.store.remove_unreadable(username).await.map_err(unavailable)?;
    let mut ended = Ended { sessions: unreadable.sessions, browsers: unreadable.families };
    if ended != Ended::default() {
        tracing::warn!(username, ended.sessions, ended.browsers, "what could not be read was removed");
    }
    // First what could begin new ones.
    for family in remember::of_user(parts, username).await? {
        if keep.and_then(Session::family) != Some(&family.id) {
            parts.forget(Some(&family.id)).await?;
            ended.browsers += 1;
        }
    }
    for own in parts.sessions_of(username).await?.iter().filter(|own| keep.is_none_or(|keep| keep.id != own.id)) {
        ended.sessions += u64::from(parts.end_and_forget(own, username, reason).await?);
    }
    Ok(ended)
}

/// Asks for the password again, of the user who is logged in: the session is confirmed from now on. A change of rights, so the cookie's value
/// is replaced in the same write.
pub(crate) async fn confirm(parts: &Parts, browser: &Browser, credentials: &Credentials) -> Result<Visit, LoginError> {
    let is_theirs = |session: &Session| session.is_of(&credentials.username);
    let session = resume::by_cookie(parts, browser).await?.filter(|session| is_theirs(session));
    let session = session.ok_or(LoginError::NoSession)?;
    let account = login::authenticate(parts, credentials, true, None).await?;
    if account.user.username != credentials.username {
        // It is gone, and its name is another's in another form.
        return Err(LoginError::NoSession);
    }
    let credential = standing::credential(parts, &account);
    let (cookie, now) = (CookieValue::generate(), parts.now());
    let confirmed = parts.change(&session, |session| {
        let is_theirs = is_theirs(session);
        if let Some(login) = &mut session.login {
            (login.auth_time, login.method) = (now, AuthMethod::Password);
            login.credential = credential;
        }
        session.last_seen = now;
        session.replace_cookie(cookie.hash(), now);
        is_theirs
    });
    let session = confirmed.await?;
    tracing::info!(username = %credentials.username, "confirmed the password");
    Ok(Visit { set_cookie: Some(cookie), ..Visit::unchanged(session) })
}

fn is_confirmed(session: &Session, now: Timestamp) -> bool {
    let typed = session.login.as_ref().and_then(Login::password_at);
    typed.is_some_and(|typed| now.since(typed) < RECENT_PASSWORD)
}

pub(crate) fn session_handle(parts: &Parts, session: &Session) -> String {
    base36::exact(&parts.handle_key.mac(&["session ", session.id.as_str()]))
}

fn family_handle(parts: &Parts, id: &str) -> String {
    base36::exact(&parts.handle_key.mac(&["family ", id]))
}
