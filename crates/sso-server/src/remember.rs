//! Remember me: a browser whose user ticked the box is logged in again when its session is gone, without the password.
//!
//! The browser holds a token; the store holds its [`Family`]: all tokens that replaced one another since that login. Each use replaces the
//! token, so a copied one is used a second time sooner or later, and that ends the family and its sessions (token families with reuse
//! detection, RFC 9700 section 4.14.2). A token alone is worth nothing once its family is gone: by a logout anywhere, by another password,
//! or by its user's wish.
//!
//! ```text
//!   current ── used ──> replaced ── used within 60 s, and 10 s after its successor was seen ──> the same successor
//!                           └────── used later ──> the family and its sessions end
//! ```

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use sso_core::{
    base36,
    jwt::{Expected, Registered, RememberClaims},
    random,
};

use crate::{
    limit, login,
    parts::{ATTEMPTS, ChangeError, Parts, Unavailable, changes_all_the_time, unavailable},
    resume::{self, Browser, Visit},
    session::{CookieValue, EndReason, Family, Login, OldToken, Session},
    standing,
    store::StoreError,
    users::{Account, name::canonical},
};

/// A replaced token gives its successor for so long: of ten restored tabs each one sends the old token, and an answer may be lost.
const GRACE: Duration = Duration::from_secs(60);
/// Once the successor was seen, the browser has it: only what was on its way still comes with the old one.
const GRACE_ONCE_SEEN: Duration = Duration::from_secs(10);

/// The token in a browser's remember-me cookie. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RememberToken(String);

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a remember-me token")]
pub struct InvalidRememberToken;

impl RememberToken {
    /// The text for the `Set-Cookie` header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for RememberToken {
    type Err = InvalidRememberToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_ours = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let fits = (1..=2_048).contains(&text.len()) && text.bytes().all(is_ours);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidRememberToken) }
    }
}

impl fmt::Debug for RememberToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RememberToken(…)")
    }
}

/// What a browser has to do with its remember-me cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Remember {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Put this one in its place.
    Set(RememberToken),
    /// Throw it away.
    Forget,
}

/// What a token is in its family.
enum TokenState {
    Current,
    /// Replaced a moment ago.
    JustReplaced,
    /// Replaced too long ago, or never known: somebody has a copy.
    Reused,
}

/// Remembers the browser of a login that is about to happen: a new family, and its first token.
pub(crate) async fn begin(
    parts: &Parts,
    browser: &Browser,
    account: &Account,
) -> Result<(Arc<Family>, RememberToken), Unavailable> {
    let now = parts.now();
    let family = Family {
        id: base36::exact(&random::bytes()),
        version: 0,
        username: account.user.username.clone(),
        jti: base36::exact(&random::bytes()),
        issued: now,
        old: None,
        password: standing::credential(parts, account),
        browser: browser.name.clone().unwrap_or_default(),
        created: now,
        last_used: now,
        expires: parts.tokens.remembered_until(now, now),
    };
    let family = parts.store.insert_family(family).await.map_err(unavailable)?;
    let token = token_of(parts, &family)?;
    Ok((family, token))
}

/// The families that remember this user and still work, in no particular order.
pub(crate) async fn of_user(parts: &Parts, username: &str) -> Result<Vec<Arc<Family>>, Unavailable> {
    let mut families = Vec::new();
    for family in parts.store.families_of(username).await.map_err(unavailable)? {
        families.extend(good(parts, family).await?);
    }
    Ok(families)
}

/// A family that was found, if it still works. Where a clock that was ahead has written times that lie in the future, these are now, and are written so.
async fn good(parts: &Parts, family: Arc<Family>) -> Result<Option<Arc<Family>>, Unavailable> {
    let mut right = Family::clone(&family);
    right.set_right(parts.now(), &parts.tokens);
    let family = if right == *family {
        family
    } else {
        match parts.store.update_family(right.clone()).await {
            Ok(family) => family,
            // Whoever was faster has set it right, too, or has removed it.
            Err(StoreError::Conflict | StoreError::NotFound) => Arc::new(right),
            Err(error) => return Err(unavailable(error)),
        }
    };
    Ok(Some(family).filter(|family| parts.now() < family.expires))
}

/// Whether a browser that navigates to a page that logs in is known by its token.
pub(crate) enum Recognised {
    /// It was, and its user is logged in now.
    CameBack(Visit),
    /// Its session, if any, is as it was.
    AsBefore(Option<Arc<Session>>),
}

/// Where nobody is logged in, the user of a remembered browser is. `found`: the browser's session.
pub(crate) async fn recognise(
    parts: &Parts,
    browser: &Browser,
    found: Option<Arc<Session>>,
) -> Result<Recognised, Unavailable> {
    if let Some(session) = &found {
        // Another login since, or a logout, made where the browser's token could not be seen: at a broker. The token is of a time before it, and
        // perhaps of somebody else.
        let is_of_before = session.last_user().is_some()
            && claims_of(parts, browser).is_some_and(|claims| session.family() != Some(&claims.family));
        if is_of_before {
            forget(parts, browser).await?;
        } else {
            seen(parts, browser, session).await?;
        }
        if is_of_before || session.user().is_some() {
            return Ok(Recognised::AsBefore(found));
        }
    }
    Ok(come_back(parts, browser).await?.map_or(Recognised::AsBefore(found), Recognised::CameBack))
}

/// Logs the user of a remembered browser in, if its token is good. `None`: there is no token, or it is worth nothing.
async fn come_back(parts: &Parts, browser: &Browser) -> Result<Option<Visit>, Unavailable> {
    let Some(claims) = claims_of(parts, browser) else { return Ok(None) };
    let Some((family, account)) = replace(parts, &claims).await? else { return Ok(None) };
    let Some((session, cookie)) = enter(parts, browser, &family, &account).await? else { return Ok(None) };
    // A logout that came in between has removed the family, and must not be undone.
    if parts.store.family(&family.id).await.map_err(unavailable)?.is_none() {
        login::log_out(parts, &session, |_| true, |_| {}).await?;
        return Ok(None);
    }
    tracing::info!(username = %family.username, "a remembered browser was logged in");
    let remember = Remember::Set(token_of(parts, &family)?);
    Ok(Some(Visit { session, set_cookie: Some(cookie), remember }))
}

/// Notes that the browser of a session has received its newest token: the one before it has only moments left.
async fn seen(parts: &Parts, browser: &Browser, session: &Session) -> Result<(), Unavailable> {
    let Some(id) = session.family() else { return Ok(()) };
    let Some(claims) = claims_of(parts, browser).filter(|claims| claims.family == id) else { return Ok(()) };
    let Some(family) = parts.store.family(id).await.map_err(unavailable)? else { return Ok(()) };
    let is_news =
        claims.registered.jti == family.jti && family.old.as_ref().is_some_and(|old| old.successor_seen.is_none());
    if !is_news {
        return Ok(());
    }
    let mut next = Family::clone(&family);
    next.old = next.old.map(|old| OldToken { successor_seen: Some(parts.now()), ..old });
    match parts.store.update_family(next).await {
        // Another tab noted the same.
        Ok(_) | Err(StoreError::Conflict | StoreError::NotFound) => Ok(()),
        Err(error) => Err(unavailable(error)),
    }
}

/// Forgets the browser, as far as its own token says who it is. Done at every login with a password.
pub(crate) async fn forget(parts: &Parts, browser: &Browser) -> Result<(), Unavailable> {
    match claims_of(parts, browser) {
        Some(claims) => parts.forget(Some(&claims.family)).await,
        None => Ok(()),
    }
}

/// Forgets the browser at a logout, which also logs out the family's sessions, as far as the browser's own token says which.
pub(crate) async fn log_out(parts: &Parts, browser: &Browser) -> Result<(), Unavailable> {
    match claims_of(parts, browser) {
        Some(claims) => log_out_family(parts, &claims.registered.sub, &claims.family).await,
        None => Ok(()),
    }
}

/// Removes a family, and logs out all its sessions: that of a tab that came back a moment ago, that from before the browser lost its session
/// cookie, that of a thief.
pub(crate) async fn log_out_family(parts: &Parts, username: &str, id: &str) -> Result<(), Unavailable> {
    parts.forget(Some(id)).await?;
    let now = parts.now();
    for session in parts.sessions_of(username).await? {
        let logged_out = parts.change(&session, |session| {
            let is_meant = session.family() == Some(id);
            session.end(EndReason::LoggedOut, now);
            is_meant
        });
        match logged_out.await {
            Ok(_) | Err(ChangeError::Gone | ChangeError::Abandoned) => {}
            Err(ChangeError::Unavailable(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the browser's token was made for this user; what it remembers may be forgotten.
pub(crate) fn was_for(parts: &Parts, browser: &Browser, username: &str) -> bool {
    claims_of(parts, browser).is_some_and(|claims| canonical(&claims.registered.sub) == canonical(username))
}

/// What the browser's token says, if it is one of ours.
fn claims_of(parts: &Parts, browser: &Browser) -> Option<RememberClaims> {
    let (token, origin) = (browser.remember.as_ref()?, parts.origin());
    let expected = Expected { issuer: &origin, audience: &origin, now: parts.now().as_secs() };
    parts.remember_keys.current().verify(token.expose(), &expected).ok()
}

/// Replaces the token by a new one; by the same new one if that has just been done. `None`: it is worth nothing.
async fn replace(parts: &Parts, claims: &RememberClaims) -> Result<Option<(Arc<Family>, Arc<Account>)>, Unavailable> {
    for _ in 0..ATTEMPTS {
        let Some(family) = parts.store.family(&claims.family).await.map_err(unavailable)? else { return Ok(None) };
        let Some(family) = good(parts, family).await? else { return Ok(None) };
        let now = parts.now();
        let account = parts.users.find_now(&family.username).await.map_err(standing::users_unavailable)?;
        let account = account.filter(|account| standing::credential(parts, account) == family.password);
        let Some(account) = account else {
            tracing::info!("a remembered browser's user is gone or has another password");
            parts.forget(Some(&family.id)).await?;
            return Ok(None);
        };
        match token_state(&family, &claims.registered.jti, parts) {
            TokenState::JustReplaced => return Ok(Some((family, account))),
            TokenState::Reused => {
                stolen(parts, &family).await?;
                return Ok(None);
            }
            TokenState::Current => {}
        }
        let old = OldToken { jti: family.jti.clone(), replaced: now, successor_seen: None };
        let jti = base36::exact(&random::bytes());
        let next = Family {
            jti,
            issued: now,
            old: Some(old),
            last_used: now,
            expires: parts.tokens.remembered_until(family.created, now),
            ..Family::clone(&family)
        };
        match parts.store.update_family(next).await {
            Ok(family) => return Ok(Some((family, account))),
            // Another tab was faster: its successor is ours, too.
            Err(StoreError::Conflict) => {}
            Err(StoreError::NotFound) => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        }
    }
    Err(changes_all_the_time())
}

fn token_state(family: &Family, jti: &str, parts: &Parts) -> TokenState {
    let now = parts.now();
    match &family.old {
        _ if jti == family.jti => TokenState::Current,
        Some(old) if jti == old.jti => {
            let end = old.replaced.after(GRACE);
            let end = old.successor_seen.map_or(end, |seen| end.min(seen.after(GRACE_ONCE_SEEN)));
            if now < end { TokenState::JustReplaced } else { TokenState::Reused }
        }
        _ => TokenState::Reused,
    }
}

/// Somebody used a token that was replaced: the user or a thief, and nobody knows who of them has the newer one.
async fn stolen(parts: &Parts, family: &Family) -> Result<(), Unavailable> {
    tracing::warn!(username = %family.username, "a remember-me token was used again: its family ends");
    parts.forget(Some(&family.id)).await?;
    // Nobody can tell which family they are of.
    parts.store.remove_unreadable(&family.username).await.map_err(unavailable)?;
    for session in parts.sessions_of(&family.username).await? {
        let is_of_family = |session: &Session| session.family() == Some(&family.id);
        if is_of_family(&session) {
            parts.end(&session, EndReason::RememberTokenReused, is_of_family).await?;
        }
    }
    Ok(())
}

/// Logs the user in to the browser's anonymous session or to a new one. All tabs that come back with the same token get the same
/// session, and the same cookie for it.
async fn enter(
    parts: &Parts,
    browser: &Browser,
    family: &Family,
    account: &Account,
) -> Result<Option<(Arc<Session>, CookieValue)>, Unavailable> {
    let cookie = CookieValue::from_mac(parts.remember_mac.mac(&["session\n", &family.jti]));
    let returned = Browser { cookie: Some(cookie.clone()), ..browser.clone() };
    if let Some(session) = resume::by_cookie(parts, &returned).await? {
        return Ok(is_of(&session, family).then_some((session, cookie)));
    }
    let session = match resume::by_cookie(parts, browser).await? {
        Some(session) => session,
        None => parts.start(browser, false).await?.0,
    };
    let now = parts.now();
    let login = Login::new(account.user.clone(), standing::credential(parts, account), now);
    let login = login.remembered(family.id.clone(), family.created);
    let mut tries = 0;
    let changed = parts.change(&session, |session| {
        tries += 1;
        // Somebody logged in meanwhile, with a password or as another tab of these; or the cookie is taken, which no next try would change.
        if session.user().is_some() || tries > 5 {
            return false;
        }
        session.log_in(login.clone(), now);
        session.replace_cookie(cookie.hash(), now);
        session.fingerprint = browser.fingerprint;
        session.browser.clone_from(&browser.name);
        true
    });
    match changed.await {
        Ok(session) => {
            limit::make_room(parts, &session).await;
            Ok(Some((session, cookie)))
        }
        // Another tab was faster: its session is ours, too.
        Err(ChangeError::Gone | ChangeError::Abandoned) => {
            let session = resume::by_cookie(parts, &returned).await?;
            Ok(session.filter(|session| is_of(session, family)).map(|session| (session, cookie)))
        }
        Err(ChangeError::Unavailable(error)) => Err(error),
    }
}

fn is_of(session: &Session, family: &Family) -> bool {
    session.user().is_some() && session.family() == Some(&family.id)
}

/// The family's current token. Made anew it says the same, so that whoever lost it gets it again.
fn token_of(parts: &Parts, family: &Family) -> Result<RememberToken, Unavailable> {
    let origin = parts.origin();
    let registered = Registered {
        iss: origin.clone(),
        sub: family.username.clone(),
        aud: origin,
        iat: family.issued.as_secs(),
        nbf: family.issued.as_secs(),
        exp: family.expires.as_secs(),
        jti: family.jti.clone(),
    };
    let claims = RememberClaims { registered, family: family.id.clone() };
    let token = parts.remember_keys.current().sign(&claims, parts.now().as_secs());
    token.map(RememberToken).map_err(|error| {
        tracing::error!(%error, "a remember-me token cannot be made");
        Unavailable
    })
}
