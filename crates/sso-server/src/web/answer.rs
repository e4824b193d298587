//! How errors and pages become HTTP: the one place where a refusal gets its status.

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    cookie::Cookie,
    http::{StatusCode, header},
};
use sso_core::wire::{ApiError, BearerErrorCode};

use super::{ErrorPage, Site};
use crate::{
    Unavailable,
    access::{AccessError, IntrospectError},
    data::DataError,
    login::LoginError,
    resume::ResumeError,
};

/// A failed API call. Always JSON with a string `error`: anything else crashes a jasny/sso broker.
#[derive(Debug, thiserror::Error)]
#[error("{}", body.error)]
pub(super) struct ApiFailure {
    status: StatusCode,
    body: ApiError,
    retry_after: Option<u64>,
    /// How the caller should have shown who it is, if that failed.
    scheme: &'static str,
}

impl ApiFailure {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, body: ApiError::new(error), retry_after: None, scheme: "Bearer" }
    }

    fn coded(code: BearerErrorCode) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::FORBIDDEN);
        let body = ApiError { code: Some(code), ..ApiError::new(code.message()) };
        Self { body, ..Self::new(status, "") }
    }

    fn retry(status: StatusCode, error: &impl ToString, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(status, error.to_string()) }
    }
}

impl From<ResumeError> for ApiFailure {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::NoBearer => Self::new(StatusCode::UNAUTHORIZED, error.to_string()),
            ResumeError::NotAttached => Self::coded(BearerErrorCode::NotAttached),
            ResumeError::Superseded => Self::coded(BearerErrorCode::Superseded),
            ResumeError::UserNotAllowed => Self::coded(BearerErrorCode::UserNotAllowed),
            ResumeError::TooManyFailures { retry_after } => {
                Self::retry(StatusCode::TOO_MANY_REQUESTS, &error, retry_after)
            }
            ResumeError::Unavailable => Unavailable.into(),
        }
    }
}

impl From<LoginError> for ApiFailure {
    fn from(error: LoginError) -> Self {
        match error {
            // No code: it is not about the user who is logged in.
            LoginError::UserNotAllowed | LoginError::NotAllowed => Self::new(StatusCode::FORBIDDEN, error.to_string()),
            LoginError::InvalidCredentials => Self::new(StatusCode::BAD_REQUEST, error.to_string()),
            LoginError::TooManyFailures { retry_after } => {
                Self::retry(StatusCode::TOO_MANY_REQUESTS, &error, retry_after)
            }
            LoginError::NoSession => Self::coded(BearerErrorCode::NotAttached),
            LoginError::Unavailable => Unavailable.into(),
        }
    }
}

impl From<DataError> for ApiFailure {
    fn from(error: DataError) -> Self {
        match error {
            DataError::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            DataError::NoSession => Self::coded(BearerErrorCode::NotAttached),
            DataError::UserNotAllowed => Self::coded(BearerErrorCode::UserNotAllowed),
            DataError::UserChanged => Self::new(StatusCode::CONFLICT, error.to_string()),
            DataError::Unavailable => Unavailable.into(),
        }
    }
}

impl From<AccessError> for ApiFailure {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NoAudiences | AccessError::ForeignAudience | AccessError::NobodyLoggedIn => {
                Self::new(StatusCode::FORBIDDEN, error.to_string())
            }
            AccessError::UserNotAllowed => Self::coded(BearerErrorCode::UserNotAllowed),
            AccessError::NoKey => Self::retry(StatusCode::SERVICE_UNAVAILABLE, &error, UNAVAILABLE_RETRY),
        }
    }
}

impl From<IntrospectError> for ApiFailure {
    fn from(error: IntrospectError) -> Self {
        match error {
            IntrospectError::InvalidClient => {
                Self { scheme: "Basic realm=\"sso\"", ..Self::new(StatusCode::UNAUTHORIZED, error.to_string()) }
            }
            IntrospectError::TooManyFailures { retry_after } => {
                Self::retry(StatusCode::TOO_MANY_REQUESTS, &error, retry_after)
            }
            IntrospectError::Unavailable => Unavailable.into(),
        }
    }
}

impl From<Unavailable> for ApiFailure {
    fn from(_: Unavailable) -> Self {
        Self::retry(StatusCode::SERVICE_UNAVAILABLE, &ResumeError::Unavailable, UNAVAILABLE_RETRY)
    }
}

impl ResponseError for ApiFailure {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        api_headers(&mut response);
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, self.scheme));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response.json(&self.body)
    }
}

/// Seconds after which to ask again when something does not answer.
pub(super) const UNAVAILABLE_RETRY: u64 = 5;

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
/// Chromium stops a redirect that follows a form when its target is not listed, so the login page lists the origin that the visitor returns to.
/// `same-origin` is the strictest referrer policy under which a form's POST names its `Origin`.
pub fn page_headers(response: &mut HttpResponseBuilder, form_targets: &[String]) {
    let targets: String = form_targets.iter().map(|target| format!(" {target}")).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'{targets}; base-uri 'none'; frame-ancestors 'none'"
    );
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
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

/// An error page for whoever it is.
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
    let page = page(status, &[], cookies, site.0.pages.error(error));
    if status == StatusCode::SERVICE_UNAVAILABLE { again_after(UNAVAILABLE_RETRY, page) } else { page }
}

/// An error page that offers to delete the cookies, by a POST to `clear`.
pub(super) fn clearing_page(site: &Site, message: &str, clear: &str) -> HttpResponse {
    let status = StatusCode::BAD_REQUEST.as_u16();
    show_error(site, &ErrorPage { status, message, clear: Some(clear), ..ErrorPage::default() }, None)
}

/// The page that asked for a password, once more, with the status that this error has there.
pub(super) fn login_refused(error: LoginError, page: impl FnOnce(StatusCode) -> HttpResponse) -> HttpResponse {
    match error {
        LoginError::TooManyFailures { retry_after } => again_after(retry_after, page(StatusCode::TOO_MANY_REQUESTS)),
        LoginError::Unavailable => again_after(UNAVAILABLE_RETRY, page(StatusCode::SERVICE_UNAVAILABLE)),
        _ => page(StatusCode::BAD_REQUEST),
    }
}

/// Says after how many seconds to try again.
pub(super) fn again_after(seconds: u64, mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}
