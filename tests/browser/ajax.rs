//! The AJAX broker, with and without third-party cookies.

use sso_tests::{
    Browser, Demo,
    browser::ThirdPartyCookies,
    peer::until,
    process::{Attach, Pair},
};

use crate::{JACKIE, OUT, assert_quiet, expect, log_in_at_alice, type_password};

/// How often the page's tab went to the server and back since the visitor opened it.
async fn redirects(browser: &Browser) -> i64 {
    browser.run("return performance.getEntriesByType('navigation')[0].redirectCount").await.as_i64().unwrap()
}

/// Sends the form on the page.
async fn log_in_inline(browser: &Browser, username: &str, password: &str) {
    browser.fill("#username", username).await;
    browser.fill("#password", password).await;
    browser.click("#login-form button").await;
}

#[tokio::test]
async fn joins_the_session_silently_where_the_browser_sends_the_cookie() {
    let demo = Demo::start(&["--secure-cookies"]);
    let browser = Browser::start(ThirdPartyCookies::Allowed).await;
    // The session begins in a top-level navigation.
    expect(&browser, &demo, "alice", OUT).await;

    browser.open(&demo.url("julius", "/")).await;
    browser.wait_for("h1", OUT).await;
    assert_eq!(redirects(&browser).await, 0);
    browser.run("window.untouched = true").await;

    log_in_inline(&browser, "jackie", "wrong").await;
    browser.wait_for("#login-error", "Wrong username or password.").await;
    assert_eq!(browser.find("#password").await.value().await.unwrap().as_deref(), Some(""));
    log_in_inline(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    browser.wait_for("#attributes", "Jackie Black").await;
    assert_eq!(browser.run("return window.untouched").await, true, "the page was never left");

    expect(&browser, &demo, "alice", JACKIE).await;
    browser.open(&demo.url("julius", "/")).await;
    browser.click(crate::LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    expect(&browser, &demo, "alice", OUT).await;
    assert_quiet(&browser, &[400, 401]).await;
}

#[tokio::test]
async fn goes_to_the_server_once_where_the_browser_keeps_the_cookie() {
    for options in [&["--secure-cookies"] as &[&str], &[]] {
        let demo = Demo::start(options);
        let browser = Browser::start(ThirdPartyCookies::Blocked).await;
        log_in_at_alice(&browser, &demo).await;

        browser.open(&demo.url("julius", "/")).await;
        browser.wait_for("h1", JACKIE).await;
        assert_eq!(browser.url().await, demo.url("julius", "/"));
        // Attached now: the next load needs neither redirect nor third-party cookie.
        browser.open(&demo.url("julius", "/")).await;
        browser.wait_for("h1", JACKIE).await;
        assert_eq!(redirects(&browser).await, 0);

        browser.click(crate::LOG_OUT).await;
        browser.wait_for("h1", OUT).await;
        expect(&browser, &demo, "alice", OUT).await;
        assert_quiet(&browser, &[401, 403]).await;
    }
}

#[tokio::test]
async fn a_first_visit_without_any_session_goes_to_the_server_once() {
    for cookies in [ThirdPartyCookies::Allowed, ThirdPartyCookies::Blocked] {
        let demo = Demo::start(&["--secure-cookies"]);
        let browser = Browser::start(cookies).await;
        browser.open(&demo.url("julius", "/")).await;
        browser.wait_for("h1", OUT).await;
        log_in_inline(&browser, "john", "john123").await;
        browser.wait_for("h1", "Logged in as john").await;
        expect(&browser, &demo, "greg", "Logged in as john").await;
    }
}

#[tokio::test]
async fn on_one_host_the_cookie_is_not_a_third_party() {
    let demo = Demo::start(&["--same-site"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    browser.open(&demo.url("julius", "/")).await;
    browser.wait_for("h1", JACKIE).await;
    assert_eq!(redirects(&browser).await, 0);
    assert_quiet(&browser, &[401]).await;
}

#[tokio::test]
async fn a_logout_elsewhere_shows_when_the_page_is_looked_at_again() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    expect(&browser, &demo, "julius", OUT).await;
    log_in_inline(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    let julius = browser.driver.window().await.unwrap();

    let other = browser.driver.new_tab().await.unwrap();
    browser.driver.switch_to_window(other).await.unwrap();
    expect(&browser, &demo, "greg", JACKIE).await;
    browser.click("form[action='/logout'] button").await;
    browser.wait_for("h1", OUT).await;

    browser.driver.switch_to_window(julius).await.unwrap();
    browser.run("document.dispatchEvent(new Event('visibilitychange'))").await;
    // The popup hears of it, too, and hides what the page says.
    until("Julius shows it", async || {
        let text = browser.text().await;
        text.contains(OUT) || text.contains("You were logged out")
    })
    .await;
}

/// Seconds left of the session, as the site tells its page; asking extends nothing.
async fn seconds_left(browser: &Browser) -> i64 {
    let script = "const done = arguments[arguments.length - 1]; \
                  fetch('/sso/session').then(r => r.json()).then(s => done(s.expires_in), () => done(-1))";
    browser.driver.execute_async(script, Vec::new()).await.unwrap().json().as_i64().unwrap()
}

/// How often the page has asked for this.
async fn asked(browser: &Browser, command: &str) -> i64 {
    let script = format!(
        "return performance.getEntriesByType('resource').filter(e => e.name.endsWith('/sso/ajax/{command}')).length"
    );
    browser.run(&script).await.as_i64().unwrap()
}

#[tokio::test]
async fn looking_at_the_page_again_is_no_use_of_the_session_and_doing_something_is() {
    // Use is written down every 2 s.
    let demo = Demo::start(&["--idle-timeout", "20s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    expect(&browser, &demo, "julius", JACKIE).await;
    until("some seconds have passed", async || seconds_left(&browser).await <= 15).await;

    let before = (asked(&browser, "info").await, asked(&browser, "data").await);
    browser.run("document.dispatchEvent(new Event('visibilitychange'))").await;
    browser.run("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))").await;
    until("it has looked again", async || {
        asked(&browser, "info").await > before.0 && asked(&browser, "data").await > before.1
    })
    .await;
    assert!(seconds_left(&browser).await <= 15);

    browser.click("input[value=ocean]").await;
    browser.click("#theme-form button").await;
    browser.wait_for("#status", "The theme was changed").await;
    assert!(seconds_left(&browser).await > 15);
}

#[tokio::test]
async fn joins_by_jsonp_without_leaving_the_page() {
    let pair = Pair::start(Attach::Jsonp);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    // The session begins at the server itself.
    browser.open(&pair.server_url("/login")).await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("main", "jackie").await;

    browser.open(&pair.broker_url("/")).await;
    browser.wait_for("h1", JACKIE).await;
    assert_eq!(redirects(&browser).await, 0);
    browser.click(crate::LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    log_in_inline(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    assert_quiet(&browser, &[401]).await;
}
