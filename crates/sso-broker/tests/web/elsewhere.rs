//! Visits by another name of the site: first to the configured one, since the browser comes back to that.

use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

/// The path at the site's own origin that an answer leads to.
fn at_home(site: &Site, location: &str) -> String {
    let origin = site.broker.public_url().origin().ascii_serialization();
    location.strip_prefix(&origin).unwrap_or_else(|| panic!("{location}")).to_owned()
}

#[actix_web::test]
async fn a_visit_by_another_name_is_first_sent_to_the_same_page_under_the_sites_own() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let own = Browser::new(&site).host;
    let port = own.split(':').nth(1).unwrap();
    for host in
        ["www.alice.localhost".to_owned(), format!("127.0.0.1:{port}"), "alice.localhost:1".into(), "[::1]".into()]
    {
        for (page, way) in [
            ("/page?a=b&c", "/sso/attach?from=000&to=/page?a=b%26c"),
            ("/guarded/page", "/sso/attach?from=000&to=/guarded/page"),
            ("/data", "/sso/attach?from=100&to=/data"),
            ("/sso/attach?to=/page%3Fa", "/sso/attach?from=000&to=/page?a"),
            ("/sso/login?to=/page%3Fa", "/sso/login?from=000&to=/page?a"),
            ("/sso/login?to=/page%3Fa&max_age=60", "/sso/login?from=000&max_age=60&to=/page?a"),
        ] {
            let mut browser = Browser::new(&site);
            browser.host.clone_from(&host);
            assert_eq!(at_home(&site, browser.visit(page).await.location()), way, "{host} {page}");
            assert!(browser.kept().is_empty(), "nothing is kept where it will not come back: {:?}", browser.cookies);
            // There, with the cookies of that host, all goes as ever.
            let mut browser = Browser::new(&site);
            let arrived = browser.arrive(&server, way).await;
            assert!(matches!(arrived.status, 200 | 403), "{page} {arrived:?}");
        }
    }
}

#[actix_web::test]
async fn who_is_attached_under_the_sites_own_name_only_goes_there() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    browser.arrive(&server, "/page").await;
    assert_eq!(browser.visit("/sso/attach?from=000&to=/page?x").await.location(), "/page?x");
    assert_eq!(server.state().attached.len(), 1);
    // A login is asked for in any case, and so is an attach that a person asks for.
    assert!(browser.visit("/sso/login?from=000&to=/page").await.location().starts_with(&server.origin));
    assert!(browser.visit("/sso/attach?to=/page").await.location().starts_with(&server.origin));
}

#[actix_web::test]
async fn behind_a_proxy_that_writes_its_own_host_there_is_no_loop() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    browser.host = "upstream:8080".into();
    let mut location = browser.visit("/page").await.location().to_owned();
    assert!(location.contains("/sso/attach?from=000"));
    location = browser.visit(&location).await.location().to_owned();
    assert_eq!(browser.visit(&server.attach(&location)).await.location(), "/page");
    assert_eq!(browser.visit("/page").await.status, 200);
    // One that the server never honours: as often as without the proxy.
    server.state().refuse = Some(BearerErrorCode::NotAttached);
    location = browser.visit("/page").await.location().to_owned();
    assert!(location.contains("/sso/attach?from=100"));
    location = browser.visit(&location).await.location().to_owned();
    assert_eq!(browser.visit(&server.attach(&location)).await.location(), "/page");
    let page = browser.visit("/page").await;
    assert!(page.is_problem(502, "You could not be connected"), "{page:?}");
    // Nor by a token that is given up while it is good, nor by one that somebody's login superseded.
    server.state().refuse = None;
    for (path, way) in [
        ("/page?old", "/sso/attach?from=000&to=/page?old"),
        ("/page?remembered", "/sso/attach?from=001&to=/page?remembered"),
        ("/sso/attach?why=remembered&to=/page?r", "/sso/attach?from=001&to=/page?r"),
        ("/page?superseded", "/sso/attach?from=010&to=/page?superseded"),
        ("/sso/logout?to=/page", "/sso/attach?from=010&to=/sso/logout?to=/page"),
    ] {
        server.state().is_remembered = false;
        browser.host = "alice.localhost".into();
        browser.cookies.clear();
        let start = browser.visit("/sso/attach?from=000&to=/page").await;
        assert_eq!(browser.visit(&server.attach(start.location())).await.location(), "/page");
        browser.host = "upstream:8080".into();
        assert_eq!(browser.visit("/page").await.status, 200);
        match way.split(['=', '&']).nth(1).unwrap() {
            "000" => browser.age_token(60 * 60),
            "001" => server.state().is_remembered = true,
            _ => server.state().log_in_elsewhere("john"),
        }
        location = browser.visit(path).await.location().to_owned();
        assert!(location.ends_with(way), "{location}");
        location = browser.visit(&location).await.location().to_owned();
        let wanted = way.split_once("&to=").unwrap().1;
        assert_eq!(browser.visit(&server.attach(&location)).await.location(), wanted);
        assert_eq!(browser.visit(wanted).await.status, 200, "{path}");
        server.state().user = None;
    }
    server.state().is_remembered = false;
    // And without cookies.
    server.state().refuse = None;
    browser.cookies.clear();
    browser.keeps_cookies = false;
    location = browser.visit("/page").await.location().to_owned();
    location = browser.visit(&location).await.location().to_owned();
    assert!(browser.visit(&server.attach(&location)).await.is_problem(400, "Your browser sent no cookie"));
}

#[actix_web::test]
async fn only_visits_that_begin_an_attach_are_sent_there() {
    let server = Server::start();
    let site = Site::with(server.broker(), |sso| sso.ajax(sso_broker::SilentMode::Json));
    let mut browser = Browser::new(&site);
    browser.host = "www.alice.localhost".into();
    for (path, headers) in [
        ("/page", &[("Accept", "application/json")] as &[_]),
        ("/page", &[("Accept", "image/png")]),
        ("/page", &[("User-Agent", "kube-probe/1.30")]),
        ("/optional", &[("Accept", "text/html")]),
        ("/sso/session", &[("Accept", "application/json")]),
        ("/sso/ajax/info", &[("Accept", "application/json")]),
        ("/sso/long-page.js", &[("Accept", "*/*")]),
    ] {
        let page = browser.get(path, headers).await;
        assert!(matches!(page.status, 200 | 401), "{path} {headers:?} {page:?}");
    }
    assert_eq!(browser.post_form("/", "", &[]).await.status, 401);
    // The way back is taken from wherever it leads.
    assert_eq!(browser.visit("/sso/return?state=x&sso_verify=y").await.location(), "/");
}

#[actix_web::test]
async fn no_host_leads_to_another_site() {
    let server = Server::start();
    let site = Site::start(server.broker());
    for host in ["evil.example", "evil.example:80", "alice.localhost.evil.example", "alice.localhost@evil.example"] {
        for page in ["/page", "//evil.example/", "/\\evil.example", "/sso/attach?to=//evil.example/"] {
            let mut browser = Browser::new(&site);
            browser.host = host.into();
            let answer = browser.visit(page).await;
            if answer.status != 404 {
                assert!(at_home(&site, answer.location()).starts_with("/sso/attach?from=000&to=/"), "{host} {page}");
                assert!(!answer.location().contains("evil"));
            }
        }
    }
}
