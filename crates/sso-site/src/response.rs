//! How the sites answer: a page, or the way to another one; and what they let browsers do with it.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    middleware::DefaultHeaders,
};
use askama::Template;

/// The text of a page.
pub fn html(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be written");
        "This page cannot be shown.".to_owned()
    })
}

/// A page as an answer.
pub fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html(template))
}

/// The way to another page.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

/// The policy of a site's pages. Only what they need is allowed: `forms` names the server's origin at brokers, as the
/// answer to a form may send its visitor there; `connect` and `script` name it for silent attach.
pub fn page_policy(forms: &str, connect: &str, script: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self'; connect-src 'self'{connect}; \
         form-action 'self'{forms}; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// What a site answers is for one visitor, unless it says otherwise.
pub fn no_store() -> DefaultHeaders {
    DefaultHeaders::new().add((header::CACHE_CONTROL, "no-store"))
}
