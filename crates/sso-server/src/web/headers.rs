//! The one layer that puts the base headers on every answer: pages, files, JSON, redirects, errors, also those of actix-web.

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    sync::Arc,
};

use actix_web::{
    Error,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    error::InternalError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    },
};
use sso_core::BaseHeaders;

/// What [`Site::headers`](super::Site::headers) makes, for `App::wrap`.
#[derive(Clone, Debug)]
pub struct HeadersLayer(Arc<BaseHeaders>);

impl HeadersLayer {
    /// Sets these headers, where an answer does not set them itself. Wrapped last, it is the outermost layer and sees every answer.
    pub fn new(headers: BaseHeaders) -> Self {
        Self(Arc::new(headers))
    }
}

/// The layer inside an app.
#[doc(hidden)]
pub struct HeadersService<S> {
    inner: S,
    headers: Arc<BaseHeaders>,
}

impl<S, B> Transform<S, ServiceRequest> for HeadersLayer
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = HeadersService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(HeadersService { inner, headers: self.0.clone() }))
    }
}

impl<S, B> Service<ServiceRequest> for HeadersService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (headers, answer) = (self.headers.clone(), self.inner.call(request));
        Box::pin(async move {
            match answer.await {
                Ok(mut answer) => {
                    let status = answer.status();
                    complete(answer.headers_mut(), &headers, status);
                    Ok(answer)
                }
                // Of a layer inside; its answer would be made outside of this one.
                Err(error) => {
                    let mut answer = error.error_response();
                    let status = answer.status();
                    complete(answer.headers_mut(), &headers, status);
                    Err(InternalError::from_response(error, answer).into())
                }
            }
        })
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
