//! A token that the server no longer honours is replaced, once.

use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

async fn attached(server: &Server) -> Browser {
    let mut browser = Browser::new(&Site::start(server.broker()));
    assert_eq!(browser.arrive(server, "/page").await.status, 200);
    browser
}

#[actix_web::test]
async fn a_lost_session_is_replaced_by_one_more_round() {
    for path in ["/page", "/data"] {
        let server = Server::start();
        let mut browser = attached(&server).await;
        // Twice, with a good answer in between: each loss is healed.
        for _ in 0..2 {
            server.state().links.clear();
            let page = browser.arrive(&server, path).await;
            assert_eq!(page.status, 200, "{page:?}");
            browser.visit("/page").await;
        }
        assert!(browser.cookies["sso-Alice-token"].ends_with(".0"));
    }
}

#[actix_web::test]
async fn what_does_not_heal_ends_at_a_page_with_a_way_on() {
    for code in [BearerErrorCode::NotAttached, BearerErrorCode::SessionEnded] {
        let server = Server::start();
        let mut browser = attached(&server).await;
        server.state().refuse = Some(code);
        let page = browser.arrive(&server, "/page?x").await;
        assert!(page.is_problem(502, "You could not be connected"), "{page:?}");
        assert!(page.body.contains("href=\"/sso/attach?to=/page?x\""));
        // The way on works as soon as the server does.
        server.state().refuse = None;
        assert_eq!(browser.arrive(&server, "/sso/attach?to=/page").await.status, 200);
    }
}

#[actix_web::test]
async fn only_visits_heal() {
    let server = Server::start();
    let mut browser = attached(&server).await;
    server.state().refuse = Some(BearerErrorCode::SessionEnded);
    let kept = browser.cookies.clone();

    let script = browser.get("/data", &[("Accept", "application/json")]).await;
    assert_eq!((script.status, script.json()["attach"].as_str()), (401, Some("redirect")));
    assert_eq!(browser.cookies, kept, "for the next visit");

    let form = browser.post_form("/unguarded-data", "", &[("Sec-Fetch-Mode", "navigate")]).await;
    assert!(form.is_problem(401, "Your session has ended"), "{form:?}");
    assert!(browser.kept().is_empty());

    browser.cookies = kept.clone();
    assert_eq!(browser.visit("/optional").await.body, "nobody down=false problem=None");
    assert!(browser.kept().is_empty());

    browser.cookies = kept;
    assert_eq!(browser.visit("/data").await.status, 303);
}

#[actix_web::test]
async fn a_refusal_of_another_kind_clears_nothing() {
    let server = Server::start();
    let mut browser = attached(&server).await;
    let kept = browser.cookies.clone();
    // The application's own, and the server's.
    assert_eq!(browser.visit("/own403").await.status, 403);
    let page = browser.visit("/call").await;
    assert!(page.is_problem(502, "The login server reports a problem") && page.body.contains("Not for you"));
    let script = browser.get("/call", &[("Accept", "application/json")]).await;
    assert_eq!((script.status, script.json()["error"].as_str()), (403, Some("Not for you")));
    assert_eq!(browser.cookies, kept);
}
