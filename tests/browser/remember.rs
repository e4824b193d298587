//! Remember me: the box, and what happens when the browser was closed in between.

use serde_json::json;
use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{JACKIE, LOG_OUT, OUT, assert_quiet, expect, pages::look, type_password};

/// Takes away what a browser forgets when it is closed.
pub(crate) async fn close_and_open(browser: &Browser) {
    browser.open("about:blank").await;
    let all = browser.cdp("Storage.getCookies", json!({})).await;
    for cookie in all["cookies"].as_array().unwrap().iter().filter(|cookie| cookie["session"] == true) {
        let one = json!({ "name": cookie["name"], "domain": cookie["domain"], "path": cookie["path"] });
        browser.cdp("Network.deleteCookies", one).await;
    }
}

async fn log_in(browser: &Browser, demo: &Demo, remember: bool) {
    expect(browser, demo, "alice", OUT).await;
    browser.click("a[href^='/sso/login']").await;
    if remember {
        browser.click("input[name=remember]").await;
    }
    type_password(browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
}

async fn the_story(options: &[&str]) {
    let demo = Demo::start(options);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    // Without the box, a closed browser is logged out.
    log_in(&browser, &demo, false).await;
    close_and_open(&browser).await;
    log_in(&browser, &demo, true).await;

    close_and_open(&browser).await;
    for site in ["greg", "alice", "julius"] {
        expect(&browser, &demo, site, JACKIE).await;
    }
    close_and_open(&browser).await;
    browser.open(&demo.url("sso", "/login")).await;
    browser.wait_for("main", "You are logged in as jackie").await;

    close_and_open(&browser).await;
    browser.open(&demo.url("sso", "/")).await;
    browser.wait_for("main", "You are logged in as jackie").await;

    expect(&browser, &demo, "greg", JACKIE).await;
    browser.click(LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    close_and_open(&browser).await;
    browser.open(&demo.url("sso", "/")).await;
    browser.wait_for("main", OUT).await;
    expect(&browser, &demo, "alice", OUT).await;
    browser.open(&demo.url("sso", "/login")).await;
    browser.wait_for("h1", "Log in").await;
    assert_quiet(&browser, &[401, 403]).await;
}

#[tokio::test]
async fn a_remembered_browser_is_logged_in_again_until_its_user_logs_out() {
    the_story(&[]).await;
}

#[tokio::test]
async fn the_same_with_secure_cookies() {
    the_story(&["--secure-cookies"]).await;
}

#[tokio::test]
async fn the_box_keeps_its_tick() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&demo.url("sso", "/login")).await;
    browser.click("input[name=remember]").await;
    type_password(&browser, "jackie", "wrong").await;
    browser.wait_for("[role=alert]", "Wrong username or password.").await;
    assert!(browser.find("input[name=remember]").await.is_selected().await.unwrap());
    look(&browser, "server-login-remember").await;
}
