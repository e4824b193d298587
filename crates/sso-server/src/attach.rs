//! Attaching: linking a broker's token to the browser's session.

use std::sync::Arc;

use sso_core::{AttachError, AttachRequest, AttachRules, BrowserHeaders, ReturnUrl, VerificationCode};

use crate::{
    brokers::Broker,
    parts::{ChangeError, Parts, Unavailable, changes_all_the_time, unavailable},
    remember::{self, Recognised, Remember},
    resume::{self, Browser, Visit},
    session::{CookieValue, Link, LinkKey, LinkState, Login, Session, SessionId},
    store::{LinkOutcome, StoreError, Unlink},
    throttle::TooEarly,
};

/// An attach request that passed every check.
#[derive(Clone, Debug)]
pub struct CheckedAttach {
    /// Who asks.
    pub broker: Arc<Broker>,
    /// What for.
    pub request: AttachRequest,
    /// Where the browser goes afterwards, in redirect mode.
    pub return_url: Option<ReturnUrl>,
}

/// A refused attach. With a return URL, which was checked, the browser takes the error there.
#[derive(Clone, Debug)]
pub struct RefusedAttach {
    /// Why.
    pub error: AttachError,
    /// Where the error goes.
    pub return_url: Option<ReturnUrl>,
}

/// How an attach ended.
#[derive(Clone, Debug)]
pub enum AttachOutcome {
    /// The token is linked; the code is for the broker.
    Linked(VerificationCode),
    /// The visitor is to log in first; nothing was linked. With the browser's session, if it has one.
    LoginNeeded(Option<Arc<Session>>),
}

/// What an attach came to. The cookies are to be set however it ended: a remembered browser that came back has used its
/// old token up.
#[derive(Clone, Debug)]
pub struct AttachAnswer {
    /// How it ended.
    pub outcome: Result<AttachOutcome, AttachError>,
    /// The new value of the browser's cookie, if it has another session or its cookie was due.
    pub set_cookie: Option<CookieValue>,
    /// What becomes of the browser's remember-me cookie.
    pub remember: Remember,
}

impl From<AttachError> for AttachAnswer {
    fn from(error: AttachError) -> Self {
        Self { outcome: Err(error), set_cookie: None, remember: Remember::Keep }
    }
}

impl From<Unavailable> for AttachError {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<ChangeError> for AttachError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Gone | ChangeError::Abandoned => Self::NoSession,
            ChangeError::Unavailable(error) => error.into(),
        }
    }
}

impl From<TooEarly> for AttachError {
    fn from(TooEarly { retry_after }: TooEarly) -> Self {
        Self::TooManyFailures { retry_after }
    }
}

/// All checks of a request that was read, in the protocol's order.
pub(crate) async fn check(
    parts: &Parts,
    request: AttachRequest,
    headers: BrowserHeaders<'_>,
) -> Result<CheckedAttach, RefusedAttach> {
    let refused = |return_url: &Option<ReturnUrl>| {
        let return_url = return_url.clone();
        move |error: AttachError| RefusedAttach { error, return_url }
    };
    let broker = parts.broker(&request.broker).await.map_err(|e| refused(&None)(e.into()))?;
    let broker = broker.ok_or(AttachError::UnknownBroker).map_err(refused(&None))?;
    let rules = broker.rules(parts.now());
    let return_url = rules.return_url(&request).map_err(refused(&None))?;
    check_checksum(parts, &broker, &rules, &request).map_err(refused(&return_url))?;
    rules.check_source(&request, headers).map_err(refused(&return_url))?;
    Ok(CheckedAttach { broker, request, return_url })
}

fn check_checksum(
    parts: &Parts,
    broker: &Broker,
    rules: &AttachRules<'_>,
    request: &AttachRequest,
) -> Result<(), AttachError> {
    let failures = resume::failure_key(&key_of(request));
    let now = parts.now();
    let verdict = rules.check_checksum(request);
    if verdict.is_err() || broker.is_guessable() {
        parts.checksum_failures.check(&failures, now)?;
    }
    verdict.inspect_err(|_| {
        tracing::warn!(broker = %broker.id, token = ?request.token, "wrong attach checksum");
        parts.checksum_failures.failed(&failures, now);
    })
}

/// Links the token to the session of this browser.
///
/// A redirect starts a session where there is none, and logs a remembered browser in. A silent attach joins only a
/// session whose cookie the browser sends by itself, unless the broker may start one.
pub(crate) async fn attach(parts: &Parts, attach: &CheckedAttach, browser: &Browser) -> AttachAnswer {
    match recognise(parts, attach, browser).await {
        Ok(Recognised::CameBack(Visit { session, set_cookie, remember }))
            if needs_login(parts, attach, Some(&session)) =>
        {
            AttachAnswer { outcome: Ok(AttachOutcome::LoginNeeded(Some(session))), set_cookie, remember }
        }
        Ok(Recognised::CameBack(Visit { session, set_cookie, remember })) => {
            let returned = Browser { cookie: set_cookie.clone(), ..browser.clone() };
            let outcome = link(parts, attach, session, &returned).await.map(AttachOutcome::Linked);
            AttachAnswer { outcome, set_cookie, remember }
        }
        Ok(Recognised::AsBefore(found)) => match attach_to(parts, attach, browser, found).await {
            Ok((outcome, set_cookie)) => AttachAnswer { outcome: Ok(outcome), set_cookie, remember: Remember::Keep },
            Err(error) => error.into(),
        },
        Err(error) => AttachError::from(error).into(),
    }
}

async fn recognise(parts: &Parts, attach: &CheckedAttach, browser: &Browser) -> Result<Recognised, Unavailable> {
    let found = resume::by_cookie(parts, browser).await?;
    if attach.request.mode.is_silent() {
        return Ok(Recognised::AsBefore(found));
    }
    remember::recognise(parts, browser, found).await
}

/// Whether the visitor is to log in on the way: nobody is logged in, or whoever is authenticated too long ago.
fn needs_login(parts: &Parts, attach: &CheckedAttach, session: Option<&Arc<Session>>) -> bool {
    let login = session.and_then(|session| session.login.as_ref());
    let is_too_old =
        |login: &Login| attach.request.max_age.is_some_and(|max_age| parts.now().since(login.auth_time) >= max_age);
    attach.request.prompt_login && login.is_none_or(is_too_old)
}

/// Links the token to the browser's session, if it has one. With the new value of the browser's cookie.
async fn attach_to(
    parts: &Parts,
    attach: &CheckedAttach,
    browser: &Browser,
    found: Option<Arc<Session>>,
) -> Result<(AttachOutcome, Option<CookieValue>), AttachError> {
    let is_silent = attach.request.mode.is_silent();
    let may_start = !is_silent || attach.broker.silent_start;
    if needs_login(parts, attach, found.as_ref()) {
        return Ok((AttachOutcome::LoginNeeded(found), None));
    }
    match found {
        Some(session) if may_start || !session.begun_silently => {
            let code = link(parts, attach, session.clone(), browser).await?;
            // Only after all that can fail: a new cookie that is never sent would cost the browser its session.
            let visit = if is_silent { None } else { resume::used(parts, session, browser).await? };
            Ok((AttachOutcome::Linked(code), visit.and_then(|visit| visit.set_cookie)))
        }
        None if may_start => {
            if resume::just_replaced(parts, browser).await?.is_some() {
                return Err(cookie_replaced(attach));
            }
            let (code, cookie) = begin(parts, attach, browser, is_silent).await?;
            Ok((AttachOutcome::Linked(code), Some(cookie)))
        }
        _ => Err(AttachError::NoSession),
    }
}

/// How often an attach is tried anew because somebody logged in or out, or attached the same token, at that very
/// moment.
const ATTEMPTS: usize = 20;

/// Links the token to a new session, in one step: who repeats an attach without the cookie leaves nothing behind.
async fn begin(
    parts: &Parts,
    attach: &CheckedAttach,
    browser: &Browser,
    silently: bool,
) -> Result<(VerificationCode, CookieValue), AttachError> {
    for _ in 0..ATTEMPTS {
        let (session, cookie) = parts.new_session(browser, silently);
        let (key, link) = (key_of(&attach.request), new_link(parts, attach, &session));
        match parts.store.insert_linked(session, key, link.clone()).await.map_err(unavailable)? {
            LinkOutcome::Linked => {
                tracing::info!(broker = %attach.broker.id, token = ?attach.request.token, "attached");
                return Ok((link.code, cookie));
            }
            LinkOutcome::Taken => drop(freed(parts, attach, None).await?),
            LinkOutcome::NoRoom => return Err(AttachError::NoRoom),
        }
    }
    Err(changes_all_the_time().into())
}

/// Links the token to this session, to which the browser's cookie leads.
async fn link(
    parts: &Parts,
    attach: &CheckedAttach,
    mut session: Arc<Session>,
    browser: &Browser,
) -> Result<VerificationCode, AttachError> {
    for _ in 0..ATTEMPTS {
        if session.end_is_unwritten {
            session = parts.change(&session, |_| true).await?;
        }
        let link = new_link(parts, attach, &session);
        match parts.store.link(key_of(&attach.request), link.clone()).await {
            Ok(LinkOutcome::Linked) => {
                tracing::info!(broker = %attach.broker.id, token = ?attach.request.token, "attached");
                return Ok(link.code);
            }
            Ok(LinkOutcome::Taken) => {
                if let Some(code) = freed(parts, attach, Some(&session.id)).await? {
                    return Ok(code);
                }
            }
            Ok(LinkOutcome::NoRoom) => return Err(AttachError::NoRoom),
            // A login or an end came in between: does the browser's cookie still lead here?
            Err(StoreError::Conflict) => {
                session = resume::by_cookie(parts, browser).await?.ok_or_else(|| cookie_replaced(attach))?;
            }
            Err(StoreError::NotFound) => return Err(AttachError::NoSession),
            Err(error) => return Err(unavailable(error).into()),
        }
    }
    Err(changes_all_the_time().into())
}

fn new_link(parts: &Parts, attach: &CheckedAttach, session: &Session) -> Link {
    Link {
        session: session.id.clone(),
        epoch: session.epoch,
        code: VerificationCode::generate(),
        at: parts.now(),
        php: attach.broker.is_php(),
    }
}

/// What becomes of a token that has a link: if that is a good one to this session, its code; if it is dead it is cut,
/// and the token is free (`None`).
async fn freed(
    parts: &Parts,
    attach: &CheckedAttach,
    session: Option<&SessionId>,
) -> Result<Option<VerificationCode>, AttachError> {
    let key = key_of(&attach.request);
    let found = parts.resolve(&key).await?.map(|found| (parts.link_state(&found), found));
    match found {
        Some((LinkState::Good, found)) if Some(&found.session.id) == session => Ok(Some(found.link.code)),
        Some((LinkState::Good | LinkState::Superseded, _)) => Err(AttachError::AlreadyAttached),
        Some((LinkState::Dead, _)) | None => {
            parts.store.unlink(&Unlink::One(key)).await.map_err(unavailable)?;
            Ok(None)
        }
    }
}

/// The browser's cookie was replaced while this attach was on its way: it comes with the new one if it is begun again,
/// as brokers do on this error.
fn cookie_replaced(attach: &CheckedAttach) -> AttachError {
    if attach.request.mode.is_silent() { AttachError::NoSession } else { AttachError::AlreadyAttached }
}

fn key_of(request: &AttachRequest) -> LinkKey {
    LinkKey { broker: request.broker.clone(), token: request.token.clone() }
}
