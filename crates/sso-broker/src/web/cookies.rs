//! How cookies are read, and what is answered while one that matters comes twice with different values.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web::Query,
};
use serde::Deserialize;
use sso_core::{AmbiguousCookie, SentBy, SentCookies, wire::ApiError};
use url::{Url, form_urlencoded::byte_serialize};

use super::{
    Pages, Problem, ProblemKind,
    answer::{fleeting, json},
    asker::{self, reads_pages, sent_by},
    pages::going_on,
};
use crate::LocalPath;

/// Deletes the cookies: a POST, which only a page of this site can send.
const CLEAR: &str = "/sso/clear-cookies";

#[derive(Deserialize)]
struct To {
    to: String,
}

/// The cookies that came with a request.
pub(super) fn cookies_of(request: &HttpRequest) -> SentCookies<'_> {
    SentCookies::read(request.headers().get_all(header::COOKIE).map(|field| field.as_bytes()))
}

/// The answer to give in the application's place, if there is one: to what asks for the cookies to be deleted, and, while
/// one is `ambiguous`, to every page and every call by script. Other files are for anybody.
pub(super) fn answer_in_place(
    request: &HttpRequest,
    site: &Url,
    return_path: Option<&str>,
    pages: &dyn Pages,
    ambiguous: Option<&AmbiguousCookie>,
) -> Option<HttpResponse> {
    if request.path() == CLEAR && request.method() == Method::POST {
        return Some(clear(request, site));
    }
    let error = ambiguous?;
    if reads_pages(request) {
        tracing::info!(%error, "a cookie does not count");
        Some(page(pages, &wanted(request, site, return_path)))
    } else if is_call(request) {
        Some(json(StatusCode::BAD_REQUEST, &ApiError::new(error.to_string())))
    } else {
        None
    }
}

/// No token shows who asks: the cookie that tokens are bound to may be the one that is not known.
fn clear(request: &HttpRequest, site: &Url) -> HttpResponse {
    let to = Query::<To>::from_query(request.query_string()).ok();
    let to = to.and_then(|query| LocalPath::parse(&query.to, site)).unwrap_or_else(LocalPath::root);
    if sent_by(request, site) != SentBy::OwnPage {
        let why = "Only a page of this site may delete its cookies. Nothing was changed.";
        return fleeting(StatusCode::FORBIDDEN).content_type("text/plain; charset=utf-8").body(why);
    }
    let mut answer = fleeting(StatusCode::OK);
    // Otherwise there is nothing to mend, and the login stays. Which cookie it is may be another layer's business.
    if cookies_of(request).ambiguous(|_| true).is_some() {
        answer.insert_header(("Clear-Site-Data", "\"cookies\""));
    }
    // No redirect: by the page's `form-action` Chromium would not follow it on to the server.
    answer
        .insert_header(("Refresh", format!("0; url={}", to.as_str())))
        .content_type("text/html; charset=utf-8")
        .body(going_on(&to))
}

fn page(pages: &dyn Pages, wanted: &LocalPath) -> HttpResponse {
    let to: String = byte_serialize(wanted.as_str().as_bytes()).collect();
    let clear = Some(format!("{CLEAR}?to={to}"));
    let problem = Problem { clear, ..Problem::new(ProblemKind::AmbiguousCookie, wanted.as_str()) };
    fleeting(StatusCode::BAD_REQUEST)
        // Browsers that do not say `Sec-Fetch-Site` say `Origin` then.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .content_type("text/html; charset=utf-8")
        .body(pages.problem(&problem))
}

/// Where to go on afterwards. A return from the server cannot be repeated: its state is in a cookie.
fn wanted(request: &HttpRequest, site: &Url, return_path: Option<&str>) -> LocalPath {
    let page = request.uri().path_and_query().map(|page| page.as_str());
    let page = page.filter(|_| request.method().is_safe() && return_path != Some(request.path()));
    page.and_then(|page| LocalPath::parse(page, site)).unwrap_or_else(LocalPath::root)
}

/// Whether a page's script asks.
fn is_call(request: &HttpRequest) -> bool {
    let accepts_json = || asker::header(request, "Accept").is_some_and(|accept| accept.contains("application/json"));
    asker::header(request, "Sec-Fetch-Dest").map_or_else(accepts_json, |dest| dest == "empty")
}
