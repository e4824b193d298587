//! The account page: a session that is ended on it is over at every site of that browser.

use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{JACKIE, OUT, assert_quiet, expect, log_in_at_alice, pages::look};

#[tokio::test]
async fn a_session_is_ended_from_another_browser() {
    let demo = Demo::start(&[]);
    let mine = Browser::start(ThirdPartyCookies::Blocked).await;
    let other = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&mine, &demo).await;
    log_in_at_alice(&other, &demo).await;
    expect(&other, &demo, "greg", JACKIE).await;

    mine.open(&demo.url("sso", "/")).await;
    mine.click("a[href='/account']").await;
    mine.wait_for("h1", "Your account").await;
    mine.wait_for("main", "Attached: Alice, Greg").await;
    mine.wait_for(".rows h3", "Chrome on Linux").await;
    look(&mine, "account").await;
    mine.click(".rows button[value=end]").await;
    mine.wait_for("main", "Where you are logged in").await;
    for site in ["alice", "greg"] {
        other.open(&demo.url(site, "/about")).await;
        other.wait_for("main", "session").await;
        expect(&other, &demo, site, OUT).await;
    }
    expect(&mine, &demo, "alice", JACKIE).await;

    // The password again.
    mine.open(&demo.url("sso", "/confirm?return_url=/account")).await;
    mine.wait_for("h1", "Your password, please").await;
    look(&mine, "confirm").await;
    mine.fill("#password", "wrong").await;
    mine.click("main form button").await;
    mine.wait_for("[role=alert]", "Invalid credentials").await;
    look(&mine, "confirm-refused").await;
    mine.fill("#password", "jackie123").await;
    mine.click("main form button").await;
    mine.wait_for("h1", "Your account").await;
    assert!(!mine.text().await.contains("End this session"), "the other one is not there any more");
    assert_quiet(&mine, &[400]).await;
    assert_quiet(&other, &[]).await;
}
