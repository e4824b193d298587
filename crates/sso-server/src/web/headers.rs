//! The one layer that puts the base headers on every answer: pages, files, JSON, redirects, errors, also those of
//! actix-web.

use std::sync::Arc;

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use sso_core::BaseHeaders;

/// Sets these headers, where an answer does not set them itself.
pub(super) async fn with_base_headers<B: MessageBody>(
    base: Arc<BaseHeaders>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    match next.call(request).await {
        Ok(mut answer) => {
            let status = answer.status();
            complete(answer.headers_mut(), &base, status);
            Ok(answer)
        }
        // Of a layer inside; its answer would be made outside of this one.
        Err(error) => {
            let mut answer = error.error_response();
            let status = answer.status();
            complete(answer.headers_mut(), &base, status);
            Err(InternalError::from_response(error, answer).into())
        }
    }
}

fn complete(answer: &mut HeaderMap, base: &BaseHeaders, status: StatusCode) {
    let content_type = answer.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    for (name, value) in base.of_answer(status.as_u16(), content_type.as_deref()) {
        let name = HeaderName::from_static(name);
        match HeaderValue::from_str(value) {
            Ok(value) if !answer.contains_key(&name) => answer.insert(name, value),
            Ok(_) => continue,
            Err(_) => {
                tracing::error!(%name, "a header cannot be written");
                continue;
            }
        };
    }
}
