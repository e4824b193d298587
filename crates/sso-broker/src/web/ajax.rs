//! The AJAX side: the few commands that a page's script may give, and the silent attach.
//!
//! A fixed list, and no proxy to the server's API. Every answer is JSON, or empty with 204; every error has a text in
//! `error`, and `"attach":"redirect"` where only a redirect to `/sso/attach?to=…` helps.

use actix_web::{HttpMessage, HttpResponse, ResponseError, http::StatusCode, web};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sso_core::wire::{ApiError, AttachBy};

use super::{
    SilentMode, SsoSession,
    answer::{json, no_content, public_text, status_of},
    asker::is_own_page,
};
use crate::{RequestError, VerifyError};

/// The size of a request's body, in bytes.
const MAX_BODY: usize = 16 << 10;

pub(super) fn routes(config: &mut web::ServiceConfig, mode: SilentMode) {
    let command = |path: &str| web::resource(path).default_service(web::to(async || refused(AjaxError::WrongMethod)));
    config.service(
        web::scope("/sso/ajax")
            .app_data(web::Data::new(mode))
            .service(command("/attach").route(web::post().to(attach)))
            .service(command("/verify").route(web::post().to(verify)))
            .service(command("/info").route(web::get().to(info)))
            .service(command("/login").route(web::post().to(login)))
            .service(command("/logout").route(web::post().to(logout)))
            .service(command("/data").route(web::get().to(data)).route(web::post().to(set_data)))
            .default_service(web::to(async || refused(AjaxError::UnknownCommand))),
    );
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
enum AjaxError {
    #[error("No such command")]
    UnknownCommand,
    #[error("This command has another method")]
    WrongMethod,
    #[error("Only this site's own pages may ask for this")]
    ForeignPage,
    #[error("The content type must be application/json")]
    NotJson,
    #[error("The request is too large")]
    TooLarge,
    #[error("The request is malformed")]
    Malformed,
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error("{}", public_text(.0))]
    Request(RequestError),
}

/// As one type: an error's answer is an ordinary answer here.
type Answer = Result<HttpResponse, AjaxError>;

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
        return Err(AjaxError::Request(RequestError::Unreachable("no answer to a probe".into())));
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

/// `GET /sso/ajax/info`: the user, or 204 when nobody is logged in.
async fn info(session: SsoSession) -> Answer {
    Ok(match relay(&session, session.info().await)? {
        Some(user) => json(StatusCode::OK, &user),
        None => no_content(),
    })
}

#[derive(Deserialize)]
struct LoginCommand {
    username: String,
    password: String,
}

/// `POST /sso/ajax/login`: logs in with a password; the user.
async fn login(session: SsoSession, body: web::Payload) -> Answer {
    let command: LoginCommand = own_json(&session, body).await?;
    let result = session.login(&command.username, &command.password).await;
    Ok(json(StatusCode::OK, &relay(&session, result)?))
}

/// `POST /sso/ajax/logout`: logs out, at all brokers.
async fn logout(session: SsoSession, body: web::Payload) -> Answer {
    let _: Map<String, Value> = own_json(&session, body).await?;
    relay(&session, session.logout().await)?;
    Ok(no_content())
}

/// `GET /sso/ajax/data`: the shared data.
async fn data(session: SsoSession) -> Answer {
    Ok(json(StatusCode::OK, &relay(&session, session.data().await)?))
}

/// `POST /sso/ajax/data`: merges into the shared data, key by key; `null` removes. All of them.
async fn set_data(session: SsoSession, body: web::Payload) -> Answer {
    let changes = own_json(&session, body).await?;
    Ok(json(StatusCode::OK, &relay(&session, session.merge_data(changes).await)?))
}

/// The JSON that a page of this site sent.
async fn own_json<T: DeserializeOwned>(session: &SsoSession, body: web::Payload) -> Result<T, AjaxError> {
    let request = session.http_request();
    // A browser that does not say so is none we know.
    if is_own_page(request, session.broker()) != Some(true) {
        return Err(AjaxError::ForeignPage);
    }
    // Nothing that a plain form can send; a script of another origin would have to ask first, and is not answered.
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(AjaxError::NotJson);
    }
    let bytes = body.to_bytes_limited(MAX_BODY).await.map_err(|_| AjaxError::TooLarge)?;
    serde_json::from_slice(&bytes.map_err(|_| AjaxError::Malformed)?).map_err(|_| AjaxError::Malformed)
}

/// The result of a call to the server. A token that is not honoured is forgotten: the script attaches anew.
fn relay<T>(session: &SsoSession, result: Result<T, RequestError>) -> Result<T, AjaxError> {
    result.map_err(|error| {
        if error.is_healable() {
            session.clear();
        }
        AjaxError::Request(error)
    })
}

fn refused(error: AjaxError) -> Answer {
    Err(error)
}

impl ResponseError for AjaxError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::UnknownCommand => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::ForeignPage => StatusCode::FORBIDDEN,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed | Self::Verify(_) => StatusCode::BAD_REQUEST,
            Self::Request(error) => status_of(error),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let only_redirect_helps = match self {
            Self::Verify(_) => true,
            Self::Request(error) => error.is_healable(),
            _ => false,
        };
        let attach = only_redirect_helps.then_some(AttachBy::Redirect);
        json(self.status_code(), &ApiError { attach, ..ApiError::new(self.to_string()) })
    }
}
