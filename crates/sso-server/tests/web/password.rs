//! The account page's form for another password.

use actix_web::http::StatusCode;
use sso_server::{Account, UserList};

use crate::{
    common::{
        Browser, PASSWORD, World,
        directory::{Directory, another_hash, hash},
    },
    http::{Answer, HTML, pair, session_cookie},
};

const NEW: &str = "a quite new password";

/// A browser at the account page: its cookies, and the token of the password's form.
struct Page {
    cookies: String,
    token: String,
}

async fn logged_in(world: &World) -> String {
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    session_cookie(&browser.cookie.unwrap())
}

async fn open(world: &World, session: &str) -> Page {
    let answer = world.get("/account", &[HTML, ("Cookie", session)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.is_safe_page("");
    let form = answer.headers.get("Set-Cookie").unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    Page { token: password_token(&answer), cookies: format!("{session}; {form}") }
}

fn password_token(answer: &Answer) -> String {
    let (_, rest) = answer.body.split_once("action=\"/account/password\"").unwrap();
    rest.split_once("value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

impl Page {
    async fn submit(&self, world: &World, token: &str, old: &str, new: &str, again: &str) -> Answer {
        let fields = [("form_token", token), ("old", old), ("new", new), ("again", again)];
        let body = fields.map(|(name, value)| pair(name, value)).join("&");
        world.post("/account/password", &[HTML, ("Cookie", &self.cookies)], &body).await
    }
}

#[actix_web::test]
async fn the_password_is_changed_and_the_page_says_so() {
    let world = World::with_users(Directory::new());
    let (session, other) = (logged_in(&world).await, logged_in(&world).await);
    let page = open(&world, &session).await;
    let answer = page.submit(&world, &page.token, PASSWORD, NEW, NEW).await;
    let location = answer.header("Location").to_owned();
    assert!(answer.status == StatusCode::SEE_OTHER && location.starts_with("/account?done=password&proof="));
    let renewed = answer.cookie("__Host-sso_session").unwrap();
    assert_ne!(renewed, session);
    assert_eq!(answer.cookie("__Host-sso_session_remember").as_deref(), Some("__Host-sso_session_remember="));
    let form = page.cookies.split_once("; ").unwrap().1;
    let cookies = format!("{renewed}; {form}");
    let after = world.get(&location, &[HTML, ("Cookie", &cookies)]).await;
    assert!(after.status == StatusCode::OK && after.body.contains("Your password was changed"), "{}", after.body);
    // Only with the proof, and not with another token of the page.
    let form_token = format!("/account?done=password&proof={}", password_token(&after));
    for untrue in ["/account", "/account?done=password", "/account?done=password&proof=x", &form_token] {
        let plain = world.get(untrue, &[HTML, ("Cookie", &cookies)]).await;
        assert!(plain.status == StatusCode::OK && !plain.body.contains("Your password was changed"), "{untrue}");
    }
    for dead in [&session, &other] {
        let answer = world.get("/account", &[HTML, ("Cookie", dead)]).await;
        assert_eq!((answer.status, answer.header("Location")), (StatusCode::SEE_OTHER, "/login?return_url=/account"));
    }
}

#[actix_web::test]
async fn what_is_wrong_stands_at_the_form_and_no_password_does() {
    let world = World::with_users(Directory::new());
    let session = logged_in(&world).await;
    let page = open(&world, &session).await;
    for (old, new, again, why) in [
        (PASSWORD, NEW, "something quite else", "are not the same"),
        (PASSWORD, "too short", "too short", "at least 15 characters"),
        (PASSWORD, "passwordpassword", "passwordpassword", "easy to guess: it is a common one"),
        (PASSWORD, "jackie-jackie-1987", "jackie-jackie-1987", "made of the account's own name"),
        ("wrong-password", NEW, NEW, "The current password is incorrect"),
    ] {
        let answer = page.submit(&world, &page.token, old, new, again).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{why}");
        answer.is_safe_page("");
        assert!(answer.body.contains(why) && answer.body.contains("role=\"alert\""), "{}", answer.body);
        for typed in [old, new, again] {
            assert!(!answer.body.contains(typed), "{typed}");
        }
    }
    for _ in 0..5 {
        page.submit(&world, &page.token, "wrong-password", NEW, NEW).await;
    }
    let early = page.submit(&world, &page.token, PASSWORD, NEW, NEW).await;
    assert_eq!((early.status, early.header("Retry-After")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    world.advance(std::time::Duration::from_secs(1));
    assert_eq!(page.submit(&world, &page.token, PASSWORD, NEW, NEW).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn only_this_pages_own_form_counts_and_only_for_some_minutes() {
    let world = World::with_users(Directory::new());
    let (session, _other) = (logged_in(&world).await, logged_in(&world).await);
    let page = open(&world, &session).await;
    let account = world.get("/account", &[HTML, ("Cookie", &page.cookies)]).await.form_token();
    for forged in ["", "x", account.as_str()] {
        let answer = page.submit(&world, forged, PASSWORD, NEW, NEW).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{forged}");
    }
    world.advance(std::time::Duration::from_secs(11 * 60));
    let late = page.submit(&world, &page.token, PASSWORD, NEW, NEW).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
    let renewed = password_token(&late);
    assert_eq!(page.submit(&world, &renewed, PASSWORD, NEW, NEW).await.status, StatusCode::SEE_OTHER);
    let nobody = world.post("/account/password", &[HTML], "").await;
    assert_eq!((nobody.status, nobody.header("Location")), (StatusCode::SEE_OTHER, "/login?return_url=/account"));
}

#[actix_web::test]
async fn a_password_that_was_set_meanwhile_stays_and_the_page_says_so() {
    for is_reset in [true, false] {
        let directory = Directory::new();
        let world = World::with_users(directory.clone());
        let page = open(&world, &logged_in(&world).await).await;
        let hash = if is_reset { another_hash() } else { hash() };
        directory.put_after_the_next_find(Account::new("jackie", hash));
        let answer = page.submit(&world, &page.token, PASSWORD, NEW, NEW).await;
        assert_eq!(answer.status, if is_reset { StatusCode::CONFLICT } else { StatusCode::SEE_OTHER });
        if is_reset {
            answer.is_safe_page("");
            assert!(answer.body.contains("changed elsewhere"), "{}", answer.body);
        }
    }
}

#[actix_web::test]
async fn where_passwords_cannot_be_changed_there_is_no_form() {
    let world = World::with_users(UserList::from_iter([Account::new("jackie", another_hash())]));
    let session = logged_in(&world).await;
    let answer = world.get("/account", &[HTML, ("Cookie", &session)]).await;
    assert!(answer.status == StatusCode::OK && !answer.body.contains("/account/password"));
    let with = World::with_users(Directory::new());
    let session = logged_in(&with).await;
    assert!(with.get("/account", &[HTML, ("Cookie", &session)]).await.body.contains("/account/password"));
}
