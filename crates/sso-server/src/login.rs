//! Logging in and out, at the server's own pages and through a broker's back end.

use std::sync::Arc;

use sso_core::wire::{BearerErrorCode, Ended, INVALID_CREDENTIALS, User};

use crate::{
    limit,
    parts::{ChangeError, Parts, Unavailable, unavailable},
    remember::{self, Remember},
    resume::{self, Browser, ResumeError, Resumed, Visit},
    session::{CookieValue, EndReason, LinkState, Login, Session, lifecycle},
    standing,
    throttle::TooEarly,
    users::{Account, name::canonical},
    words,
};

/// A name and a password as they were typed.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({:?}, …)", self.username)
    }
}

/// Why nobody was logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The broker's back end may not post passwords.
    #[error("This broker may not log users in itself")]
    NotAllowed,
    /// The password is right, and the user may not use this broker.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    UserNotAllowed,
    /// Unknown user or wrong password: one text for both.
    #[error("{INVALID_CREDENTIALS}")]
    InvalidCredentials,
    /// Too many failures of this user or from this link.
    #[error("Too many failed attempts. Try again in {}.", words::limit(*retry_after))]
    TooManyFailures {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// The session went away meanwhile.
    #[error("{}", BearerErrorCode::NotAttached.message())]
    NoSession,
    /// Users or store do not answer.
    #[error("The server is temporarily unavailable. Try again later.")]
    Unavailable,
}

impl From<Unavailable> for LoginError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<TooEarly> for LoginError {
    fn from(TooEarly { retry_after }: TooEarly) -> Self {
        Self::TooManyFailures { retry_after }
    }
}

impl From<ChangeError> for LoginError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Gone | ChangeError::Abandoned => Self::NoSession,
            ChangeError::Unavailable(_) => Self::Unavailable,
        }
    }
}

/// The account with these credentials. Failures count under the user's name, and under `link`, the caller's own key. `is_known`: this user has logged
/// in from there before; such failures count apart from those of strangers, who so cannot make the user wait: the idea of OWASP's device cookies. All of
/// them count as one: whoever knew an earlier password may have many sessions and tokens of that time.
pub(crate) async fn authenticate(
    parts: &Parts,
    credentials: &Credentials,
    is_known: bool,
    link: Option<&str>,
) -> Result<Arc<Account>, LoginError> {
    // In whichever form the name is typed.
    let by_user = format!("{} {}", if is_known { "known user" } else { "user" }, canonical(&credentials.username));
    let keys = || [Some(by_user.as_str()), link].into_iter().flatten();

    // Before it is one's turn: nobody waits for others who wait for the directory.
    let account = find(parts, &credentials.username).await?;
    // Few at a time, and asked only when it is one's turn: guesses sent all at once cannot all slip through.
    let turn = parts.passwords.turn().await.ok_or(LoginError::Unavailable)?;
    let now = parts.now();
    keys().try_for_each(|key| parts.login_failures.check(key, now))?;
    for key in keys() {
        // On one node alone it is free.
        if let Some(slot) = parts.login_failures.slot(key, now)
            && !parts.store.consume(&slot.id, slot.until).await.map_err(unavailable)?
        {
            return Err(parts.login_failures.taken(key, &slot, now).into());
        }
    }

    let hash = account.as_ref().map(|account| account.password.clone());
    // A name that nobody has may be a password in the wrong field: it is not for the log.
    let known = account.as_ref().map(|account| account.user.username.clone());
    let matches = turn.verify(hash, &credentials.password).await;
    match account.filter(|_| matches) {
        Some(account) => {
            keys().for_each(|key| parts.login_failures.succeeded(key));
            Ok(account)
        }
        None => {
            tracing::warn!(username = known, "login failed");
            keys().for_each(|key| parts.login_failures.failed(key, now));
            Err(LoginError::InvalidCredentials)
        }
    }
}

/// The account that is meant by what was typed: the one of this very name, or else of the form of it that counts.
async fn find(parts: &Parts, typed: &str) -> Result<Option<Arc<Account>>, Unavailable> {
    let exact = parts.users.find_now(typed).await.map_err(standing::users_unavailable)?;
    let name = canonical(typed);
    if name == typed {
        return Ok(exact);
    }
    // Asked in any case: how long that takes says nothing of the first answer.
    let other = parts.users.find_now(&name).await.map_err(standing::users_unavailable)?;
    Ok(exact.or(other))
}

/// Whether this user was the last to log in to the session. One that was destroyed tells nothing: its cookie may be in the wrong hands.
pub(crate) fn is_known_to(session: &Session, username: &str) -> bool {
    let was_stolen = session.login.is_none() && session.last_end.as_ref().is_some_and(|end| end.reason.is_theft());
    session.last_user().is_some_and(|last| !was_stolen && canonical(last) == canonical(username))
}

/// Whether this user has logged in from the browser before: its session says so, also when it is over, or its remember-me token.
async fn is_known_in(parts: &Parts, browser: &Browser, username: &str) -> Result<bool, Unavailable> {
    if remember::was_for(parts, browser, username) {
        return Ok(true);
    }
    let Some(cookie) = browser.cookie.as_ref().map(CookieValue::hash) else { return Ok(false) };
    let session = parts.load(&cookie).await?;
    let session = session.filter(|session| lifecycle::accepts(session, cookie, parts.now()));
    Ok(session.is_some_and(|session| is_known_to(&session, username)))
}

/// A login at the server's own page. The cookie's value is replaced in the same write that logs the user in, so one that
/// was planted before is worth nothing. `remember`: whether the box is ticked; what the browser was remembered by before is forgotten
/// in either case.
pub(crate) async fn at_server(
    parts: &Parts,
    browser: &Browser,
    credentials: &Credentials,
    remember: bool,
) -> Result<Visit, LoginError> {
    let is_known = is_known_in(parts, browser, &credentials.username).await?;
    let account = authenticate(parts, credentials, is_known, None).await?;
    remember::forget(parts, browser).await?;
    let (family, remember) = if remember && parts.tokens.remember_me {
        let (family, token) = remember::begin(parts, browser, &account).await?;
        (Some(family.id.clone()), Remember::Set(token))
    } else {
        let had_one = browser.remember.is_some();
        (None, if had_one { Remember::Forget } else { Remember::Keep })
    };
    let session = match resume::by_cookie(parts, browser).await? {
        Some(session) => session,
        None => match resume::just_replaced(parts, browser).await? {
            Some(session) if session.is_of(&account.user.username) => session,
            // Its cookie is never sent: the one below replaces it.
            _ => parts.start(browser, false).await?.0,
        },
    };
    let (cookie, now, mut former) = (CookieValue::generate(), parts.now(), None);
    let mut login = Login::new(account.user.clone(), standing::credential(parts, &account), now);
    login.family.clone_from(&family);
    let mut log_in = async |session: Arc<Session>| {
        let logged_in = parts.change(&session, |session| {
            former = session.family().map(str::to_owned);
            session.log_in(login.clone(), now);
            session.replace_cookie(cookie.hash(), now);
            session.fingerprint = browser.fingerprint;
            session.browser.clone_from(&browser.name);
            true
        });
        logged_in.await
    };
    let logged_in = match log_in(session).await {
        // It had to make room for others, with nobody logged in to it, or its time was up.
        Err(ChangeError::Gone) => log_in(parts.start(browser, false).await?.0).await,
        logged_in => logged_in,
    };
    let session = match logged_in {
        Ok(session) => session,
        Err(error) => {
            parts.forget(family.as_deref()).await?;
            return Err(error.into());
        }
    };
    parts.forget(former.as_deref()).await?;
    tracing::info!(username = %account.user.username, "logged in");
    limit::make_room(parts, &session).await;
    Ok(Visit { session, set_cookie: Some(cookie), remember })
}

/// A logout at the server's own page. The cookie's value is replaced here too.
pub(crate) async fn out_at_server(parts: &Parts, session: &Arc<Session>) -> Result<CookieValue, Unavailable> {
    let (cookie, now) = (CookieValue::generate(), parts.now());
    out_of_family(parts, session).await?;
    log_out(parts, session, |_| true, |session| session.replace_cookie(cookie.hash(), now)).await?;
    tracing::info!("logged out");
    Ok(cookie)
}

/// Logs out whoever is logged in, if that still `is_meant`, and forgets the browser: first of all, for a logout that is
/// half done must be one that can be repeated. The session then, unless it is gone or was not meant.
pub(crate) async fn log_out(
    parts: &Parts,
    session: &Arc<Session>,
    mut is_meant: impl FnMut(&Session) -> bool + Send,
    mut also: impl FnMut(&mut Session) + Send,
) -> Result<Option<Arc<Session>>, Unavailable> {
    let known = session.family().map(str::to_owned);
    parts.forget(known.as_deref()).await?;
    let (now, mut family) = (parts.now(), None);
    let logged_out = parts.change(session, |session| {
        let is_meant = is_meant(session);
        family = session.family().map(str::to_owned);
        session.end(EndReason::LoggedOut, now);
        also(session);
        is_meant
    });
    match logged_out.await {
        Ok(session) => {
            // It was remembered only since the caller looked.
            if family != known {
                parts.forget(family.as_deref()).await?;
            }
            Ok(Some(session))
        }
        // A session that is gone is as good as logged out.
        Err(ChangeError::Gone | ChangeError::Abandoned) => Ok(None),
        Err(ChangeError::Unavailable(error)) => Err(error),
    }
}

/// A login that a broker's back end passes on. The browser's cookie cannot be reached from here; its value is replaced at
/// the browser's next visit.
pub(crate) async fn through_broker(
    parts: &Parts,
    resumed: &Resumed,
    credentials: &Credentials,
) -> Result<User, LoginError> {
    if !resumed.broker.password_login {
        return Err(LoginError::NotAllowed);
    }
    let link = format!("link {}", resume::failure_key(&resumed.key));
    let is_known = is_known_to(&resumed.session, &credentials.username);
    let account = authenticate(parts, credentials, is_known, Some(&link)).await?;
    if !resumed.broker.entry.admits(&account) {
        tracing::warn!(broker = %resumed.broker.id, username = %account.user.username, "may not use this broker");
        return Err(LoginError::UserNotAllowed);
    }
    let now = parts.now();
    let login = Login {
        through: Some(resumed.link.code.clone()),
        ..Login::new(account.user.clone(), standing::credential(parts, &account), now)
    };
    let mut former = None;
    let logged_in = parts.change(&resumed.session, |session| {
        if resumed.link.state(session, Some(now), &parts.policy, now) != LinkState::Good {
            return false;
        }
        // The browser stays remembered for its user.
        let is_theirs = session.last_user() == Some(&account.user.username);
        let known = session.family().map(str::to_owned);
        let (family, forgotten) = if is_theirs { (known, None) } else { (None, known) };
        former = forgotten;
        session.log_in(Login { family, ..login.clone() }, now);
        session.renew_cookie = true;
        true
    });
    let session = logged_in.await?;
    parts.forget(former.as_deref()).await?;
    tracing::info!(broker = %resumed.broker.id, username = %account.user.username, "logged in through a broker");
    limit::make_room(parts, &session).await;
    Ok(resumed.broker.sees(&account.user).into_owned())
}

/// A logout that a broker's back end passes on. Where the login that it saw has ended already, only the memory of its browser is left to go.
/// How that login ended.
pub(crate) async fn out_through_broker(
    parts: &Parts,
    authorization: Option<&str>,
    by_person: bool,
) -> Result<Option<Ended>, ResumeError> {
    let Resumed { broker, link, mut session, .. } = resume::proven(parts, authorization).await?;
    let is_theirs = session.login.is_some() || session.last_end.as_ref().is_none_or(|end| link.saw(end));
    if is_theirs {
        out_of_family(parts, &session).await?;
        let (now, mut state) = (parts.now(), LinkState::Good);
        // Somebody may log in meanwhile, whom this link does not see.
        let is_meant = |session: &Session| {
            state = link.state(session, Some(now), &parts.policy, now);
            state == LinkState::Good
        };
        let logged_out = log_out(parts, &session, is_meant, |session| session.renew_cookie = true).await?;
        resume::check_link(state)?;
        session = logged_out.unwrap_or(session);
        tracing::info!(broker = %broker.id, "logged out through a broker");
    }
    if by_person {
        parts.touch(&session).await?;
    }
    Ok(resume::ended(parts, &session).filter(|_| is_theirs))
}

/// Logs out what else began with the same memory of the browser.
async fn out_of_family(parts: &Parts, session: &Session) -> Result<(), Unavailable> {
    match (session.last_user(), session.family()) {
        (Some(username), Some(family)) => remember::log_out_family(parts, username, family).await,
        _ => Ok(()),
    }
}
