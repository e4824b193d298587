//! The answers that are not the application's own: redirects, error pages, JSON errors.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use sso_core::wire::{ApiError, AttachBy, BearerErrorCode};

use super::{
    Leave, Problem, ProblemKind, Script, Sso, SsoSession,
    asker::{self, Asker},
    departure::{Departure, depart},
    logout::LOGOUT_FORM,
    pages,
};
use crate::{LocalPath, RequestError};

/// An answer for this visitor at this moment: no cache keeps it, and no `Referer` tells of the page it was.
pub(super) fn fleeting(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::REFERRER_POLICY, "no-referrer"));
    answer
}

/// To a page that the caller has checked.
pub(super) fn redirect(url: &str) -> HttpResponse {
    fleeting(StatusCode::SEE_OTHER).insert_header((header::LOCATION, url)).finish()
}

/// JSON, as every answer of the AJAX side.
pub(super) fn json(status: StatusCode, body: &impl serde::Serialize) -> HttpResponse {
    fleeting(status).json(body)
}

/// 204.
pub(super) fn no_content() -> HttpResponse {
    fleeting(StatusCode::NO_CONTENT).finish()
}

/// To a script: only a redirect of the whole page helps.
pub(super) fn attach_by_redirect(error: &str) -> HttpResponse {
    let body = ApiError { attach: Some(AttachBy::Redirect), ..ApiError::new(error) };
    json(StatusCode::UNAUTHORIZED, &body)
}

pub(super) fn page(sso: &Sso, kind: ProblemKind, detail: Option<String>, retry: String) -> HttpResponse {
    problem(sso, &Problem { kind, detail, retry, leave: None, clear: None, script: None })
}

/// The same with a script that does what the link does.
pub(super) fn page_with_script(sso: &Sso, kind: ProblemKind, retry: String, script: Script) -> HttpResponse {
    problem(sso, &Problem { kind, detail: None, retry, leave: None, clear: None, script: Some(script) })
}

fn problem(sso: &Sso, problem: &Problem) -> HttpResponse {
    let html = sso.pages.problem(problem);
    let mut answer = fleeting(problem.kind.status());
    if problem.leave.is_some() {
        // Under `no-referrer` the form would not say where it comes from.
        answer.insert_header((header::REFERRER_POLICY, "same-origin"));
    }
    answer.content_type("text/html; charset=utf-8").body(html)
}

/// To somebody who is logged in and may not use this site: who that is, only the server tells.
fn not_allowed(session: &SsoSession, retry: String) -> HttpResponse {
    with_logout(session, ProblemKind::UserNotAllowed, retry)
}

/// Asks whether a logout is wanted.
pub(super) fn ask_for_logout(session: &SsoSession) -> HttpResponse {
    with_logout(session, ProblemKind::LogoutUnverified, retry_page(session).as_str().to_owned())
}

fn with_logout(session: &SsoSession, kind: ProblemKind, retry: String) -> HttpResponse {
    let server = format!("{}/", session.broker().server_origin());
    let leave = Some(Leave { form_token: session.form_token(LOGOUT_FORM), server });
    problem(session.sso(), &Problem { kind, detail: None, retry, leave, clear: None, script: None })
}

/// The status with which a failed call to the server is passed on.
pub(super) fn status_of(error: &RequestError) -> StatusCode {
    match error {
        RequestError::NotAttached | RequestError::SessionEnded => StatusCode::UNAUTHORIZED,
        RequestError::UserNotAllowed => StatusCode::FORBIDDEN,
        RequestError::Refused { status, .. } => {
            StatusCode::from_u16(*status).ok().filter(StatusCode::is_client_error).unwrap_or(StatusCode::BAD_GATEWAY)
        }
        RequestError::BadAnswer(_) | RequestError::ForeignPath(_) => StatusCode::BAD_GATEWAY,
        RequestError::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What a visitor may know of a failed call; the log knows the rest.
pub(super) fn public_text(error: &RequestError) -> String {
    match error {
        RequestError::Unreachable(_) => "The login server cannot be reached".into(),
        RequestError::BadAnswer(_) | RequestError::ForeignPath(_) => {
            "The login server's answer is not understood".into()
        }
        error => error.to_string(),
    }
}

/// A failed call, as a script is told.
pub(super) fn told(error: &RequestError) -> ApiError {
    let code = matches!(error, RequestError::UserNotAllowed).then_some(BearerErrorCode::UserNotAllowed);
    ApiError { code, ..ApiError::new(public_text(error)) }
}

/// Answers a request whose call to the server failed: a lost token is replaced, once, if this is a visit; all else is told.
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
        RequestError::UserNotAllowed => not_allowed(session, retry),
        error => page(session.sso(), ProblemKind::ServerError, Some(public_text(error)), retry),
    }
}

/// Answers a request whose token the server does not honour.
fn lost_token(session: &SsoSession, error: &RequestError) -> HttpResponse {
    let sso = session.sso();
    if Asker::of(session.http_request()) == Asker::Visit {
        let wanted = session.wanted();
        return match session.with_store(|store| sso.broker.lose_to_heal(store)) {
            Some(heals) => depart(session, &wanted, Departure::Attach { heals }),
            None => page(sso, ProblemKind::NotHonoured, None, pages::attach_anew(&wanted)),
        };
    }
    session.lose();
    if asker::reads_pages(session.http_request()) {
        return page(sso, ProblemKind::SessionEnded, None, pages::attach_anew(&retry_page(session)));
    }
    attach_by_redirect(&error.to_string())
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
