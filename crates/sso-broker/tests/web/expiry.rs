//! Who was logged in until the session expired is told so, once.

use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

const JACKIE: &str = "jackie down=false problem=None";
const NOBODY: &str = "nobody down=false problem=None";
const EXPIRED: &str = "nobody down=false problem=None expired";

/// A visitor who is logged in, and whom the site has seen so.
async fn logged_in(server: &Server) -> (Site, Browser) {
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    server.state().user = Some("jackie".into());
    assert_eq!(browser.arrive(server, "/page").await.body, JACKIE);
    (site, browser)
}

#[actix_web::test]
async fn the_first_page_after_it_says_so_and_no_other() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    // Again after the next login, and whether the server still knows the session or not.
    for is_forgotten in [false, true] {
        server.state().expire();
        if is_forgotten {
            server.state().links.clear();
        }
        assert_eq!(browser.arrive(&server, "/page?a").await.body, EXPIRED);
        assert_eq!(browser.visit("/page").await.body, NOBODY);
        server.state().user = Some("jackie".into());
        assert_eq!(browser.visit("/page").await.body, JACKIE);
    }
}

#[actix_web::test]
async fn nobody_is_told_who_was_nobody() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    server.state().expire();
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    assert_eq!(browser.visit("/page").await.body, NOBODY);
}

#[actix_web::test]
async fn a_logout_is_no_expiry() {
    let server = Server::start();
    // Elsewhere: seen by a page, then by a poll only.
    for path in ["/page", "/sso/session"] {
        let (_site, mut browser) = logged_in(&server).await;
        server.state().user = None;
        assert_eq!(browser.visit(path).await.status, 200);
        server.state().expire();
        assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY, "{path}");
    }
    // Here; and once more where the session was gone already.
    for is_over in [false, true] {
        let (_site, mut browser) = logged_in(&server).await;
        let token = browser.visit("/token").await.body;
        if is_over {
            server.state().expire();
        }
        assert_eq!(browser.post_form("/logout", &format!("token={token}"), &[]).await.status, 303);
        server.state().expire();
        assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    }
}

#[actix_web::test]
async fn who_is_logged_in_again_by_the_attach_is_told_nothing() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().expire();
    server.state().user = Some("jackie".into());
    assert_eq!(browser.arrive(&server, "/page").await.body, JACKIE);
    server.state().user = None;
    assert_eq!(browser.visit("/page").await.body, NOBODY);
}

#[actix_web::test]
async fn whoever_loses_the_token_a_page_says_why() {
    let server = Server::start();
    let json = [("Accept", "application/json")];
    for loser in ["script", "form", "handler"] {
        let (_site, mut browser) = logged_in(&server).await;
        server.state().expire();
        match loser {
            "script" => assert_eq!(browser.get("/data", &json).await.status, 401),
            "form" => assert_eq!(browser.post_form("/unguarded-data", "", &[]).await.status, 401),
            _ => assert_eq!(browser.arrive(&server, "/data").await.status, 200),
        }
        // A script's answer is no page that says it.
        assert!(browser.get("/optional", &json).await.body == NOBODY, "{loser}");
        assert_eq!(browser.visit("/optional").await.body, EXPIRED, "{loser}");
        assert_eq!(browser.visit("/optional").await.body, NOBODY, "{loser}");
    }
    // An optional visitor, who is sent nowhere, is told at once.
    let (_site, mut browser) = logged_in(&server).await;
    server.state().expire();
    assert_eq!(browser.visit("/optional").await.body, EXPIRED);
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
}

#[actix_web::test]
async fn it_waits_while_there_is_something_worse_to_tell() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().expire();
    let back = server.refuse_attach(browser.visit("/page").await.location(), "Nope");
    assert_eq!(browser.visit(&back).await.location(), "/page");
    assert_eq!(browser.visit("/page").await.body, "nobody down=false problem=Some(\"Nope\")");
    assert_eq!(browser.arrive(&server, "/page").await.body, EXPIRED);
}

#[actix_web::test]
async fn what_does_not_heal_is_told_when_it_does() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().user = None;
    server.state().refuse = Some(BearerErrorCode::NotAttached);
    assert!(browser.arrive(&server, "/page").await.is_problem(502, "You could not be connected"));
    server.state().refuse = None;
    assert_eq!(browser.arrive(&server, "/sso/attach?to=/page").await.body, EXPIRED);
}

#[actix_web::test]
async fn a_cookie_is_written_only_when_it_changes() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    let writes = async |browser: &mut Browser, path: &str| browser.visit(path).await.headers.contains_key("Set-Cookie");
    for user in [Some("jackie"), None] {
        server.state().user = user.map(str::to_owned);
        assert_eq!(writes(&mut browser, "/page").await, user.is_none());
        for path in ["/page", "/optional", "/sso/session"] {
            assert!(!writes(&mut browser, path).await, "{user:?} {path}");
        }
    }
    server.state().user = Some("jackie".into());
    assert!(writes(&mut browser, "/sso/session").await);
    assert!(!writes(&mut browser, "/page").await);
}

#[actix_web::test]
async fn who_reads_no_page_leaves_the_token_for_the_tabs_and_the_page_that_say_so() {
    let server = Server::start();
    let image = [("Accept", "image/png"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")];
    let script = [("Accept", "*/*"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")];
    for (headers, path) in [(image, "/data"), (script, "/data"), (image, "/page"), (script, "/optional")] {
        let (_site, mut browser) = logged_in(&server).await;
        server.state().expire();
        browser.get(path, &headers).await;
        let status = browser.get("/sso/session", &script).await;
        assert_eq!((status.status, &status.json()["expired"]), (401, &true.into()), "{path} {headers:?}");
        assert_eq!(browser.arrive(&server, "/page").await.body, EXPIRED);
    }
    // HEAD too.
    let (_site, mut browser) = logged_in(&server).await;
    server.state().expire();
    browser.head("/page").await;
    assert_eq!(browser.get("/sso/session", &script).await.json()["expired"], true);
    assert_eq!(browser.arrive(&server, "/page").await.body, EXPIRED);
    // The twin: a page that is read says it, and the tabs have nothing more to say.
    let (_site, mut browser) = logged_in(&server).await;
    server.state().expire();
    assert_eq!(browser.visit("/optional").await.body, EXPIRED);
    assert_eq!(browser.get("/sso/session", &script).await.status, 200);
}
