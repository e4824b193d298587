//! The hand-off between linked applications, as a person sees it.

use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{assert_quiet, pages::look, type_password};

async fn log_in_at(browser: &Browser, demo: &Demo, app: &str) {
    browser.open(&demo.url(app, "/")).await;
    browser.wait_for("h1", "You are logged out").await;
    browser.click("main a[href^='/login']").await;
    browser.fill("input[name=username]", "jackie").await;
    browser.fill("input[name=password]", "jackie123").await;
    browser.click("main form button").await;
    browser.wait_for("h1", "Logged in as jackie").await;
}

/// Every address that the tab has been at, and where the page says it came from, is without a token.
async fn assert_no_token(browser: &Browser, from: &str) {
    let history = browser.cdp("Page.getNavigationHistory", serde_json::json!({})).await;
    assert!(!history.to_string().contains("token"), "{history}");
    let referrer = browser.run("return document.referrer").await;
    assert!(referrer == "" || referrer == format!("{from}/"), "{referrer}");
    assert_eq!(browser.run("return location.search").await, "");
}

async fn there_and_back(options: &[&str]) {
    let demo = Demo::start(options);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at(&browser, &demo, "nora").await;
    for (here, there) in [("nora", "otto"), ("otto", "nora")] {
        let link = format!("Report 2 at {}", if there == "otto" { "Otto" } else { "Nora" });
        browser.wait_for(".ways", &link).await;
        browser.click("main a[href^='/external']").await;
        browser.wait_for("h1", "Report 2 of jackie").await;
        assert_eq!(browser.url().await, demo.url(there, "/reports/2"));
        assert_no_token(&browser, &demo.url(here, "")).await;
        browser.open(&demo.url(there, "/")).await;
        browser.wait_for("h1", "Logged in as jackie").await;
    }
    // Each has a session of its own.
    browser.click("form[action='/logout'] button").await;
    browser.wait_for("h1", "You are logged out").await;
    browser.open(&demo.url("otto", "/")).await;
    browser.wait_for("h1", "Logged in as jackie").await;
    assert_quiet(&browser, &[]).await;
}

#[tokio::test]
async fn a_link_leads_to_a_deep_page_of_the_other_application_logged_in() {
    there_and_back(&[]).await;
}

#[tokio::test]
async fn the_same_on_one_host() {
    there_and_back(&["--same-site"]).await;
}

#[tokio::test]
async fn the_server_hands_over_too_and_nobody_is_replaced_unasked() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at(&browser, &demo, "otto").await;
    // At the server it is john.
    browser.open(&demo.url("sso", "/login")).await;
    type_password(&browser, "john", "john123").await;
    let to_otto = "main a[href^='/external'][href*='otto']";
    browser.click(to_otto).await;
    browser.wait_for("h1", "Switch user?").await;
    look(&browser, "linked-switch").await;
    browser.click("button[value=stay]").await;
    browser.wait_for("h1", "Report 2 of jackie").await;

    browser.open(&demo.url("sso", "/")).await;
    browser.click("main a[href^='/external'][href*='nora']").await;
    browser.wait_for("h1", "Report 2 of john").await;
    look(&browser, "linked-report").await;

    browser.open(&demo.url("sso", "/")).await;
    browser.click(to_otto).await;
    browser.click("button[value=switch]").await;
    browser.wait_for("h1", "Report 2 of john").await;
    assert_eq!(browser.url().await, demo.url("otto", "/reports/2"));
}

#[tokio::test]
async fn threat_28_a_strangers_link_by_way_of_the_login_hands_nobody_over() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    for (from, parameter) in [("nora", "to"), ("sso", "return_url")] {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let external = format!("/external?url={}", encoded(&demo.url("otto", "/reports/2")));
        // From a page of nobody's, so that the browser calls it cross-site.
        browser.open("data:text/html,<title>evil</title>").await;
        let link = demo.url(from, &format!("/login?{parameter}={}", encoded(&external)));
        browser.run(&format!("location.href = '{link}'")).await;
        browser.wait_for("h1", "Log in").await;
        type_password(&browser, "jackie", "jackie123").await;
        browser.wait_for("h1", "Continue to another site?").await;
        browser.open(&demo.url("otto", "/")).await;
        browser.wait_for("h1", "You are logged out").await;
    }
    // The twins: what the visitor chooses is done, on that page and by a link of the site's own.
    browser.open(&demo.url("nora", &format!("/external?url={}", demo.url("otto", "/reports/3")))).await;
    browser.click("form[action='/external'] button").await;
    browser.wait_for("h1", "Report 3 of jackie").await;
    browser.open(&demo.url("sso", "/")).await;
    browser.click("main a[href*='/external'][href*='otto']").await;
    browser.wait_for("h1", "Report 2 of jackie").await;
}

#[tokio::test]
async fn pages_on_the_way() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&demo.url("nora", "/login")).await;
    look(&browser, "linked-login").await;
    log_in_at(&browser, &demo, "nora").await;
    look(&browser, "linked-home").await;
    // Typed into the address bar, it is no page of ours that leads there.
    let external = demo.url("nora", &format!("/external?url={}", demo.url("otto", "/reports/2")));
    browser.open(&external).await;
    browser.wait_for("h1", "Continue to another site?").await;
    look(&browser, "linked-may-leave").await;
    browser.click("form[action='/external'] button").await;
    browser.wait_for("h1", "Report 2 of jackie").await;
    browser.open(&demo.url("nora", "/external?url=http://evil.localhost/")).await;
    browser.wait_for("h1", "This link does not work").await;
    browser.open(&demo.url("otto", "/sso/landing?token=x")).await;
    browser.wait_for("[role=alert]", "That link could not log you in").await;
    look(&browser, "linked-refused").await;
}
