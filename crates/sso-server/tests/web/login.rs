//! `/login` and `/logout`: forms of this site, for this browser (threats: CSRF, XSS, clickjacking, open redirects).

use actix_web::http::{Method, StatusCode};
use sso_core::Token;
use sso_server::{Error, Store};

use crate::{
    common::{Browser, World, credentials, directory::Directory},
    http::{Answer, HTML, attach_uri, pair, send, session_cookie},
};

const GOOD: &str = "username=jackie&password=jackie123";

/// The login form as a browser got it: the cookie that it is bound to, and its token.
async fn form(world: &World, uri: &str) -> (String, String) {
    let page = world.get(uri, &[HTML]).await;
    assert_eq!(page.status, StatusCode::OK);
    page.is_safe_page("");
    (page.cookie("__Host-sso_form").unwrap(), page.form_token())
}

fn is_refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("This form is no longer valid"), "{}", answer.body);
    assert_eq!(answer.cookie("__Host-sso_session"), None);
}

#[actix_web::test]
async fn a_login_sets_a_cookie_and_leads_on() {
    let world = World::new();
    let (cookie, token) = form(&world, "/login").await;
    let own = [("Cookie", cookie.as_str()), ("Origin", "https://sso.example"), ("Sec-Fetch-Site", "same-origin")];
    let answer = world.post("/login", &own, &format!("{GOOD}&form_token={token}")).await;
    assert_eq!((answer.status, answer.header("Location")), (StatusCode::SEE_OTHER, "/"));
    assert_eq!(answer.header("Cache-Control"), "no-store");
    let session = answer.cookie("__Host-sso_session").unwrap();
    // Who is logged in is not asked again.
    let again = world.get("/login?return_url=/page", &[HTML, ("Cookie", &session)]).await;
    assert_eq!((again.status, again.header("Location")), (StatusCode::SEE_OTHER, "/page"));
}

#[actix_web::test]
async fn whose_form_was_overtaken_by_another_users_is_asked_again() {
    let world = World::new();
    let (cookie, token) = form(&world, "/login").await;
    let mut browser = Browser::default();
    world.attach(&mut browser, "Alice").await;
    let before = session_cookie(browser.cookie.as_ref().unwrap());
    world.log_in(&mut browser, "jackie").await;
    let body = format!("username=john&password=jackie123&form_token={token}");
    let late = world.post("/login", &[("Cookie", &format!("{cookie}; {before}"))], &body).await;
    assert_eq!((late.status, late.cookie("__Host-sso_session")), (StatusCode::CONFLICT, None));
    late.is_safe_page("");
    assert!(late.body.contains("Somebody has logged in") && late.body.contains("value=\"john\""), "{}", late.body);
    let now = session_cookie(browser.cookie.as_ref().unwrap());
    let again = world.post("/login", &[("Cookie", &format!("{cookie}; {now}"))], &body).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert!(again.cookie("__Host-sso_session").is_some());
}

#[actix_web::test]
async fn a_form_needs_its_token_and_its_cookie() {
    let world = World::new();
    let (cookie, token) = form(&world, "/login").await;
    let (other_cookie, other_token) = form(&world, "/login").await;
    let logout_token = {
        let binding = cookie.split_once('=').unwrap().1;
        world.server.form_token("logout", binding)
    };
    let with = |token: &str| format!("{GOOD}&form_token={token}");
    for (cookie, body) in [
        (Some(&cookie), GOOD.to_owned()),
        (Some(&cookie), with("")),
        (Some(&cookie), with(&other_token)),
        (Some(&cookie), with(&logout_token)),
        (Some(&other_cookie), with(&token)),
        (None, with(&token)),
        (Some(&"__Host-sso_form=x".to_owned()), with(&token)),
        (Some(&cookie), format!("{}&form_token={token}", with(&token))),
    ] {
        let headers: Vec<_> = cookie.iter().map(|value| ("Cookie", value.as_str())).collect();
        is_refused(&world.post("/login", &headers, &body).await);
    }
    let json = send(
        world.site(),
        Method::POST,
        "/login",
        &[("Cookie", &cookie), ("Content-Type", "text/plain")],
        &with(&token),
    )
    .await;
    is_refused(&json);
    assert_eq!(world.store.calls(), [""; 0]);
    let good = world.post("/login", &[("Cookie", &cookie)], &with(&token)).await;
    assert_eq!(good.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_form_from_another_site_is_refused_though_its_token_is_right() {
    let world = World::new();
    let (cookie, token) = form(&world, "/login").await;
    let body = format!("{GOOD}&form_token={token}");
    for foreign in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "none"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://sso.example"),
        ("Origin", "https://sso.example.evil.example"),
    ] {
        is_refused(&world.post("/login", &[("Cookie", &cookie), foreign], &body).await);
    }
    let hidden = ("Origin", "null");
    is_refused(&world.post("/login", &[("Cookie", &cookie), ("Sec-Fetch-Site", "cross-site"), hidden], &body).await);
    // Under `Referrer-Policy: no-referrer` our own pages hide their origin, too.
    let same_origin = ("Sec-Fetch-Site", "same-origin");
    for own in [&[same_origin][..], &[("Origin", "https://sso.example")], &[same_origin, hidden]] {
        let headers = [&[("Cookie", cookie.as_str())], own].concat();
        assert_eq!(world.post("/login", &headers, &body).await.status, StatusCode::SEE_OTHER, "{own:?}");
    }
}

#[actix_web::test]
async fn the_form_comes_back_with_the_name_escaped_and_without_the_password() {
    let world = World::new();
    let (cookie, token) = form(&world, "/login").await;
    let name = "\"><script>alert(1)</script>&'";
    let password = "my-secret-password";
    for token in [token.as_str(), "wrong"] {
        let body = format!("{}&{}&form_token={token}", pair("username", name), pair("password", password));
        let answer = world.post("/login", &[("Cookie", &cookie)], &body).await;
        assert!(answer.status.is_client_error());
        answer.is_safe_page("");
        assert!(
            answer.body.contains("value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;'\""),
            "{}",
            answer.body
        );
        assert!(!answer.body.contains("<script") && !answer.body.contains(password));
    }
    let wrong =
        world.post("/login", &[("Cookie", &cookie)], &format!("username=jackie&password=x&form_token={token}")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.body.contains("Wrong username or password."));
    assert_eq!(wrong.form_token(), token, "the same form is good for the next try");
    let good = world.post("/login", &[("Cookie", &cookie)], &format!("{GOOD}&form_token={token}")).await;
    assert_eq!(good.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_login_leads_only_to_pages_of_this_site() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let session = session_cookie(browser.cookie.as_ref().unwrap());
    for (wanted, leads_to) in [
        ("/page?a=b#c", "/page?a=b#c"),
        ("/a/../b", "/b"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("///evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("\\\\evil.example/", "/"),
        ("/\t/evil.example/", "/"),
        ("/.//evil.example/", "/"),
        ("/x/..//evil.example/", "/"),
        ("/%2e//evil.example/", "/"),
        ("/./\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("@evil.example", "/"),
        (".evil.example", "/"),
        ("/page\r\nSet-Cookie: a=b", "/"),
        ("", "/"),
    ] {
        let uri = format!("/login?{}", pair("return_url", wanted));
        let shown = world.get(&uri, &[HTML, ("Cookie", &session)]).await;
        assert_eq!(shown.header("Location"), leads_to, "{wanted:?}");
        let (cookie, token) = form(&world, &uri).await;
        let posted = world.post(&uri, &[("Cookie", &cookie)], &format!("{GOOD}&form_token={token}")).await;
        assert_eq!(posted.header("Location"), leads_to, "{wanted:?}");
    }
}

#[actix_web::test]
async fn the_login_page_sends_the_cookie_that_it_renews() {
    let world = World::new();
    let mut browser = Browser::default();
    let alice = world.attach(&mut browser, "Alice").await;
    let call = world.broker_call(&alice).await.unwrap();
    world.server.broker_log_in(&call, &credentials("jackie")).await.unwrap();
    world.broker_log_out(&alice).await.unwrap();
    // The session is anonymous and its cookie is due: a login now must be in this session.
    let session = world.broker_call(&alice).await.unwrap().session.id.clone();
    let old = session_cookie(browser.cookie.as_ref().unwrap());
    let page = world.get("/login", &[HTML, ("Cookie", &old)]).await;
    let (renewed, bound) = (page.cookie("__Host-sso_session").unwrap(), page.cookie("__Host-sso_form").unwrap());
    assert_ne!(renewed, old);
    let cookies = format!("{renewed}; {bound}");
    let body = format!("{GOOD}&form_token={}", page.form_token());
    assert_eq!(world.post("/login", &[("Cookie", &cookies)], &body).await.status, StatusCode::SEE_OTHER);
    let logged_in = world.server.sessions_of("jackie").await.unwrap();
    assert_eq!(logged_in.len(), 1);
    assert_eq!(world.info(&alice).await, Err(Error::Superseded));
    assert!(world.store.get(&session).await.unwrap().unwrap().user().is_some());
}

#[actix_web::test]
async fn a_logout_is_a_post_with_its_own_token() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    let (bound, login_token) = form(&world, "/login").await;
    let token = world.server.form_token("logout", bound.split_once('=').unwrap().1);
    let cookies = format!("{bound}; {}", session_cookie(browser.cookie.as_ref().unwrap()));
    let body = format!("form_token={token}");

    let own = ("Sec-Fetch-Site", "same-origin");
    let sent = ("Cookie", cookies.as_str());
    let (cross_site, foreign) = (("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"));
    for (headers, body) in [
        (&[sent, own][..], ""),
        (&[sent, own], &format!("form_token={login_token}")),
        (&[sent, cross_site], &body),
        (&[sent, foreign], &body),
        // Without the cookies that are `Lax`, as browsers send it.
        (&[cross_site], &body),
    ] {
        let answer = world.post("/logout", headers, body).await;
        assert_eq!((answer.status, answer.header("Location")), (StatusCode::SEE_OTHER, "/logout"), "{headers:?}");
        assert!(answer.sets_no_cookie());
    }
    // There the browser sends them again.
    let linked = [HTML, ("Cookie", &cookies), ("Sec-Fetch-Site", "cross-site")];
    let asked = world.get(&format!("/logout?{body}"), &linked).await;
    asked.is_safe_page("");
    assert!(asked.status == StatusCode::OK && asked.sets_no_cookie() && asked.body.contains("Log out?"));
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));
    let body = format!("form_token={}", asked.form_token());
    let out = world.post("/logout", &[("Cookie", &cookies)], &body).await;
    assert_eq!((out.status, out.header("Location")), (StatusCode::SEE_OTHER, "/"));
    assert!(out.cookie("__Host-sso_session").is_some());
    assert_eq!(world.info(&alice).await, Ok(None));
}

/// With it come no cookies that are `Lax`: one that is new would end the forms in the user's open tabs.
#[actix_web::test]
async fn a_post_of_another_site_replaces_no_form_cookie() {
    let world = World::new();
    let on_the_way = attach_uri("Alice", &Token::generate(), "&prompt=login");
    for uri in ["/login", &on_the_way, "/logout"] {
        let forged = world.post(uri, &[HTML, ("Sec-Fetch-Site", "cross-site")], GOOD).await;
        assert!(forged.sets_no_cookie(), "{uri}: {:?}", forged.headers);
        // The twins: a page of ours whose cookie was deleted, and a link of another site.
        let own = world.post(uri, &[HTML, ("Sec-Fetch-Site", "same-origin")], GOOD).await;
        let linked = world.get(uri, &[HTML, ("Sec-Fetch-Site", "cross-site")]).await;
        for page in [own, linked].into_iter().filter(|page| page.status != StatusCode::SEE_OTHER) {
            let (cookie, token) = (page.cookie("__Host-sso_form").unwrap(), page.form_token());
            let sent = world.post(uri, &[HTML, ("Cookie", &cookie)], &format!("{GOOD}&form_token={token}")).await;
            assert_eq!(sent.status, StatusCode::SEE_OTHER, "{uri}: {}", sent.body);
            assert!(sent.cookie("__Host-sso_session").is_some() || uri == "/logout");
        }
    }
}

/// Browsers say of every POST of a script where it comes from.
#[actix_web::test]
async fn only_scripts_that_are_shown_to_be_of_this_site_change_the_session() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let alice = world.attach(&mut browser, "Alice").await;
    let cookie = session_cookie(browser.cookie.as_ref().unwrap());
    let headers = [("Cookie", cookie.as_str()), ("Content-Type", "application/json")];
    let post = async |path, from: &[(&str, &str)]| {
        send(world.site(), Method::POST, path, &[&headers, from].concat(), "").await.status
    };
    for path in ["/sso/session/keepalive", "/sso/session/logout"] {
        for from in [&[][..], &[("Origin", "https://evil.example")], &[("Sec-Fetch-Site", "same-site")]] {
            assert_eq!(post(path, from).await, StatusCode::FORBIDDEN, "{path} {from:?}");
        }
    }
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("jackie"));
    for own in [("Origin", "https://sso.example"), ("Sec-Fetch-Site", "same-origin")] {
        assert_eq!(post("/sso/session/keepalive", &[own]).await, StatusCode::OK, "{own:?}");
    }
    let own = [("Origin", "https://sso.example")];
    assert_eq!(post("/sso/session/logout", &own).await, StatusCode::NO_CONTENT);
    assert_eq!(world.info(&alice).await, Ok(None));
}

/// At the server's page, at the script's address, and at a broker's.
#[actix_web::test]
async fn a_logout_works_while_users_do_not_answer() {
    for way in ["/logout", "/sso/session/logout", "/api/logout"] {
        let directory = Directory::new();
        let world = World::with_users(directory.clone());
        let mut browser = Browser::default();
        world.log_in(&mut browser, "jackie").await;
        let alice = world.attach(&mut browser, "Alice").await;
        let (bound, _) = form(&world, "/login").await;
        let body = format!("form_token={}", world.server.form_token("logout", bound.split_once('=').unwrap().1));
        let cookies = format!("{bound}; {}", session_cookie(browser.cookie.as_ref().unwrap()));
        let (authorization, json) = (alice.authorization(), ("Content-Type", "application/json"));
        directory.is_down(true);
        let info = world.get("/api/info", &[("Authorization", &authorization)]).await;
        assert_eq!(info.status, StatusCode::SERVICE_UNAVAILABLE, "the twin: who it is has to be looked up");
        let (out, status) = match way {
            "/logout" => (world.post(way, &[("Cookie", &cookies)], &body).await, StatusCode::SEE_OTHER),
            "/api/logout" => (world.post(way, &[("Authorization", &authorization)], "").await, StatusCode::NO_CONTENT),
            _ => {
                let headers = [("Cookie", cookies.as_str()), json, ("Origin", "https://sso.example")];
                (send(world.site(), Method::POST, way, &headers, "").await, StatusCode::NO_CONTENT)
            }
        };
        assert_eq!(out.status, status, "{way}: {}", out.body);
        directory.is_down(false);
        assert_eq!(world.info(&alice).await, Ok(None), "{way}");
    }
}

#[actix_web::test]
async fn too_many_failures_say_when_to_try_again() {
    let world = World::new();
    let (cookie, token) = form(&world, "/login").await;
    let wrong = format!("username=jackie&password=x&form_token={token}");
    for _ in 0..6 {
        assert_eq!(world.post("/login", &[("Cookie", &cookie)], &wrong).await.status, StatusCode::BAD_REQUEST);
    }
    let early = world.post("/login", &[("Cookie", &cookie)], &format!("{GOOD}&form_token={token}")).await;
    assert_eq!((early.status, early.header("Retry-After")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    world.advance(std::time::Duration::from_secs(1));
    let good = world.post("/login", &[("Cookie", &cookie)], &format!("{GOOD}&form_token={token}")).await;
    assert_eq!(good.status, StatusCode::SEE_OTHER);
}
