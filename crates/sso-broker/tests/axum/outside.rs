//! Without the layer.

use axum::{Router, routing::get};
use sso_broker::{RequestError, SsoSession, Visitor, site::LogoutRefused};

async fn ask(path: &str) -> (u16, String) {
    let app = Router::new()
        .route("/session", get(async |_: SsoSession| ""))
        .route("/visitor", get(async |_: Visitor| ""))
        .route("/call", get(async || Err::<(), _>(RequestError::NotAttached)))
        .route("/logout", get(async || Err::<(), _>(LogoutRefused::from(RequestError::UserNotAllowed))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn extractors_say_that_it_is_missing() {
    for path in ["/session", "/visitor"] {
        assert_eq!(ask(path).await, (500, "the SSO middleware is not wrapped around this handler".to_owned()));
    }
}

#[tokio::test]
async fn errors_are_answered_as_to_a_script() {
    let not_attached = r#"{"error":"the visitor is not attached to a session","attach":"redirect"}"#;
    assert_eq!(ask("/call").await, (401, not_attached.to_owned()));
    let (status, body) = ask("/logout").await;
    assert!(status == 403 && body.contains(r#""code":"user_not_allowed""#), "{body}");
}
