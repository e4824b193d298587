//! What is answered where a call to the server failed, or a form was refused.

use actix_web::{HttpRequest, HttpResponse};

use super::{
    ProblemKind, Sso, SsoSession,
    answer::{attach_by_redirect, json, page, public_text, status_of, told},
    asker::{self, Asker},
    departure::{Departure, depart},
    logout, pages,
};
use crate::{LocalPath, RequestError};

/// Answers a request whose call to the server failed: a lost token is replaced, once, if this is a visit; all else is
/// told.
pub(super) fn failed_call(session: &SsoSession, error: &RequestError) -> HttpResponse {
    if error.is_healable() {
        return lost_token(session, error);
    }
    if !matches!(error, RequestError::Refused { .. } | RequestError::UserNotAllowed) {
        tracing::warn!(%error, "a call to the SSO server failed");
    }
    if !asker::reads_pages(session.http_request()) {
        return json(status_of(error), &told(error));
    }
    let retry = retry_page(session).as_str().to_owned();
    match error {
        RequestError::Unreachable(_) => page(session.sso(), ProblemKind::ServerDown, None, retry),
        RequestError::UserNotAllowed => logout::page(session, ProblemKind::UserNotAllowed, retry),
        error => page(session.sso(), ProblemKind::ServerError, Some(public_text(error)), retry),
    }
}

/// Answers a request whose token the server does not honour. Where a page comes of it the token is forgotten, and that
/// page or the next one says why. Where nobody reads the answer (a script, an image) it stays: every tab that asks
/// hears that the session is gone, and the next page says why.
fn lost_token(session: &SsoSession, error: &RequestError) -> HttpResponse {
    let sso = session.sso();
    if Asker::of(session.http_request()) == Asker::Visit {
        let wanted = session.wanted();
        return match session.take(|broker, store| broker.lose_to_heal(store)) {
            Some(heals) => depart(session, &wanted, Departure::Attach { heals }),
            None => page(sso, ProblemKind::NotHonoured, None, pages::attach_anew(&wanted)),
        };
    }
    if asker::reads_pages(session.http_request()) {
        session.lose();
        return page(sso, ProblemKind::SessionEnded, None, pages::attach_anew(&retry_page(session)));
    }
    attach_by_redirect(&error.to_string())
}

/// Sends somebody whose logout cannot be verified to the page that asks whether it is wanted.
pub(super) fn ask_for_logout(session: &SsoSession) -> HttpResponse {
    logout::ask(&retry_page(session))
}

/// The page to try again: the visited one, or the one whose form was sent.
pub(super) fn retry_page(session: &SsoSession) -> LocalPath {
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
