//! Around every request: gives it its scope, writes the cookies it changed, answers its SSO errors, and completes its headers.

use std::rc::Rc;

use actix_web::{
    Error, HttpMessage,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, SET_COOKIE},
    middleware::Next,
};

use super::{FormRefused, LogoutRefused, Sso, SsoSession, failure, sent_form, session::RequestScope, tokens::written};
use crate::RequestError;

/// Serves a request inside [`Sso::middleware`].
pub(super) async fn serve<B: MessageBody + 'static>(
    sso: &Sso,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if let Some(answer) = sso.answer_in_place(request.request()) {
        return Ok(request.into_response(answer).map_into_right_body());
    }
    let form = sent_form::read(&mut request, sso.broker.public_url()).await?;
    let scope = Rc::new(RequestScope::new(sso.clone(), form));
    request.extensions_mut().insert(scope.clone());
    match next.call(request).await {
        Ok(response) => {
            let mut response = answer_errors(response);
            write_cookies(response.headers_mut(), &scope);
            Ok(response)
        }
        Err(error) => Err(with_cookies(error, &scope)),
    }
}

/// The error of a middleware inside, with the cookies that the request changed: it may be the redirect of a visitor to the server. Its
/// answer is its own, for the request that another one would be made for is gone.
fn with_cookies(error: Error, scope: &RequestScope) -> Error {
    if scope.cookies.borrow().is_empty() {
        return error;
    }
    let mut answer = error.error_response();
    write_cookies(answer.headers_mut(), scope);
    InternalError::from_response(error, answer).into()
}

/// Puts an answer that suits the asker in place of an SSO error that a handler returned.
fn answer_errors<B: MessageBody>(response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
    let (Some(error), Ok(session)) = (response.response().error(), SsoSession::of(response.request())) else {
        return response.map_into_left_body();
    };
    let answer = if let Some(error) = error.as_error::<RequestError>() {
        failure::failed_call(&session, error)
    } else if let Some(error) = error.as_error::<FormRefused>() {
        failure::refused_form(&session, error)
    } else if let Some(LogoutRefused(error)) = error.as_error::<LogoutRefused>() {
        failure::refused_logout(&session, error)
    } else {
        return response.map_into_left_body();
    };
    response.into_response(answer).map_into_right_body()
}

fn write_cookies(headers: &mut HeaderMap, scope: &RequestScope) {
    let is_https = scope.sso.broker.public_url().scheme() == "https";
    for (key, change) in scope.cookies.borrow().iter() {
        match HeaderValue::from_str(&written(key, change.as_ref(), is_https)) {
            Ok(cookie) => headers.append(SET_COOKIE, cookie),
            Err(_) => tracing::error!(key, "a cookie cannot be written"),
        }
        // What sets a visitor's cookie is for this visitor, whatever the application says of caches.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
