//! In headless Chromium.

mod account;
mod ajax;
mod ajax_without_script;
mod ends;
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
mod two_logins;
mod way_back;

use serde_json::json;
use sso_tests::{Browser, Demo, browser::ThirdPartyCookies, peer::until};
use thirtyfour::{By, WindowHandle};

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

/// A login form for Greg in another tab, to be sent later, by when somebody may be logged in.
async fn form_for_greg(browser: &Browser, demo: &Demo) -> WindowHandle {
    let shown = new_tab(browser).await;
    browser.open(&demo.url("greg", "/sso/login?to=/")).await;
    browser.wait_for("h1", "Log in").await;
    let form = browser.driver.window().await.unwrap();
    show(browser, &shown).await;
    form
}

/// Sends it, and stays in its tab.
async fn log_in_at_greg(browser: &Browser, form: &WindowHandle, username: &str) {
    show(browser, form).await;
    type_password(browser, username, &format!("{username}123")).await;
    browser.wait_for("h1", &format!("Logged in as {username}")).await;
}

/// A page of Julius that a script made for jackie, and that does not know yet that john has logged in since. It is shown;
/// Greg's tab is the third value.
async fn at_jackies_julius_when_john_is_logged_in() -> (Demo, Browser, WindowHandle) {
    let demo = Demo::start(&["--secure-cookies"]);
    let browser = Browser::start(ThirdPartyCookies::Allowed).await;
    let greg = form_for_greg(&browser, &demo).await;
    log_in_at_alice(&browser, &demo).await;
    expect(&browser, &demo, "julius", JACKIE).await;
    // The page hears of nothing before it is used.
    browser.cdp("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
    let julius = browser.driver.window().await.unwrap();
    log_in_at_greg(&browser, &greg, "john").await;
    show(&browser, &julius).await;
    (demo, browser, greg)
}

/// Opens another tab and shows it; the one that was shown.
async fn new_tab(browser: &Browser) -> WindowHandle {
    let before = browser.driver.window().await.unwrap();
    let tab = browser.driver.new_tab().await.unwrap();
    show(browser, &tab).await;
    before
}

async fn show(browser: &Browser, tab: &WindowHandle) {
    browser.driver.switch_to_window(tab.clone()).await.unwrap();
}

/// Looks at an old page again until its popup shows this part.
async fn wait_for_popup(browser: &Browser, part: &str) {
    let css = format!("#session-popup[open] [data-part={part}]:not([hidden])");
    until(&format!("the popup says {part}"), async || {
        browser.run("window.dispatchEvent(new Event('focus'))").await;
        browser.driver.find(By::Css(&*css)).await.is_ok()
    })
    .await;
}

/// From now on the tab that is shown runs no script, so its pages hear of nothing.
async fn run_no_scripts(browser: &Browser) {
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.driver.refresh().await.unwrap();
}

/// Opens a broker's first page and says what it shows.
async fn expect(browser: &Browser, demo: &Demo, site: &str, heading: &str) {
    browser.open(&demo.url(site, "/")).await;
    browser.wait_for("h1", heading).await;
}

const OUT: &str = "You are logged out";
const JACKIE: &str = "Logged in as jackie";
const JOHN: &str = "Logged in as john";
/// The button of any site's page.
const LOG_OUT: &str = "form[action='/logout'] button";

/// No errors, no warnings, no breach of the Content-Security-Policy. Chromium also notes answers with an error status;
/// those that the test asked for are given here.
async fn assert_quiet(browser: &Browser, statuses: &[u16]) {
    let mut console = browser.console().await;
    console.retain(|entry| !statuses.iter().any(|status| entry.contains(&format!("with a status of {status} "))));
    assert!(console.is_empty(), "{console:#?}");
}
