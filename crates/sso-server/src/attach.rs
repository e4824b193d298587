//! Attaching: linking a broker's token to the browser's session.

use std::sync::Arc;

use sso_core::{AttachError, AttachRequest, AttachRules, BrowserHeaders, ReturnUrl, VerificationCode};

use crate::{
    brokers::Broker,
    parts::{ChangeError, Parts, Unavailable, unavailable},
    remember::{self, Recognised, Remember},
    resume::{self, Browser, Visit},
    session::{CookieValue, Link, LinkKey, Session},
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
    /// The visitor is to log in first; nothing was stored.
    LoginNeeded,
}

/// What an attach came to. The cookies are to be set however it ended: a remembered browser that came back has used its old token up.
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
    if request.prompt_login && broker.is_php() {
        // A login ends the broker's older links, and the checksum does not cover it: added by a stranger to the URL of a broker that cannot
        // attach anew, it would lock the visitor out.
        return Err(refused(&return_url)(AttachError::Invalid("prompt")));
    }

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
/// A redirect starts a session where there is none, and logs a remembered browser in. A silent attach joins only a session whose cookie
/// the browser sends by itself, unless the broker may start one.
pub(crate) async fn attach(parts: &Parts, attach: &CheckedAttach, browser: &Browser) -> AttachAnswer {
    match recognise(parts, attach, browser).await {
        Ok(Recognised::CameBack(Visit { session, set_cookie, remember })) => {
            let outcome = link(parts, attach, session).await.map(AttachOutcome::Linked);
            let answer = AttachAnswer { outcome, set_cookie, remember };
            // Being remembered is a login on the way, too.
            if attach.request.prompt_login { without_older_links(parts, attach, answer).await } else { answer }
        }
        Ok(Recognised::AsBefore(found)) => match attach_to(parts, attach, browser, found).await {
            Ok((outcome, set_cookie)) => AttachAnswer { outcome: Ok(outcome), set_cookie, remember: Remember::Keep },
            Err(error) => error.into(),
        },
        Err(error) => AttachError::from(error).into(),
    }
}

/// The same for a browser whose user has just logged in on the way: the broker made this token for that login, so one that was copied before it is dead now.
/// Only a login cuts them: the parameter that asks for one is in a URL that anybody can have a visitor open.
pub(crate) async fn after_login(parts: &Parts, request: &CheckedAttach, browser: &Browser) -> AttachAnswer {
    let answer = attach(parts, request, browser).await;
    without_older_links(parts, request, answer).await
}

/// A good attach has cut the older links of its session at its broker.
async fn without_older_links(parts: &Parts, request: &CheckedAttach, mut answer: AttachAnswer) -> AttachAnswer {
    if matches!(answer.outcome, Ok(AttachOutcome::Linked(_)))
        && let Err(error) = cut_others(parts, &key_of(&request.request)).await
    {
        answer.outcome = Err(error.into());
    }
    answer
}

/// Cuts the other links of this one's session at its broker.
async fn cut_others(parts: &Parts, key: &LinkKey) -> Result<(), Unavailable> {
    if let Some(found) = parts.resolve(key).await? {
        let others = Unlink::OthersAtBroker { session: found.session.id.clone(), keep: key.clone() };
        parts.store.unlink(&others).await.map_err(unavailable)?;
    }
    Ok(())
}

async fn recognise(parts: &Parts, attach: &CheckedAttach, browser: &Browser) -> Result<Recognised, Unavailable> {
    let found = resume::by_cookie(parts, browser).await?;
    if attach.request.mode.is_silent() {
        return Ok(Recognised::AsBefore(found));
    }
    remember::recognise(parts, browser, found).await
}

/// Links the token to the browser's live session, if it has one. With the new value of the browser's cookie.
async fn attach_to(
    parts: &Parts,
    attach: &CheckedAttach,
    browser: &Browser,
    found: Option<Arc<Session>>,
) -> Result<(AttachOutcome, Option<CookieValue>), AttachError> {
    let is_silent = attach.request.mode.is_silent();
    let may_start = !is_silent || attach.broker.silent_start;
    let is_logged_in = found.as_ref().is_some_and(|session| session.user().is_some());
    if attach.request.prompt_login && !is_logged_in {
        return Ok((AttachOutcome::LoginNeeded, None));
    }
    let (session, started) = match found {
        Some(session) if may_start || !session.begun_silently => (session, None),
        None if may_start => {
            // Who repeats an attach without the cookie is refused before anything is kept.
            let taken = parts.resolve(&key_of(&attach.request)).await?;
            if taken.is_some_and(|found| !parts.is_ended(&found.session)) {
                return Err(AttachError::AlreadyAttached);
            }
            let (session, cookie) = resume::begin(parts, browser, is_silent).await?;
            (session, Some(cookie))
        }
        _ => return Err(AttachError::NoSession),
    };
    let code = link(parts, attach, session.clone()).await?;
    let set_cookie = if is_silent || started.is_some() {
        started
    } else {
        // Only after all that can fail: a new cookie that is never sent would cost the browser its session.
        resume::used(parts, session, browser).await?.and_then(|visit| visit.set_cookie)
    };
    Ok((AttachOutcome::Linked(code), set_cookie))
}

/// Links the token to this session, which is live.
pub(crate) async fn link(
    parts: &Parts,
    attach: &CheckedAttach,
    session: Arc<Session>,
) -> Result<VerificationCode, AttachError> {
    let session = if attach.broker.is_php() && !session.serves_php {
        let marked = parts.change(&session, |session| {
            session.serves_php = true;
            true
        });
        marked.await.map_err(|e| match e {
            ChangeError::Unavailable(error) => error.into(),
            ChangeError::Ended | ChangeError::Abandoned => AttachError::NoSession,
        })?
    } else {
        session
    };

    let key = key_of(&attach.request);
    let link = Link {
        session: session.id.clone(),
        code: VerificationCode::generate(),
        at: parts.now(),
        heals: !attach.broker.is_php(),
    };
    let mut replaces = None;
    let code = loop {
        match parts.store.link(key.clone(), link.clone(), replaces.as_ref()).await {
            Ok(LinkOutcome::Linked(code)) => break code,
            // A token on an ended session counts as free.
            Ok(LinkOutcome::Taken(other)) if parts.is_ended(&other) => replaces = Some(other.id.clone()),
            Ok(LinkOutcome::Taken(_)) => return Err(AttachError::AlreadyAttached),
            Ok(LinkOutcome::NoRoom) => return Err(AttachError::NoRoom),
            Err(StoreError::NotFound) => return Err(AttachError::NoSession),
            Err(error) => return Err(unavailable(error).into()),
        }
    };
    tracing::info!(broker = %attach.broker.id, token = ?attach.request.token, "attached");
    Ok(code)
}

fn key_of(request: &AttachRequest) -> LinkKey {
    LinkKey { broker: request.broker.clone(), token: request.token.clone() }
}
