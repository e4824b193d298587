//! Whoever comes back late, or with a state that means nothing here, and what they are told.

use std::time::Duration;

use crate::{browser::Browser, server::Server, site::Site};

/// A node of the same site for which everything is late.
fn late(server: &Server) -> Site {
    Site::start(server.broker().attach_limit(Duration::ZERO))
}

#[actix_web::test]
async fn who_comes_back_late_is_sent_once_more_and_gets_to_the_wanted_page() {
    let server = Server::start();
    let (site, late) = (Site::start(server.broker()), late(&server));
    for (start, max_age) in [("/page?a=b", None), ("/sso/login?max_age=60&to=/page?a=b", Some(Duration::from_secs(60)))]
    {
        let mut browser = Browser::new(&site);
        let begun = browser.visit(start).await;
        let backs = [server.attach(begun.location()), server.refuse_attach(begun.location(), "Too slow")];
        let before = browser.cookies.clone();
        for back in backs {
            browser.cookies = before.clone();
            browser.go_to(&late);
            let again = browser.visit(&back).await;
            assert!(again.location() != begun.location(), "a new token: {again:?}");
            // In time.
            browser.go_to(&site);
            let good = server.attach(again.location());
            let carried_out = server.state().attached.last().unwrap().clone();
            assert_eq!((carried_out.prompt_login, carried_out.max_age), (max_age.is_some(), max_age));
            assert_eq!(browser.visit(&good).await.location(), "/page?a=b");
            assert_eq!(browser.visit("/page?a=b").await.status, 200);
            // What was late was begun again once only.
            let cookies = browser.cookies.clone();
            browser.go_to(&late);
            assert_eq!(browser.visit(&back).await.location(), "/");
            assert_eq!(browser.cookies, cookies);
        }
    }
}

#[actix_web::test]
async fn cookies_are_off_only_where_that_is_known() {
    let server = Server::start();
    let (site, late) = (Site::start(server.broker()), late(&server));
    let mut browser = Browser::new(&site);
    browser.keeps_cookies = false;
    let back = server.attach(browser.visit("/page").await.location());
    let page = browser.visit(&back).await;
    assert!(page.is_problem(400, "Your browser sent no cookie"), "{page:?}");

    // States that this broker never made, or whose end nobody can know any more: the first page tells, with an attach
    // of its own.
    let (start, state) = back.split_once("state=").unwrap();
    let state = state.split('&').next().unwrap();
    let (nonce, rest) = state.split_once('.').unwrap();
    let (made, mac) = rest.split_once('.').unwrap();
    let later = made.parse::<u64>().unwrap() + 1;
    for unknown in [
        String::new(),
        "x".into(),
        nonce.into(),
        "0123456789abcdefghijklmnopqrstuvwxyz01234567890123".into(),
        format!("{nonce}.{made}.{}", "0".repeat(mac.len())),
        format!("{nonce}.{later}.{mac}"),
        format!("{}.{made}.{mac}", nonce.replace(&nonce[..1], "_")),
    ] {
        for end in ["sso_verify=abc", "sso_error=Nope"] {
            let page = browser.visit(&format!("{start}state={unknown}&{end}")).await;
            assert_eq!(page.location(), "/", "{unknown}");
        }
    }
    browser.go_to(&late);
    assert_eq!(browser.visit(&back).await.location(), "/");
    browser.go_to(&site);
    // Who keeps cookies, only not this one.
    browser.cookies.insert("sso-Alice-other".into(), "in".into());
    assert_eq!(browser.visit(&back).await.location(), "/");
    browser.cookies.clear();
    // And the first page does tell.
    let back = server.attach(browser.visit("/").await.location());
    assert!(browser.visit(&back).await.is_problem(400, "Your browser sent no cookie"));
}

#[actix_web::test]
async fn a_state_of_another_broker_means_nothing_here() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let stranger = "another secret of the tests, long enough for every check";
    let other = sso_broker::Broker::builder(
        &format!("{}/attach", server.origin),
        "Alice".parse().unwrap(),
        sso_broker::Secret::new(stranger),
    );
    let mut elsewhere = Browser::new(&Site::start(other));
    let url: url::Url = elsewhere.visit("/page").await.location().parse().unwrap();
    let back = url.query_pairs().find(|(name, _)| name == "return_url").unwrap().1.into_owned();
    let mut browser = Browser::new(&site);
    assert_eq!(browser.visit(&format!("{back}&sso_verify=abc")).await.location(), "/");
    assert!(browser.cookies.is_empty());
}
