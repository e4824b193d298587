//! Requests and answers, from actix-web and to it.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};

use crate::{
    RequestError, ServiceError,
    site::{Answer, FormRefused, HandlerError, LogoutRefused, MissingMiddleware, Request},
};

pub(super) fn request_of(request: &HttpRequest) -> Request {
    // HTTP/2 has no `Host`, and where both are there the target counts (RFC 9112, section 3.2.2).
    let host = request.uri().authority().map(|host| ("host", host.as_str().as_bytes()));
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = host.into_iter().chain(headers);
    let path_and_query = request.uri().path_and_query().map_or("/", |page| page.as_str());
    Request::new(request.method().as_str(), path_and_query, headers)
}

pub(super) fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let header = name.parse().ok().zip(value.parse().ok());
    if header.is_none() {
        tracing::error!(name, "a header cannot be written");
    }
    header
}

impl From<Answer> for HttpResponse {
    fn from(answer: Answer) -> Self {
        let mut response = HttpResponse::build(status(answer.status));
        for header in answer.headers.iter().filter_map(|(name, value)| header(name, value)) {
            response.append_header(header);
        }
        if answer.body.is_empty() { response.finish() } else { response.body(answer.body) }
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl ResponseError for MissingMiddleware {}

/// The answer outside the middleware; inside, it knows more.
impl ResponseError for HandlerError {
    fn status_code(&self) -> StatusCode {
        status(self.json().status)
    }

    fn error_response(&self) -> HttpResponse {
        self.json().into()
    }
}

macro_rules! as_handler_error {
    ($($error:ty),+) => {$(
        impl ResponseError for $error {
            fn status_code(&self) -> StatusCode {
                HandlerError::from(self.clone()).status_code()
            }

            fn error_response(&self) -> HttpResponse {
                HandlerError::from(self.clone()).error_response()
            }
        }
    )+};
}

as_handler_error!(RequestError, FormRefused, LogoutRefused);

/// Of another service, and so none of the middleware's: the visitor's login is as it was.
impl ResponseError for ServiceError {
    fn status_code(&self) -> StatusCode {
        StatusCode::BAD_GATEWAY
    }

    fn error_response(&self) -> HttpResponse {
        self.json().into()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_name_in_the_target_counts() {
        let request = |uri: &str| TestRequest::default().uri(uri).insert_header(("Host", "b")).to_http_request();
        assert_eq!(request_of(&request("http://a/page?x")).header("host"), Some("a"));
        assert_eq!(request_of(&request("http://a/page?x")).path_and_query(), "/page?x");
        assert_eq!(request_of(&request("/page")).header("host"), Some("b"));
    }
}
