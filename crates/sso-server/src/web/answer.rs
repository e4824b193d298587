//! How errors and pages become HTTP: the one place where a refusal gets its status.

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    cookie::Cookie,
    http::{StatusCode, header},
};
use sso_core::{
    headers::page_policy,
    wire::{ApiError, BearerErrorCode},
};

use super::{ErrorPage, Site};
use crate::error::{Error, PasswordError, Unavailable};

/// The status of an error.
pub(super) fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::TooManyFailures { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Attach(error) => StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST),
        Error::NoBearer | Error::InvalidClient => StatusCode::UNAUTHORIZED,
        Error::NotAttached
        | Error::Superseded
        | Error::UserNotAllowed
        | Error::PasswordLoginOff
        | Error::MayNotEnter
        | Error::NotLoggedIn
        | Error::PasswordNeeded
        | Error::NoAudiences
        | Error::ForeignAudience => StatusCode::FORBIDDEN,
        Error::AlreadyEnded | Error::Password(PasswordError::CannotChange) => StatusCode::NOT_FOUND,
        Error::LoggedInMeanwhile | Error::UserChanged | Error::Password(PasswordError::ChangedMeanwhile) => {
            StatusCode::CONFLICT
        }
        Error::DataTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Error::InvalidCredentials | Error::Password(_) => StatusCode::BAD_REQUEST,
    }
}

/// What a broker knows it by.
fn code_of(error: &Error) -> Option<BearerErrorCode> {
    match error {
        Error::NotAttached => Some(BearerErrorCode::NotAttached),
        Error::Superseded => Some(BearerErrorCode::Superseded),
        Error::UserNotAllowed => Some(BearerErrorCode::UserNotAllowed),
        _ => None,
    }
}

/// Says when to try again what failed so, where that helps.
pub(super) fn again(error: &Error, mut response: HttpResponse) -> HttpResponse {
    let seconds = match error {
        Error::TooManyFailures { retry_after } => *retry_after,
        Error::Unavailable(_) => 5,
        _ => return response,
    };
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// The answer to a script or a back end.
pub(super) type Answer = Result<HttpResponse, ApiFailure>;

/// A failed call. Always JSON with a string `error`: anything else crashes a jasny/sso broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiFailure {
    /// What was asked failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// The request itself is not one that can be answered.
    #[error("{1}")]
    Bad(StatusCode, String),
}

impl ApiFailure {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self::Bad(status, error.into())
    }
}

impl From<Unavailable> for ApiFailure {
    fn from(error: Unavailable) -> Self {
        Self::Failed(error.into())
    }
}

impl ResponseError for ApiFailure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Failed(error) => status_of(error),
            Self::Bad(status, _) => *status,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        api_headers(&mut response);
        let body = ApiError::new(self.to_string());
        let Self::Failed(error) = self else { return response.json(body) };
        // How the caller should have shown who it is.
        match error {
            Error::NoBearer => drop(response.insert_header((header::WWW_AUTHENTICATE, "Bearer"))),
            Error::InvalidClient => drop(response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"sso\""))),
            _ => {}
        }
        again(error, response.json(ApiError { code: code_of(error), ..body }))
    }
}

/// A good answer to a script or a back end.
pub(super) fn ok() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    api_headers(&mut response);
    response
}

/// A good answer to them that has nothing to say.
pub(super) fn no_content() -> HttpResponseBuilder {
    let mut response = HttpResponse::NoContent();
    api_headers(&mut response);
    response
}

/// What every answer to them carries: it is about one visitor, and nobody's to keep.
fn api_headers(response: &mut HttpResponseBuilder) {
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
}

/// The headers of a page: nothing runs but the site's own files, nobody frames it or keeps it, and forms lead only to
/// the site itself and to `form_targets`.
///
/// Chromium stops a redirect that follows a form when its target is not listed, so the login page lists the origin that
/// the visitor returns to. `same-origin` is the strictest referrer policy under which a form's POST names its `Origin`.
pub fn page_headers(response: &mut HttpResponseBuilder, form_targets: &[String]) {
    let targets: String = form_targets.iter().map(|target| format!(" {target}")).collect();
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, page_policy(&targets, "", "")))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8");
}

/// Sends the browser on, after a POST or in place of a page.
pub(super) fn see_other(location: &str, cookies: impl IntoIterator<Item = Cookie<'static>>) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    for cookie in cookies {
        response.cookie(cookie);
    }
    response.insert_header((header::LOCATION, location)).insert_header((header::CACHE_CONTROL, "no-store")).finish()
}

/// A page; `form_targets` as for [`page_headers`].
pub(super) fn page(
    status: StatusCode,
    form_targets: &[String],
    cookies: impl IntoIterator<Item = Cookie<'static>>,
    html: String,
) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    page_headers(&mut response, form_targets);
    for cookie in cookies {
        response.cookie(cookie);
    }
    response.body(html)
}

/// An error page for an unknown visitor.
pub(super) fn error_page(site: &Site, status: StatusCode, message: &str) -> HttpResponse {
    show_error(site, &ErrorPage { status: status.as_u16(), message, ..ErrorPage::default() }, None)
}

/// An error page with what it shows.
pub(super) fn show_error(
    site: &Site,
    error: &ErrorPage<'_>,
    cookies: impl IntoIterator<Item = Cookie<'static>>,
) -> HttpResponse {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    page(status, &[], cookies, site.0.pages.error(error))
}

/// An error page for what failed.
pub(super) fn failed_page(site: &Site, error: &Error) -> HttpResponse {
    again(error, error_page(site, status_of(error), &error.to_string()))
}

/// An error page that offers to delete the cookies, by a POST to `clear`.
pub(super) fn clearing_page(site: &Site, message: &str, clear: &str) -> HttpResponse {
    let status = StatusCode::BAD_REQUEST.as_u16();
    show_error(site, &ErrorPage { status, message, clear: Some(clear), ..ErrorPage::default() }, None)
}
