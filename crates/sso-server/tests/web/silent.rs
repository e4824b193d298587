//! Silent attach, by JSON with CORS and by JSONP (threat: a page of anyone reads the code).

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use sso_core::Token;

use crate::{
    common::{Attached, Browser, World, key},
    http::{Answer, HTML, send, session_cookie, silent_uri},
};

const AJAX: (&str, &str) = ("Origin", "https://ajax.example");
const JSONP: (&str, &str) = ("Referer", "https://jsonp.example/page");

/// A browser whose session was started by a redirect, and its cookie for a header.
async fn visitor(world: &World) -> (Browser, String) {
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    world.log_in(&mut browser, "jackie").await;
    let cookie = session_cookie(browser.cookie.as_ref().unwrap());
    (browser, cookie)
}

fn carries_no_cors(answer: &Answer) {
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{:?}", answer.headers);
}

fn is_never_kept(answer: &Answer) {
    assert_eq!(answer.header("Cache-Control"), "no-store");
    assert_eq!(answer.header("X-Content-Type-Options"), "nosniff");
    assert!(answer.sets_no_cookie());
}

#[actix_web::test]
async fn json_joins_the_session_of_the_browser() {
    let world = World::new();
    let (_, cookie) = visitor(&world).await;
    let token = Token::generate();
    let answer =
        world.get(&silent_uri("Ajax", &token, ""), &[AJAX, ("Cookie", &cookie), ("Accept", "application/json")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), "https://ajax.example");
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), "true");
    assert_eq!(answer.header("Vary"), "Origin");
    is_never_kept(&answer);
    let code = answer.json()["verify"].as_str().unwrap().parse().unwrap();
    let link = Attached { broker: "Ajax", token, code };
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
}

#[actix_web::test]
async fn jsonp_joins_the_session_of_the_browser() {
    let world = World::new();
    let (_, cookie) = visitor(&world).await;
    let token = Token::generate();
    let answer = world.get(&silent_uri("Jsonp", &token, "&callback=cb"), &[JSONP, ("Cookie", &cookie)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("Content-Type"), "application/javascript");
    is_never_kept(&answer);
    let code = answer.body.strip_prefix("/**/cb({\"verify\":\"").and_then(|rest| rest.strip_suffix("\"}, 200);"));
    let link = Attached { broker: "Jsonp", token, code: code.unwrap().parse().unwrap() };
    assert_eq!(answer.body, format!("/**/cb({{\"verify\":\"{}\"}}, 200);", link.code.as_str()));
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
}

#[actix_web::test]
async fn a_silent_attach_says_whose_page_asks() {
    let world = World::new();
    let (_, cookie) = visitor(&world).await;
    let cookie = ("Cookie", cookie.as_str());
    let (origin, referer) = ("Domain of origin is not allowed", "Domain of referer is not allowed");
    for (headers, message) in [
        (vec![cookie], origin),
        (vec![cookie, ("Origin", "null")], origin),
        (vec![cookie, ("Origin", "https://evil.example")], origin),
        (vec![cookie, ("Origin", "https://evil.example"), JSONP], origin),
        (vec![cookie, ("Referer", "https://evil.example/")], referer),
        (vec![cookie, ("Referer", "")], referer),
        (vec![cookie, ("Origin", "https://jsonp.example"), ("Referer", "https://evil.example/")], referer),
    ] {
        let answer = world.get(&silent_uri("Jsonp", &Token::generate(), "&callback=f"), &headers).await;
        assert_eq!(answer.status, StatusCode::OK, "a browser runs no other script");
        assert_eq!(answer.body, format!("/**/f({{\"code\":400,\"message\":\"{message}\"}}, 400);"));
        is_never_kept(&answer);
    }
    for headers in [[cookie, JSONP], [cookie, ("Origin", "https://jsonp.example")]] {
        let answer = world.get(&silent_uri("Jsonp", &Token::generate(), "&callback=f"), &headers).await;
        assert!(answer.body.starts_with("/**/f({\"verify\""), "{}", answer.body);
    }
}

#[actix_web::test]
async fn silent_attach_is_off_unless_switched_on_in_that_way() {
    let world = World::new();
    let (_, cookie) = visitor(&world).await;
    for (broker, extra) in [("Alice", ""), ("Alice", "&callback=f"), ("Ajax", "&callback=f"), ("Jsonp", "")] {
        let origin = format!("https://{}.example", broker.to_lowercase());
        let uri = silent_uri(broker, &Token::generate(), extra);
        let answer = world.get(&uri, &[("Origin", &origin), ("Cookie", &cookie)]).await;
        let failure =
            json!({"code": 403, "message": "Silent attach is not enabled for this broker", "attach": "redirect"});
        if extra.is_empty() {
            assert_eq!((answer.status, answer.json()), (StatusCode::FORBIDDEN, failure));
            assert_eq!(answer.header("Access-Control-Allow-Origin"), origin, "the page can read why");
        } else {
            let json = answer.body.strip_prefix("/**/f(").and_then(|rest| rest.strip_suffix(", 403);")).unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(json).unwrap(), failure);
        }
        is_never_kept(&answer);
    }
}

#[actix_web::test]
async fn a_silent_attach_starts_no_session_unless_the_broker_may() {
    let world = World::new();
    world.store.calls();
    let stale = session_cookie(&sso_server::session::CookieValue::generate());
    for headers in [vec![AJAX], vec![AJAX, ("Cookie", stale.as_str())]] {
        let answer = world.get(&silent_uri("Ajax", &Token::generate(), ""), &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        let failure = json!({"code": 403, "message": "There is no session to join silently", "attach": "redirect"});
        assert_eq!(answer.json(), failure);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), "https://ajax.example", "the page can read why");
        is_never_kept(&answer);
    }
    assert!(world.store.calls().iter().all(|call| *call == "load"));

    let php = ("Referer", "http://php.example:8000/");
    let answer = world.get(&silent_uri("Php", &Token::generate(), "&callback=f"), &[php]).await;
    assert!(answer.body.starts_with("/**/f({\"verify\""), "{}", answer.body);
    assert!(answer.cookie("__Host-sso_session").is_some());
}

#[actix_web::test]
async fn foreign_origins_get_no_cors() {
    let world = World::new();
    let (_, cookie) = visitor(&world).await;
    for origin in ["https://evil.example", "null", "https://ajax.example.evil.example", "https://alice.example"] {
        let uri = silent_uri("Ajax", &Token::generate(), "");
        let answer = world.get(&uri, &[("Origin", origin), ("Cookie", &cookie)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json(), json!({"code": 400, "message": "Domain of origin is not allowed"}));
        assert_eq!(answer.header("Vary"), "Origin");
        carries_no_cors(&answer);
        let preflight = send(world.site(), Method::OPTIONS, &uri, &[("Origin", origin)], "").await;
        carries_no_cors(&preflight);
        assert_eq!(preflight.header("Vary"), "Origin");
    }
    let uri = silent_uri("Ajax", &Token::generate(), "");
    let preflight =
        send(world.site(), Method::OPTIONS, &uri, &[AJAX, ("Access-Control-Request-Method", "GET")], "").await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert_eq!(preflight.header("Access-Control-Allow-Origin"), "https://ajax.example");
    assert_eq!(preflight.header("Access-Control-Allow-Credentials"), "true");
    assert_eq!(preflight.header("Access-Control-Allow-Methods"), "GET");
}

#[actix_web::test]
async fn errors_come_in_the_form_that_was_asked_for() {
    let world = World::new();
    let token = Token::generate();
    let wrong = |broker: &str, extra: &str| {
        let checksum = key(broker).attach(&token);
        silent_uri(broker, &token, extra).replace(checksum.as_str(), "0")
    };
    let answer = world.get(&wrong("Ajax", ""), &[AJAX]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json(), json!({"code": 403, "message": "Invalid attach checksum"}));
    let answer = world.get(&wrong("Jsonp", "&callback=f"), &[JSONP]).await;
    assert_eq!(answer.body, r#"/**/f({"code":403,"message":"Invalid attach checksum"}, 403);"#);
    let answer = world.get("/attach?callback=f", &[HTML]).await;
    assert_eq!(answer.body, r#"/**/f({"code":400,"message":"Missing 'broker' query parameter"}, 400);"#);
    let answer = world.get("/attach", &[]).await;
    assert_eq!(answer.json(), json!({"code": 400, "message": "Missing 'broker' query parameter"}));
    // As a page it would need a way back; a callback that is not one is never written.
    for evil in ["alert(1)", "1f", "a.b", "f%0d%0a", "%3Cscript%3E", ""] {
        let answer = world.get(&silent_uri("Jsonp", &token, &format!("&callback={evil}")), &[JSONP]).await;
        assert_eq!(answer.json()["message"], "Invalid 'callback' query parameter");
    }
    let login = world.get(&silent_uri("Jsonp", &token, "&callback=f&prompt=login"), &[JSONP]).await;
    assert!(login.body.contains("Invalid 'prompt' query parameter"), "{}", login.body);
}

#[actix_web::test]
async fn the_cookie_crosses_sites_only_when_switched_on() {
    let world = World::new();
    let uri = crate::http::attach_uri("Alice", &Token::generate(), "");
    let strict = send(world.site(), Method::GET, &uri, &[HTML], "").await;
    assert!(strict.header("Set-Cookie").contains("SameSite=Lax"));
    let uri = crate::http::attach_uri("Alice", &Token::generate(), "");
    let crossing = send(world.site().cross_site_cookie(true), Method::GET, &uri, &[HTML], "").await;
    assert!(
        crossing.header("Set-Cookie").contains("SameSite=None") && crossing.header("Set-Cookie").contains("Secure")
    );
}
