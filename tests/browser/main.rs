//! In headless Chromium.

mod account;
mod ajax;
mod ajax_without_script;
mod entry;
mod forged;
mod forms;
mod groups;
mod handoff;
mod media;
mod no_referrer;
mod pages;
mod password;
mod popup;
mod redirect;
mod remember;
mod siblings;
mod way_back;

use sso_tests::{Browser, Demo};

/// Logs in at the server's login page, which is open.
async fn type_password(browser: &Browser, username: &str, password: &str) {
    browser.fill("input[name=username]", username).await;
    browser.fill("input[name=password]", password).await;
    browser.click("form[action^='/'] button").await;
}

/// Logs jackie in from Alice's first page, which says so.
async fn log_in_at_alice(browser: &Browser, demo: &Demo) {
    expect(browser, demo, "alice", OUT).await;
    browser.click("a[href^='/sso/login']").await;
    type_password(browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
}

/// Opens a broker's first page and says what it shows.
async fn expect(browser: &Browser, demo: &Demo, site: &str, heading: &str) {
    browser.open(&demo.url(site, "/")).await;
    browser.wait_for("h1", heading).await;
}

const OUT: &str = "You are logged out";
const JACKIE: &str = "Logged in as jackie";
/// The button of any site's page.
const LOG_OUT: &str = "form[action='/logout'] button";

/// No errors, no warnings, no breach of the Content-Security-Policy. Chromium also notes answers with an error status;
/// those that the test asked for are given here.
async fn assert_quiet(browser: &Browser, statuses: &[u16]) {
    let mut console = browser.console().await;
    console.retain(|entry| !statuses.iter().any(|status| entry.contains(&format!("with a status of {status} "))));
    assert!(console.is_empty(), "{console:#?}");
}
