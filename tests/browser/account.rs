//! The account page: a session that is ended on it is over at every site of that browser.

use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{
    JACKIE, OUT, assert_quiet, expect, log_in_at_alice, pages::look, remember::close_and_open, type_password,
    wait_for_popup,
};

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
    mine.wait_for(".rows dd", "Alice, Greg").await;
    mine.wait_for(".rows dd", "with the password").await;
    mine.wait_for(".rows h3", "Chrome on Linux").await;
    look(&mine, "account").await;
    mine.click(".rows button[value=end]").await;
    mine.wait_for("[role=status]", "The session was ended").await;
    look(&mine, "account-ended").await;
    assert!(!mine.text().await.contains("End all others"), "there are none");
    mine.open(&demo.url("sso", "/account")).await;
    assert!(!mine.text().await.contains("The session was ended"), "that is said once");
    // What the page that is open there says, and then each site, once.
    wait_for_popup(&other, "revoked").await;
    other.wait_for("#session-popup", "Your session was ended").await;
    look(&other, "popup-revoked").await;
    for (site, path, css) in [("alice", "/", "h1"), ("greg", "/about", "main")] {
        other.open(&demo.url(site, path)).await;
        other.wait_for("[role=alert]", "Your session was ended for you").await;
        other.wait_for(css, OUT).await;
        look(&other, &format!("{site}-revoked")).await;
        expect(&other, &demo, site, OUT).await;
        assert!(!other.text().await.contains("was ended"), "that is said once");
    }
    expect(&mine, &demo, "alice", JACKIE).await;

    // The password again.
    mine.open(&demo.url("sso", "/confirm?return_url=/account")).await;
    mine.wait_for("h1", "Confirm it's you").await;
    look(&mine, "confirm").await;
    mine.fill("#password", "wrong").await;
    mine.click("main form button").await;
    mine.wait_for("[role=alert]", "Wrong username or password.").await;
    look(&mine, "confirm-refused").await;
    mine.fill("#password", "jackie123").await;
    mine.click("main form button").await;
    mine.wait_for("h1", "Your account").await;
    assert!(!mine.text().await.contains("End this session"), "the other one is not there any more");
    assert_quiet(&mine, &[400]).await;
    assert_quiet(&other, &[]).await;
}

#[tokio::test]
async fn a_remembered_browser_is_listed_and_forgotten() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let account = demo.url("sso", "/account");
    browser.open(&demo.url("sso", "/login?return_url=/account")).await;
    browser.click("input[name=remember]").await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("#browsers + .rows", "this browser").await;

    // The browser was closed: it is logged in, but the password was not typed.
    close_and_open(&browser).await;
    browser.open(&demo.url("sso", "/login?return_url=/account")).await;
    browser.wait_for("main", "because the browser is remembered").await;
    look(&browser, "account-remembered").await;
    browser.click("button[value=forget]").await;
    browser.wait_for("h1", "Confirm it's you").await;
    browser.open(&demo.url("sso", "/profile")).await;
    browser.wait_for("h1", "Confirm it's you").await;
    browser.fill("#password", "jackie123").await;
    browser.click("main form button").await;
    browser.wait_for("h1", "Your profile").await;

    browser.open(&account).await;
    browser.click("button[value=forget]").await;
    browser.wait_for("main", "No remembered browsers.").await;
    close_and_open(&browser).await;
    browser.open(&account).await;
    browser.wait_for("h1", "Log in").await;
    assert_quiet(&browser, &[]).await;
}
