//! `prompt=login`: the login on the way through an attach, with one set of checks.

use actix_web::http::StatusCode;
use sso_core::Token;
use sso_server::resume::ResumeError;

use crate::{
    common::{Attached, Browser, World, credentials},
    http::{Answer, HTML, attach_uri, pair, silent_uri},
};

const GOOD: &str = "username=jackie&password=jackie123";

fn prompt(broker: &str, token: &Token) -> String {
    attach_uri(broker, token, "&prompt=login")
}

/// Asks for the page and posts its form, as a browser with this session cookie would.
async fn log_in(world: &World, uri: &str, session: Option<&str>) -> Answer {
    let mut cookies = session.map(str::to_owned).unwrap_or_default();
    let page = world.get(uri, &[HTML, ("Cookie", &cookies)]).await;
    assert_eq!(page.status, StatusCode::OK, "{:?}", page.header("Location"));
    assert!(page.cookie("__Host-sso_session").is_none());
    cookies = format!("{cookies}; {}", page.cookie("__Host-sso_form").unwrap());
    let own = [HTML, ("Cookie", &cookies), ("Origin", "https://sso.example"), ("Sec-Fetch-Site", "same-origin")];
    world.post(uri, &own, &format!("{GOOD}&form_token={}", page.form_token())).await
}

#[actix_web::test]
async fn the_whole_way_with_a_session_and_without() {
    for has_session in [true, false] {
        let world = World::new();
        let (greg, cookie) = world.attach_over_http("Greg", None).await;
        let (old, _) = world.attach_over_http("Alice", cookie.as_deref()).await;
        let session = if has_session { cookie } else { None };
        let token = Token::generate();
        let uri = prompt("Alice", &token);

        let page = world.get(&uri, &[HTML, ("Sec-Fetch-Dest", "document")]).await;
        page.is_safe_page(" https://alice.example");
        assert!(page.body.contains("Alice"));

        let answer = log_in(&world, &uri, session.as_deref()).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert!(answer.header("Location").starts_with("https://alice.example/sso/return?state=s&sso_verify="));
        assert_eq!(answer.header("Referrer-Policy"), "no-referrer");
        let code = answer.query("sso_verify").unwrap().parse().unwrap();
        assert_eq!(world.info(&Attached { broker: "Alice", token, code }).await.unwrap().as_deref(), Some("jackie"));
        let new_cookie = answer.cookie("__Host-sso_session").unwrap();
        assert_ne!(Some(&new_cookie), session.as_ref());
        if has_session {
            for before in [&greg, &old] {
                assert_eq!(
                    world.info(before).await,
                    Err(ResumeError::Superseded),
                    "a token copied before is worth nothing"
                );
            }
            let (greg, _) = world.attach_over_http("Greg", Some(&new_cookie)).await;
            assert_eq!(world.info(&greg).await.unwrap().as_deref(), Some("jackie"), "one session for all");
        } else {
            assert_eq!(world.info(&greg).await, Ok(None), "another browser");
            assert_eq!(world.info(&old).await, Ok(None));
        }
    }
}

#[actix_web::test]
async fn who_is_logged_in_already_is_not_asked() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let session = crate::http::session_cookie(browser.cookie.as_ref().unwrap());
    let answer = world.get(&prompt("Alice", &Token::generate()), &[HTML, ("Cookie", &session)]).await;
    assert!(answer.query("sso_verify").is_some());
    assert!(answer.sets_no_cookie());
}

#[actix_web::test]
async fn the_form_is_refused_and_shown_again_with_the_way_back() {
    let world = World::new();
    let uri = prompt("Alice", &Token::generate());
    let page = world.get(&uri, &[HTML]).await;
    let cookie = page.cookie("__Host-sso_form").unwrap();
    let (token, cookie) = (page.form_token(), ("Cookie", cookie.as_str()));
    for (headers, body, status) in [
        (vec![cookie], GOOD.to_owned(), StatusCode::FORBIDDEN),
        (vec![cookie, ("Sec-Fetch-Site", "cross-site")], format!("{GOOD}&form_token={token}"), StatusCode::FORBIDDEN),
        (
            vec![cookie, ("Origin", "https://alice.example")],
            format!("{GOOD}&form_token={token}"),
            StatusCode::FORBIDDEN,
        ),
        (vec![cookie], format!("username=jackie&password=x&form_token={token}"), StatusCode::BAD_REQUEST),
    ] {
        let answer = world.post(&uri, &[&[HTML], headers.as_slice()].concat(), &body).await;
        assert_eq!(answer.status, status);
        answer.is_safe_page(" https://alice.example");
        assert_eq!(answer.cookie("__Host-sso_session"), None);
        assert!(answer.body.contains("value=\"jackie\""));
    }
    assert_eq!(world.store.calls(), [""; 0]);
    let good = world.post(&uri, &[HTML, cookie], &format!("{GOOD}&form_token={token}")).await;
    assert!(good.query("sso_verify").is_some());
}

#[actix_web::test]
async fn the_post_is_checked_like_the_get() {
    let world = World::new();
    let token = Token::generate();
    let uri = prompt("Alice", &token);
    let page = world.get(&uri, &[HTML]).await;
    let cookie = page.cookie("__Host-sso_form").unwrap();
    let body = format!("{GOOD}&form_token={}", page.form_token());
    let headers = [HTML, ("Cookie", cookie.as_str())];
    let evil = silent_uri("Alice", &token, &format!("&prompt=login&{}", pair("return_url", "https://evil.example/")));
    for (bad, status) in [
        (evil, StatusCode::BAD_REQUEST),
        (uri.replace("broker=Alice", "broker=Nobody"), StatusCode::FORBIDDEN),
        (uri.replace("&prompt=login", ""), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = world.post(&bad, &headers, &body).await;
        assert_eq!((answer.status, answer.header("Location")), (status, ""));
        answer.is_safe_page("");
    }
    let wrong = world.post(&uri.replace("checksum=", "checksum=0"), &headers, &body).await;
    assert_eq!(wrong.query("sso_error").as_deref(), Some("Invalid attach checksum"));
    assert!(wrong.sets_no_cookie());
    assert_eq!(world.store.calls(), [""; 0], "nobody was logged in on the way");
    assert!(world.post(&uri, &headers, &body).await.query("sso_verify").is_some());
}

#[actix_web::test]
async fn a_login_whose_attach_is_refused_still_gives_its_cookie() {
    let world = World::new();
    let taken = world.attach(&mut Browser::default(), "Alice").await.token;
    let (_, cookie) = world.attach_over_http("Greg", None).await;
    let answer = log_in(&world, &prompt("Alice", &taken), cookie.as_deref()).await;
    assert_eq!(answer.query("sso_error").as_deref(), Some("Token is already attached"));
    // The visitor is logged in, and can log out again.
    let session = answer.cookie("__Host-sso_session").unwrap();
    let again = world.get(&prompt("Alice", &Token::generate()), &[HTML, ("Cookie", &session)]).await;
    assert!(again.query("sso_verify").is_some());
}

#[actix_web::test]
async fn after_a_logout_at_a_broker_the_next_login_is_in_the_same_session() {
    let world = World::new();
    let (greg, cookie) = world.attach_over_http("Greg", None).await;
    let (alice, _) = world.attach_over_http("Alice", cookie.as_deref()).await;
    let resumed = world.resume(&alice).await.unwrap();
    world.server.broker_log_in(&resumed, &credentials("jackie")).await.unwrap();
    world.broker_log_out(&alice).await.unwrap();
    let session = world.resume(&greg).await.unwrap().session.id.clone();
    let answer = log_in(&world, &prompt("Alice", &Token::generate()), cookie.as_deref()).await;
    assert!(answer.query("sso_verify").is_some());
    let cookie = answer.cookie("__Host-sso_session");
    let (greg, _) = world.attach_over_http("Greg", cookie.as_deref()).await;
    assert_eq!(world.info(&greg).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(world.resume(&greg).await.unwrap().session.id, session);
}

/// A stranger may add it to the URL of any attach: it cuts nobody's link.
#[actix_web::test]
async fn a_prompt_cuts_no_link_of_a_broker_that_cannot_attach_anew() {
    let world = World::new();
    let (php, cookie) = world.attach_over_http("Php", None).await;
    let answer = log_in(&world, &prompt("Php", &Token::generate()), cookie.as_deref()).await;
    assert!(answer.query("sso_verify").is_some());
    assert_eq!(world.info(&php).await.unwrap().as_deref(), Some("jackie"));
}
