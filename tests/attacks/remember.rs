//! Stolen remember-me cookies, and logins that come back to life: threats 20 and 21.

use sso_tests::{Demo, Visitor};

use crate::ground::cookie;

const COOKIE: &str = "sso_session_remember";

/// A visitor who logged in at Alice with the box ticked, or without.
async fn logged_in(demo: &Demo, remember: bool) -> Visitor {
    let visitor = Visitor::new();
    let form = visitor.visit(&demo.url("alice", "/sso/login?to=/")).await;
    let mut fields = vec![("username", "jackie"), ("password", "jackie123")];
    if remember {
        fields.push(("remember", "yes"));
    }
    let sent = visitor.submit(&form, "/attach", &fields).await;
    assert_eq!(visitor.follow(sent).await.heading(), "Logged in as jackie");
    visitor
}

/// A browser that has nothing but this remember-me cookie.
fn only_with(demo: &Demo, token: &str) -> Visitor {
    let visitor = Visitor::new();
    visitor.set_cookie(&demo.url("sso", "/"), &format!("{COOKIE}={token}; Path=/"));
    visitor
}

/// Who is logged in at Alice in this browser.
async fn heading(demo: &Demo, visitor: &Visitor) -> String {
    visitor.visit(&demo.url("alice", "/")).await.heading().to_owned()
}

const IN: &str = "Logged in as jackie";
const OUT: &str = "You are logged out";

fn token(demo: &Demo, visitor: &Visitor) -> String {
    cookie(visitor, &demo.url("sso", "/"), COOKIE)
}

#[tokio::test]
async fn threat_20_a_stolen_remember_me_cookie_used_after_its_owner_ends_the_family() {
    let demo = Demo::start(&[]);
    let owner = logged_in(&demo, true).await;
    let stolen = token(&demo, &owner);
    // The owner comes back twice, each time without a session; each time the token is replaced.
    let back = only_with(&demo, &stolen);
    assert_eq!(heading(&demo, &back).await, IN);
    let second = token(&demo, &back);
    assert_ne!(second, stolen);
    let again = only_with(&demo, &second);
    assert_eq!(heading(&demo, &again).await, IN);

    let thief = only_with(&demo, &stolen);
    assert_eq!(heading(&demo, &thief).await, OUT);
    // All sessions of the family are over, and so is its newest token.
    for visitor in [&owner, &back, &again] {
        assert_ne!(heading(&demo, visitor).await, IN);
    }
    assert_eq!(heading(&demo, &only_with(&demo, &token(&demo, &again))).await, OUT);
}

#[tokio::test]
async fn threat_20_altered_and_foreign_tokens_remember_nobody() {
    let demo = Demo::start(&[]);
    let good = token(&demo, &logged_in(&demo, true).await);
    let elsewhere = Demo::start(&[]);
    let foreign = token(&elsewhere, &logged_in(&elsewhere, true).await);
    let (head, rest) = good.split_once('.').unwrap();
    for bad in [
        foreign.as_str(),
        &format!("{good}x"),
        // {"alg":"none"} in place of the header
        &format!("eyJhbGciOiJub25lIn0.{rest}"),
        &format!("{head}.{}.", rest.split_once('.').unwrap().0),
        "..",
    ] {
        let visitor = only_with(&demo, bad);
        assert_eq!(heading(&demo, &visitor).await, OUT, "{bad}");
        let login = visitor.visit(&demo.url("sso", "/login")).await;
        assert!(login.status == 200 && login.heading().starts_with("Log in") && !login.body.contains("Wrong"));
    }
    assert_eq!(heading(&demo, &only_with(&demo, &good)).await, IN);
}

#[tokio::test]
async fn threat_20_only_a_navigation_uses_the_token() {
    let demo = Demo::start(&[]);
    let good = token(&demo, &logged_in(&demo, true).await);
    let login = demo.url("sso", "/login");
    for (mode, dest, is_in) in
        [("no-cors", "image", false), ("navigate", "iframe", false), ("navigate", "document", true)]
    {
        let visitor = only_with(&demo, &good);
        let request = visitor.request(reqwest::Method::GET, &login);
        let request = request.header("Sec-Fetch-Mode", mode).header("Sec-Fetch-Dest", dest);
        let answer = sso_tests::visitor::send(request.header("Accept", "text/html")).await;
        assert_eq!(answer.status == 303, is_in, "{mode} {dest}");
        assert_eq!(token(&demo, &visitor) != good, is_in, "{mode} {dest}");
    }
    // What a script asks does nothing with it.
    let visitor = only_with(&demo, &good);
    assert!(!visitor.get(&demo.url("sso", "/sso/session")).await.body.contains("jackie"));
    assert_eq!(token(&demo, &visitor), good);
}

#[tokio::test]
async fn threat_21_a_logout_at_any_site_is_not_undone_by_the_token() {
    let demo = Demo::start(&[]);
    for site in ["alice", "greg", "sso"] {
        let visitor = logged_in(&demo, true).await;
        let copied = token(&demo, &visitor);
        let home = visitor.visit(&demo.url(site, "/")).await;
        let sent = visitor.submit(&home, "/logout", &[]).await;
        visitor.follow(sent).await;
        assert_eq!(heading(&demo, &visitor).await, OUT, "{site}");
        // Without the session, too, and with a copy from before.
        assert_eq!(heading(&demo, &only_with(&demo, &copied)).await, OUT, "{site}");
    }
    // The twin: without a logout it is still good; and without the box there is none.
    let visitor = logged_in(&demo, true).await;
    assert_eq!(heading(&demo, &only_with(&demo, &token(&demo, &visitor))).await, IN);
    let visitor = logged_in(&demo, false).await;
    assert!(!visitor.cookies(&demo.url("sso", "/")).contains(COOKIE));
}
