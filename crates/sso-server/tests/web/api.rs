//! The broker API: the table of good calls, in every form that brokers send them.

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use sso_server::clock::Clock;

use crate::{
    common::{Attached, Browser, HOUR, World, ticked},
    http::{Answer, send, session_cookie},
};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const JACKIE: &str = "username=jackie&password=jackie123";

async fn two_brokers(world: &World) -> (Browser, Attached, Attached) {
    let mut browser = Browser::default();
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    (browser, alice, greg)
}

async fn call(
    world: &World,
    link: &Attached,
    method: Method,
    path: &str,
    extra: &[(&str, &str)],
    body: &str,
) -> Answer {
    let bearer = link.authorization();
    let answer = send(world.site(), method, path, &[&[("Authorization", bearer.as_str())], extra].concat(), body).await;
    assert!(answer.sets_no_cookie(), "a bearer answer never sets a cookie");
    assert_eq!(answer.header("Cache-Control"), "no-store");
    assert_eq!(answer.header("X-Content-Type-Options"), "nosniff");
    answer
}

async fn info(world: &World, link: &Attached) -> Answer {
    call(world, link, Method::GET, "/api/info", &[], "").await
}

#[actix_web::test]
async fn info_is_the_user_or_nothing() {
    let world = World::new();
    let (mut browser, alice, _) = two_brokers(&world).await;
    let nobody = info(&world, &alice).await;
    assert_eq!((nobody.status, nobody.body.as_str()), (StatusCode::NO_CONTENT, ""));
    world.log_in(&mut browser, "jackie").await;
    let superseded = info(&world, &alice).await;
    assert_eq!((superseded.status, &superseded.json()["code"]), (StatusCode::FORBIDDEN, &json!("superseded")));
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    for link in [&alice, &greg] {
        let user = info(&world, link).await;
        assert_eq!(user.status, StatusCode::OK);
        assert_eq!(user.json(), json!({"username": "jackie", "email": "jackie@example.com"}));
    }
}

#[actix_web::test]
async fn bearer_answers_carry_no_cookie_even_if_the_caller_sends_one() {
    let world = World::new();
    let (browser, alice, _) = two_brokers(&world).await;
    let cookie = session_cookie(browser.cookie.as_ref().unwrap());
    for (method, path, body) in [
        (Method::GET, "/api/info", ""),
        (Method::POST, "/api/login", JACKIE),
        (Method::GET, "/api/data", ""),
        (Method::POST, "/api/data", "a=b"),
        (Method::POST, "/api/logout", ""),
    ] {
        let answer = call(&world, &alice, method, path, &[("Cookie", &cookie)], body).await;
        assert!(answer.status.is_success(), "{path}");
        let text = format!("{:?} {}", answer.headers, answer.body);
        assert!(!text.contains(browser.cookie.as_ref().unwrap().expose()));
    }
    // And a cookie alone opens nothing.
    let answer = world.get("/api/info", &[("Cookie", &cookie)]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.sets_no_cookie());
}

#[actix_web::test]
async fn a_login_is_a_form_or_json() {
    let world = World::new();
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", JACKIE),
        ("application/json", r#"{"username":"jackie","password":"jackie123"}"#),
        ("application/json; charset=utf-8", r#"{"password":"jackie123","username":"jackie","more":1}"#),
    ] {
        let (_, alice, greg) = two_brokers(&world).await;
        let user = call(&world, &alice, Method::POST, "/api/login", &[("Content-Type", content_type)], body).await;
        assert_eq!(user.status, StatusCode::OK, "{content_type}");
        assert_eq!(user.json()["username"], "jackie");
        assert_eq!(info(&world, &alice).await.json()["username"], "jackie");
        assert_eq!(info(&world, &greg).await.json()["code"], "superseded", "it attaches anew");
    }
}

#[actix_web::test]
async fn wrong_credentials_are_one_answer() {
    let world = World::new();
    let (_, alice, _) = two_brokers(&world).await;
    for body in ["username=jackie&password=no", "username=nobody&password=jackie123", "username=&password="] {
        let answer = call(&world, &alice, Method::POST, "/api/login", &[], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.body, r#"{"error":"Invalid credentials"}"#);
    }
    assert_eq!(info(&world, &alice).await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(&world, &alice, Method::POST, "/api/login", &[], JACKIE).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_broker_that_may_not_log_in_is_told_so() {
    let world = World::new();
    let (_, _, greg) = two_brokers(&world).await;
    let answer = call(&world, &greg, Method::POST, "/api/login", &[], JACKIE).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.json()["error"].is_string());
    assert!(answer.json().get("code").is_none(), "a new token would not help");
}

#[actix_web::test]
async fn a_logout_needs_no_body_no_type_and_no_length() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    for extra in [&[][..], &[JSON], &[("Content-Type", "nonsense")]] {
        let answer = call(&world, &alice, Method::POST, "/api/logout", extra, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
    }
    for link in [&alice, &greg] {
        assert_eq!(info(&world, link).await.status, StatusCode::NO_CONTENT);
    }
}

#[actix_web::test]
async fn data_is_shared_and_merged() {
    let world = World::new();
    let (_, alice, greg) = two_brokers(&world).await;
    assert_eq!(call(&world, &alice, Method::GET, "/api/data", &[], "").await.json(), json!({}));
    let merged = call(&world, &alice, Method::POST, "/api/data", &[JSON], r#"{"theme":"forest","n":{"a":1}}"#).await;
    assert_eq!((merged.status, merged.json()), (StatusCode::OK, json!({"theme": "forest", "n": {"a": 1}})));
    let merged = call(&world, &greg, Method::POST, "/api/data", &[JSON], r#"{"n":null}"#).await;
    assert_eq!(merged.json(), json!({"theme": "forest"}));
    let merged = call(&world, &greg, Method::POST, "/api/data", &[], "theme=oc%C3%A9an&x=1").await;
    assert_eq!(merged.json(), json!({"theme": "océan", "x": "1"}));
    assert_eq!(call(&world, &alice, Method::GET, "/api/data", &[], "").await.json(), merged.json());
}

/// How the last login ended, as `info` says: the header, and how a browser that is remembered is told.
fn ended(answer: &Answer) -> (&str, bool) {
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
    (answer.header("SSO-Ended"), answer.header("SSO-Resume") == "1")
}

#[actix_web::test]
async fn who_saw_a_login_is_told_how_it_ended() {
    let world = World::new();
    let mut browser = Browser::default();
    let before = world.attach(&mut browser, "Greg").await;
    world.log_in(&mut browser, "jackie").await;
    let (alice, php) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Php").await);
    assert_eq!(info(&world, &alice).await.header("SSO-Ended"), "");
    world.advance(HOUR / 2);
    for link in [&alice, &php] {
        assert_eq!(ended(&info(&world, link).await), ("expired; n=2", false));
        let status = call(&world, link, Method::GET, "/api/session", &[], "").await.json();
        // 20 minutes, and half a minute by which use is coarse.
        assert_eq!(status["ended"], json!({"reason": "expired", "n": 2, "seconds_ago": 9 * 60 + 29}));
        assert_eq!((&status["authenticated"], &status["auth_time"]), (&json!(false), &json!(null)));
    }
    assert_eq!(ended(&info(&world, &before).await), ("", false), "it never saw that login");
    let after = world.attach(&mut browser, "Greg").await;
    assert_eq!(ended(&info(&world, &after).await), ("", false), "nor did this one");

    // Logged in and out again: the brokers that came to it are told of that.
    world.log_in(&mut browser, "jackie").await;
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    let status = call(&world, &alice, Method::GET, "/api/session", &[], "").await.json();
    assert_eq!(status["auth_time"], json!(world.clock.now().as_secs()));
    let out = call(&world, &greg, Method::POST, "/api/logout", &[], "").await;
    assert_eq!(ended(&out), ("logged-out; n=4", false));
    assert_eq!(ended(&info(&world, &alice).await), ("logged-out; n=4", false));
    // An operator's end.
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    world.server.end_user("jackie").await.unwrap();
    assert_eq!(ended(&info(&world, &alice).await), ("revoked; n=6", false));
}

#[actix_web::test]
async fn a_broker_is_told_nothing_of_a_login_that_it_may_not_see() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "john").await;
    let (club, alice) = (world.attach(&mut browser, "Club").await, world.attach(&mut browser, "Alice").await);
    assert_eq!(info(&world, &club).await.json()["code"], "user_not_allowed");
    world.broker_log_out(&alice).await.unwrap();
    assert_eq!(ended(&info(&world, &club).await), ("", false));
    assert_eq!(ended(&info(&world, &alice).await), ("logged-out; n=2", false));
}

#[actix_web::test]
async fn after_an_expiry_a_remembered_browser_may_come_back() {
    let world = World::new();
    let visit = world.server.log_in(None, &ticked("jackie")).await.unwrap();
    let mut browser = Browser { cookie: visit.set_cookie };
    let (alice, greg) = (world.attach(&mut browser, "Alice").await, world.attach(&mut browser, "Greg").await);
    assert_eq!(info(&world, &alice).await.header("SSO-Resume"), "");
    world.advance(HOUR / 2);
    for link in [&alice, &greg] {
        assert_eq!(ended(&info(&world, link).await), ("expired; n=2", true));
    }
    // A logout after it has the browser forgotten; how the login ended stays.
    call(&world, &greg, Method::POST, "/api/logout", &[], "").await;
    assert_eq!(ended(&info(&world, &alice).await), ("expired; n=2", false));
}

#[actix_web::test]
async fn after_an_end_the_form_of_a_broker_works_at_once() {
    for broker in ["Alice", "Php"] {
        let world = World::new();
        let mut browser = Browser::default();
        world.log_in(&mut browser, "jackie").await;
        let link = world.attach(&mut browser, broker).await;
        world.advance(HOUR / 2);
        for (method, path, body) in [(Method::GET, "/api/data", ""), (Method::POST, "/api/data", "a=b")] {
            assert_eq!(call(&world, &link, method, path, &[], body).await.status, StatusCode::OK, "{path}");
        }
        let user = call(&world, &link, Method::POST, "/api/login", &[], JACKIE).await;
        assert_eq!(user.json()["username"], "jackie");
        assert_eq!(info(&world, &link).await.json()["username"], "jackie");
    }
}

#[actix_web::test]
async fn a_superseded_link_changes_nothing() {
    let world = World::new();
    let (mut browser, alice, _) = two_brokers(&world).await;
    world.log_in(&mut browser, "jackie").await;
    for (method, path, body) in [
        (Method::GET, "/api/info", ""),
        (Method::POST, "/api/login", "username=john&password=jackie123"),
        (Method::POST, "/api/logout", ""),
        (Method::GET, "/api/data", ""),
        (Method::POST, "/api/data", "a=b"),
        (Method::GET, "/api/session", ""),
        (Method::POST, "/api/session/keepalive", ""),
        (Method::POST, "/api/token", ""),
    ] {
        let refused = call(&world, &alice, method, path, &[], body).await;
        assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::FORBIDDEN, &json!("superseded")), "{path}");
    }
    let anew = world.attach(&mut browser, "Alice").await;
    assert_eq!(info(&world, &anew).await.json()["username"], "jackie", "nobody was logged out, nor somebody else in");
}

#[actix_web::test]
async fn a_call_says_whether_a_person_is_behind_it() {
    let world = World::new();
    let (_, alice, _) = two_brokers(&world).await;
    world.advance(HOUR / 4);
    for (value, touches) in [("none", false), ("NONE", false), ("person", true)] {
        world.store.calls();
        call(&world, &alice, Method::GET, "/api/info", &[("SSO-Activity", value)], "").await;
        assert_eq!(world.store.calls().contains(&"touch"), touches, "{value}");
    }
}

#[actix_web::test]
async fn a_key_given_twice_is_refused_in_json_too() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    let bearer = link.authorization();
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let twice = r#"{"username":"john","username":"jackie","password":"jackie123"}"#;
    let refused = send(world.site(), Method::POST, "/api/login", &headers, twice).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.json()["error"].as_str().unwrap().contains("`username` is given twice"), "{}", refused.body);
    let once = r#"{"username":"jackie","password":"jackie123"}"#;
    assert_eq!(send(world.site(), Method::POST, "/api/login", &headers, once).await.status, StatusCode::OK);
}
