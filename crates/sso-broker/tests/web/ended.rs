//! How the last login ended: told once, to a visitor whose token saw that login.

use serde_json::json;
use sso_broker::{EndReason, SilentMode};
use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

const JACKIE: &str = "jackie down=false problem=None";
const NOBODY: &str = "nobody down=false problem=None";
const EXPIRED: &str = "nobody down=false problem=None expired";
const SCRIPT: [(&str, &str); 3] = [("Accept", "*/*"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")];

/// A visitor who is logged in, and whom the site has seen so.
async fn logged_in(server: &Server) -> (Site, Browser) {
    let site = Site::with(server.broker(), |sso| sso.ajax(SilentMode::Json));
    let mut browser = Browser::new(&site);
    server.state().user = Some("jackie".into());
    assert_eq!(browser.arrive(server, "/page").await.body, JACKIE);
    (site, browser)
}

#[actix_web::test]
async fn the_first_page_after_each_end_says_how_and_no_other() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    // The same reason twice as well: each is an end of its own.
    for reason in [EndReason::Expired, EndReason::LoggedOut, EndReason::Expired, EndReason::Revoked, EndReason::Revoked]
    {
        server.state().end(reason);
        let told = browser.visit("/page?a").await;
        assert_eq!((told.status, told.body), (200, format!("{NOBODY} {}", reason.as_str())));
        for page in ["/page", "/optional"] {
            assert_eq!(browser.visit(page).await.body, NOBODY);
        }
        server.state().user = Some("jackie".into());
        assert_eq!(browser.visit("/page").await.body, JACKIE);
    }
    assert_eq!(server.state().attached.len(), 1, "the token serves on");
}

#[actix_web::test]
async fn an_optional_visitor_is_told_too() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().end(EndReason::Expired);
    assert_eq!(browser.visit("/optional").await.body, EXPIRED);
    for page in ["/optional", "/page"] {
        assert_eq!(browser.visit(page).await.body, NOBODY);
    }
}

#[actix_web::test]
async fn nobody_is_told_whose_token_did_not_see_the_login() {
    let server = Server::start();
    let (site, mut browser) = logged_in(&server).await;
    server.state().end(EndReason::Expired);
    let mut late = Browser::new(&site);
    assert_eq!(late.arrive(&server, "/page").await.body, NOBODY);
    assert_eq!(late.visit("/page").await.body, NOBODY);
    assert_eq!(browser.visit("/page").await.body, EXPIRED, "the twin");
}

#[actix_web::test]
async fn ones_own_logout_is_not_told_and_the_end_after_it_is() {
    let server = Server::start();
    for way in ["/logout", "/sso/session/logout", "/sso/ajax/logout"] {
        // Also where the login had expired before: who logs out has no need to know.
        for is_over in [false, true] {
            let (_site, mut browser) = logged_in(&server).await;
            let token = browser.visit("/token").await.body;
            if is_over {
                server.state().end(EndReason::Expired);
            }
            match way {
                "/logout" => assert_eq!(browser.post_form(way, &format!("token={token}"), &[]).await.status, 303),
                _ => assert_eq!(browser.post_json(way, &json!({})).await.status, 204),
            }
            assert_eq!(browser.visit("/page").await.body, NOBODY, "{way} {is_over}");
            for reason in [EndReason::Expired, EndReason::LoggedOut] {
                server.state().user = Some("jackie".into());
                server.state().end(reason);
                assert_eq!(browser.visit("/page").await.body, format!("{NOBODY} {}", reason.as_str()), "{way}");
            }
        }
    }
}

#[actix_web::test]
async fn who_is_logged_in_again_meanwhile_is_told_nothing() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().end(EndReason::Expired);
    server.state().user = Some("jackie".into());
    assert_eq!(browser.visit("/page").await.body, JACKIE);
}

#[actix_web::test]
async fn only_a_page_that_a_person_reads_uses_it_up() {
    let server = Server::start();
    let json = ("Accept", "application/json");
    let image = [("Accept", "image/png"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")];
    for (path, headers) in [
        ("/data", &[json] as &[_]),
        ("/page", &[json]),
        ("/page", &image),
        ("/page", &SCRIPT),
        ("/optional", &SCRIPT),
        ("/optional", &[("Accept", "text/html"), ("User-Agent", "Googlebot")]),
        ("/sso/session", &SCRIPT),
    ] {
        let (_site, mut browser) = logged_in(&server).await;
        server.state().end(EndReason::Expired);
        let kept = browser.cookies.clone();
        let answer = browser.get(path, headers).await;
        assert!(answer.status == 200 && !answer.body.ends_with("expired"), "{path} {answer:?}");
        assert_eq!(browser.cookies, kept, "{path}");
        assert_eq!(browser.visit("/page").await.body, EXPIRED, "{path} {headers:?}");
    }
    let (_site, mut browser) = logged_in(&server).await;
    server.state().end(EndReason::Expired);
    assert_eq!(browser.post_form("/", "", &[]).await.body, NOBODY);
    assert_eq!(browser.visit("/page").await.body, EXPIRED);
}

#[actix_web::test]
async fn it_waits_while_there_is_something_worse_to_tell() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().end(EndReason::Expired);
    let back = server.refuse_attach(browser.visit("/sso/login?to=/page").await.location(), "Nope");
    assert_eq!(browser.visit(&back).await.location(), "/page");
    assert_eq!(browser.visit("/page").await.body, "nobody down=false problem=Some(\"Nope\")");
    assert_eq!(browser.visit("/page").await.body, EXPIRED);
}

#[actix_web::test]
async fn a_session_that_is_lost_is_attached_anew_without_words() {
    let server = Server::start();
    for is_of_an_older_server in [false, true] {
        for way in ["/page", "/optional"] {
            let (_site, mut browser) = logged_in(&server).await;
            match is_of_an_older_server {
                true => server.state().be_over(),
                false => server.state().links.clear(),
            }
            server.state().user = None;
            if way == "/optional" {
                assert_eq!(browser.visit(way).await.body, NOBODY);
            }
            assert_eq!(browser.arrive(&server, "/page").await.body, NOBODY, "{is_of_an_older_server} {way}");
            assert_eq!(browser.visit("/page").await.body, NOBODY);
        }
    }
}

#[actix_web::test]
async fn a_script_is_told_once_and_shares_that_with_the_pages() {
    let server = Server::start();
    for reads_script in [true, false] {
        let (_site, mut browser) = logged_in(&server).await;
        server.state().end(EndReason::Revoked);
        let n = server.state().last_end.unwrap().1;
        if !reads_script {
            assert_eq!(browser.visit("/page").await.body, format!("{NOBODY} revoked"));
        }
        let told = browser.get("/sso/ajax/info", &SCRIPT).await;
        let header = if reads_script { format!("revoked; n={n}") } else { String::new() };
        assert_eq!((told.status, told.header("SSO-Ended"), told.body.as_str()), (204, header.as_str(), ""));
        let again = browser.get("/sso/ajax/info", &SCRIPT).await;
        assert_eq!((again.status, again.header("SSO-Ended")), (204, ""));
        assert_eq!(browser.visit("/page").await.body, NOBODY);
    }
}

#[actix_web::test]
async fn every_tabs_poll_is_told_as_often_as_it_asks() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().end(EndReason::LoggedOut);
    let n = server.state().last_end.unwrap().1;
    for _ in 0..2 {
        let status = browser.get("/sso/session", &SCRIPT).await;
        assert_eq!((status.status, status.json()["authenticated"].as_bool()), (200, Some(false)));
        assert_eq!(status.json()["ended"], json!({"reason": "logged-out", "n": n, "seconds_ago": 5}));
    }
    assert_eq!(browser.visit("/page").await.body, format!("{NOBODY} logged-out"));
}

#[actix_web::test]
async fn what_does_not_heal_says_only_that() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    server.state().end(EndReason::Expired);
    server.state().refuse = Some(BearerErrorCode::NotAttached);
    assert!(browser.arrive(&server, "/page").await.is_problem(502, "You could not be connected"));
    server.state().refuse = None;
    // The token that saw the login is gone.
    assert_eq!(browser.arrive(&server, "/sso/attach?to=/page").await.body, NOBODY);
}

#[actix_web::test]
async fn a_cookie_is_written_only_when_it_changes() {
    let server = Server::start();
    let (_site, mut browser) = logged_in(&server).await;
    let writes = async |browser: &mut Browser, path: &str| browser.visit(path).await.headers.contains_key("Set-Cookie");
    for is_over in [false, true] {
        if is_over {
            server.state().end(EndReason::Expired);
            assert!(writes(&mut browser, "/page").await);
        }
        for path in ["/page", "/optional", "/sso/session", "/sso/ajax/info", "/data"] {
            assert!(!writes(&mut browser, path).await, "{is_over} {path}");
        }
    }
}
