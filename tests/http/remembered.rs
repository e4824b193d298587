//! The account page and browsers that are remembered: forgetting them, and what asks for the password first.

use reqwest::Method;
use sso_tests::{
    Demo, Visitor,
    visitor::{Answer, send},
};

use crate::account::{PASSWORD, Person};

const REMEMBER: &str = "sso_session_remember";

/// Logs in at the server with the box ticked.
async fn remembered(demo: &Demo) -> Visitor {
    let visitor = Visitor::new();
    let form = visitor.get(&demo.url("sso", "/login")).await;
    let fields = [("username", "jackie"), PASSWORD, ("remember", "yes")];
    assert_eq!(visitor.submit(&form, "/login", &fields).await.status, 303);
    visitor
}

/// The same browser after it was closed: only what it is remembered by is left.
fn closed(demo: &Demo, visitor: &Visitor) -> Visitor {
    let (url, again) = (demo.url("sso", "/"), Visitor::new());
    let cookies = visitor.cookies(&url);
    let kept = cookies.split("; ").find(|cookie| cookie.starts_with(REMEMBER)).expect("it is remembered");
    again.set_cookie(&url, &format!("{kept}; Path=/"));
    again
}

/// Whether it is logged in without a password.
async fn comes_back(demo: &Demo, visitor: &Visitor) -> bool {
    visitor.get(&demo.url("sso", "/login")).await.status == 303
}

/// Sends the first form of the page that has this button.
async fn press(visitor: &Visitor, page: &Answer, button: &str) -> Answer {
    let (before, _) = page.body.split_once(&format!("value=\"{button}\"")).expect("the button");
    let start = before.rfind("<form").unwrap();
    let only = Answer {
        url: page.url.clone(),
        status: page.status,
        headers: page.headers.clone(),
        body: page.body[start..].to_owned(),
    };
    visitor.submit(&only, "/account", &[("action", button)]).await
}

#[tokio::test]
async fn a_browser_that_is_forgotten_or_ended_does_not_come_back() {
    let demo = Demo::start(&[]);
    let (url, mine) = (demo.url("sso", "/account"), remembered(&demo).await);
    let page = mine.get(&url).await;
    assert!(page.body.contains("this browser") && page.body.contains("29 days left"), "{}", page.body);
    // The twin: neither forgotten nor ended.
    assert!(comes_back(&demo, &closed(&demo, &mine)).await);

    let mine = remembered(&demo).await;
    let sent = press(&mine, &mine.get(&url).await, "forget").await;
    assert_eq!(sent.status, 303);
    let page = mine.follow(sent).await;
    assert!(page.status == 200 && page.body.contains("The browser was forgotten."), "its session goes on");
    assert!(!comes_back(&demo, &closed(&demo, &mine)).await);

    // From another browser: the one that is ended, and then all.
    let me = Person::start(&demo, "jackie", "jackie123").await;
    press(&me.visitor, &me.account(&demo).await, "end_others").await;
    let ended = remembered(&demo).await;
    assert_eq!(press(&me.visitor, &me.account(&demo).await, "end").await.status, 303);
    assert!(!comes_back(&demo, &closed(&demo, &ended)).await);
    let (here, away) = (remembered(&demo).await, closed(&demo, &remembered(&demo).await));
    assert_eq!(press(&me.visitor, &me.account(&demo).await, "end_others").await.status, 303);
    assert!(!comes_back(&demo, &closed(&demo, &here)).await && !comes_back(&demo, &away).await);
    assert_eq!(me.at_alice().await.as_deref(), Ok("jackie"));
}

#[tokio::test]
async fn the_home_page_of_the_server_knows_a_remembered_browser() {
    let demo = Demo::start(&[]);
    let url = demo.url("sso", "/");
    let again = closed(&demo, &remembered(&demo).await);
    assert!(again.get(&url).await.body.contains("You are logged in as <strong>jackie</strong>"));
    assert!(again.get(&url).await.body.contains("jackie"), "its token was replaced and the new one was kept");
    // Only a person's navigation does it.
    let again = closed(&demo, &again);
    let image = again.request(Method::GET, &url).header("Sec-Fetch-Mode", "no-cors").header("Sec-Fetch-Dest", "image");
    let image = send(image).await;
    assert!(image.body.contains("You are logged out.") && image.header("set-cookie").find("remember").is_none());
    assert!(again.get(&url).await.body.contains("<strong>jackie</strong>"));
    // Who is not remembered is not logged in.
    assert!(Visitor::new().get(&url).await.body.contains("You are logged out."));
}

#[tokio::test]
async fn who_is_only_remembered_types_the_password_for_what_is_sensitive() {
    let demo = Demo::start(&[]);
    let url = |path: &str| demo.url("sso", path);
    let before = remembered(&demo).await;
    assert_eq!(before.get(&url("/profile")).await.status, 200, "the password was typed just now");
    let other = Person::start(&demo, "jackie", "jackie123").await;

    let mine = closed(&demo, &before);
    assert!(comes_back(&demo, &mine).await);
    assert_eq!(mine.get(&url("/profile")).await.location(), Some(url("/confirm?return_url=/profile")));
    let page = mine.get(&url("/account")).await;
    assert!(page.body.contains("because the browser is remembered") && page.body.contains("Enter it now"));
    for button in ["end", "end_others", "forget"] {
        let sent = press(&mine, &page, button).await;
        assert_eq!((sent.status, sent.location()), (303, Some(url("/confirm?return_url=/account"))), "{button}");
    }
    assert_eq!(other.at_alice().await.as_deref(), Ok("jackie"), "nothing was ended");

    let confirm = mine.get(&url("/confirm?return_url=/profile")).await;
    let sent = mine.submit(&confirm, "/confirm", &[PASSWORD]).await;
    let form = mine.follow(sent).await;
    assert_eq!((form.status, form.url.path()), (200, "/profile"));
    assert_eq!(press(&mine, &mine.get(&url("/account")).await, "end_others").await.status, 303);
    assert_eq!(other.at_alice().await, Err(204));
}

#[tokio::test]
async fn a_profile_page_from_before_is_not_taken_from_a_remembered_session() {
    let demo = Demo::start(&[]);
    let url = |path: &str| demo.url("sso", path);
    let mine = remembered(&demo).await;
    let page = mine.get(&url("/profile")).await;
    let fields = [("fullname", "Mallory"), ("email", "m@example.org")];
    assert_eq!(mine.submit(&page, "/profile", &fields).await.status, 200);
    // The session is gone, and what form tokens are bound to is not.
    mine.set_cookie(&url("/"), "sso_session=; Path=/; Max-Age=0");
    assert!(comes_back(&demo, &mine).await);
    let refused = mine.submit(&page, "/profile", &fields).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("asks for your password first") && refused.body.contains("/confirm?return_url"));
}
