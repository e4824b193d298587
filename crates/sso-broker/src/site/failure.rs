//! What is answered where a call to the server failed, or a form was refused.

use super::{
    answer::Answer,
    departure::depart,
    error::{FormRefused, HandlerError, LogoutRefused},
    logout,
    pages::{Problem, ProblemKind, attach_anew},
    request_kind::RequestKind,
    session::SsoSession,
};
use crate::{LocalPath, RequestError, Why};

impl SsoSession {
    /// Answers this request, whose handler returned an error of ours: with a page for people, with JSON for scripts.
    /// Where a new attach helps, the visit of a page begins it.
    pub fn error_answer(&self, error: &HandlerError) -> Answer {
        match error {
            HandlerError::Request(error) => failed_call(self, error),
            HandlerError::Form(error) => refused_form(self, error),
            HandlerError::Logout(LogoutRefused(error)) => refused_logout(self, error),
        }
    }
}

/// Answers a request whose call to the server failed: if this is a visit, a token that serves no more is replaced, as
/// often as that may help; all else is told.
pub(super) fn failed_call(session: &SsoSession, error: &RequestError) -> Answer {
    if let Some(why) = error.attach_again() {
        return attach_again(session, error, why);
    }
    if !matches!(error, RequestError::Refused { .. } | RequestError::UserNotAllowed) {
        tracing::warn!(%error, "a call to the SSO server failed");
    }
    if !session.http_request().reads_pages() {
        return error.json();
    }
    let retry = retry_page(session);
    match error {
        RequestError::Unreachable(_) => session.page(Problem::new(ProblemKind::ServerDown, retry)),
        RequestError::UserNotAllowed => logout::page(session, ProblemKind::UserNotAllowed, retry),
        error => {
            let detail = Some(error.public_text());
            session.page(Problem { detail, ..Problem::new(ProblemKind::ServerError, retry) })
        }
    }
}

/// Answers a request whose token is good for nothing any more. Only a visit forgets it: an answer that comes late, to a
/// script or to a form, must not take the one that another tab has got meanwhile.
fn attach_again(session: &SsoSession, error: &RequestError, why: Why) -> Answer {
    if session.http_request().is_visit() {
        let wanted = session.wanted();
        return match session.take(|broker, store| broker.give_up(store, why)) {
            Some(again) => depart(session, &wanted, again.into()),
            None => session.page(Problem::new(ProblemKind::NotHonoured, attach_anew(&wanted))),
        };
    }
    if !session.http_request().reads_pages() {
        return error.json();
    }
    let kind = if why == Why::Superseded { ProblemKind::Superseded } else { ProblemKind::SessionEnded };
    session.page(Problem::new(kind, attach_anew(&retry_page(session))))
}

/// Answers a request whose form was refused.
fn refused_form(session: &SsoSession, error: &FormRefused) -> Answer {
    match error {
        FormRefused::Request(error) => failed_call(session, error),
        FormRefused::Forged if session.http_request().reads_pages() => {
            session.page(Problem::new(ProblemKind::FormRefused, retry_page(session)))
        }
        FormRefused::Forged => HandlerError::from(FormRefused::Forged).json(),
    }
}

/// Answers a logout that was not carried out: people are asked whether they want it, who is logged in then.
fn refused_logout(session: &SsoSession, error: &FormRefused) -> Answer {
    let is_visit = session.http_request().is_visit();
    let is_unknown = match error {
        FormRefused::Forged => true,
        FormRefused::Request(error) => error.is_healable() && !is_visit,
    };
    if is_unknown && session.http_request().reads_pages() {
        return logout::ask(&retry_page(session));
    }
    refused_form(session, error)
}

/// The page to try again: the visited one, or the one whose form was sent.
fn retry_page(session: &SsoSession) -> LocalPath {
    match session.http_request().kind() {
        RequestKind::Visit | RequestKind::Crawler => session.wanted(),
        RequestKind::Other => referring_page(session).unwrap_or_else(LocalPath::root),
    }
}

fn referring_page(session: &SsoSession) -> Option<LocalPath> {
    let url: url::Url = session.http_request().header("Referer")?.parse().ok()?;
    let is_own = url.origin() == session.broker().public_url().origin();
    is_own.then(|| session.broker().local_path(&url[url::Position::BeforePath..])).flatten()
}
