//! `/healthz`, `/readyz`, and what everybody is told when the store does not answer.

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use sso_core::Token;

use crate::{
    common::{Browser, World},
    http::{HTML, attach_uri, send, session_cookie, silent_uri},
};

const SORRY: &str = "The server is temporarily unavailable. Try again later.";

#[actix_web::test]
async fn ready_is_when_the_store_answers_and_healthy_is_always() {
    let world = World::new();
    assert_eq!(world.get("/healthz", &[]).await.status, StatusCode::OK);
    assert_eq!(world.get("/readyz", &[]).await.status, StatusCode::OK);
    world.store.fail_everything();
    assert_eq!(world.get("/healthz", &[]).await.status, StatusCode::OK);
    let ready = world.get("/readyz", &[]).await;
    assert_eq!((ready.status, ready.header("Retry-After")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    world.store.work_again();
    assert_eq!(world.get("/readyz", &[]).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn brokers_are_told_in_json() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    let bearer = link.authorization();
    let headers = [("Authorization", bearer.as_str())];
    for (method, path) in [
        (Method::GET, "/api/info"),
        (Method::POST, "/api/login"),
        (Method::POST, "/api/logout"),
        (Method::GET, "/api/data"),
        (Method::POST, "/api/data"),
    ] {
        world.store.fail_everything();
        let answer = send(world.site(), method.clone(), path, &headers, "username=jackie&password=jackie123").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.json(), json!({"error": SORRY}));
        assert_eq!(answer.header("Retry-After"), "5");
        world.store.work_again();
        let answer = send(world.site(), method, path, &headers, "username=jackie&password=jackie123").await;
        assert!(answer.status.is_success(), "{path}");
    }
}

#[actix_web::test]
async fn a_write_that_fails_changes_nothing() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    let bearer = link.authorization();
    let headers = [("Authorization", bearer.as_str())];
    world.store.fail_only("update");
    for (path, body) in [("/api/login", "username=jackie&password=jackie123"), ("/api/data", "a=b")] {
        let answer = world.post(path, &headers, body).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.json(), json!({"error": SORRY}));
    }
    world.store.work_again();
    assert_eq!(world.get("/api/info", &headers).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get("/api/data", &headers).await.json(), json!({}));
    assert_eq!(world.post("/api/data", &headers, "a=b").await.json(), json!({"a": "b"}));
}

#[actix_web::test]
async fn a_redirect_attach_takes_the_error_back_and_links_nothing() {
    let world = World::new();
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    let cookie = session_cookie(browser.cookie.as_ref().unwrap());
    // A browser that has no session, and one that has.
    for (call, headers) in [("insert", &[HTML][..]), ("link", &[HTML, ("Cookie", cookie.as_str())])] {
        let token = Token::generate();
        let uri = attach_uri("Alice", &token, "");
        world.store.fail_only(call);
        let answer = world.get(&uri, headers).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.query("sso_error").as_deref(), Some(SORRY));
        assert_eq!(answer.query("sso_verify"), None);
        assert!(answer.sets_no_cookie());
        world.store.work_again();
        let key = sso_server::session::LinkKey { broker: "Alice".parse().unwrap(), token };
        assert!(sso_server::Store::resolve(&world.store, &key).await.unwrap().is_none());
        assert!(world.get(&uri, headers).await.query("sso_verify").is_some());
    }
}

#[actix_web::test]
async fn a_silent_attach_is_told_in_its_own_way() {
    let world = World::new();
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    let cookie = session_cookie(browser.cookie.as_ref().unwrap());
    let json_headers = [("Origin", "https://ajax.example"), ("Cookie", cookie.as_str())];
    let jsonp_headers = [("Referer", "https://jsonp.example/"), ("Cookie", cookie.as_str())];
    let (ajax, jsonp) = (Token::generate(), Token::generate());

    world.store.fail_everything();
    let answer = world.get(&silent_uri("Ajax", &ajax, ""), &json_headers).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json(), json!({"code": 503, "message": SORRY}));
    assert_eq!(answer.header("Retry-After"), "5");
    assert_eq!(answer.header("Access-Control-Allow-Origin"), "https://ajax.example");
    let answer = world.get(&silent_uri("Jsonp", &jsonp, "&callback=f"), &jsonp_headers).await;
    assert_eq!(answer.body, format!("/**/f({{\"code\":503,\"message\":\"{SORRY}\"}}, 503);"));

    world.store.work_again();
    assert_eq!(world.get(&silent_uri("Ajax", &ajax, ""), &json_headers).await.status, StatusCode::OK);
    let answer = world.get(&silent_uri("Jsonp", &jsonp, "&callback=f"), &jsonp_headers).await;
    assert!(answer.body.starts_with("/**/f({\"verify\""));
}

#[actix_web::test]
async fn the_login_form_comes_back_when_the_store_fails() {
    let world = World::new();
    let page = world.get("/login", &[HTML]).await;
    let (cookie, token) = (page.cookie("__Host-sso_form").unwrap(), page.form_token());
    let body = format!("username=jackie&password=jackie123&form_token={token}");
    world.store.fail_everything();
    let answer = world.post("/login", &[("Cookie", &cookie)], &body).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    answer.is_safe_page("");
    assert!(answer.body.contains(SORRY) && !answer.body.contains("jackie123"));
    assert_eq!(answer.cookie("__Host-sso_session"), None);
    world.store.work_again();
    assert_eq!(world.post("/login", &[("Cookie", &cookie)], &body).await.status, StatusCode::SEE_OTHER);
}
