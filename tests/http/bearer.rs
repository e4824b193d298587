//! The broker API with no bearer token, or a bad one.

use reqwest::{Method, header::HeaderMap};
use sso_core::Token;
use sso_tests::{Visitor, visitor::send};

use crate::api::{Api, JACKIE, check_form, is_error};

#[tokio::test]
async fn without_a_bearer_token_the_answer_says_how_to_authenticate() {
    let api = Api::start("");
    let link = api.link("Alice").await;
    let url = |path: &str| format!("{}{path}", link.peer.server);
    let visitor = Visitor::new();
    for (method, path) in [
        (Method::GET, "info"),
        (Method::GET, "info.php"),
        (Method::POST, "login"),
        (Method::POST, "logout"),
        (Method::GET, "data"),
        (Method::POST, "data"),
    ] {
        for authorization in
            [None, Some("Basic amFja2llOmphY2tpZTEyMw=="), Some("Bearer"), Some(link.bearer().as_str())]
        {
            let request = visitor.request(method.clone(), &url(&format!("/api/{path}")));
            let answer =
                send(authorization.iter().fold(request, |request, value| request.header("Authorization", *value)))
                    .await;
            is_error(&answer, 401, "Broker didn't use bearer authentication");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    // The scheme's case does not matter.
    let request = visitor.request(Method::GET, &url("/api/info"));
    assert_eq!(send(request.header("Authorization", format!("bearer {}", link.bearer()))).await.status, 204);
}

#[tokio::test]
async fn the_four_ways_to_be_not_attached_cannot_be_told_apart() {
    let api = Api::start("");
    let link = api.link("Alice").await;
    let never_attached = Token::generate();
    let checksum = link.checksum();
    let bearers = [
        "nonsense".to_owned(),
        format!("SSO-Alice-short-{}", checksum.as_str()),
        format!("SSO-Nobody-{}-{}", link.token.as_str(), checksum.as_str()),
        format!("SSO-Alice-{}-{}", never_attached.as_str(), checksum.as_str()),
        format!("SSO-Alice-{}-{}", link.token.as_str(), "0".repeat(50)),
        format!("SSO-Greg-{}-{}", link.token.as_str(), checksum.as_str()),
    ];
    let visible = |mut headers: HeaderMap| {
        headers.remove("date");
        // Whether the connection stays open depends on how much of the body had come when the answer was written.
        headers.remove("connection");
        headers
    };
    let visitor = Visitor::new();
    for (method, path) in [
        (Method::GET, "/api/info"),
        (Method::POST, "/api/login"),
        (Method::POST, "/api/logout"),
        (Method::GET, "/api/data"),
        (Method::POST, "/api/data"),
    ] {
        let mut first = None;
        for bearer in &bearers {
            let request = visitor.request(method.clone(), &format!("{}{path}", link.peer.server)).bearer_auth(bearer);
            let answer = send(request.form(&JACKIE)).await;
            check_form(&answer);
            let seen = (answer.status, visible(answer.headers), answer.body);
            assert_eq!(
                (seen.0, seen.2.as_str()),
                (403, r#"{"error":"Invalid or expired bearer token","code":"not_attached"}"#)
            );
            assert_eq!(first.get_or_insert_with(|| seen.clone()), &seen, "{path} {bearer}");
        }
    }
    assert_eq!(link.user().await, None);
}
