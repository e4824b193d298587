//! The base headers on every answer: pages, files, JSON, redirects, errors, also those of actix-web.

use std::sync::Arc;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    error::InternalError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap},
    },
    middleware::{Next, from_fn},
};
use sso_core::BaseHeaders;

use super::translate::header;

/// The layer that sets these headers, where an answer does not set them itself, for a site without [`Sso`](crate::Sso),
/// whose [`middleware`](crate::Sso::middleware) has them. Wrapped last, it is the outermost layer and sees every
/// answer.
pub fn base_headers<S, B>(
    headers: BaseHeaders,
) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<B>, Error = Error, InitError = ()>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let headers = Arc::new(headers);
    from_fn(move |request: ServiceRequest, next: Next<B>| {
        let headers = headers.clone();
        async move { with_headers(next.call(request).await, &headers) }
    })
}

/// The answer, or the error, with them.
pub(super) fn with_headers<B>(
    answer: Result<ServiceResponse<B>, Error>,
    headers: &BaseHeaders,
) -> Result<ServiceResponse<B>, Error> {
    match answer {
        Ok(mut answer) => {
            let status = answer.status();
            complete(answer.headers_mut(), headers, status);
            Ok(answer)
        }
        // Of a layer inside; its answer would be made outside of this one.
        Err(error) => {
            let mut answer = error.error_response();
            let status = answer.status();
            complete(answer.headers_mut(), headers, status);
            Err(InternalError::from_response(error, answer).into())
        }
    }
}

fn complete(answer: &mut HeaderMap, base: &BaseHeaders, status: StatusCode) {
    let content_type = answer.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let base = base.of_answer(status.as_u16(), content_type.as_deref());
    for (name, value) in base.filter_map(|(name, value)| header(name, value)) {
        if !answer.contains_key(&name) {
            answer.insert(name, value);
        }
    }
}
