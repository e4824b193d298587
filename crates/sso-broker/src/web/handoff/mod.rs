//! The hand-off on actix-web: [`leave`] answers `GET /external?url=…` where the user goes away; [`Landing`] has the routes where users arrive.

mod landing;
mod leaving;
mod ticket;

use actix_session::Session;
use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
    web::{self, ServiceConfig},
};

use super::{asker::header as header_text, get_or_head};

pub use landing::{Landing, LandingPages, SwitchPage};
pub use leaving::{LeavingPage, LeavingPages, leave};

/// Where the user of an application's own session stands in it.
const USER: &str = "sso_linked_user";
const SCRIPT_PATH: &str = "/sso/handoff.js";

/// Who is logged in to the application's own session.
pub fn user_of(session: &Session) -> Option<String> {
    session.get(USER).ok().flatten()
}

/// Logs a user in to the application's own session; its cookie gets a new value, and nothing of a user before stays.
pub fn sign_in(session: &Session, username: &str) {
    session.clear();
    session.renew();
    if let Err(error) = session.insert(USER, username) {
        tracing::error!(%error, "a user cannot be kept in the session");
    }
}

/// The script that sends the form on the way out, for applications without a [`Landing`].
pub fn script_route(config: &mut ServiceConfig) {
    config.service(web::resource(SCRIPT_PATH).route(get_or_head().to(script)));
}

async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("text/javascript; charset=utf-8")
        .body("document.getElementById(\"handoff\").submit();\n")
}

/// A page, or a redirect, that nobody keeps and nobody frames.
fn page(status: StatusCode, form_target: &str, referrer_policy: &str) -> HttpResponseBuilder {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self' {form_target}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::REFERRER_POLICY, referrer_policy))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8");
    response
}
