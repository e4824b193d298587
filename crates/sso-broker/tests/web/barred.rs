//! Somebody is logged in who may not use this site: a page that says so and offers a logout, and no loop.

use serde_json::json;
use sso_broker::SilentMode;
use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

const TITLE: &str = "Your account has no access to this site";

/// Somebody is at the site and logged in; the server lets them in no more.
async fn barred(server: &Server, site: &Site) -> Browser {
    let mut browser = Browser::new(site);
    browser.arrive(server, "/page").await;
    server.state().user = Some("jackie".into());
    server.state().refuse = Some(BearerErrorCode::UserNotAllowed);
    browser
}

#[actix_web::test]
async fn a_page_says_so_as_often_as_it_is_asked_for_and_sends_nobody_anywhere() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = barred(&server, &site).await;
    let cookies = browser.cookies.clone();
    for _ in 0..3 {
        let page = browser.visit("/page").await;
        assert!(page.is_problem(403, TITLE), "{page:?}");
        assert!(page.body.contains(&format!("<a href=\"{}/\">", server.origin)) && !page.body.contains("jackie"));
        assert_eq!((page.header("Cache-Control"), &browser.cookies), ("no-store", &cookies), "the token is good");
    }
    assert_eq!(server.state().attached.len(), 1);
    // A page that is for everyone is served, as to nobody.
    let page = browser.visit("/optional").await;
    assert_eq!((page.status, page.body.as_str()), (200, "nobody down=false problem=None not allowed"));
    // So is, again, whoever may enter.
    server.state().refuse = None;
    assert!(browser.visit("/page").await.body.starts_with("jackie "));
    assert_eq!(browser.visit("/optional").await.body, "jackie down=false problem=None");
}

#[actix_web::test]
async fn its_logout_needs_the_pages_token_and_leads_to_the_first_page() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = barred(&server, &site).await;
    let token = browser.visit("/page").await.form_token();
    let mut stranger = Browser::new(&site);
    server.state().refuse = None;
    stranger.arrive(&server, "/page").await;
    server.state().refuse = Some(BearerErrorCode::UserNotAllowed);
    let foreign = stranger.visit("/page").await.form_token();

    for forged in ["", foreign.as_str()] {
        let page = browser.post_form("/sso/logout", &format!("form_token={forged}"), &[]).await;
        browser.asked_for_logout(page).await;
    }
    let cross_site = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")];
    let page = browser.post_form("/sso/logout", &format!("form_token={token}"), &cross_site).await;
    browser.asked_for_logout(page).await;
    assert_eq!(server.state().user.as_deref(), Some("jackie"));
    let page = browser.post_form("/sso/logout", &format!("form_token={token}"), &[]).await;
    assert_eq!((page.location(), server.state().user.clone()), ("/", None));
}

#[actix_web::test]
async fn scripts_are_told_by_a_code() {
    let server = Server::start();
    let site = Site::with(server.broker(), |sso| sso.ajax(SilentMode::Json));
    let mut browser = barred(&server, &site).await;
    let told = json!({ "error": "This user may not use this site", "code": "user_not_allowed" });
    let json = [("Accept", "application/json")];
    for path in ["/page", "/data", "/sso/ajax/info", "/sso/ajax/data", "/sso/session"] {
        let answer = browser.get(path, &json).await;
        assert_eq!((answer.status, answer.json()), (403, told.clone()), "{path}");
    }
    assert_eq!(browser.post_json("/sso/ajax/data", &json!({"theme": "x"})).await.json(), told);
    assert_eq!(browser.post_json("/sso/session/keepalive", &json!({})).await.json(), told);
    assert_eq!(browser.post_json("/sso/ajax/logout", &json!({})).await.status, 204);
    assert_eq!(server.state().user, None);
    server.state().refuse = None;
    assert_eq!(browser.get("/sso/ajax/info", &json).await.status, 204);
}
