//! `/sso/session…`: what a page's script asks to warn of the login's end, and to extend or end it. On every site.
//!
//! A script polls here, so asking leaves the visitor's token as it is, even one that serves no more: every tab hears of
//! that, an answer that comes late spoils nothing, and the next page visit attaches anew.

use actix_web::{http::StatusCode, web};
use serde_json::{Map, Value};

use super::{
    SsoSession,
    answer::{json, no_content},
    get_or_head,
    script::{Answer, GET, POST, command, own_json},
};
use crate::client::without_limits;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(command("/sso/session", GET).route(get_or_head().to(status)))
        .service(command("/sso/session/keepalive", POST).route(web::post().to(keepalive)))
        .service(command("/sso/session/logout", POST).route(web::post().to(logout)));
}

/// `GET /sso/session`: what is left of the login. Asking does not extend it.
async fn status(session: SsoSession) -> Answer {
    if !session.is_attached() {
        return Ok(json(StatusCode::OK, &without_limits(None)));
    }
    Ok(json(StatusCode::OK, &session.status().await?))
}

/// `POST /sso/session/keepalive`: extends it. What is left of it then.
async fn keepalive(session: SsoSession, body: web::Payload) -> Answer {
    let _: Map<String, Value> = own_json(&session, body).await?;
    Ok(json(StatusCode::OK, &session.keepalive().await?))
}

/// `POST /sso/session/logout`: logs out, at all brokers.
async fn logout(session: SsoSession, body: web::Payload) -> Answer {
    let _: Map<String, Value> = own_json(&session, body).await?;
    session.logout().await?;
    Ok(no_content())
}
