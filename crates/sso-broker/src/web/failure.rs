//! What is answered where a call to the server failed, or a form was refused.

use actix_web::{HttpRequest, HttpResponse, ResponseError};

use super::{
    FormRefused, Problem, ProblemKind, Sso, SsoSession,
    answer::{page, public_text, told},
    asker::{self, Asker},
    departure::depart,
    logout, pages,
};
use crate::{LocalPath, RequestError, Why};

/// Answers a request whose call to the server failed: if this is a visit, a token that serves no more is replaced, as
/// often as that may help; all else is told.
pub(super) fn failed_call(session: &SsoSession, error: &RequestError) -> HttpResponse {
    if let Some(why) = error.attach_again() {
        return attach_again(session, error, why);
    }
    if !matches!(error, RequestError::Refused { .. } | RequestError::UserNotAllowed) {
        tracing::warn!(%error, "a call to the SSO server failed");
    }
    if !asker::reads_pages(session.http_request()) {
        return told(error);
    }
    let retry = retry_page(session);
    match error {
        RequestError::Unreachable(_) => page(session, Problem::new(ProblemKind::ServerDown, retry)),
        RequestError::UserNotAllowed => logout::page(session, ProblemKind::UserNotAllowed, retry),
        error => {
            let detail = Some(public_text(error));
            page(session, Problem { detail, ..Problem::new(ProblemKind::ServerError, retry) })
        }
    }
}

/// Answers a request whose token is good for nothing any more. Only a visit forgets it: an answer that comes late, to a
/// script or to a form, must not take the one that another tab has got meanwhile.
fn attach_again(session: &SsoSession, error: &RequestError, why: Why) -> HttpResponse {
    if Asker::of(session.http_request()) == Asker::Visit {
        let wanted = session.wanted();
        return match session.take(|broker, store| broker.give_up(store, why)) {
            Some(again) => depart(session, &wanted, again.into()),
            None => page(session, Problem::new(ProblemKind::NotHonoured, pages::attach_anew(&wanted))),
        };
    }
    if !asker::reads_pages(session.http_request()) {
        return told(error);
    }
    let kind = if why == Why::Superseded { ProblemKind::Superseded } else { ProblemKind::SessionEnded };
    page(session, Problem::new(kind, pages::attach_anew(&retry_page(session))))
}

/// Answers a request whose form was refused.
pub(super) fn refused_form(session: &SsoSession, error: &FormRefused) -> HttpResponse {
    match error {
        FormRefused::Request(error) => failed_call(session, error),
        FormRefused::Forged if asker::reads_pages(session.http_request()) => {
            page(session, Problem::new(ProblemKind::FormRefused, retry_page(session)))
        }
        FormRefused::Forged => error.error_response(),
    }
}

/// Answers a logout that was not carried out: people are asked whether they want it, who is logged in then.
pub(super) fn refused_logout(session: &SsoSession, error: &FormRefused) -> HttpResponse {
    let is_visit = Asker::of(session.http_request()) == Asker::Visit;
    let is_unknown = match error {
        FormRefused::Forged => true,
        FormRefused::Request(error) => error.is_healable() && !is_visit,
    };
    if is_unknown && asker::reads_pages(session.http_request()) {
        return logout::ask(&retry_page(session));
    }
    refused_form(session, error)
}

/// The page to try again: the visited one, or the one whose form was sent.
fn retry_page(session: &SsoSession) -> LocalPath {
    match Asker::of(session.http_request()) {
        Asker::Visit | Asker::Crawler => session.wanted(),
        Asker::Other => referring_page(session.http_request(), session.sso()).unwrap_or_else(LocalPath::root),
    }
}

fn referring_page(request: &HttpRequest, sso: &Sso) -> Option<LocalPath> {
    let url: url::Url = asker::header(request, "Referer")?.parse().ok()?;
    let is_own = url.origin() == sso.broker.public_url().origin();
    is_own.then(|| sso.broker.local_path(&url[url::Position::BeforePath..])).flatten()
}
