//! Every page: no violation by axe-core, and a screenshot to look at; light and dark, wide and narrow.

use sso_tests::{
    Browser, Demo, Visitor,
    browser::ThirdPartyCookies,
    process::{Attach, Pair},
};

use crate::{JACKIE, OUT, expect, type_password};

/// Looks at the page that is open.
pub(crate) async fn look(browser: &Browser, name: &str) {
    for (dark, scheme) in [(false, "light"), (true, "dark")] {
        for (width, size) in [(1280, "wide"), (390, "narrow")] {
            browser.set_dark(dark).await;
            browser.set_size(width, 900).await;
            let name = format!("{name}-{scheme}-{size}");
            browser.screenshot(&name).await;
            let violations = browser.axe().await;
            assert!(violations.is_empty(), "{name}: {violations:#?}");
            let overflow = browser.run("return document.documentElement.scrollWidth > window.innerWidth").await;
            assert_eq!(overflow, false, "{name} is wider than the screen");
        }
    }
}

#[tokio::test]
async fn every_page_is_accessible() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;

    browser.open(&demo.url("sso", "/")).await;
    look(&browser, "server-home-out").await;
    browser.open(&demo.url("sso", "/login")).await;
    look(&browser, "server-login").await;
    type_password(&browser, "jackie", "wrong").await;
    browser.wait_for("[role=alert]", "Wrong username or password.").await;
    look(&browser, "server-login-refused").await;
    browser.open(&demo.url("sso", "/attach?broker=Alice")).await;
    browser.wait_for("main", "Missing 'token' query parameter").await;
    look(&browser, "server-error").await;

    expect(&browser, &demo, "alice", OUT).await;
    look(&browser, "alice-out").await;
    browser.open(&demo.url("alice", "/about")).await;
    look(&browser, "alice-about").await;
    browser.open(&demo.url("alice", "/reports")).await;
    look(&browser, "alice-reports-out").await;
    browser.open(&demo.url("alice", "/nowhere")).await;
    look(&browser, "alice-not-found").await;
    browser.open(&demo.url("sso", "/nowhere")).await;
    look(&browser, "server-not-found").await;
    browser.open(&demo.url("julius", "/nowhere")).await;
    look(&browser, "julius-not-found").await;
    expect(&browser, &demo, "greg", OUT).await;
    look(&browser, "greg-out").await;
    browser.open(&demo.url("greg", "/login")).await;
    look(&browser, "greg-login").await;
    type_password(&browser, "jackie", "wrong").await;
    browser.wait_for("[role=alert]", "Wrong username or password.").await;
    look(&browser, "greg-login-refused").await;
    expect(&browser, &demo, "julius", OUT).await;
    look(&browser, "julius-out").await;
    browser.fill("#username", "jackie").await;
    browser.fill("#password", "wrong").await;
    browser.click("#login-form button").await;
    browser.wait_for("#login-error", "Wrong username or password.").await;
    look(&browser, "julius-refused").await;

    expect(&browser, &demo, "alice", OUT).await;
    browser.click("a[href^='/sso/login']").await;
    look(&browser, "server-login-for-alice").await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    look(&browser, "alice-in").await;
    browser.click("a[href='/reports']").await;
    browser.wait_for("pre", "What jackie bought").await;
    look(&browser, "alice-reports").await;
    expect(&browser, &demo, "greg", JACKIE).await;
    look(&browser, "greg-in").await;
    expect(&browser, &demo, "julius", JACKIE).await;
    look(&browser, "julius-in").await;
    browser.open(&demo.url("sso", "/")).await;
    look(&browser, "server-home-in").await;

    browser.open(&demo.url("sso", "/profile")).await;
    look(&browser, "profile-1").await;
    browser.click("main form button").await;
    browser.wait_for("h1", "page 2 of 2").await;
    look(&browser, "profile-2").await;
}

#[tokio::test]
async fn a_browser_without_cookies_is_told_so() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    // As if the browser had kept nothing of what the first answer told it.
    let visitor = Visitor::new();
    let begun = visitor.get(&demo.url("alice", "/")).await;
    let back = visitor.get(&begun.location().unwrap()).await;
    browser.open(&back.location().unwrap()).await;
    browser.wait_for("h1", "Your browser sent no cookie").await;
    look(&browser, "cookies-off").await;
    browser.click("main a[href^='/']").await;
    browser.wait_for("h1", OUT).await;
}

#[tokio::test]
async fn a_site_stays_up_without_its_server() {
    for attach in [Attach::Redirect, Attach::Jsonp] {
        let is_script = matches!(attach, Attach::Jsonp);
        let mut demo = Pair::start(attach);
        let browser = Browser::start(ThirdPartyCookies::Blocked).await;
        browser.open(&demo.broker_url("/")).await;
        browser.wait_for("h1", OUT).await;
        demo.server.kill();
        browser.open(&demo.broker_url("/")).await;
        browser.wait_for("[role=alert]", "cannot be reached").await;
        if is_script {
            browser.wait_for("body:not(:has(#looking))", "").await;
        }
        assert_eq!(browser.find("h1").await.text().await.unwrap(), "Alice", "neither logged in nor out");
        look(&browser, if is_script { "server-down-ajax" } else { "server-down" }).await;
    }
}
