//! The answers that are not the application's own: redirects, error pages, JSON errors.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use sso_core::wire::{ApiError, AttachBy, BearerErrorCode};

use super::{Problem, SsoSession};
use crate::RequestError;

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

/// A failed call, to a script.
pub(super) fn told(error: &RequestError) -> HttpResponse {
    let code = match error {
        RequestError::UserNotAllowed => Some(BearerErrorCode::UserNotAllowed),
        RequestError::Superseded => Some(BearerErrorCode::Superseded),
        _ => None,
    };
    let attach = error.is_healable().then_some(AttachBy::Redirect);
    json(status_of(error), &ApiError { error: public_text(error), code, attach })
}

/// A page for a problem of this visitor's, with what they sent, if that was a form.
pub(super) fn page(session: &SsoSession, problem: Problem) -> HttpResponse {
    let problem = Problem { fields: session.sent_fields(), ..problem };
    let html = session.sso().pages.problem(&problem);
    let mut answer = fleeting(problem.kind.status());
    if problem.leave.is_some() {
        // Under `no-referrer` the form would not say where it comes from.
        answer.insert_header((header::REFERRER_POLICY, "same-origin"));
    }
    answer.content_type("text/html; charset=utf-8").body(html)
}

/// The status with which a failed call to the server is passed on.
pub(super) fn status_of(error: &RequestError) -> StatusCode {
    match error {
        RequestError::NotAttached | RequestError::Superseded | RequestError::SessionEnded => StatusCode::UNAUTHORIZED,
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
