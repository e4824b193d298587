//! The AJAX broker's page before its script takes over, and in a browser without scripts.

use serde_json::json;
use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{JACKIE, LOG_OUT, OUT, expect, log_in_at_alice, pages::look, type_password};

async fn scripts(browser: &Browser, on: bool) {
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": !on })).await;
}

#[tokio::test]
async fn everything_works_without_scripts() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    scripts(&browser, false).await;
    browser.open(&demo.url("julius", "/")).await;
    browser.click("noscript a[href^='/sso/attach']").await;
    browser.wait_for("h1", OUT).await;
    assert_eq!(browser.url().await, demo.url("julius", "/"));

    type_password(&browser, "jackie", "wrong").await;
    browser.wait_for("[role=alert]", "Wrong username or password").await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    browser.wait_for("#attributes", "Jackie Black").await;
    expect(&browser, &demo, "greg", JACKIE).await;

    browser.open(&demo.url("julius", "/")).await;
    browser.click("input[value=ocean]").await;
    browser.click("#theme-form button").await;
    browser.find("html[data-theme=ocean]").await;
    browser.click(LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    expect(&browser, &demo, "greg", OUT).await;
}

/// How far the page's parts have moved by themselves, as Chromium measures it.
const SHIFT: &str = "const done = arguments[arguments.length - 1]; \
    new PerformanceObserver(list => done(list.getEntries().reduce((sum, shift) => sum + shift.value, 0))) \
        .observe({ type: 'layout-shift', buffered: true }); \
    setTimeout(() => done(0), 500)";

#[tokio::test]
async fn the_page_comes_as_it_stays() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    browser.click("input[value=forest]").await;
    browser.click("form[action='/theme'] button").await;
    browser.find("html[data-theme=forest]").await;
    expect(&browser, &demo, "julius", JACKIE).await;

    // Every theme that the page ever has is noted.
    let source = "window.themes = []; new MutationObserver(() => { \
                      const { theme } = document.documentElement?.dataset ?? {}; \
                      if (theme && window.themes.at(-1) !== theme) window.themes.push(theme); \
                  }).observe(document, { subtree: true, childList: true, attributes: true })";
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source })).await;
    browser.open(&demo.url("julius", "/")).await;
    browser.wait_for("#attributes", "Jackie Black").await;
    assert_eq!(browser.run("return window.themes").await, json!(["forest"]));
    let shift = browser.driver.execute_async(SHIFT, Vec::new()).await.unwrap().json().as_f64().unwrap();
    assert!(shift < 0.01, "{shift}");
}

#[tokio::test]
async fn while_it_waits_it_says_so_and_afterwards_what_happened() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    scripts(&browser, true).await;
    // As if the script had not come yet.
    browser.cdp("Network.enable", json!({})).await;
    browser.cdp("Network.setBlockedURLs", json!({ "urls": ["*/static/ajax-broker.js"] })).await;
    browser.open(&demo.url("julius", "/")).await;
    browser.wait_for("[aria-busy=true]", "Looking for your session at the server").await;
    look(&browser, "julius-looking").await;
    browser.cdp("Network.setBlockedURLs", json!({ "urls": [] })).await;

    browser.open(&demo.url("julius", "/")).await;
    browser.wait_for("h1", OUT).await;
    browser.wait_for("#status", "sent the server no session cookie from this page").await;
    browser.wait_for("#status", "went to the server and straight back, once").await;
    assert!(browser.driver.find(thirtyfour::By::Css("[aria-busy=true]")).await.is_err());
    expect(&browser, &demo, "julius", OUT).await;
    assert_eq!(browser.find("#main").await.text().await.unwrap().matches("straight back").count(), 1, "only the help");
}
