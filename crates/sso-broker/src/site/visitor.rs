//! Who is visiting a page, and is anybody to be sent to the server first?

use super::{answer::Answer, departure::depart, failure::failed_call, request_kind::RequestKind, session::SsoSession};
use crate::{
    EndReason, Info, RequestError, User, Why,
    tokens::{Again, Purpose},
};

/// The visitor of a page, attached to the shared session.
///
/// A visitor who is not attached yet is sent to the server and comes back to the same page; the handler runs then.
/// Where that cannot be done the handler runs at once, without a user: for crawlers, while the server is down, and
/// after an attach that failed. Scripts and forms get a JSON error instead.
///
/// Where somebody is logged in who may not use this site, the handler does not run: they get a page that says so, with
/// a logout.
#[derive(Clone)]
pub struct Visitor {
    /// Who is logged in.
    pub user: Option<User>,
    /// The server cannot be reached: nobody is logged in, and nobody can log in.
    pub server_down: bool,
    /// Somebody is logged in who may not use this site; it is not told who. Only an [`OptionalVisitor`] is so.
    pub not_allowed: bool,
    /// Why the visitor is not known, to be shown with a link to `/sso/attach?to=…`; untrusted text.
    pub problem: Option<String>,
    /// Nobody is logged in, and this is how the last login ended. On one page only: the first visit after it.
    pub ended: Option<EndReason>,
    /// Nobody is logged in, and the browser is remembered: `/sso/attach?why=remembered&to=…` logs it in again. Who
    /// visits a page as a `Visitor` was sent there, so only an [`OptionalVisitor`] and a script's request are so.
    pub remembered: bool,
    /// The shared session, and form tokens.
    pub session: SsoSession,
}

/// A visitor who is recognised if attached, but never sent anywhere for it. Whether the server is down is known only
/// then. The handler runs also for somebody who may not use this site: as for nobody, with
/// [`not_allowed`](Visitor::not_allowed).
#[derive(Clone)]
pub struct OptionalVisitor(pub Visitor);

impl Visitor {
    /// See [`SsoSession::form_token`].
    pub fn form_token(&self, form: &str) -> String {
        self.session.form_token(form)
    }

    fn anonymous(session: SsoSession) -> Self {
        Self {
            user: None,
            server_down: false,
            not_allowed: false,
            problem: None,
            ended: None,
            remembered: false,
            session,
        }
    }

    /// Recognises the visitor.
    ///
    /// # Errors
    ///
    /// The answer to give in the handler's place.
    pub async fn recognise(session: SsoSession) -> Result<Self, Answer> {
        let broker = session.broker();
        let kind = session.http_request().kind();
        if !session.is_attached() {
            return match kind {
                RequestKind::Crawler => Ok(Self::anonymous(session)),
                // A form that a person sent.
                RequestKind::Other
                    if session.http_request().method() == "POST" && session.http_request().reads_pages() =>
                {
                    Err(failed_call(&session, &RequestError::NotAttached))
                }
                RequestKind::Other => Err(RequestError::NotAttached.json()),
                RequestKind::Visit => {
                    // Shown once; the next visit tries again. Without it a server that refuses would be asked for ever.
                    if let Some(problem) = session.failure() {
                        return Ok(Self { problem: Some(problem), ..Self::anonymous(session) });
                    }
                    if session.has_arrived() {
                        return Ok(Self { problem: Some(NOT_KEPT.into()), ..Self::anonymous(session) });
                    }
                    if !broker.client().is_reachable().await {
                        return Ok(Self { server_down: true, ..Self::anonymous(session) });
                    }
                    Err(depart(&session, &session.wanted(), Purpose::default()))
                }
            };
        }
        session.has_arrived();
        match session.who().await {
            Err(error) if error.is_healable() && kind != RequestKind::Crawler => Err(failed_call(&session, &error)),
            Err(error @ RequestError::UserNotAllowed) => Err(failed_call(&session, &error)),
            Ok(info) if info.user.is_none() && kind == RequestKind::Visit => match Self::why_again(&session, &info) {
                Some(again) => Err(depart(&session, &session.wanted(), again.into())),
                None => Ok(Self::with_info(session, kind, Ok(info))),
            },
            result => Ok(Self::with_info(session, kind, result)),
        }
    }

    /// Whether somebody may be logged in after a new attach, though nobody is now. A new token knows nothing of how the
    /// last login ended, so an old one first tells that.
    fn why_again(session: &SsoSession, info: &Info) -> Option<Again> {
        session.take(|broker, store| {
            if info.resume && broker.may_resume(store) {
                return broker.give_up(store, Why::Remembered);
            }
            let has_news = info.ended.is_some_and(|(_, n)| broker.is_news(store, n));
            if broker.is_old(store) && !has_news { broker.give_up(store, Why::Old) } else { None }
        })
    }

    /// Recognises the visitor if that can be done here and now.
    async fn recognise_if_attached(session: SsoSession) -> Self {
        let kind = session.http_request().kind();
        let result = if session.is_attached() { session.who().await } else { Ok(Info::default()) };
        Self::with_info(session, kind, result)
    }

    fn with_info(session: SsoSession, kind: RequestKind, result: Result<Info, RequestError>) -> Self {
        let mut visitor = Self::anonymous(session);
        let session = &visitor.session;
        if kind == RequestKind::Visit {
            visitor.problem = session.failure();
        }
        match result {
            Ok(info) => {
                visitor.remembered = info.resume && session.with_store(|store| session.broker().may_resume(store));
                if kind == RequestKind::Visit && visitor.problem.is_none() {
                    visitor.ended = session.take_ended(&info).map(|(reason, _)| reason);
                }
                visitor.user = info.user;
            }
            // What is no visit leaves the token to the next one.
            Err(error) if error.is_healable() => {
                if let Some(why) = error.attach_again().filter(|_| kind == RequestKind::Visit) {
                    session.take(|broker, store| broker.give_up(store, why));
                }
            }
            Err(RequestError::Unreachable(_)) => visitor.server_down = true,
            Err(RequestError::UserNotAllowed) => visitor.not_allowed = true,
            Err(error) => {
                tracing::warn!(%error, "the SSO server does not say who a visitor is");
                visitor.problem = Some(error.public_text());
            }
        }
        visitor
    }
}

/// Shown to a visitor whose browser gave the state of an attach back, but not the token that came of it.
const NOT_KEPT: &str = "Your browser did not keep this site's cookie.";

impl OptionalVisitor {
    /// Recognises the visitor if that can be done here and now.
    pub async fn recognise(session: SsoSession) -> Self {
        Self(Visitor::recognise_if_attached(session).await)
    }
}
