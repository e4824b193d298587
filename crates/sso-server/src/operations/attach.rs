//! Attach: links a broker's token to the browser's session.

use std::{sync::Arc, time::Duration};

use sso_core::{AttachError, AttachRequest, AttachRules, BrokerId, BrowserHeaders, ReturnUrl, VerificationCode};

use crate::{
    brokers::Broker,
    error::{Error, Unavailable},
    operations::session_lookup::failure_key,
    server::{
        Server,
        browser::{Browser, Remember},
        task::{Task, Unwritten},
    },
    session::{CookieValue, Link, LinkKey, LinkState, Login, Session, SessionId},
    store::Unlink,
};

/// An attach request that passed every check.
#[derive(Clone, Debug)]
pub struct CheckedAttach {
    /// The broker that sent it.
    pub broker: Arc<Broker>,
    /// The request.
    pub request: AttachRequest,
    /// Where the browser is redirected afterwards, in redirect mode.
    pub return_url: Option<ReturnUrl>,
    /// The wait time that remains for the attach.
    remaining: Duration,
}

/// A refused attach. If the return URL passed its checks, the browser carries the error there.
#[derive(Clone, Debug)]
pub struct RefusedAttach {
    /// The reason.
    pub error: Error,
    /// The checked return URL.
    pub return_url: Option<ReturnUrl>,
}

impl<E: Into<Error>> From<E> for RefusedAttach {
    fn from(error: E) -> Self {
        Self { error: error.into(), return_url: None }
    }
}

/// How an attach ended.
#[derive(Clone, Debug)]
pub enum AttachOutcome {
    /// The token is linked; the code is for the broker.
    Linked(VerificationCode),
    /// The visitor has to log in first; nothing was linked. Holds the browser's session, if it has one.
    LoginNeeded(Option<Arc<Session>>),
}

/// The result of an attach. Set the cookies even on error: a remembered browser that returned has used up its old
/// token.
#[derive(Clone, Debug)]
pub struct AttachAnswer {
    /// The outcome.
    pub outcome: Result<AttachOutcome, Error>,
    /// The new value of the browser's cookie, if it got another session or its cookie was due for renewal.
    pub set_cookie: Option<CookieValue>,
    /// What to do with the browser's remember-me cookie.
    pub remember: Remember,
}

/// Maximum attempts of an attach. Each retry means that a login, a logout or an attach of the same token ran at the
/// same time.
const ATTEMPTS: usize = 20;

impl Server {
    /// Checks an attach request, in the protocol's order.
    pub async fn check_attach(
        &self,
        request: AttachRequest,
        headers: BrowserHeaders<'_>,
    ) -> Result<CheckedAttach, RefusedAttach> {
        let task = self.task();
        let broker = task.broker(&request.broker).await?.ok_or(AttachError::UnknownBroker)?;
        let rules = broker.rules(self.0.now());
        let return_url = rules.return_url(&request)?;
        let checked = self.check_checksum(&broker, &rules, &request);
        match checked.and_then(|()| Ok(rules.check_source(&request, headers)?)) {
            Ok(()) => Ok(CheckedAttach { broker, request, return_url, remaining: task.remaining() }),
            Err(error) => Err(RefusedAttach { error, return_url }),
        }
    }

    fn check_checksum(&self, broker: &Broker, rules: &AttachRules<'_>, request: &AttachRequest) -> Result<(), Error> {
        let (failures, counted, now) = (&self.0.checksum_failures, failure_key(&key_of(request)), self.0.now());
        let verdict = rules.check_checksum(request);
        if verdict.is_err() || broker.is_guessable() {
            failures.check(&counted, now)?;
        }
        Ok(verdict.inspect_err(|_| {
            tracing::warn!(broker = %broker.id, token = ?request.token, "wrong attach checksum");
            failures.failed(&counted, now);
        })?)
    }

    /// Links the token of a checked request to this browser's session.
    ///
    /// A redirect starts a session if there is none, and logs in a remembered browser. A silent attach only joins a
    /// session whose cookie the browser sends by itself, unless the broker may start one.
    pub async fn attach(&self, attach: &CheckedAttach, browser: impl Into<Browser>) -> AttachAnswer {
        let (mut set_cookie, mut remember) = (None, Remember::Keep);
        let outcome =
            self.task_with(attach.remaining).attach(attach, browser.into(), &mut set_cookie, &mut remember).await;
        AttachAnswer { outcome, set_cookie, remember }
    }

    /// Whether a page of this origin may read the JSON of the broker's silent attach (CORS).
    pub async fn allows_cors(&self, broker: &BrokerId, origin: &str) -> bool {
        matches!(self.task().broker(broker).await, Ok(Some(broker)) if broker.allows_cors(origin))
    }
}

impl Task<'_> {
    async fn attach(
        &self,
        attach: &CheckedAttach,
        mut browser: Browser,
        set_cookie: &mut Option<CookieValue>,
        remember: &mut Remember,
    ) -> Result<AttachOutcome, Error> {
        let is_silent = attach.request.mode.is_silent();
        let may_start = !is_silent || attach.broker.silent_start;
        let mut found = self.by_cookie(&browser).await?;
        let mut is_noted = is_silent;
        if !is_silent && let Some(visit) = self.restore_login(&browser, found.as_deref()).await? {
            browser.cookie.clone_from(&visit.set_cookie);
            (*set_cookie, *remember) = (visit.set_cookie, visit.remember);
            (found, is_noted) = (Some(visit.session), true);
        }
        if self.needs_login(attach, found.as_deref()) {
            return Ok(AttachOutcome::LoginNeeded(found));
        }
        match found {
            Some(session) if may_start || !session.begun_silently => {
                let code = self.link(attach, session.clone(), &browser).await?;
                // Last, after everything that can fail: a new cookie that is never sent would cost the browser its
                // session.
                if !is_noted && let Some(visit) = self.used(session, &browser).await? {
                    *set_cookie = visit.set_cookie;
                }
                Ok(AttachOutcome::Linked(code))
            }
            None if may_start => {
                if self.just_replaced(&browser).await?.is_some() {
                    return Err(cookie_replaced(attach));
                }
                let (code, cookie) = self.begin(attach, &browser).await?;
                *set_cookie = Some(cookie);
                Ok(AttachOutcome::Linked(code))
            }
            _ => Err(AttachError::NoSession.into()),
        }
    }

    /// Whether the visitor has to log in on the way: nobody is logged in, or the login is too old.
    fn needs_login(&self, attach: &CheckedAttach, session: Option<&Session>) -> bool {
        let is_too_old =
            |login: &Login| attach.request.max_age.is_some_and(|age| self.now().since(login.auth_time) >= age);
        attach.request.prompt_login && session.and_then(|session| session.login.as_ref()).is_none_or(is_too_old)
    }

    /// Links the token to a new session in one write: repeating an attach without the cookie leaves nothing behind.
    async fn begin(&self, attach: &CheckedAttach, browser: &Browser) -> Result<(VerificationCode, CookieValue), Error> {
        for _ in 0..ATTEMPTS {
            let (session, cookie) = self.new_session(browser, attach.request.mode.is_silent());
            let link = self.new_link(attach, &session);
            let first = (key_of(&attach.request), link.clone());
            match self.write(self.store.insert(session, Some(first))).await? {
                Ok(_) => return Ok((attached(attach, link), cookie)),
                Err(Unwritten::Taken) => drop(self.freed(attach, None).await?),
                Err(Unwritten::Conflict | Unwritten::NoRoom) => {}
            }
        }
        Err(Unavailable::changes_all_the_time().into())
    }

    /// Links the token to this session, which the browser's cookie leads to.
    async fn link(
        &self,
        attach: &CheckedAttach,
        mut session: Arc<Session>,
        browser: &Browser,
    ) -> Result<VerificationCode, Error> {
        for _ in 0..ATTEMPTS {
            if session.end_is_unwritten {
                session = self.change(&session, |_| true).await?.ok_or_else(|| cookie_replaced(attach))?;
            }
            let link = self.new_link(attach, &session);
            match self.write(self.store.link(key_of(&attach.request), link.clone())).await? {
                Ok(()) => return Ok(attached(attach, link)),
                Err(Unwritten::Taken) => {
                    if let Some(code) = self.freed(attach, Some(&session.id)).await? {
                        return Ok(code);
                    }
                }
                Err(Unwritten::NoRoom) => return Err(AttachError::NoRoom.into()),
                // The session changed or was removed meanwhile. Check whether the browser's cookie still leads to it.
                Err(Unwritten::Conflict) => {
                    session = self.by_cookie(browser).await?.ok_or_else(|| cookie_replaced(attach))?;
                }
            }
        }
        Err(Unavailable::changes_all_the_time().into())
    }

    fn new_link(&self, attach: &CheckedAttach, session: &Session) -> Link {
        Link {
            session: session.id.clone(),
            epoch: session.epoch,
            code: VerificationCode::generate(),
            at: self.now(),
            php: attach.broker.is_php(),
        }
    }

    /// Handles a token that already has a link. Returns the code of a good link to this session. Cuts a dead link, so
    /// that the token is free (`None`).
    async fn freed(
        &self,
        attach: &CheckedAttach,
        session: Option<&SessionId>,
    ) -> Result<Option<VerificationCode>, Error> {
        let key = key_of(&attach.request);
        let found = self.resolve(&key).await?.map(|found| (self.link_state(&found), found));
        match found {
            Some((LinkState::Good, found)) if Some(&found.session.id) == session => Ok(Some(found.link.code)),
            Some((LinkState::Good | LinkState::Superseded, _)) => Err(AttachError::AlreadyAttached.into()),
            Some((LinkState::Dead, _)) | None => {
                self.ask(self.store.unlink(&Unlink::One(key))).await?;
                Ok(None)
            }
        }
    }
}

fn attached(attach: &CheckedAttach, link: Link) -> VerificationCode {
    tracing::info!(broker = %attach.broker.id, token = ?attach.request.token, "attached");
    link.code
}

/// The browser's cookie was replaced during this attach. Brokers begin again on this error, and the browser then sends
/// the new cookie.
fn cookie_replaced(attach: &CheckedAttach) -> Error {
    let is_silent = attach.request.mode.is_silent();
    if is_silent { AttachError::NoSession.into() } else { AttachError::AlreadyAttached.into() }
}

fn key_of(request: &AttachRequest) -> LinkKey {
    LinkKey { broker: request.broker.clone(), token: request.token.clone() }
}
