//! Requests and answers, from axum and to it.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};

use crate::{
    RequestError, ServiceError,
    site::{Answer, FormRefused, HandlerError, LogoutRefused, MissingMiddleware, Request},
};

pub(super) fn request_of(parts: &Parts) -> Request {
    // HTTP/2 has no `Host`, and where both are there the target counts (RFC 9112, section 3.2.2).
    let host = parts.uri.authority().map(|host| ("host", host.as_str().as_bytes()));
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = host.into_iter().chain(headers);
    let path_and_query = parts.uri.path_and_query().map_or("/", |page| page.as_str());
    Request::new(parts.method.as_str(), path_and_query, headers)
}

pub(super) fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let header = name.parse().ok().zip(value.parse().ok());
    if header.is_none() {
        tracing::error!(name, "a header cannot be written");
    }
    header
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body.into());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers.iter().filter_map(|(name, value)| header(name, value)) {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// With the error beside the answer, for the layer, which knows more of the request.
impl IntoResponse for HandlerError {
    fn into_response(self) -> Response {
        let mut response = self.json().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        HandlerError::from(self).into_response()
    }
}

impl IntoResponse for FormRefused {
    fn into_response(self) -> Response {
        HandlerError::from(self).into_response()
    }
}

impl IntoResponse for LogoutRefused {
    fn into_response(self) -> Response {
        HandlerError::from(self).into_response()
    }
}

/// Of another service, and so none of the layer's: the visitor's login is as it was.
impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        self.json().into_response()
    }
}

impl IntoResponse for MissingMiddleware {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_the_target_counts() {
        let parts =
            |uri: &str| axum::http::Request::builder().uri(uri).header("Host", "b").body(()).unwrap().into_parts().0;
        assert_eq!(request_of(&parts("http://a/page?x")).header("host"), Some("a"));
        assert_eq!(request_of(&parts("http://a/page?x")).path_and_query(), "/page?x");
        assert_eq!(request_of(&parts("/page")).header("host"), Some("b"));
    }
}
