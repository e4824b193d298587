//! The broker API when the session has ended, for brokers that attach anew and for those that cannot.

use reqwest::Method;
use serde_json::json;
use sso_tests::{
    Visitor,
    visitor::{Answer, send},
};

use crate::{
    api::{Api, JACKIE, check_form, is_error},
    peer::{Link, until},
};

const ENDED: &str = r#"{"error":"Session has expired. Client must attach with new token.","code":"session_ended"}"#;

async fn info_unattended(link: &Link) -> Answer {
    send(link.call(Method::GET, "/api/info").header("SSO-Activity", "none")).await
}

#[tokio::test]
async fn an_ended_session_says_so_and_its_logout_is_done() {
    let api = Api::start("idle_timeout = \"2s\"");
    let visitor = Visitor::new();
    let link = api.peer("Greg").log_in(&visitor, "jackie", "jackie123").await;
    until("the session ends", async || info_unattended(&link).await.status == 401).await;
    for (method, path) in [
        (Method::GET, "/api/info"),
        (Method::GET, "/api/data"),
        (Method::POST, "/api/data"),
        (Method::POST, "/api/login"),
    ] {
        let answer = send(link.call(method, path).form(&JACKIE)).await;
        check_form(&answer);
        assert_eq!((answer.status, answer.body.as_str()), (401, ENDED), "{path}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(link.post("/api/logout", &[]).await.status, 204);
    // The browser comes back with the same cookie: a new session, and the token counts as free.
    let again = api.peer("Greg").attach_token(&visitor, link.token.clone()).await;
    assert_ne!(again.code, link.code);
    assert_eq!(info_unattended(&again).await.status, 204);
    assert_eq!(link.get("/api/info").await.status, 403, "the old code is dead");
}

#[tokio::test]
async fn a_php_broker_is_logged_out_when_its_session_has_ended_and_can_log_in_again() {
    let api = Api::start("idle_timeout = \"2s\"");
    let link = api.link("Paula").await;
    assert_eq!(link.post("/api/login.php", &JACKIE).await.status, 200);
    send(link.call(Method::POST, "/api/data").json(&json!({ "secret": 1 }))).await;
    until("the session ends", async || info_unattended(&link).await.status == 204).await;
    // Ended, not only logged out: what is for brokers that can attach anew says so.
    assert_eq!(link.get("/api/data").await.status, 401);
    assert_eq!((link.get("/api/info").await.status, link.post("/api/logout.php", &[]).await.status), (204, 204));
    is_error(
        &link.post("/api/login.php", &[("username", "jackie"), ("password", "x")]).await,
        400,
        "Invalid credentials",
    );
    assert_eq!(link.post("/api/login.php", &JACKIE).await.status, 200);
    assert_eq!(link.user().await.as_deref(), Some("jackie"));
    assert_eq!(link.get("/api/data").await.json(), json!({}));
}

#[tokio::test]
async fn calls_without_a_person_behind_them_do_not_keep_a_session() {
    let api = Api::start("idle_timeout = \"3s\"");
    // Logged in: of another session the record goes when it ends, and nobody may see that it says so.
    let alice = api.peer("Alice");
    let watched = alice.log_in(&Visitor::new(), "jackie", "jackie123").await;
    let used = alice.log_in(&Visitor::new(), "jackie", "jackie123").await;
    until("the session that is only watched ends", async || {
        assert_eq!(used.get("/api/info").await.status, 200);
        info_unattended(&watched).await.status == 401
    })
    .await;
    assert_eq!(used.get("/api/info").await.status, 200);
}
