//! The session of a browser, by its cookie.

use std::sync::Arc;

use crate::{
    parts::{ChangeError, Parts, Unavailable},
    remember::{self, Recognised, Remember, RememberToken},
    session::{CookieValue, EndReason, Fingerprint, Policy, Renewal, Session, lifecycle},
    standing,
};

/// What a browser shows of itself.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Its session cookie.
    pub cookie: Option<CookieValue>,
    /// What stays the same about it; see [`Server::fingerprint`](crate::Server::fingerprint).
    pub fingerprint: Option<Fingerprint>,
    /// What it calls itself; see [`browser_name`](crate::session::family::browser_name).
    pub name: Option<String>,
    /// Its remember-me cookie, where a person navigates to a page that may use it.
    pub remember: Option<RememberToken>,
    /// Whether it proves that it navigates to a page, or sends a form of the server's own. Only then a changed fingerprint destroys the session: other
    /// requests may carry headers that a script of any page has set.
    pub navigates: bool,
}

impl From<Option<&CookieValue>> for Browser {
    /// A browser that is known by its cookie alone.
    fn from(cookie: Option<&CookieValue>) -> Self {
        Self { cookie: cookie.cloned(), ..Self::default() }
    }
}

/// A browser's session, and the cookie to set if it got another one.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The session.
    pub session: Arc<Session>,
    /// The new value of the browser's cookie.
    pub set_cookie: Option<CookieValue>,
    /// What becomes of the browser's remember-me cookie.
    pub remember: Remember,
}

impl Visit {
    /// A visit that changes no cookie.
    pub(crate) fn unchanged(session: Arc<Session>) -> Self {
        Self { session, set_cookie: None, remember: Remember::Keep }
    }
}

/// The session of a browser, as it is: nothing is renewed and no cookie is set. Where a navigation's cookie came from another browser than
/// the session is tied to, the session is destroyed; where its user may not be there any more, the login has ended. Without a navigation, another
/// browser finds none.
pub(crate) async fn by_cookie(parts: &Parts, browser: &Browser) -> Result<Option<Arc<Session>>, Unavailable> {
    let Some(session) = unjudged(parts, browser).await? else { return Ok(None) };
    Ok(Some(standing::judge(parts, session).await?.session()))
}

/// The same without a look at the account: enough for a logout, which must not wait for the users' side, and for nothing else.
pub(crate) async fn unjudged(parts: &Parts, browser: &Browser) -> Result<Option<Arc<Session>>, Unavailable> {
    let Some(cookie) = browser.cookie.as_ref().map(CookieValue::hash) else { return Ok(None) };
    let Some(session) = parts.load(&cookie).await? else { return Ok(None) };
    if !lifecycle::accepts(&session, cookie, parts.now()) {
        return Ok(None);
    }
    let reason = match (session.fingerprint, browser.fingerprint) {
        _ if !parts.policy.fingerprint => None,
        (Some(tied), Some(shown)) if tied != shown => Some(EndReason::FingerprintChanged),
        (Some(_), None) => Some(EndReason::FingerprintMissing),
        _ => None,
    };
    if let Some(reason) = reason {
        if !browser.navigates {
            tracing::info!(?reason, "a request that is no navigation finds no session");
            return Ok(None);
        }
        // A login meanwhile has tied it to another browser, by another cookie.
        let is_same = |current: &Session| {
            lifecycle::accepts(current, cookie, parts.now()) && current.fingerprint == session.fingerprint
        };
        if parts.end(&session, reason, is_same).await?.is_some() {
            // The family: a logout at a broker could not find it any more, for the brokers' links end with the session.
            parts.forget(session.family()).await?;
        }
        return Ok(None);
    }
    Ok(Some(session))
}

/// The same for a script that asks, or for what no person asked for: it extends nothing and sets no cookie. A new cookie that was not seen
/// before is seen now, though, and the old one's grace begins.
pub(crate) async fn asked(parts: &Parts, browser: &Browser) -> Result<Option<Arc<Session>>, Unavailable> {
    let Some(session) = by_cookie(parts, browser).await? else { return Ok(None) };
    let visit = renewed(parts, session, browser, false).await?;
    Ok(visit.map(|visit| visit.session))
}

/// A browser's visit by itself (a navigation): its session is in use, and its cookie is renewed if that is due.
pub(crate) async fn visit(parts: &Parts, browser: &Browser) -> Result<Option<Visit>, Unavailable> {
    match by_cookie(parts, browser).await? {
        Some(session) => used(parts, session, browser).await,
        None => Ok(None),
    }
}

/// A browser's visit to a page that logs in: as a [visit], but where nobody is logged in, the user of a remembered browser is.
pub(crate) async fn come_back(parts: &Parts, browser: &Browser) -> Result<Option<Visit>, Unavailable> {
    let found = by_cookie(parts, browser).await?;
    match remember::recognise(parts, browser, found).await? {
        Recognised::CameBack(visit) => Ok(Some(visit)),
        Recognised::AsBefore(Some(session)) => used(parts, session, browser).await,
        Recognised::AsBefore(None) => Ok(None),
    }
}

/// Notes that the browser of this session was here. A new cookie must be sent: the old one may be dead.
pub(crate) async fn used(
    parts: &Parts,
    session: Arc<Session>,
    browser: &Browser,
) -> Result<Option<Visit>, Unavailable> {
    let visit = renewed(parts, session, browser, true).await?;
    if let Some(visit) = &visit {
        parts.touch(&visit.session).await?;
    }
    Ok(visit)
}

/// Renews the browser's cookie if that is due. `by_visit`: otherwise the answer can set no cookie, and only notes that a new one has arrived.
async fn renewed(
    parts: &Parts,
    session: Arc<Session>,
    browser: &Browser,
    by_visit: bool,
) -> Result<Option<Visit>, Unavailable> {
    let Some(shown) = browser.cookie.as_ref().map(CookieValue::hash) else { return Ok(None) };
    let now = parts.now();
    let may = |renewal| if by_visit { renewal != Renewal::Keep } else { renewal == Renewal::Confirm };
    if !may(lifecycle::renewal(&session, &parts.policy, shown, now)) {
        return Ok(Some(Visit::unchanged(session)));
    }
    let (value, mut due) = (CookieValue::generate(), Renewal::Keep);
    let changed = parts.change(&session, |session| {
        // Judged by each newer record anew: another tab, a login or a logout may have been faster, and then this browser gets nothing from here.
        due = lifecycle::renewal(session, &parts.policy, shown, now);
        if !lifecycle::accepts(session, shown, now) || !may(due) {
            return false;
        }
        if by_visit {
            session.last_seen = lifecycle::use_at(session, now);
        }
        match due {
            Renewal::Keep => {}
            Renewal::Confirm => session.confirm_cookie(now.after(Policy::RENEWAL_GRACE)),
            Renewal::Rotate => session.rotate_cookie(value.hash(), shown, now),
            Renewal::Replace => session.replace_cookie(value.hash(), now),
        }
        true
    });
    match changed.await {
        Ok(session) => {
            let set_cookie = matches!(due, Renewal::Rotate | Renewal::Replace).then_some(value);
            Ok(Some(Visit { session, set_cookie, remember: Remember::Keep }))
        }
        // The faster answer carries the new cookie; this request came with the old one in time.
        Err(ChangeError::Abandoned) => Ok(Some(Visit::unchanged(session))),
        Err(ChangeError::Gone) => Ok(None),
        Err(ChangeError::Unavailable(error)) => Err(error),
    }
}

/// The session whose cookie this was until a moment ago, when rights changed: the browser sent it before the answer
/// with the new one came. Only for who has shown the password once more (a double click on "Log in"), or to begin no
/// second session, whose cookie would take the new one's place.
pub(crate) async fn just_replaced(parts: &Parts, browser: &Browser) -> Result<Option<Arc<Session>>, Unavailable> {
    let Some(cookie) = browser.cookie.as_ref().map(CookieValue::hash) else { return Ok(None) };
    let session = parts.load(&cookie).await?;
    Ok(session.filter(|session| {
        session.fingerprint == browser.fingerprint && parts.now().since(session.cookie_since) < Policy::RENEWAL_GRACE
    }))
}

/// See [`Server::fingerprint`](crate::Server::fingerprint).
pub(crate) fn fingerprint(
    parts: &Parts,
    user_agent: Option<&str>,
    accept_language: Option<&str>,
) -> Option<Fingerprint> {
    // `Chrome/141.0` is `Chrome`, and words with digits in them (`10.0`, `TP1A.220624`) are versions, too.
    let words = user_agent?.split([' ', ';', '(', ')', ',']).map(|word| word.split('/').next().unwrap_or_default());
    let product: Vec<_> = words.filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
    // The first language only, without its region: people add and reorder the others.
    let language = accept_language.unwrap_or_default().split([',', ';', '-']).next().unwrap_or_default().trim();
    Some(Fingerprint::new(parts.fingerprint_key.mac(&[&product.join(" "), "\n", language])))
}
