//! The redirect brokers: the whole story, and its corners.

use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{JACKIE, LOG_OUT, OUT, assert_quiet, expect, log_in_at_alice, type_password};

/// Alice → login at the server → back at Alice → logged in at Greg → logged out there → logged out at Alice.
async fn the_story(options: &[&str], cookies: ThirdPartyCookies) {
    let demo = Demo::start(options);
    let browser = Browser::start(cookies).await;

    expect(&browser, &demo, "alice", OUT).await;
    assert_eq!(browser.url().await, demo.url("alice", "/"), "a clean URL, without code or state");

    browser.click("a[href^='/sso/login']").await;
    browser.wait_for("h1", "Log in").await;
    assert!(browser.url().await.starts_with(&demo.url("sso", "/attach?")));
    type_password(&browser, "jackie", "wrong").await;
    browser.wait_for("[role=alert]", "Wrong username or password.").await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    assert_eq!(browser.url().await, demo.url("alice", "/"));
    assert!(browser.text().await.contains("Jackie Black"));

    expect(&browser, &demo, "greg", JACKIE).await;
    browser.open(&demo.url("sso", "/")).await;
    assert!(browser.text().await.contains("jackie"));

    expect(&browser, &demo, "greg", JACKIE).await;
    browser.click(LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    expect(&browser, &demo, "alice", OUT).await;
    assert_quiet(&browser, &[400]).await;
}

#[tokio::test]
async fn one_login_for_all_sites() {
    the_story(&[], ThirdPartyCookies::Blocked).await;
}

#[tokio::test]
async fn one_login_for_all_sites_on_one_host() {
    the_story(&["--same-site"], ThirdPartyCookies::Blocked).await;
}

#[tokio::test]
async fn one_login_for_all_sites_with_secure_cookies() {
    the_story(&["--secure-cookies"], ThirdPartyCookies::Allowed).await;
}

#[tokio::test]
async fn a_deep_page_is_where_the_visitor_returns() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let page = demo.url("greg", "/?from=a%20mail#part");
    browser.open(&page).await;
    browser.wait_for("h1", OUT).await;
    assert_eq!(browser.url().await, page);
    // Where attaching is optional, nobody is sent away.
    browser.open(&demo.url("alice", "/about")).await;
    assert_eq!(browser.run("return performance.getEntriesByType('navigation')[0].redirectCount").await, 0);
}

#[tokio::test]
async fn gregs_own_form_logs_in_everywhere() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    expect(&browser, &demo, "greg", OUT).await;
    browser.click("a[href='/login']").await;
    type_password(&browser, "john", "jackie123").await;
    browser.wait_for("[role=alert]", "Wrong username or password.").await;
    assert_eq!(browser.find("input[name=username]").await.value().await.unwrap().as_deref(), Some("john"));
    type_password(&browser, "john", "john123").await;
    browser.wait_for("h1", "Logged in as john").await;
    expect(&browser, &demo, "alice", "Logged in as john").await;
    assert_quiet(&browser, &[400]).await;
}

#[tokio::test]
async fn logout_at_each_site_is_logout_at_all() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    for site in ["alice", "greg", "julius", "sso"] {
        log_in_at_alice(&browser, &demo).await;
        for all in ["greg", "julius"] {
            expect(&browser, &demo, all, JACKIE).await;
        }
        browser.open(&demo.url(site, "/")).await;
        browser.click(LOG_OUT).await;
        match site {
            "sso" => browser.wait_for("main", OUT).await,
            _ => browser.wait_for("h1", OUT).await,
        }
        for all in ["alice", "greg", "julius"] {
            expect(&browser, &demo, all, OUT).await;
        }
    }
    assert_quiet(&browser, &[401, 403]).await;
}

#[tokio::test]
async fn a_theme_chosen_at_one_site_shows_at_all() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    expect(&browser, &demo, "alice", OUT).await;
    browser.click("input[value=ocean]").await;
    browser.click("form[action='/theme'] button").await;
    for site in ["alice", "greg", "sso", "julius"] {
        browser.open(&demo.url(site, "/")).await;
        browser.find("html[data-theme=ocean]").await;
    }
    // And from the script's side.
    browser.click("input[value=sunset]").await;
    browser.click("#theme-form button").await;
    browser.find("html[data-theme=sunset]").await;
    browser.open(&demo.url("greg", "/")).await;
    browser.find("html[data-theme=sunset]").await;
    assert_quiet(&browser, &[401, 403]).await;
}
