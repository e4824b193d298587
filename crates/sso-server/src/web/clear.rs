//! A browser that sends two different cookies under a name of ours: a page says so, and can delete them.

use actix_web::{HttpRequest, HttpResponse, error::InternalError, http::StatusCode, web};
use sso_core::{AmbiguousCookie, SentBy};

use super::{
    Site,
    answer::{ApiFailure, clearing_page, error_page, page_headers},
    login::{ReturnTo, local_path},
    pages::going_on,
    request::{accepts_html, sent_by},
};

const CLEAR: &str = "/sso/clear-cookies";

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.route(CLEAR, web::post().to(clear));
}

/// `POST /sso/clear-cookies?return_url=/page`: deletes the cookies of the whole parent domain, and goes on to the page.
async fn clear(request: HttpRequest, site: web::Data<Site>, to: Option<web::Query<ReturnTo>>) -> HttpResponse {
    // No token can show it: the cookie that tokens are bound to may be the one that is not known.
    if sent_by(&request, &site) != SentBy::OwnPage {
        let why = "Only a page of this site may delete its cookies. Nothing was changed.";
        return error_page(&site, StatusCode::FORBIDDEN, why);
    }
    let mut response = HttpResponse::Ok();
    page_headers(&mut response, &[]);
    // Otherwise there is nothing to mend, and the login stays.
    if site.0.cookies.ambiguous(&request).is_some() {
        response.insert_header(("Clear-Site-Data", "\"cookies\""));
    }
    let to = local_path(&site, to);
    // No redirect: by the page's `form-action` Chromium would not follow it on to a broker.
    response.insert_header(("Refresh", format!("0; url={to}"))).body(going_on(&to))
}

/// A page cannot know its visitor while one of our cookies is ambiguous: `Err` says so instead.
pub(super) fn check_page(request: &HttpRequest, site: &Site) -> Result<(), actix_web::Error> {
    match site.0.cookies.ambiguous(request) {
        Some(error) if accepts_html(request) => {
            let page = page(request, site, &error);
            Err(InternalError::from_response(error, page).into())
        }
        _ => Ok(()),
    }
}

/// The same for what a script asks.
pub(super) fn check_call(request: &HttpRequest, site: &Site) -> Result<(), ApiFailure> {
    let ambiguous = site.0.cookies.ambiguous(request);
    ambiguous.map_or(Ok(()), |error| Err(ApiFailure::new(StatusCode::BAD_REQUEST, error.to_string())))
}

fn page(request: &HttpRequest, site: &Site, error: &AmbiguousCookie) -> HttpResponse {
    tracing::info!(%error, "a cookie does not count");
    // A form cannot be sent again by following a link.
    let to = request.uri().path_and_query().filter(|_| request.method().is_safe()).map_or("/", |to| to.as_str());
    let to: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
    clearing_page(site, AmbiguousCookie::ADVICE, &format!("{CLEAR}?return_url={to}"))
}
