//! Around every request: gives it its scope, writes the cookies it changed, answers its SSO errors, and completes its headers.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
};

use actix_web::{
    Error, HttpMessage,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::InternalError,
    http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, SET_COOKIE},
};

use super::{
    FormRefused, HeadersLayer, LogoutUnverified, ProblemKind, Sso, SsoSession, answer::page, asker::reads_pages,
    failure, headers::HeadersService, session::RequestScope, tokens::written,
};
use crate::RequestError;

/// What [`Sso::middleware`] makes.
pub struct SsoMiddleware {
    sso: Sso,
}

/// The middleware inside an app.
#[doc(hidden)]
pub struct SsoService<S> {
    inner: S,
    sso: Sso,
}

impl SsoMiddleware {
    pub(super) fn new(sso: Sso) -> Self {
        Self { sso }
    }
}

impl<S, B> Transform<S, ServiceRequest> for SsoMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = HeadersService<SsoService<S>>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        HeadersLayer::new(self.sso.headers.clone()).new_transform(SsoService { inner, sso: self.sso.clone() })
    }
}

impl<S, B> Service<ServiceRequest> for SsoService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if let Some(answer) = self.sso.answer_in_place(request.request()) {
            return Box::pin(ready(Ok(request.into_response(answer).map_into_right_body())));
        }
        let scope = Rc::new(RequestScope::new(self.sso.clone()));
        request.extensions_mut().insert(scope.clone());
        let response = self.inner.call(request);
        Box::pin(async move {
            let mut response = match response.await {
                Ok(response) => answer_errors(response),
                Err(error) => return Err(with_cookies(error, &scope)),
            };
            write_cookies(response.headers_mut(), &scope);
            Ok(response)
        })
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
    } else if error.as_error::<FormRefused>().is_some() && reads_pages(session.http_request()) {
        let retry = failure::retry_page(&session).as_str().to_owned();
        page(session.sso(), ProblemKind::FormRefused, None, retry)
    } else if error.as_error::<LogoutUnverified>().is_some() && reads_pages(session.http_request()) {
        failure::ask_for_logout(&session)
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
