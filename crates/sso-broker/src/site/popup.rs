//! `/sso/session…`: what a page's script asks to warn of the login's end, and to extend or end it. On every site.
//!
//! A script polls here, so asking leaves the visitor's token as it is, even one that serves no more: every tab hears of
//! that, an answer that comes late spoils nothing, and the next page visit attaches anew.

use serde_json::{Map, Value};

use super::{
    answer::Answer,
    script::{ScriptAnswer, own_json},
    session::SsoSession,
};
use crate::client::without_limits;

/// `GET /sso/session`: what is left of the login. Asking does not extend it.
pub(super) async fn status(session: &SsoSession) -> ScriptAnswer {
    if !session.is_attached() {
        return Ok(Answer::json(200, &without_limits(None)));
    }
    Ok(Answer::json(200, &session.status().await?))
}

/// `POST /sso/session/keepalive`: extends it. What is left of it then.
pub(super) async fn keepalive(session: &SsoSession, body: impl Future<Output = Option<Vec<u8>>>) -> ScriptAnswer {
    let _: Map<String, Value> = own_json(session, body).await?;
    Ok(Answer::json(200, &session.keepalive().await?))
}

/// `POST /sso/session/logout`, and `/sso/ajax/logout`: logs out, at all brokers.
pub(super) async fn logout(session: &SsoSession, body: impl Future<Output = Option<Vec<u8>>>) -> ScriptAnswer {
    let _: Map<String, Value> = own_json(session, body).await?;
    session.logout().await?;
    Ok(Answer::no_content())
}
