//! A token that serves no more is replaced, as often as that may help: the server does not honour it, somebody's login
//! has superseded it, or nobody is logged in and a new one may find somebody.

use serde_json::json;
use sso_broker::{EndReason, SilentMode};
use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

const JACKIE: &str = "jackie down=false problem=None";
const JOHN: &str = "john down=false problem=None";
const NOBODY: &str = "nobody down=false problem=None";
const JSON: [(&str, &str); 1] = [("Accept", "application/json")];
const HOUR: u64 = 60 * 60;

async fn attached(server: &Server) -> Browser {
    let mut browser = Browser::new(&Site::with(server.broker(), |sso| sso.ajax(SilentMode::Json)));
    assert_eq!(browser.arrive(server, "/page").await.status, 200);
    browser
}

fn count(server: &Server) -> usize {
    server.state().attached.len()
}

/// One more round, whose token is superseded in its turn.
async fn round(browser: &mut Browser, server: &Server, path: &str) {
    let back = server.attach(browser.visit(path).await.location());
    server.state().log_in_elsewhere("john");
    assert_eq!(browser.visit(&back).await.location(), path);
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
        assert!(browser.cookies["sso-Alice-token"].contains(".000."), "{:?}", browser.cookies);
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
    for (code, title) in [
        (BearerErrorCode::NotAttached, "Your session has ended"),
        (BearerErrorCode::SessionEnded, "Your session has ended"),
        (BearerErrorCode::Superseded, "Someone has logged in meanwhile"),
    ] {
        let server = Server::start();
        let mut browser = attached(&server).await;
        server.state().refuse = Some(code);
        let kept = browser.cookies.clone();

        // An answer that comes late must not take the token that another tab has got meanwhile.
        let name = (code == BearerErrorCode::Superseded).then_some("superseded");
        let mut answers = Vec::new();
        for path in ["/data", "/page", "/sso/ajax/info", "/sso/ajax/data", "/sso/session"] {
            let script = browser.get(path, &JSON).await;
            assert_eq!((script.status, script.json()["attach"].as_str()), (401, Some("redirect")), "{path}");
            assert_eq!(script.json()["code"].as_str(), name, "{path} {script:?}");
            answers.push(script);
        }
        let optional = browser.get("/optional", &JSON).await;
        assert_eq!(optional.body, NOBODY);
        answers.push(optional);
        for path in ["/unguarded-data", "/"] {
            let form = browser.post_form(path, "", &[("Sec-Fetch-Mode", "navigate")]).await;
            assert!(form.is_problem(401, title) && form.body.contains("href=\"/sso/attach?to=/\""), "{form:?}");
            answers.push(form);
        }
        for path in ["/sso/session/logout", "/sso/ajax/logout"] {
            answers.push(browser.post_json(path, &json!({})).await);
        }
        for answer in answers {
            assert!(!answer.headers.contains_key("Set-Cookie"), "{answer:?}");
        }
        assert_eq!(browser.cookies, kept, "for the next visit");

        assert_eq!(browser.visit("/optional").await.body, NOBODY);
        assert!(browser.kept().is_empty());

        browser.cookies = kept;
        assert_eq!(browser.visit("/data").await.status, 303);
    }
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
    let script = browser.get("/call", &JSON).await;
    assert_eq!((script.status, script.json()["error"].as_str()), (403, Some("Not for you")));
    assert_eq!(browser.cookies, kept);
}

#[actix_web::test]
async fn a_visit_finds_who_has_logged_in_since() {
    for path in ["/page", "/guarded/page"] {
        let server = Server::start();
        let mut browser = attached(&server).await;
        for _ in 0..5 {
            server.state().log_in_elsewhere("john");
            assert_eq!(browser.arrive(&server, path).await.body, JOHN, "no words, and each time anew");
        }
    }
}

#[actix_web::test]
async fn logins_that_go_on_superseding_are_followed_three_times_in_a_row() {
    let server = Server::start();
    let mut browser = attached(&server).await;
    for _ in 0..2 {
        server.state().log_in_elsewhere("john");
        for _ in 0..3 {
            round(&mut browser, &server, "/page?x").await;
        }
        let page = browser.visit("/page?x").await;
        assert!(page.is_problem(502, "You could not be connected"), "{page:?}");
        assert!(page.body.contains("href=\"/sso/attach?to=/page?x\""));
        assert!(browser.kept().is_empty());
        // The way on.
        assert_eq!(browser.arrive(&server, "/sso/attach?to=/page").await.body, JOHN);
    }
    // A good answer begins the count anew.
    server.state().log_in_elsewhere("john");
    for _ in 0..3 {
        round(&mut browser, &server, "/page").await;
        server.state().superseded.clear();
        assert_eq!(browser.visit("/page").await.body, JOHN);
        server.state().log_in_elsewhere("john");
    }
    for _ in 0..2 {
        round(&mut browser, &server, "/page").await;
    }
    assert_eq!(browser.arrive(&server, "/page").await.body, JOHN);
}

#[actix_web::test]
async fn a_remembered_browser_is_attached_once_more_and_is_logged_in() {
    let server = Server::start();
    server.state().user = Some("jackie".into());
    let mut browser = attached(&server).await;
    server.state().end(EndReason::Expired);
    server.state().is_remembered = true;
    let back = server.attach(browser.visit("/page?x").await.location());
    assert!(!server.state().attached.last().unwrap().prompt_login);
    server.state().user = Some("jackie".into());
    assert_eq!(browser.visit(&back).await.location(), "/page?x");
    assert_eq!(browser.visit("/page?x").await.body, JACKIE, "nothing has ended");
    assert_eq!(browser.visit("/page").await.body, JACKIE);
    // And once more after that login.
    server.state().end(EndReason::Expired);
    assert_eq!(browser.visit("/page").await.status, 303);
}

#[actix_web::test]
async fn what_logs_nobody_in_is_not_tried_again_until_somebody_was() {
    let server = Server::start();
    server.state().user = Some("jackie".into());
    let mut browser = attached(&server).await;
    server.state().end(EndReason::Expired);
    server.state().is_remembered = true;
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    for _ in 0..2 {
        assert_eq!(browser.visit("/page").await.body, NOBODY);
        assert_eq!(browser.visit("/optional").await.body, NOBODY);
        assert_eq!(browser.get("/sso/ajax/info", &JSON).await.header("SSO-Resume"), "");
    }
    // Nor by a token that was replaced for another reason.
    server.state().links.clear();
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    browser.age_token(HOUR);
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    assert_eq!(browser.visit("/page").await.body, NOBODY);
    assert_eq!(count(&server), 4);
    server.state().user = Some("jackie".into());
    assert_eq!(browser.visit("/page").await.body, JACKIE);
    server.state().end(EndReason::Expired);
    assert_eq!(browser.visit("/page").await.status, 303);
}

#[actix_web::test]
async fn optional_visitors_and_scripts_are_told_that_the_browser_is_remembered() {
    let server = Server::start();
    server.state().is_remembered = true;
    server.state().user = Some("jackie".into());
    let mut browser = attached(&server).await;
    assert_eq!(browser.visit("/optional").await.body, JACKIE);
    server.state().end(EndReason::Expired);
    assert_eq!(browser.visit("/optional").await.body, format!("{NOBODY} expired remembered"));
    for _ in 0..2 {
        assert_eq!(browser.visit("/optional").await.body, format!("{NOBODY} remembered"));
        let info = browser.get("/sso/ajax/info", &JSON).await;
        assert_eq!((info.status, info.header("SSO-Resume")), (204, "1"));
    }
    assert_eq!(count(&server), 1, "they are sent nowhere");
    // The way that they are shown: tried once, whatever comes of it.
    let page = browser.arrive(&server, "/sso/attach?why=remembered&to=/optional").await;
    assert_eq!(page.body, NOBODY);
    assert_eq!(browser.get("/sso/ajax/info", &JSON).await.header("SSO-Resume"), "");
    assert_eq!(browser.visit("/page").await.body, NOBODY);
    // Whoever goes there again does not start that over.
    assert_eq!(browser.arrive(&server, "/sso/attach?why=remembered&to=/optional").await.body, NOBODY);
    // The twin: an attach of another kind tried nothing.
    let page = browser.arrive(&server, "/sso/attach?to=/optional").await;
    assert_eq!(page.body, format!("{NOBODY} remembered"));
}

#[actix_web::test]
async fn an_old_token_with_nobody_logged_in_is_replaced_once() {
    let server = Server::start();
    let mut browser = attached(&server).await;
    browser.age_token(HOUR - 10);
    assert_eq!(browser.visit("/page").await.body, NOBODY);
    browser.age_token(10);
    let kept = browser.cookies.clone();
    assert_eq!(browser.get("/page", &JSON).await.body, NOBODY, "not for a script");
    assert_eq!(browser.visit("/optional").await.body, NOBODY, "nor for who is sent nowhere");
    assert_eq!(browser.cookies, kept);
    assert_eq!(browser.arrive(&server, "/page?x").await.body, NOBODY);
    assert_eq!(browser.visit("/page").await.body, NOBODY);
    assert_eq!(count(&server), 2);
    // Whoever is logged in stays, however old the token is.
    server.state().user = Some("jackie".into());
    browser.age_token(100 * HOUR);
    assert_eq!(browser.visit("/page").await.body, JACKIE);
}

#[actix_web::test]
async fn an_old_token_tells_how_its_login_ended_before_it_goes() {
    let server = Server::start();
    server.state().user = Some("jackie".into());
    let mut browser = attached(&server).await;
    browser.age_token(2 * HOUR);
    server.state().end(EndReason::Expired);
    assert_eq!(browser.visit("/page").await.body, format!("{NOBODY} expired"));
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    assert_eq!(browser.visit("/page").await.body, NOBODY);
    assert_eq!(count(&server), 2);
}

#[actix_web::test]
async fn a_token_that_jasny_sso_has_made_does_not_count_as_old() {
    let server = Server::start();
    let site = Site::start(server.broker().php_cookies());
    let mut browser = Browser::new(&site);
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    let notes = browser.cookies.remove("sso-Alice-notes").unwrap();
    for _ in 0..2 {
        assert_eq!(browser.visit("/page").await.body, NOBODY);
    }
    // The twin: one of ours.
    browser.cookies.insert("sso-Alice-notes".into(), notes);
    browser.age_token(HOUR);
    assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY);
    assert_eq!(count(&server), 2);
}

#[actix_web::test]
async fn an_attach_that_is_refused_is_said_so_and_not_asked_for_again_and_again() {
    let server = Server::start();
    for is_remembered in [false, true] {
        server.state().is_remembered = false;
        let mut browser = attached(&server).await;
        server.state().is_remembered = is_remembered;
        if !is_remembered {
            browser.age_token(HOUR);
        }
        let back = server.refuse_attach(browser.visit("/page").await.location(), "Nope");
        assert_eq!(browser.visit(&back).await.location(), "/page");
        assert_eq!(browser.visit("/page").await.body, "nobody down=false problem=Some(\"Nope\")", "{is_remembered}");
        assert!(browser.visit("/page").await.location().starts_with(&server.origin), "the next visit tries again");
    }
}
