//! The commands for a page's script.

use serde_json::json;
use sso_broker::{EndReason, SilentMode};
use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

fn site(server: &Server) -> Site {
    Site::with(server.broker(), |sso| sso.ajax(SilentMode::Json))
}

async fn attached(server: &Server, site: &Site) -> Browser {
    let mut browser = Browser::new(site);
    let start = browser.post_json("/sso/ajax/attach", &json!({})).await.json();
    let code = server.attach_silently(start["url"].as_str().unwrap());
    let done = browser.post_json("/sso/ajax/verify", &json!({"state": start["state"], "verify": code})).await;
    assert_eq!((done.status, done.body.as_str()), (204, ""));
    browser
}

#[actix_web::test]
async fn a_script_attaches_logs_in_shares_data_and_logs_out() {
    let server = Server::start();
    let site = site(&server);
    let before = Browser::new(&site).get("/sso/ajax/info", &[]).await;
    assert_eq!((before.status, before.json()["attach"].as_str()), (401, Some("redirect")));

    let mut browser = attached(&server, &site).await;
    assert_eq!(browser.get("/sso/ajax/info", &[]).await.status, 204);
    let wrong = browser.post_json("/sso/ajax/login", &json!({"username": "jackie", "password": "x"})).await;
    assert_eq!((wrong.status, wrong.json()), (400, json!({"error": "Invalid credentials"})));
    let right = browser.post_json("/sso/ajax/login", &json!({"username": "jackie", "password": "jackie123"})).await;
    assert_eq!((right.status, right.json()["username"].as_str()), (200, Some("jackie")));
    let info = browser.get("/sso/ajax/info", &[]).await;
    assert_eq!((info.header("Cache-Control"), info.json()["email"].as_str()), ("no-store", Some("j@example.com")));

    let set = browser.post_json("/sso/ajax/data", &json!({"theme": "dark", "x": 1})).await;
    assert_eq!((set.status, set.json()), (200, json!({"theme": "dark", "x": 1})));
    assert_eq!(browser.post_json("/sso/ajax/data", &json!({"x": null})).await.json(), json!({"theme": "dark"}));
    assert_eq!(browser.get("/sso/ajax/data", &[]).await.json(), json!({"theme": "dark"}));

    assert_eq!(browser.post_json("/sso/ajax/logout", &json!({})).await.status, 204);
    assert_eq!(browser.get("/sso/ajax/info", &[]).await.status, 204);
}

#[actix_web::test]
async fn the_answer_names_the_mode() {
    let server = Server::start();
    for (mode, name) in [(SilentMode::Json, "json"), (SilentMode::Jsonp, "jsonp")] {
        let site = Site::with(server.broker(), |sso| sso.ajax(mode));
        let start = Browser::new(&site).post_json("/sso/ajax/attach", &json!({})).await.json();
        assert_eq!(start["mode"], name);
    }
}

#[actix_web::test]
async fn a_code_needs_the_state_of_this_browser() {
    let server = Server::start();
    let site = site(&server);
    let mut browser = Browser::new(&site);
    let mut other = Browser::new(&site);
    let own = browser.post_json("/sso/ajax/attach", &json!({})).await.json();
    let foreign = other.post_json("/sso/ajax/attach", &json!({})).await.json();
    let code = server.attach_silently(own["url"].as_str().unwrap());
    for body in [
        json!({"state": foreign["state"], "verify": code}),
        json!({"state": "", "verify": code}),
        json!({"state": own["state"], "verify": "NOT A CODE"}),
    ] {
        let page = browser.post_json("/sso/ajax/verify", &body).await;
        assert_eq!((page.status, page.json()["attach"].as_str()), (400, Some("redirect")), "{body}");
    }
    let page = browser.post_json("/sso/ajax/verify", &json!({"state": own["state"], "verify": code})).await;
    assert_eq!(page.status, 204);
}

#[actix_web::test]
async fn other_sites_and_plain_forms_are_refused() {
    let server = Server::start();
    let site = site(&server);
    let mut browser = attached(&server, &site).await;
    server.state().user = Some("jackie".into());
    let own = site.broker.public_url().origin().ascii_serialization();
    let json = ("Content-Type", "application/json");
    for (status, headers) in [
        (403, &[json] as &[_]),
        (403, &[json, ("Sec-Fetch-Site", "cross-site")]),
        (403, &[json, ("Sec-Fetch-Site", "same-site"), ("Origin", &own)]),
        (403, &[json, ("Sec-Fetch-Site", "none")]),
        (403, &[json, ("Origin", "http://evil.example")]),
        (403, &[json, ("Origin", "null")]),
        (415, &[("Origin", &own), ("Content-Type", "text/plain")]),
        (415, &[("Sec-Fetch-Site", "same-origin")]),
    ] {
        for command in ["attach", "verify", "login", "logout", "data"] {
            let page = browser.post(&format!("/sso/ajax/{command}"), "{}", headers).await;
            assert_eq!(page.status, status, "{command} {headers:?}");
            assert!(page.json()["error"].is_string() && page.header("Cache-Control") == "no-store");
        }
    }
    assert_eq!(server.state().user.as_deref(), Some("jackie"));
    let good = [("Content-Type", "application/json; charset=utf-8"), ("Origin", own.as_str())];
    assert_eq!(browser.post("/sso/ajax/logout", "{}", &good).await.status, 204);
    assert_eq!(server.state().user, None);
}

#[actix_web::test]
async fn nothing_else_is_a_command() {
    let server = Server::start();
    let site = site(&server);
    let mut browser = attached(&server, &site).await;
    let calls = server.state().calls.len();
    for path in ["/sso/ajax", "/sso/ajax/", "/sso/ajax/api/info", "/sso/ajax/..%2fapi%2finfo", "/sso/ajax/info.php"] {
        let page = browser.get(path, &[]).await;
        assert_eq!((page.status, page.json()["error"].is_string()), (404, true), "{path}");
    }
    let page = browser.get("/sso/ajax/logout", &[]).await;
    assert_eq!((page.status, page.json()["error"].is_string()), (405, true));
    assert_eq!(server.state().calls.len(), calls);
    // Off unless asked for.
    let plain = Site::start(server.broker());
    assert_eq!(Browser::new(&plain).get("/sso/ajax/info", &[]).await.status, 404);
}

#[actix_web::test]
async fn a_body_is_small_and_well_formed() {
    let server = Server::start();
    let site = site(&server);
    let mut browser = attached(&server, &site).await;
    let headers = [("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-origin")];
    let sized = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size - 8));
    for (status, body) in
        [(200, sized(16 << 10)), (413, sized((16 << 10) + 1)), (400, "{".into()), (400, "[]".into()), (400, "".into())]
    {
        let page = browser.post("/sso/ajax/data", &body, &headers).await;
        assert_eq!(page.status, status, "{}", page.body);
    }
}

#[actix_web::test]
async fn how_a_login_ended_is_told_once() {
    let server = Server::start();
    let site = site(&server);
    for (reason, word) in
        [(EndReason::Expired, "expired"), (EndReason::LoggedOut, "logged-out"), (EndReason::Revoked, "revoked")]
    {
        let mut browser = attached(&server, &site).await;
        server.state().user = Some("jackie".into());
        assert_eq!(browser.get("/sso/ajax/info", &[]).await.header("SSO-Ended"), "");
        server.state().end(reason);
        assert_eq!(browser.get("/sso/ajax/data", &[]).await.status, 200, "the data are the session's");
        let page = browser.get("/sso/ajax/info", &[]).await;
        let n = server.state().last_end.unwrap().1;
        assert_eq!((page.status, page.header("SSO-Ended")), (204, format!("{word}; n={n}").as_str()));
        let again = browser.get("/sso/ajax/info", &[]).await;
        assert_eq!((again.status, again.header("SSO-Ended")), (204, ""));
        // Nor by a page.
        assert_eq!(browser.visit("/page").await.body, "nobody down=false problem=None");
    }
}

#[actix_web::test]
async fn who_logged_in_by_script_is_told_and_who_logged_out_is_not() {
    let server = Server::start();
    let site = site(&server);
    for logs_out in [false, true] {
        let mut browser = attached(&server, &site).await;
        browser.post_json("/sso/ajax/login", &json!({"username": "jackie", "password": "jackie123"})).await;
        if logs_out {
            browser.post_json("/sso/ajax/logout", &json!({})).await;
        }
        server.state().end(EndReason::Expired);
        let page = browser.get("/sso/ajax/info", &[]).await;
        assert_eq!((page.status, page.header("SSO-Ended").is_empty()), (204, logs_out));
    }
}

#[actix_web::test]
async fn a_token_that_serves_no_more_is_told_and_left_to_the_next_visit() {
    let server = Server::start();
    let site = site(&server);
    for code in [BearerErrorCode::NotAttached, BearerErrorCode::SessionEnded, BearerErrorCode::Superseded] {
        let mut browser = attached(&server, &site).await;
        server.state().refuse = Some(code);
        let kept = browser.cookies.clone();
        for _ in 0..2 {
            let page = browser.get("/sso/ajax/info", &[("Sec-Fetch-Mode", "cors")]).await;
            assert_eq!((page.status, page.json()["attach"].as_str()), (401, Some("redirect")));
            let is_superseded = code == BearerErrorCode::Superseded;
            assert_eq!(page.json()["code"].as_str(), is_superseded.then_some("superseded"));
        }
        assert_eq!(browser.cookies, kept);
        // What the script does then.
        server.state().refuse = None;
        assert_eq!(browser.arrive(&server, "/sso/attach?to=/page").await.status, 200);
    }
}
