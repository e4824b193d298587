//! `prompt=login`: the login on the way through an attach, with one set of checks.

use std::{num::NonZeroUsize, time::Duration};

use actix_web::http::StatusCode;
use sso_core::Token;
use sso_server::{Error, Policy, Remember, clock::Clock};

use crate::{
    common::{Attached, Browser, HOUR, MINUTE, World, credentials, ticked},
    http::{Answer, HTML, attach_uri, pair, session_cookie, silent_uri},
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
                assert_eq!(world.info(before).await, Err(Error::Superseded), "a token copied before is worth nothing");
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
    let call = world.broker_call(&alice).await.unwrap();
    world.server.broker_log_in(&call, &credentials("jackie")).await.unwrap();
    world.broker_log_out(&alice).await.unwrap();
    let session = world.broker_call(&greg).await.unwrap().session.id.clone();
    let answer = log_in(&world, &prompt("Alice", &Token::generate()), cookie.as_deref()).await;
    assert!(answer.query("sso_verify").is_some());
    let cookie = answer.cookie("__Host-sso_session");
    let (greg, _) = world.attach_over_http("Greg", cookie.as_deref()).await;
    assert_eq!(world.info(&greg).await.unwrap().as_deref(), Some("jackie"));
    assert_eq!(world.broker_call(&greg).await.unwrap().session.id, session);
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

/// The same, if whoever is logged in typed the password so long ago.
fn prompt_again(token: &Token, max_age: u32) -> String {
    attach_uri("Alice", token, &format!("&prompt=login&max_age={max_age}"))
}

/// jackie, logged in now and attached at Greg; with the session's cookie.
async fn logged_in(world: &World) -> (Attached, String) {
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    let greg = world.attach(&mut browser, "Greg").await;
    (greg, session_cookie(browser.cookie.as_ref().unwrap()))
}

async fn auth_time(world: &World, link: &Attached) -> serde_json::Value {
    world.get("/api/session", &[("Authorization", &link.authorization())]).await.json()["auth_time"].clone()
}

#[actix_web::test]
async fn threat_34_who_typed_the_password_too_long_ago_types_it_again_and_the_login_goes_on() {
    let world = World::new();
    let (greg, cookie) = logged_in(&world).await;
    let began = world.clock.now();
    let headers = [HTML, ("Cookie", cookie.as_str())];
    world.advance(MINUTE - Duration::from_millis(1));
    let young = world.get(&prompt_again(&Token::generate(), 60), &headers).await;
    assert!(young.query("sso_verify").is_some(), "not long enough ago");
    assert_eq!(auth_time(&world, &greg).await, began.as_secs());

    world.advance(Duration::from_millis(1));
    let token = Token::generate();
    let uri = prompt_again(&token, 60);
    let page = world.get(&uri, &headers).await;
    page.is_safe_page(" https://alice.example");
    assert!(page.body.contains("Enter your password again") && page.body.contains("value=\"jackie\""), "{}", page.body);
    assert!(world.get(&prompt("Alice", &Token::generate()), &headers).await.query("sso_verify").is_some(), "its twin");

    let answer = log_in(&world, &uri, Some(&cookie)).await;
    let code = answer.query("sso_verify").unwrap().parse().unwrap();
    let alice = Attached { broker: "Alice", token, code };
    for link in [&alice, &greg] {
        assert_eq!(world.info(link).await.unwrap().as_deref(), Some("jackie"), "no link of before is superseded");
        assert_eq!(auth_time(&world, link).await, world.clock.now().as_secs());
    }
    let new = answer.cookie("__Host-sso_session").unwrap();
    assert_ne!(new, cookie);
    assert!(world.get(&uri, &headers).await.cookie("__Host-sso_session").is_none());
    let anew = world.get(&prompt_again(&Token::generate(), 60), &[HTML, ("Cookie", &new)]).await;
    assert!(anew.query("sso_verify").is_some(), "asked once");
    assert_eq!(world.get("/login", &headers).await.status, StatusCode::OK, "the old cookie is dead");
}

/// Where it is asked for in any case, the answer to the form is not the form again.
#[actix_web::test]
async fn an_age_of_zero_asks_in_any_case_and_once() {
    let world = World::new();
    let (_, cookie) = logged_in(&world).await;
    let answer = log_in(&world, &prompt_again(&Token::generate(), 0), Some(&cookie)).await;
    assert!(answer.query("sso_verify").is_some());
    // Nobody is logged in: as without it.
    let answer = log_in(&world, &prompt_again(&Token::generate(), u32::MAX), None).await;
    assert!(answer.query("sso_verify").is_some());
}

#[actix_web::test]
async fn another_user_at_that_form_replaces_the_first() {
    let world = World::new();
    let (greg, cookie) = logged_in(&world).await;
    let token = Token::generate();
    let uri = prompt_again(&token, 0);
    let page = world.get(&uri, &[HTML, ("Cookie", &cookie)]).await;
    let cookies = format!("{cookie}; {}", page.cookie("__Host-sso_form").unwrap());
    let fields = |user: &str| format!("username={user}&password=jackie123&form_token={}", page.form_token());
    let wrong = world.post(&uri, &[HTML, ("Cookie", &cookies)], &fields("nobody")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.info(&greg).await.unwrap().as_deref(), Some("jackie"), "nothing has changed yet");
    let answer = world.post(&uri, &[HTML, ("Cookie", &cookies)], &fields("john")).await;
    let code = answer.query("sso_verify").unwrap().parse().unwrap();
    let alice = Attached { broker: "Alice", token, code };
    assert_eq!(world.info(&alice).await.unwrap().as_deref(), Some("john"));
    assert_eq!(world.info(&greg).await, Err(Error::Superseded));
}

#[actix_web::test]
async fn an_age_that_is_none_is_refused() {
    let world = World::new();
    for extra in ["&max_age=60", "&prompt=login&max_age=1h", "&prompt=login&max_age=60&max_age=60"] {
        let answer = world.get(&attach_uri("Alice", &Token::generate(), extra), &[HTML]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(
            answer.body.contains("Invalid &#39;max_age&#39; query parameter")
                || answer.body.contains("Invalid 'max_age' query parameter"),
            "{}",
            answer.body
        );
    }
    assert_eq!(world.get(&prompt_again(&Token::generate(), 60), &[HTML]).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_remembered_browser_counts_from_when_the_password_was_typed() {
    let world = World::new();
    let visit = world.server.log_in(None, &ticked("jackie")).await.unwrap();
    let Remember::Set(token) = visit.remember else { panic!("the box was ticked") };
    let kept = format!("__Host-sso_session_remember={}", token.expose());
    world.advance(HOUR);
    let visit = [HTML, ("Cookie", kept.as_str()), ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate")];
    let page = world.get(&prompt_again(&Token::generate(), 3600), &visit).await;
    assert_eq!(page.status, StatusCode::OK);
    let (session, remember) = (page.cookie("__Host-sso_session"), page.cookie("__Host-sso_session_remember"));
    let cookies = format!("{}; {}", session.expect("it came back"), remember.expect("its token is used up"));
    assert!(page.body.contains("value=\"jackie\"") && page.body.contains("checked"), "{}", page.body);
    // The twin: not long enough ago.
    let young = world.get(&prompt_again(&Token::generate(), 3601), &[HTML, ("Cookie", &cookies)]).await;
    assert!(young.query("sso_verify").is_some());
    let uri = prompt_again(&Token::generate(), 3600);
    let page = world.get(&uri, &[HTML, ("Cookie", &cookies)]).await;
    let all = format!("{cookies}; {}", page.cookie("__Host-sso_form").unwrap());
    let body = format!("{GOOD}&remember=on&form_token={}", page.form_token());
    let answer = world.post(&uri, &[HTML, ("Cookie", &all)], &body).await;
    assert!(answer.query("sso_verify").is_some());
    assert!(answer.cookie("__Host-sso_session_remember").is_some(), "and stays remembered");
}

#[actix_web::test]
async fn who_was_ended_for_too_many_logins_is_told_why_where_they_log_in() {
    let world = World::living(Policy { max_sessions_per_user: NonZeroUsize::MIN, ..Policy::default() });
    let (_, cookie) = logged_in(&world).await;
    let told = "logged in at too many places";
    world.advance(MINUTE);
    world.log_in(&mut Browser::default(), "jackie").await;
    let page = world.get("/login", &[HTML, ("Cookie", &cookie)]).await;
    assert!(page.status == StatusCode::OK && page.body.contains(told), "{}", page.body);
    let cookie = page.cookie("__Host-sso_session").expect("an end replaces it");
    let uri = prompt("Alice", &Token::generate());
    assert!(world.get(&uri, &[HTML, ("Cookie", &cookie)]).await.body.contains(told));
    let cookie = log_in(&world, &uri, Some(&cookie)).await.cookie("__Host-sso_session").unwrap();
    assert!(world.get("/account", &[HTML, ("Cookie", &cookie)]).await.body.contains(told));
    // Its twin: who was not, is not.
    assert!(!world.get("/login", &[HTML]).await.body.contains(told));
    let (_, cookie) = logged_in(&world).await;
    assert!(!world.get("/account", &[HTML, ("Cookie", &cookie)]).await.body.contains(told));
}
