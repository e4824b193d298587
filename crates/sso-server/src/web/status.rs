//! What the server's own pages ask by script: how much of the login is left, to stay logged in, to log out.
//!
//! The same three addresses as at every broker, so one script serves all pages. The browser's cookie is the credential.

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
    web,
};
use sso_core::{SentBy, wire::SessionStatus};

use super::{
    Site,
    answer::{Answer, ApiFailure, no_content, ok},
    clear::check_call,
    get_or_head,
    request::{header_text, sent_by},
};
use crate::server::browser::Remember;

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/sso/session").route(get_or_head().to(status)))
        .service(web::resource("/sso/session/keepalive").route(web::post().to(keep_alive)))
        .service(web::resource("/sso/session/logout").route(web::post().to(log_out)));
}

/// Never extends the login, and renews no cookie.
async fn status(request: HttpRequest, site: web::Data<Site>) -> Answer {
    check_call(&request, &site)?;
    let session = site.server().session_of(site.browser(&request)).await?;
    Ok(ok().json(session.map(|session| site.server().status(&session)).unwrap_or_default()))
}

async fn keep_alive(request: HttpRequest, site: web::Data<Site>) -> Answer {
    check_source(&request, &site)?;
    check_call(&request, &site)?;
    Ok(match site.server().session_of(site.browser(&request)).await? {
        None => ok().json(SessionStatus::default()),
        Some(session) if session.user().is_none() => ok().json(site.server().status(&session)),
        Some(session) => ok().json(site.server().keep_alive(&session).await?),
    })
}

async fn log_out(request: HttpRequest, site: web::Data<Site>) -> Answer {
    check_source(&request, &site)?;
    check_call(&request, &site)?;
    let cookie = site.server().log_out(site.browser(&request)).await?;
    let mut response = no_content();
    for cookie in site.cookies(cookie.as_ref(), &Remember::Forget) {
        response.cookie(cookie);
    }
    Ok(response.finish())
}

/// Only this site's own scripts may change something: JSON, which no form of another site can send, from a page of this
/// very origin.
fn check_source(request: &HttpRequest, site: &Site) -> Result<(), ApiFailure> {
    let is_json = header_text(request, header::CONTENT_TYPE)
        .is_some_and(|kind| kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(ApiFailure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The content type must be application/json"));
    }
    if sent_by(request, site) != SentBy::OwnPage {
        return Err(ApiFailure::new(StatusCode::FORBIDDEN, "Only this site's own pages may ask for this"));
    }
    Ok(())
}
