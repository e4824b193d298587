//! Sends a request to a site and looks at the answer.

use actix_web::{
    App,
    http::{Method, StatusCode, header},
    test::{self, TestRequest},
};
use serde_json::Value;
use sso_core::Token;
use sso_server::{session::CookieValue, web::Site};
use url::form_urlencoded;

use crate::common::{Attached, World, key};

/// What `Accept` says of a browser that shows a page.
pub(crate) const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: String,
}

impl World {
    pub(crate) fn site(&self) -> Site {
        Site::new(self.server.clone())
    }

    pub(crate) async fn get(&self, uri: &str, headers: &[(&str, &str)]) -> Answer {
        send(self.site(), Method::GET, uri, headers, "").await
    }

    /// Posts an HTML form.
    pub(crate) async fn post(&self, uri: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        send(self.site(), Method::POST, uri, &[&[form], headers].concat(), body).await
    }

    /// Attaches a new token by redirect; with the session cookie that came of it.
    pub(crate) async fn attach_over_http(
        &self,
        broker: &'static str,
        cookie: Option<&str>,
    ) -> (Attached, Option<String>) {
        let token = Token::generate();
        let cookies = cookie.map(|value| ("Cookie", value));
        let answer = self.get(&attach_uri(broker, &token, ""), cookies.as_slice()).await;
        let code = answer.query("sso_verify").unwrap().parse().unwrap();
        (Attached { broker, token, code }, answer.cookie("__Host-sso_session"))
    }
}

pub(crate) async fn send(site: Site, method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let app = test::init_service(App::new().configure(site.routes())).await;
    let request = TestRequest::with_uri(uri).method(method).set_payload(body.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.append_header((*name, header::HeaderValue::from_bytes(value.as_bytes()).unwrap()))
    });
    let response = test::call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
    Answer { status, headers, body }
}

impl Answer {
    /// The header; empty if there is none. There must not be two.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).map(|value| value.to_str().unwrap());
        let first = values.next().unwrap_or_default();
        assert_eq!(values.next(), None, "{name} is there twice");
        first
    }

    pub(crate) fn json(&self) -> Value {
        assert!(self.header("Content-Type").starts_with("application/json"), "{}", self.header("Content-Type"));
        serde_json::from_str(&self.body).unwrap()
    }

    /// `name=value` of a cookie that it sets, for a `Cookie` header.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let pair = |line: &str| line.split(';').next().unwrap_or_default().to_owned();
        let mut pairs = self.headers.get_all("Set-Cookie").map(|line| pair(line.to_str().unwrap()));
        pairs.find(|pair| pair.split_once('=').is_some_and(|(found, _)| found == name))
    }

    pub(crate) fn sets_no_cookie(&self) -> bool {
        !self.headers.contains_key("Set-Cookie")
    }

    /// A parameter of the URL that it redirects to.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(self.header("Location")).ok()?;
        url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }

    /// The hidden token of the form that it shows.
    pub(crate) fn form_token(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"form_token\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// That it is a page which nobody frames, keeps, or runs foreign code in.
    pub(crate) fn is_safe_page(&self, form_targets: &str) {
        assert_eq!(self.header("Content-Type"), "text/html; charset=utf-8");
        assert_eq!(self.header("Cache-Control"), "no-store");
        assert_eq!(self.header("X-Content-Type-Options"), "nosniff");
        assert_eq!(self.header("X-Frame-Options"), "DENY");
        assert_eq!(self.header("Referrer-Policy"), "same-origin");
        let policy = self.header("Content-Security-Policy");
        let directives: Vec<_> = policy.split("; ").collect();
        let form_action = format!("form-action 'self'{form_targets}");
        for wanted in
            ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", &form_action]
        {
            assert!(directives.contains(&wanted), "{wanted} in {policy}");
        }
        assert!(!policy.contains("unsafe"));
    }
}

/// An attach query with the right checksum and the broker's own return URL. `extra` comes last.
pub(crate) fn attach_uri(broker: &str, token: &Token, extra: &str) -> String {
    let host = format!("https://{}.example/sso/return?state=s", broker.to_lowercase());
    format!("{}&{}{extra}", silent_uri(broker, token, ""), pair("return_url", &host))
}

/// The same without a return URL.
pub(crate) fn silent_uri(broker: &str, token: &Token, extra: &str) -> String {
    let checksum = key(broker).attach(token);
    format!("/attach?broker={broker}&token={}&checksum={}{extra}", token.as_str(), checksum.as_str())
}

pub(crate) fn pair(name: &str, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

/// The session cookie for a `Cookie` header.
pub(crate) fn session_cookie(value: &CookieValue) -> String {
    format!("__Host-sso_session={}", value.expose())
}
