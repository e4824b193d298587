//! How the sites answer: a page, or the way to another one.

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

/// What a site answers is for one visitor, unless it says otherwise.
pub fn no_store() -> DefaultHeaders {
    DefaultHeaders::new().add((header::CACHE_CONTROL, "no-store"))
}
