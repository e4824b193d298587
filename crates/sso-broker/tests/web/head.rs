//! HEAD is GET without a body, and nobody reads its answer: it uses up nothing that is good once.

use sso_broker::{EndReason, SilentMode};
use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

#[actix_web::test]
async fn why_an_attach_failed_waits_for_a_page() {
    let server = Server::start();
    let site = Site::start(server.broker());
    for path in ["/page", "/optional"] {
        let mut browser = Browser::new(&site);
        let back = server.refuse_attach(browser.visit("/page").await.location(), "Nope");
        assert_eq!(browser.visit(&back).await.location(), "/page");
        for _ in 0..2 {
            assert_eq!(browser.head(path).await.status, 200);
        }
        assert_eq!(browser.visit(path).await.body, "nobody down=false problem=Some(\"Nope\")");
        assert!(!browser.visit("/optional").await.body.contains("Nope"), "a page uses it up");
    }
}

#[actix_web::test]
async fn that_the_token_was_not_kept_waits_for_a_page() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    let back = server.attach(browser.visit("/page").await.location());
    assert_eq!(browser.visit(&back).await.location(), "/page");
    browser.cookies.retain(|name, _| !name.ends_with("-token"));
    assert_eq!(browser.head("/page").await.status, 200);
    assert!(browser.visit("/page").await.body.contains("did not keep this site's cookie"));
    assert_eq!(browser.visit("/page").await.status, 303, "a page uses it up");
}

#[actix_web::test]
async fn how_the_login_ended_waits_for_a_page() {
    let server = Server::start();
    let site = Site::with(server.broker(), |sso| sso.ajax(SilentMode::Json));
    for path in ["/page", "/optional", "/sso/ajax/info"] {
        let mut browser = Browser::new(&site);
        server.state().user = Some("jackie".into());
        browser.arrive(&server, "/page").await;
        server.state().end(EndReason::Expired);
        browser.age_token(60 * 60);
        let kept = browser.cookies.clone();
        for _ in 0..2 {
            let answer = browser.head(path).await;
            assert!(matches!(answer.status, 200 | 204), "{path} {answer:?}");
            assert_eq!(answer.header("SSO-Ended").starts_with("expired; n="), path == "/sso/ajax/info");
        }
        assert_eq!(browser.cookies, kept, "{path}");
        assert_eq!(browser.visit("/optional").await.body, "nobody down=false problem=None expired");
        assert_eq!(browser.visit("/optional").await.body, "nobody down=false problem=None", "a page uses it up");
        assert_eq!(browser.head("/sso/ajax/info").await.header("SSO-Ended"), "");
    }
}

#[actix_web::test]
async fn a_token_that_serves_no_more_stays_for_a_page() {
    let server = Server::start();
    server.state().user = Some("jackie".into());
    let mut browser = Browser::new(&Site::start(server.broker()));
    browser.arrive(&server, "/page").await;
    let token = browser.cookies["sso-Alice-token"].clone();
    for way in ["superseded", "lost", "remembered"] {
        server.state().superseded.clear();
        server.state().refuse = (way == "lost").then_some(BearerErrorCode::NotAttached);
        match way {
            "superseded" => server.state().log_in_elsewhere("john"),
            "remembered" => {
                let mut state = server.state();
                (state.user, state.is_remembered) = (None, true);
            }
            _ => {}
        }
        assert!(browser.head("/page").await.location().starts_with(&server.origin));
        browser.head("/optional").await;
        assert_eq!(browser.cookies["sso-Alice-token"], token, "{way}");
    }
    browser.visit("/page").await.location();
    assert!(!browser.cookies.contains_key("sso-Alice-token"), "a page uses it up");
}

#[actix_web::test]
async fn an_attach_under_way_is_ended_by_head_and_can_be_ended_again() {
    let server = Server::start();
    let site = Site::start(server.broker());
    server.state().user = Some("jackie".into());
    let mut browser = Browser::new(&site);
    let back = server.attach(browser.head("/page?a").await.location());
    for _ in 0..2 {
        assert_eq!(browser.head(&back).await.location(), "/page?a");
    }
    assert_eq!(browser.head("/page?a").await.status, 200, "attached");
    assert_eq!(browser.visit(&back).await.location(), "/page?a");
    assert_eq!(browser.visit("/page?a").await.body, "jackie down=false problem=None");
    // A visit uses it up.
    assert_eq!(browser.head(&back).await.location(), "/");
    assert_eq!(browser.visit(&back).await.location(), "/");
}

#[actix_web::test]
async fn what_the_server_never_honours_drives_head_in_no_circle() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    browser.arrive(&server, "/page").await;
    server.state().refuse = Some(BearerErrorCode::NotAttached);
    let back = server.attach(browser.head("/page").await.location());
    assert_eq!(browser.head(&back).await.location(), "/page");
    assert_eq!(browser.head("/page").await.status, 502);
}

#[actix_web::test]
async fn head_is_no_use_of_the_session() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    server.state().user = Some("jackie".into());
    browser.arrive(&server, "/page").await;
    server.state().left = 100;
    assert_eq!(browser.head("/page").await.status, 200);
    assert_eq!(server.state().left, 100);
    browser.visit("/page").await;
    assert_eq!(server.state().left, crate::server::IDLE);
}
