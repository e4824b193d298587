//! The broker API when a login has ended, for brokers that attach anew and for those that cannot.

use reqwest::Method;
use serde_json::json;
use sso_tests::{
    Visitor,
    visitor::{Answer, send},
};

use crate::{
    api::{Api, JACKIE, check_form, is_error, is_superseded},
    peer::{Link, until},
};

async fn info_unattended(link: &Link) -> Answer {
    send(link.call(Method::GET, "/api/info").header("SSO-Activity", "none")).await
}

/// How the last login ended, by a call that nobody is behind.
async fn ended(link: &Link) -> String {
    let answer = info_unattended(link).await;
    if answer.status == 204 { answer.header("SSO-Ended").to_owned() } else { answer.status.to_string() }
}

#[tokio::test]
async fn an_end_is_told_and_the_session_goes_on() {
    let api = Api::start("idle_timeout = \"2s\"");
    let visitor = Visitor::new();
    let link = api.peer("Greg").log_in(&visitor, "jackie", "jackie123").await;
    until("the login ends", async || ended(&link).await == "expired; n=2").await;
    for (method, status) in [(Method::GET, 200), (Method::POST, 200)] {
        let answer = send(link.call(method, "/api/data").form(&[("theme", "forest")])).await;
        check_form(&answer);
        assert_eq!(answer.status, status);
    }
    assert_eq!(link.post("/api/logout", &[]).await.status, 204);
    // The token has its link, and keeps its code.
    let again = api.peer("Greg").attach_token(&visitor, link.token.clone()).await;
    assert_eq!(again.code, link.code);
    // The browser logs in again, in the same session: what was attached before sees nothing of it.
    let anew = api.peer("Greg").log_in(&visitor, "jackie", "jackie123").await;
    is_superseded(&link.get("/api/info").await);
    assert_eq!(anew.user().await.as_deref(), Some("jackie"));
}

#[tokio::test]
async fn a_php_broker_is_told_nobody_after_an_end_and_can_log_in_again() {
    let api = Api::start("idle_timeout = \"2s\"");
    let link = api.link("Paula").await;
    assert_eq!(link.post("/api/login.php", &JACKIE).await.status, 200);
    send(link.call(Method::POST, "/api/data").json(&json!({ "secret": 1 }))).await;
    until("the login ends", async || ended(&link).await == "expired; n=2").await;
    assert_eq!(link.get("/api/data").await.json(), json!({}));
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
    let alice = api.peer("Alice");
    let watched = alice.log_in(&Visitor::new(), "jackie", "jackie123").await;
    let used = alice.log_in(&Visitor::new(), "jackie", "jackie123").await;
    until("the login that is only watched ends", async || {
        assert_eq!(used.get("/api/info").await.status, 200);
        info_unattended(&watched).await.status == 204
    })
    .await;
    assert_eq!(used.get("/api/info").await.status, 200);
}
