//! The AJAX side: the few commands that a page's script may give, and the silent attach.
//!
//! A fixed list, and no proxy to the server's API. Every answer is JSON, or empty with 204; every error has a text in
//! `error`, and `"attach":"redirect"` where only a redirect to `/sso/attach?to=…` helps.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sso_core::wire::{ENDED_HEADER, Ended, RESUME_HEADER};

use super::{
    answer::Answer,
    script::{ScriptAnswer, own_json},
    session::SsoSession,
    sso::SilentMode,
};
use crate::{Info, RequestError};

#[derive(Serialize)]
struct SilentAttachAnswer {
    url: String,
    mode: SilentMode,
    state: String,
}

/// `POST /sso/ajax/attach`: begins a silent attach. The page asks the URL for the code.
pub(super) async fn attach(
    session: &SsoSession,
    body: impl Future<Output = Option<Vec<u8>>>,
    mode: SilentMode,
) -> ScriptAnswer {
    let _: Map<String, Value> = own_json(session, body).await?;
    let broker = session.broker();
    if !broker.client().is_reachable().await {
        return Err(RequestError::Unreachable("no answer to a probe".into()).into());
    }
    let started = session.with_store(|store| broker.start_silent_attach(store));
    Ok(Answer::json(200, &SilentAttachAnswer { url: started.url, mode, state: started.state }))
}

#[derive(Deserialize)]
struct VerifyCommand {
    state: String,
    verify: String,
}

/// `POST /sso/ajax/verify`: ends a silent attach, with the code.
pub(super) async fn verify(session: &SsoSession, body: impl Future<Output = Option<Vec<u8>>>) -> ScriptAnswer {
    let command: VerifyCommand = own_json(session, body).await?;
    session.with_store(|store| session.broker().verify(store, &command.state, &command.verify))?;
    Ok(Answer::no_content())
}

/// `GET /sso/ajax/info`: the user, or 204 when nobody is logged in; then the server's headers `SSO-Ended`, once, and
/// `SSO-Resume`, as long as that was not tried.
pub(super) async fn info(session: &SsoSession) -> ScriptAnswer {
    let info = session.who().await?;
    let Some(user) = info.user else { return Ok(nobody(session, &info)) };
    Ok(Answer::json(200, &user))
}

fn nobody(session: &SsoSession, info: &Info) -> Answer {
    let mut answer = Answer::no_content();
    if let Some((reason, n)) = session.take_ended(info) {
        answer = answer.with(ENDED_HEADER, Ended { reason, n, seconds_ago: 0 }.header());
    }
    if info.resume && session.with_store(|store| session.broker().may_resume(store)) {
        answer = answer.with(RESUME_HEADER, "1");
    }
    answer
}

#[derive(Deserialize)]
struct LoginCommand {
    username: String,
    password: String,
}

/// `POST /sso/ajax/login`: logs in with a password; the user.
pub(super) async fn login(session: &SsoSession, body: impl Future<Output = Option<Vec<u8>>>) -> ScriptAnswer {
    let command: LoginCommand = own_json(session, body).await?;
    Ok(Answer::json(200, &session.login(&command.username, &command.password).await?))
}

/// `GET /sso/ajax/data`: the shared data.
pub(super) async fn data(session: &SsoSession) -> ScriptAnswer {
    Ok(Answer::json(200, &session.data().await?))
}

/// `POST /sso/ajax/data`: merges into the shared data, key by key; `null` removes. All of them.
pub(super) async fn set_data(session: &SsoSession, body: impl Future<Output = Option<Vec<u8>>>) -> ScriptAnswer {
    let changes = own_json(session, body).await?;
    Ok(Answer::json(200, &session.merge_data(changes).await?))
}
