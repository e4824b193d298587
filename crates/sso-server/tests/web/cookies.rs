//! Which of the browser's cookies are ours, and what is said of one that comes twice with different values.

use actix_web::http::{Method, StatusCode};
use sso_core::Token;

use crate::{
    common::{Browser, World},
    http::{Answer, HTML, attach_uri, send, session_cookie, silent_uri},
};

/// The session cookie of a browser in which jackie is logged in.
async fn logged_in(world: &World) -> String {
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    world.log_in(&mut browser, "jackie").await;
    session_cookie(browser.cookie.as_ref().unwrap())
}

async fn is_logged_in(world: &World, cookies: &[&str]) -> bool {
    let headers: Vec<_> = cookies.iter().map(|cookie| ("Cookie", *cookie)).collect();
    world.get("/sso/session", &headers).await.json()["authenticated"] == true
}

#[actix_web::test]
async fn only_the_very_name_is_ours() {
    let world = World::new();
    let good = logged_in(&world).await;
    for before in ["\u{2000}", "\u{a0}", "\u{3000}", "\u{85}", "\u{b}", "x"] {
        let planted = format!("{before}{good}");
        // A browser would not send this one, and the server under test may refuse it.
        if before == "\u{b}" {
            continue;
        }
        assert!(!is_logged_in(&world, &[&planted]).await, "{before:?}");
        assert!(is_logged_in(&world, &[&planted, &good]).await, "{before:?}");
    }
    for renamed in [good.replace("__Host-", "__Host%2D"), good.replace("__Host-", "__host-"), good.replace('=', " =")] {
        assert!(!is_logged_in(&world, &[&renamed]).await, "{renamed}");
    }
}

#[actix_web::test]
async fn others_cookies_hide_nothing_in_any_number_of_fields() {
    let world = World::new();
    let good = logged_in(&world).await;
    assert!(is_logged_in(&world, &["a=1", &format!("zz=%ff; {good}; =; zz"), "b=\u{e9}"]).await);
    assert!(is_logged_in(&world, &[&good, &good]).await, "the same twice is no other");
}

const TWICE: &str = "__Host-sso_session=x";

fn is_the_page(answer: &Answer, to: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.is_safe_page("");
    assert!(answer.body.contains("sets a cookie with the name of one of ours"), "{}", answer.body);
    let form = format!("<form method=\"post\" action=\"/sso/clear-cookies?return_url={to}\">");
    assert!(answer.body.contains(&form), "{form} {}", answer.body);
    assert!(answer.sets_no_cookie());
}

#[actix_web::test]
async fn pages_say_that_a_cookie_of_ours_came_twice() {
    let world = World::new();
    let good = logged_in(&world).await;
    let (one, two) = (("Cookie", &*good), ("Cookie", TWICE));
    is_the_page(&world.get("/account", &[HTML, one, two]).await, "%2Faccount");
    is_the_page(
        &world.get("/login?return_url=/account", &[HTML, two, one]).await,
        "%2Flogin%3Freturn_url%3D%2Faccount",
    );
    let uri = attach_uri("Alice", &Token::generate(), "");
    let wanted: String = url::form_urlencoded::byte_serialize(uri.as_bytes()).collect();
    is_the_page(&world.get(&uri, &[HTML, one, two]).await, &wanted);
    is_the_page(&world.post("/login", &[HTML, one, two], "username=jackie").await, "%2F");
    for ours in ["__Host-sso_form", "__Host-sso_session_remember"] {
        let twice = format!("{ours}=a; {ours}=b");
        is_the_page(&world.get("/account", &[HTML, one, ("Cookie", &twice)]).await, "%2Faccount");
    }
    // Nobody else's cookie matters, nor does one that only looks like ours.
    for other in ["theme=a; theme=b", "sso_session=a; sso_session=b", "__Host%2Dsso_session=a; __Host%2Dsso_session=b"]
    {
        assert_eq!(world.get("/account", &[HTML, one, ("Cookie", other)]).await.status, StatusCode::OK, "{other}");
    }
}

#[actix_web::test]
async fn scripts_are_told_by_name() {
    let world = World::new();
    let good = logged_in(&world).await;
    let (one, two) = (("Cookie", &*good), ("Cookie", TWICE));
    let text = "The browser sends two different cookies named __Host-sso_session";
    let json = [one, two, ("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-origin")];
    for (method, path) in
        [(Method::GET, "/sso/session"), (Method::POST, "/sso/session/keepalive"), (Method::POST, "/sso/session/logout")]
    {
        let answer = send(world.site(), method, path, &json, "{}").await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (StatusCode::BAD_REQUEST, Some(text)), "{path}");
        assert!(answer.sets_no_cookie());
    }
    let ajax = ("Origin", "https://ajax.example");
    let answer = world.get(&silent_uri("Ajax", &Token::generate(), ""), &[ajax, one, two]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!((&answer.json()["message"], &answer.json()["attach"]), (&text.into(), &"redirect".into()));
    assert_eq!(answer.header("Access-Control-Allow-Origin"), "https://ajax.example");
}

#[actix_web::test]
async fn only_a_page_of_the_server_deletes_and_only_where_that_helps() {
    let world = World::new();
    let good = logged_in(&world).await;
    let (one, two) = (("Cookie", &*good), ("Cookie", TWICE));
    let clear = "/sso/clear-cookies?return_url=%2Faccount";
    let (own, own_origin) = (("Sec-Fetch-Site", "same-origin"), ("Origin", "https://sso.example"));
    for proof in [own, own_origin] {
        let cleared = world.post(clear, &[HTML, proof, one, two], "").await;
        assert_eq!((cleared.status, cleared.header("Refresh")), (StatusCode::OK, "0; url=/account"));
        assert_eq!(cleared.header("Clear-Site-Data"), "\"cookies\"");
        assert_eq!(cleared.header("Cache-Control"), "no-store");
        assert!(cleared.sets_no_cookie());
        cleared.is_safe_page("");
        let nothing_wrong = world.post(clear, &[HTML, proof, one], "").await;
        assert_eq!((nothing_wrong.status, nothing_wrong.header("Clear-Site-Data")), (StatusCode::OK, ""));
    }
    for foreign in [
        &[] as &[_],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "cross-site"), own_origin],
        &[("Sec-Fetch-Site", "none")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
    ] {
        let refused = world.post(clear, &[&[HTML, one, two], foreign].concat(), "").await;
        assert_eq!((refused.status, refused.header("Clear-Site-Data")), (StatusCode::FORBIDDEN, ""), "{foreign:?}");
    }
    assert_eq!(world.get(clear, &[HTML, one, two]).await.header("Clear-Site-Data"), "");
    for elsewhere in ["https%3A%2F%2Fevil.example%2F", "%2F%2Fevil.example", "%2F%5Cevil.example"] {
        let cleared = world.post(&format!("/sso/clear-cookies?return_url={elsewhere}"), &[own, one, two], "").await;
        assert_eq!(cleared.header("Refresh"), "0; url=/", "{elsewhere}");
    }
}
