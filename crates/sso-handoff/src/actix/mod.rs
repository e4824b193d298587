//! The hand-off on actix-web: [`Leaving`] answers `GET /external?url=…` where the user goes away, and writes the links
//! to it; [`Landing`] has the routes where users arrive. Who is logged in, and until when, is in the application's own
//! session ([`user_of`]), which belongs in a store of its own, such as [`MemorySessions`].

mod landing;
mod leaving;
mod memory_sessions;
mod session;

use std::time::SystemTime;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
    web::{self, ServiceConfig},
};

use sso_broker::actix::get_or_head;
use sso_core::{headers::page_policy, unix_time};

pub use landing::Landing;
pub use leaving::Leaving;
pub use memory_sessions::MemorySessions;
pub use session::{login_of, sign_in, sign_out, user_of};

const SCRIPT_PATH: &str = "/sso/handoff.js";

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

/// The present instant, in seconds since 1970-01-01 UTC.
fn now() -> i64 {
    unix_time::seconds(SystemTime::now())
}

/// A page, or a redirect, that nobody keeps and nobody frames.
fn page(status: StatusCode, form_target: &str, referrer_policy: &str) -> HttpResponseBuilder {
    let policy = page_policy(&format!(" {form_target}"), "", "");
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
