//! Forms: login, logout, and what other sites would like to send.

use sso_core::wire::BearerErrorCode;

use crate::{browser::Browser, server::Server, site::Site};

#[actix_web::test]
async fn a_logout_form_needs_its_token_and_its_site() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let token = browser.arrive(&server, "/token").await.body;
    let mut stranger = Browser::new(&site);
    let foreign = stranger.arrive(&server, "/token").await.body;
    server.state().user = Some("jackie".into());

    for (token, site) in
        [(foreign.as_str(), "same-origin"), ("", "same-origin"), (&token, "cross-site"), (&token, "same-site")]
    {
        let headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate")];
        let page = browser.post_form("/logout", &format!("token={token}"), &headers).await;
        browser.asked_for_logout(page).await;
        let page = browser.post_form("/form", &format!("token={token}"), &headers).await;
        assert!(page.is_problem(403, "This form is no longer valid"), "{page:?}");
    }
    let evil = [("Origin", "http://evil.example"), ("Accept", "text/html")];
    let page = browser.post_form("/logout", &format!("token={token}"), &evil).await;
    browser.asked_for_logout(page).await;
    assert_eq!(server.state().user.as_deref(), Some("jackie"));
    // To a script, the same as JSON.
    let headers = [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")];
    let script = browser.post("/logout", "token=", &headers).await;
    assert_eq!((script.status, script.json()["error"].is_string()), (403, true));

    let own = site.broker.public_url().origin().ascii_serialization();
    // A page with a strict referrer policy has the opaque origin.
    let hidden = [("Sec-Fetch-Site", "same-origin"), ("Origin", "null")];
    for headers in [&[("Sec-Fetch-Site", "same-origin")] as &[_], &hidden, &[("Origin", &own)], &[]] {
        server.state().user = Some("jackie".into());
        assert_eq!(browser.post_form("/logout", &format!("token={token}"), headers).await.status, 303);
        assert_eq!(server.state().user, None);
    }
}

#[actix_web::test]
async fn a_refused_form_leads_back_to_its_page() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    browser.arrive(&server, "/page").await;
    for (referer, link) in [("http://evil.example/page", "/"), ("", "/")] {
        let page = browser.post_form("/form", "token=", &[("Referer", referer)]).await;
        assert!(page.body.contains(&format!("<a href=\"{link}\">Try again")), "{page:?}");
    }
    let own = format!("{}token?a", site.broker.public_url());
    let page = browser.post_form("/form", "token=", &[("Referer", &own)]).await;
    assert!(page.body.contains("<a href=\"/token?a\">Try again"), "{page:?}");
    let page = browser.post_form("/logout", "token=", &[("Referer", &own)]).await;
    let page = browser.asked_for_logout(page).await;
    assert!(page.body.contains("<a href=\"/token?a\">Stay logged in"), "{page:?}");
}

#[actix_web::test]
async fn a_logout_is_done_only_if_the_server_says_so() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    // The token was cut or is too old, and the browser is logged in all the same; the session is over, as older servers
    // say.
    for (code, leads_to) in [(BearerErrorCode::NotAttached, "/sso/logout?to=/"), (BearerErrorCode::SessionEnded, "/")] {
        server.state().user = Some("jackie".into());
        let token = browser.arrive(&server, "/token").await.body;
        server.state().refuse = Some(code);
        let kept = browser.cookies.clone();
        let page = browser.post_form("/logout", &format!("token={token}"), &[("Sec-Fetch-Mode", "navigate")]).await;
        assert_eq!((page.status, page.header("Location")), (303, leads_to));
        let status = browser.post_json("/sso/session/logout", &serde_json::json!({})).await.status;
        assert_eq!(status, if leads_to == "/" { 204 } else { 401 });
        assert_eq!(browser.cookies, kept, "the answer may be late: the token may be another tab's by now");
        // The page that asks attaches, visibly or not, to the login that is there.
        assert_eq!(browser.visit("/sso/logout?to=/").await.status, 303);
        server.state().refuse = None;
        let asks = browser.arrive(&server, "/sso/logout?to=/").await;
        let done = browser.post_form("/sso/logout", &format!("form_token={}", asks.form_token()), &[]).await;
        assert_eq!((done.location(), server.state().user.clone()), ("/", None));
        browser.cookies.clear();
    }
}

#[actix_web::test]
async fn where_somebody_has_logged_in_since_a_logout_asks_who_is_to_be_logged_out() {
    let server = Server::start();
    for path in ["/logout", "/sso/logout"] {
        let mut browser = Browser::new(&Site::start(server.broker()));
        server.state().user = Some("jackie".into());
        let token = browser.arrive(&server, "/token").await.body;
        let token = match path {
            "/logout" => format!("token={token}"),
            _ => format!("form_token={}", browser.visit("/sso/logout").await.form_token()),
        };
        server.state().log_in_elsewhere("john");
        let (kept, page) = (browser.cookies.clone(), format!("http://{}/page?a", browser.host));
        let answer = browser.post_form(path, &token, &[("Sec-Fetch-Mode", "navigate"), ("Referer", &page)]).await;
        assert_eq!(answer.location(), "/sso/logout?to=/page?a", "{path}");
        assert_eq!((&browser.cookies, server.state().user.as_deref()), (&kept, Some("john")));
        // It attaches first, to the login that is to be asked about.
        let asks = browser.arrive(&server, answer.location()).await;
        assert!(asks.status == 200 && asks.body.contains("<h1>Log out?</h1>"), "{asks:?}");
        assert!(asks.body.contains("<a href=\"/page?a\">Stay logged in"), "{asks:?}");
        assert_eq!(server.state().user.as_deref(), Some("john"));
        let done = browser.post_form("/sso/logout", &format!("form_token={}", asks.form_token()), &[]).await;
        assert_eq!((done.location(), server.state().user.clone()), ("/", None));
        assert_eq!(browser.visit("/page").await.body, "nobody down=false problem=None", "it was their own");
    }
}

#[actix_web::test]
async fn a_scripts_logout_ends_nobody_elses_login() {
    let server = Server::start();
    let site = Site::with(server.broker(), |sso| sso.ajax(sso_broker::SilentMode::Json));
    for path in ["/sso/session/logout", "/sso/ajax/logout"] {
        let mut browser = Browser::new(&site);
        server.state().user = Some("jackie".into());
        browser.arrive(&server, "/page").await;
        server.state().log_in_elsewhere("john");
        let kept = browser.cookies.clone();
        let answer = browser.post_json(path, &serde_json::json!({})).await;
        let told = (answer.json()["code"].clone(), answer.json()["attach"].clone());
        assert_eq!((answer.status, told), (401, ("superseded".into(), "redirect".into())));
        assert_eq!((&browser.cookies, server.state().user.as_deref()), (&kept, Some("john")));
        // The twin: with a token that sees that login.
        browser.arrive(&server, "/page").await;
        assert_eq!(browser.post_json(path, &serde_json::json!({})).await.status, 204);
        assert_eq!(server.state().user, None);
    }
}

#[actix_web::test]
async fn a_refused_attach_does_not_keep_the_page_that_asks_from_its_visitor() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    browser.arrive(&server, "/page").await;
    server.state().log_in_elsewhere("john");
    let back = server.refuse_attach(browser.visit("/sso/logout?to=/page").await.location(), "Nope");
    assert_eq!(browser.visit(&back).await.location(), "/sso/logout?to=/page");
    let page = browser.visit("/sso/logout?to=/page").await;
    assert!(page.status == 200 && page.body.contains("<h1>Log out?</h1>"), "{page:?}");
}

#[actix_web::test]
async fn the_logout_of_an_older_tab_works_after_a_login_and_a_new_attach() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let older_tab = browser.arrive(&server, "/token").await.body;
    // A login, and a token that was lost: each replaces it.
    browser.arrive(&server, "/sso/login?to=/page").await;
    server.state().links.clear();
    browser.arrive(&server, "/page").await;
    assert_eq!(server.state().attached.len(), 3);
    for headers in [&[("Sec-Fetch-Site", "same-origin")] as &[_], &[]] {
        server.state().user = Some("jackie".into());
        let page = browser.post_form("/logout", &format!("token={older_tab}"), headers).await;
        assert_eq!((page.status, server.state().user.clone()), (303, None), "{page:?}");
    }
}

#[actix_web::test]
async fn a_logout_that_cannot_be_verified_asks_and_then_logs_out() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    let token = browser.arrive(&server, "/token").await.body;
    server.state().user = Some("jackie".into());
    // The browser was closed in between, and the page restored.
    browser.cookies.remove("sso-Alice-form");
    let page = browser.post_form("/logout", &format!("token={token}"), &[("Sec-Fetch-Site", "same-origin")]).await;
    let page = browser.asked_for_logout(page).await;
    assert!(server.state().user.is_some());
    let done = browser.post_form("/sso/logout", &format!("form_token={}", page.form_token()), &[]).await;
    assert_eq!((done.location(), server.state().user.clone()), ("/", None));
}

#[actix_web::test]
async fn another_sites_post_spoils_no_form_of_an_open_tab() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let open_tab = browser.arrive(&server, "/token").await.body;
    for path in ["/logout", "/sso/logout", "/form", "/posted-token"] {
        let cookies = browser.cookies.clone();
        let page = browser.post_from_afar(path, "token=x&form_token=x").await;
        assert_eq!(browser.cookies, cookies, "{path} {page:?}");
        if path == "/posted-token" {
            assert_eq!(page.body, "", "a token that is good for nothing");
        }
        // Whoever means it can log out from there.
        if path.ends_with("/logout") {
            server.state().user = Some("jackie".into());
            let page = browser.asked_for_logout(page).await;
            let done = browser.post_form("/sso/logout", &format!("form_token={}", page.form_token()), &[]).await;
            assert_eq!((done.location(), server.state().user.clone()), ("/", None));
        }
    }
    server.state().user = Some("jackie".into());
    assert_eq!(browser.post_form("/logout", &format!("token={open_tab}"), &[]).await.header("Location"), "/");
    assert_eq!(server.state().user, None);
    // The twin: where the browser does not say that it is another site's, a form gets its cookie.
    browser.cookies.clear();
    let token = browser.post_form("/posted-token", "", &[("Sec-Fetch-Site", "same-origin")]).await.body;
    assert_eq!(browser.post_form("/form", &format!("token={token}"), &[]).await.body, "done");
}

#[actix_web::test]
async fn the_page_that_asks_for_a_logout_stays_at_pages_of_this_site_only() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    browser.arrive(&server, "/page").await;
    for (to, stay) in
        [("/page?a=b%26c", "/page?a=b&amp;c"), ("//evil.example/", "/"), ("https://evil.example/", "/"), ("", "/")]
    {
        let page = browser.visit(&format!("/sso/logout?to={to}")).await;
        assert!(page.body.contains(&format!("<a href=\"{stay}\">Stay logged in")), "{to} {page:?}");
    }
    // Its own form, refused, leads back to it.
    let asking = "/sso/logout?to=/page?a=b%26c";
    for (page, back) in
        [(asking, asking), ("/sso/logout", "/sso/logout"), ("/sso/logouts", "/sso/logout?to=/sso/logouts")]
    {
        let referer = format!("{}{}", site.broker.public_url(), &page[1..]);
        let answer = browser.post_form("/sso/logout", "form_token=x", &[("Referer", &referer)]).await;
        assert_eq!(answer.location(), back, "{page}");
    }
}

#[actix_web::test]
async fn the_page_that_asks_for_a_logout_is_for_people() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    server.state().user = Some("jackie".into());
    for headers in [&[("Accept", "application/json")][..], &[("Accept", "*/*"), ("Sec-Fetch-Mode", "cors")]] {
        let answer = browser.get("/sso/logout", headers).await;
        assert_eq!((answer.status, &answer.json()["attach"]), (401, &"redirect".into()), "{answer:?}");
        assert!(browser.cookies.is_empty(), "nothing is kept for them: {:?}", browser.cookies);
    }
    let page = browser.arrive(&server, "/sso/logout").await;
    assert!(page.status == 200 && page.body.contains("<h1>Log out?</h1>"), "{page:?}");
}
