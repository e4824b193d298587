//! What a request says of itself, and the site that it is for.

use actix_web::{HttpRequest, error::ErrorInternalServerError, http::header, web};
use sso_core::SentBy;

use super::Site;

/// The text of a header; `None` if it is not there, an error-proof empty text if it is not text.
pub(super) fn header_text(request: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether the answer to this request would be shown as a page.
pub fn accepts_html(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
}

/// Which page sent the request.
pub(super) fn sent_by(request: &HttpRequest, site: &Site) -> SentBy {
    let fetch_site = header_text(request, header::HeaderName::from_static("sec-fetch-site"));
    SentBy::of(fetch_site, header_text(request, header::ORIGIN), site.server().public_url())
}

pub(super) fn site_of(request: &HttpRequest) -> Result<&web::Data<Site>, actix_web::Error> {
    let site = request.app_data::<web::Data<Site>>();
    site.ok_or_else(|| ErrorInternalServerError("App::configure(site.routes()) is missing"))
}
