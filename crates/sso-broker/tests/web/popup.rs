//! What the script that warns of the session's end asks.

use serde_json::json;
use sso_broker::EndReason;
use sso_core::wire::BearerErrorCode;

use crate::{
    browser::{Browser, Page},
    server::{IDLE, NOBODY_LISTENS, Server},
    site::Site,
};

const STATUS: &str = "/sso/session";
const KEEPALIVE: &str = "/sso/session/keepalive";
const LOGOUT: &str = "/sso/session/logout";

async fn logged_in(server: &Server) -> (Site, Browser) {
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    server.state().user = Some("jackie".into());
    assert_eq!(browser.arrive(server, "/page").await.status, 200);
    (site, browser)
}

fn is_gone(page: &Page) -> bool {
    let body = page.json();
    page.status == 401 && body["error"].is_string() && body["attach"] == "redirect"
}

#[actix_web::test]
async fn asking_never_extends_the_session_and_keepalive_does() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().left = 100;
    server.state().activity.clear();
    let left = |left: u64| {
        json!({"authenticated": true, "username": "jackie", "expires_in": left, "idle_expires_in": left,
            "absolute_expires_in": 43_187, "warn_before": 120, "auth_time": 1_700_000_000})
    };
    for headers in
        [&[] as &[_], &[("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate")], &[("SSO-Activity", "user")]]
    {
        let page = browser.get(STATUS, headers).await;
        assert_eq!((page.status, page.json(), page.header("Cache-Control")), (200, left(100), "no-store"));
    }
    assert_eq!(server.state().activity, ["none"; 3]);
    let page = browser.post_json(KEEPALIVE, &json!({})).await;
    assert_eq!((page.status, page.json(), page.header("Cache-Control")), (200, left(IDLE), "no-store"));
    assert_eq!(server.state().activity.last().unwrap(), "");
    assert_eq!(server.state().calls.last().unwrap(), "POST /api/session/keepalive ");
}

#[actix_web::test]
async fn a_request_may_say_that_no_person_is_behind_it() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    let navigation = ("Sec-Fetch-Mode", "navigate");
    for (path, headers, left) in [
        ("/page", &[("SSO-Activity", "none")] as &[_], 100),
        ("/data", &[("SSO-Activity", "none")], 100),
        ("/page", &[navigation, ("Sec-Purpose", "prefetch")], 100),
        ("/passive", &[], 100),
        // A neighbour's script, with the visitor's cookies, and the site's own.
        ("/data", &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-site")], 100),
        ("/page", &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-site"), ("Accept", "text/html")], 100),
        ("/data", &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-origin")], IDLE),
        ("/page", &[navigation, ("Sec-Fetch-Site", "same-site")], IDLE),
        ("/data", &[("SSO-Activity", "user")], IDLE),
        ("/page", &[navigation], IDLE),
    ] {
        server.state().left = 100;
        assert_eq!(browser.get(path, headers).await.status, 200);
        assert_eq!(server.state().left, left, "{path} {headers:?}");
    }
    // Who asks for more time is a person.
    server.state().left = 100;
    let own = [("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-origin"), ("SSO-Activity", "none")];
    assert_eq!(browser.post(KEEPALIVE, "{}", &own).await.json()["expires_in"], IDLE);
}

#[actix_web::test]
async fn a_visitor_without_a_token_is_nobody() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    let page = browser.get(STATUS, &[]).await;
    assert_eq!((page.status, page.header("Cache-Control")), (200, "no-store"));
    // The very text: a script of another kind may read it.
    assert_eq!(
        page.body,
        r#"{"authenticated":false,"username":null,"expires_in":null,"idle_expires_in":null,"absolute_expires_in":null,"warn_before":0,"auth_time":null}"#
    );
    assert!(is_gone(&browser.post_json(KEEPALIVE, &json!({})).await));
    assert!(is_gone(&browser.post_json(LOGOUT, &json!({})).await), "the browser may be logged in all the same");
    assert!(browser.cookies.is_empty() && server.state().calls.is_empty());
}

#[actix_web::test]
async fn every_tab_hears_how_the_login_ended_and_the_next_page_says_so() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    let kept = browser.cookies.clone();
    server.state().end(EndReason::Expired);
    for _ in 0..2 {
        let page = browser.get(STATUS, &[]).await;
        assert_eq!((page.status, page.header("Cache-Control")), (200, "no-store"), "{page:?}");
        for page in [page, browser.post_json(KEEPALIVE, &json!({})).await] {
            assert_eq!(page.json()["authenticated"], false);
            assert_eq!(page.json()["ended"], json!({"reason": "expired", "n": 2, "seconds_ago": 5}));
        }
    }
    assert_eq!(browser.cookies, kept);
    assert_eq!(browser.visit("/page").await.body, "nobody down=false problem=None expired");
    // The twin: while somebody is logged in, no end is told.
    server.state().user = Some("jackie".into());
    assert_eq!(browser.get(STATUS, &[]).await.json().get("ended"), None);
}

#[actix_web::test]
async fn every_tab_hears_that_its_token_serves_no_more() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    let kept = browser.cookies.clone();
    for code in [BearerErrorCode::NotAttached, BearerErrorCode::SessionEnded, BearerErrorCode::Superseded] {
        server.state().refuse = Some(code);
        for _ in 0..2 {
            for page in [browser.get(STATUS, &[]).await, browser.post_json(KEEPALIVE, &json!({})).await] {
                assert!(is_gone(&page), "{page:?}");
                let is_superseded = code == BearerErrorCode::Superseded;
                assert_eq!(page.json()["code"].as_str(), is_superseded.then_some("superseded"));
            }
        }
    }
    assert_eq!(browser.cookies, kept);
}

#[actix_web::test]
async fn signing_out_counts_when_the_session_is_gone_too() {
    let server = Server::start();
    for is_over in [false, true] {
        let (_site, mut browser) = logged_in(&server).await;
        if is_over {
            server.state().be_over();
        }
        let page = browser.post_json(LOGOUT, &json!({})).await;
        assert_eq!((page.status, page.body.as_str(), page.header("Cache-Control")), (204, "", "no-store"));
        assert_eq!(server.state().user, None);
        let page = if is_over { browser.arrive(&server, "/page").await } else { browser.visit("/page").await };
        assert_eq!(page.body, "nobody down=false problem=None");
    }
}

#[actix_web::test]
async fn a_server_that_is_down_is_told_and_changes_nothing() {
    let server = Server::start();
    let (_site, known) = logged_in(&server).await;
    let mut browser = Browser::new(&Site::start(server.broker().backchannel(NOBODY_LISTENS)));
    browser.cookies = known.cookies.clone();
    for page in [
        browser.get(STATUS, &[]).await,
        browser.post_json(KEEPALIVE, &json!({})).await,
        browser.post_json(LOGOUT, &json!({})).await,
    ] {
        assert_eq!((page.status, page.json()), (503, json!({"error": "The login server cannot be reached"})));
        assert_eq!(page.header("Cache-Control"), "no-store");
    }
    assert_eq!(browser.cookies, known.cookies);
}

#[actix_web::test]
async fn other_sites_and_plain_forms_are_refused() {
    let server = Server::start();
    let (site, mut browser) = logged_in(&server).await;
    let own = site.broker.public_url().origin().ascii_serialization();
    let json = ("Content-Type", "application/json");
    server.state().left = 100;
    for (status, headers) in [
        (403, &[json] as &[_]),
        (403, &[json, ("Sec-Fetch-Site", "cross-site")]),
        (403, &[json, ("Sec-Fetch-Site", "same-site"), ("Origin", &own)]),
        (403, &[json, ("Origin", "http://evil.example")]),
        (403, &[json, ("Origin", "null")]),
        (415, &[("Origin", &own), ("Content-Type", "text/plain")]),
        (415, &[("Sec-Fetch-Site", "same-origin")]),
    ] {
        for path in [KEEPALIVE, LOGOUT] {
            let page = browser.post(path, "{}", headers).await;
            assert_eq!(page.status, status, "{path} {headers:?}");
            assert!(page.json()["error"].is_string() && page.header("Cache-Control") == "no-store");
        }
    }
    for path in [KEEPALIVE, LOGOUT] {
        let page = browser.get(path, &[]).await;
        assert_eq!((page.status, page.json()["error"].is_string()), (405, true), "{path}");
    }
    assert_eq!(browser.post(STATUS, "{}", &[json]).await.status, 405);
    assert_eq!(server.state().left, 100);
    assert_eq!(server.state().user.as_deref(), Some("jackie"));

    let good = [("Content-Type", "application/json; charset=utf-8"), ("Origin", own.as_str())];
    assert_eq!(browser.post(KEEPALIVE, "{}", &good).await.status, 200);
    assert_eq!(browser.post(LOGOUT, "{}", &good).await.status, 204);
    assert_eq!(server.state().left, IDLE);
    assert_eq!(server.state().user, None);
}
