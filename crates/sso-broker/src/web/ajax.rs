//! The AJAX side: the few commands that a page's script may give, and the silent attach.
//!
//! A fixed list, and no proxy to the server's API. Every answer is JSON, or empty with 204; every error has a text in
//! `error`, and `"attach":"redirect"` where only a redirect to `/sso/attach?to=…` helps.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sso_core::wire::{ENDED_HEADER, Ended, RESUME_HEADER};

use super::{
    SilentMode, SsoSession,
    answer::{fleeting, json, no_content},
    get_or_head,
    script::{Answer, GET, GET_OR_POST, POST, ScriptError, command, own_json, refused},
};
use crate::{Info, RequestError};

pub(super) fn routes(config: &mut web::ServiceConfig, mode: SilentMode) {
    config.service(
        web::scope("/sso/ajax")
            .app_data(web::Data::new(mode))
            .service(command("/attach", POST).route(web::post().to(attach)))
            .service(command("/verify", POST).route(web::post().to(verify)))
            .service(command("/info", GET).route(get_or_head().to(info)))
            .service(command("/login", POST).route(web::post().to(login)))
            .service(command("/logout", POST).route(web::post().to(logout)))
            .service(command("/data", GET_OR_POST).route(get_or_head().to(data)).route(web::post().to(set_data)))
            .default_service(web::to(async || refused(ScriptError::UnknownCommand))),
    );
}

#[derive(Serialize)]
struct SilentAttachAnswer {
    url: String,
    mode: SilentMode,
    state: String,
}

/// `POST /sso/ajax/attach`: begins a silent attach. The page asks the URL for the code.
async fn attach(session: SsoSession, body: web::Payload, mode: web::Data<SilentMode>) -> Answer {
    let _: Map<String, Value> = own_json(&session, body).await?;
    let broker = session.broker();
    if !broker.client().is_reachable().await {
        return Err(RequestError::Unreachable("no answer to a probe".into()).into());
    }
    let started = session.with_store(|store| broker.start_silent_attach(store));
    Ok(json(StatusCode::OK, &SilentAttachAnswer { url: started.url, mode: **mode, state: started.state }))
}

#[derive(Deserialize)]
struct VerifyCommand {
    state: String,
    verify: String,
}

/// `POST /sso/ajax/verify`: ends a silent attach, with the code.
async fn verify(session: SsoSession, body: web::Payload) -> Answer {
    let command: VerifyCommand = own_json(&session, body).await?;
    session.with_store(|store| session.broker().verify(store, &command.state, &command.verify))?;
    Ok(no_content())
}

/// `GET /sso/ajax/info`: the user, or 204 when nobody is logged in; then the server's headers `SSO-Ended`, once, and `SSO-Resume`, as long as
/// that was not tried.
async fn info(session: SsoSession) -> Answer {
    let info = session.who().await?;
    let Some(user) = info.user else { return Ok(nobody(&session, &info)) };
    Ok(json(StatusCode::OK, &user))
}

fn nobody(session: &SsoSession, info: &Info) -> HttpResponse {
    let mut answer = fleeting(StatusCode::NO_CONTENT);
    if let Some((reason, n)) = session.take_ended(info) {
        answer.insert_header((ENDED_HEADER, Ended { reason, n, seconds_ago: 0 }.header()));
    }
    if info.resume && session.with_store(|store| session.broker().may_resume(store)) {
        answer.insert_header((RESUME_HEADER, "1"));
    }
    answer.finish()
}

#[derive(Deserialize)]
struct LoginCommand {
    username: String,
    password: String,
}

/// `POST /sso/ajax/login`: logs in with a password; the user.
async fn login(session: SsoSession, body: web::Payload) -> Answer {
    let command: LoginCommand = own_json(&session, body).await?;
    Ok(json(StatusCode::OK, &session.login(&command.username, &command.password).await?))
}

/// `POST /sso/ajax/logout`: logs out, at all brokers.
async fn logout(session: SsoSession, body: web::Payload) -> Answer {
    let _: Map<String, Value> = own_json(&session, body).await?;
    session.logout().await?;
    Ok(no_content())
}

/// `GET /sso/ajax/data`: the shared data.
async fn data(session: SsoSession) -> Answer {
    Ok(json(StatusCode::OK, &session.data().await?))
}

/// `POST /sso/ajax/data`: merges into the shared data, key by key; `null` removes. All of them.
async fn set_data(session: SsoSession, body: web::Payload) -> Answer {
    let changes = own_json(&session, body).await?;
    Ok(json(StatusCode::OK, &session.merge_data(changes).await?))
}
