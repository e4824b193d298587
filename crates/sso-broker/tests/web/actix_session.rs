//! Tokens in actix-session.

use crate::{browser::Browser, long::page, server::Server, site::Site, stores::works};

#[actix_web::test]
async fn actix_session() {
    let server = Server::start();
    let browser = works(&server, &Site::with(server.broker(), |sso| sso.tokens_in_session())).await;
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["id"]);
}

#[actix_web::test]
async fn a_store_with_less_room_says_so() {
    let server = Server::start();
    let site = Site::with(server.broker(), |sso| sso.tokens_in_session());
    let mut browser = Browser::new(&site);
    let short = page("x", 1_500);
    let back = server.attach(browser.visit(&short).await.location());
    assert_eq!(browser.visit(&back).await.location(), short);
    browser.cookies.clear();
    let leaving = browser.visit(&page("x", 2_000)).await;
    assert!(leaving.body.contains("very long"), "{leaving:?}");
    // However many tabs there are: all of it is in one cookie of the application's.
    for n in 0..20 {
        assert_eq!(browser.visit(&format!("/page?{n}")).await.status, 303);
    }
}
