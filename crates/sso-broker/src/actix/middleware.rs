//! Around every request: begins it, writes what it changed, and answers its SSO errors.

use std::collections::BTreeMap;

use actix_session::SessionExt;
use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::{ErrorPayloadTooLarge, InternalError},
    http::header::{HeaderMap, SET_COOKIE},
    middleware::Next,
    web,
};

use super::{
    extract::session_of,
    translate::{header, request_of},
};
use crate::{
    RequestError, Sso, SsoSession,
    site::{FormRefused, HandlerError, LogoutRefused, store::Storage},
};

/// Serves a request inside [`Sso::middleware`].
pub(super) async fn serve<B: MessageBody + 'static>(
    sso: &Sso,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let parts = request_of(request.request());
    let form = if sso.keeps_form(&parts) { copy_of_body(&mut request).await? } else { Vec::new() };
    let kept = matches!(sso.storage, Storage::Session).then(|| request.get_session());
    let entries = kept.as_ref().map(entries_of);
    let session = match sso.begin_in(parts, form, entries) {
        Ok(session) => session,
        Err(answer) => return Ok(request.into_response(HttpResponse::from(answer)).map_into_right_body()),
    };
    request.extensions_mut().insert(session.clone());
    let result = next.call(request).await.map(answer_errors);
    if let Some(kept) = kept {
        write_entries(&kept, &session);
    }
    match result {
        Ok(mut response) => {
            write_headers(response.headers_mut(), &session);
            Ok(response)
        }
        Err(error) => Err(with_headers(error, &session)),
    }
}

/// The body, which the handler reads all the same.
async fn copy_of_body(request: &mut ServiceRequest) -> Result<Vec<u8>, Error> {
    // As `Bytes` it would be read by the application's own limits, which are for its own bodies.
    let body = request.extract::<web::Payload>().await?.to_bytes_limited(Sso::MAX_FORM).await;
    let body = body.map_err(ErrorPayloadTooLarge)??;
    request.set_payload(Payload::from(body.clone()));
    Ok(body.to_vec())
}

/// The error of a middleware inside, with the cookies that the request changed: it may be the redirect of a visitor to
/// the server. Its answer is its own, for the request that another one would be made for is gone.
fn with_headers(error: Error, session: &SsoSession) -> Error {
    if session.header_changes().is_empty() {
        return error;
    }
    let mut answer = error.error_response();
    write_headers(answer.headers_mut(), session);
    InternalError::from_response(error, answer).into()
}

/// Puts an answer that suits the request in place of an SSO error that a handler returned.
fn answer_errors<B: MessageBody>(response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
    let error = response.response().error().and_then(handler_error);
    let (Some(error), Ok(session)) = (error, session_of(response.request())) else {
        return response.map_into_left_body();
    };
    response.into_response(HttpResponse::from(session.error_answer(&error))).map_into_right_body()
}

fn handler_error(error: &Error) -> Option<HandlerError> {
    let any = error.as_error::<HandlerError>().cloned();
    let call = || error.as_error::<RequestError>().cloned().map(HandlerError::from);
    let form = || error.as_error::<FormRefused>().cloned().map(HandlerError::from);
    let logout = || error.as_error::<LogoutRefused>().cloned().map(HandlerError::from);
    any.or_else(call).or_else(form).or_else(logout)
}

fn write_headers(headers: &mut HeaderMap, session: &SsoSession) {
    for (name, value) in session.header_changes().iter().filter_map(|(name, value)| header(name, value)) {
        if name == SET_COOKIE {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
}

/// The texts in a visitor's actix-session.
fn entries_of(kept: &actix_session::Session) -> BTreeMap<String, String> {
    let keys: Vec<String> = kept.entries().keys().cloned().collect();
    keys.into_iter().filter_map(|key| Some((kept.get(&key).ok()??, key))).map(|(text, key)| (key, text)).collect()
}

fn write_entries(kept: &actix_session::Session, session: &SsoSession) {
    for (key, change) in session.entry_changes() {
        match change.map(|text| kept.insert(&key, text)) {
            Some(Err(error)) => tracing::error!(%error, "a visitor's token cannot be kept in the session"),
            Some(Ok(())) => {}
            None => drop(kept.remove(&key)),
        }
    }
}
