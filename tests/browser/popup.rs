//! The end of a session, as people see it: warned in time, on every site, and nothing works afterwards.
//!
//! The lifetimes are a few seconds; the tests wait for what the page shows and never for a fixed time.

use serde_json::json;
use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{JACKIE, OUT, assert_quiet, expect, log_in_at_alice, new_tab, pages::look, show};

const WARNED: &str = "#session-popup[open] [data-part=warned]";
const EXPIRED: &str = "#session-popup[open] [data-part=expired]";

/// Logged in, with Alice in one tab and Julius in another, which is shown.
async fn two_tabs(browser: &Browser, demo: &Demo) -> [thirtyfour::WindowHandle; 2] {
    log_in_at_alice(browser, demo).await;
    let alice = new_tab(browser).await;
    expect(browser, demo, "julius", JACKIE).await;
    [alice, browser.driver.window().await.unwrap()]
}

/// Seconds left, as the site's own server tells its page.
async fn seconds_left(browser: &Browser) -> i64 {
    let script = "const done = arguments[arguments.length - 1]; \
                  fetch('/sso/session').then(r => r.json()).then(s => done(s.expires_in), () => done(-1))";
    browser.driver.execute_async(script, Vec::new()).await.unwrap().json().as_i64().unwrap()
}

#[tokio::test]
async fn staying_at_one_site_closes_the_warning_at_all_and_moves_the_end() {
    let demo = Demo::start(&["--idle-timeout", "16s", "--warn-before", "13s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let [alice, julius] = two_tabs(&browser, &demo).await;
    browser.wait_for(WARNED, "Stay logged in").await;
    show(&browser, &alice).await;
    browser.wait_for(WARNED, "Stay logged in").await;
    assert!(browser.driver.title().await.unwrap().contains("about to end"));

    let before = seconds_left(&browser).await;
    assert!(before <= 13, "{before}");
    browser.click(&format!("{WARNED} [data-do=stay]")).await;
    browser.find("html:not(:has(#session-popup[open]))").await;
    assert!(seconds_left(&browser).await > before, "the server's own end has moved");
    show(&browser, &julius).await;
    browser.find("html:not(:has(#session-popup[open]))").await;
    assert_quiet(&browser, &[401, 403]).await;
}

#[tokio::test]
async fn doing_nothing_expires_every_site_and_the_way_back_is_to_the_same_page() {
    let demo = Demo::start(&["--idle-timeout", "16s", "--warn-before", "6s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let [alice, _julius] = two_tabs(&browser, &demo).await;
    // Both pages ask again and again how much is left, which keeps nothing alive.
    browser.wait_for(EXPIRED, "Your session has expired").await;
    show(&browser, &alice).await;
    browser.wait_for(EXPIRED, "Your session has expired").await;
    assert!(!browser.find("body").await.text().await.unwrap().contains("Jackie Black"), "what was there is hidden");

    browser.click(&format!("{EXPIRED} a")).await;
    browser.wait_for("h1", "Log in").await;
    crate::type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    assert_eq!(browser.url().await, demo.url("alice", "/"));
    let anew = browser.driver.new_tab().await.unwrap();
    show(&browser, &anew).await;
    expect(&browser, &demo, "julius", JACKIE).await;
}

#[tokio::test]
async fn the_absolute_end_comes_in_spite_of_activity() {
    let demo = Demo::start(&["--idle-timeout", "12s", "--absolute-lifetime", "16s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    let mut visits = 0;
    while browser.find("h1").await.text().await.unwrap() == JACKIE {
        browser.open(&demo.url("alice", "/")).await;
        visits += 1;
        assert!(visits < 2_000, "activity keeps the session alive for ever");
    }
    browser.wait_for("h1", OUT).await;
    browser.wait_for("[role=alert]", "Your session has expired").await;
    // Said once.
    expect(&browser, &demo, "alice", OUT).await;
    assert!(!browser.text().await.contains("has expired"));
}

#[tokio::test]
async fn without_scripts_the_next_page_says_that_the_session_expired() {
    // Long enough for a slow machine to log in.
    let demo = Demo::start(&["--idle-timeout", "16s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.open(&demo.url("alice", "/about")).await;
    // Somebody else's clock: long enough for the session to be over, which may be a tenth later, as use is written down.
    tokio::time::sleep(std::time::Duration::from_secs(19)).await;
    browser.click("main a[href='/'], .brand").await;
    browser.wait_for("[role=alert]", "Your session has expired").await;
    browser.wait_for("h1", OUT).await;
}

#[tokio::test]
async fn a_wrong_clock_changes_nothing() {
    let demo = Demo::start(&["--idle-timeout", "16s", "--warn-before", "6s"]);
    for offset in ["-1e12", "1e11"] {
        let browser = Browser::start(ThirdPartyCookies::Blocked).await;
        let source = format!("{{ const now = Date.now.bind(Date); Date.now = () => now() + {offset}; }}");
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source })).await;
        log_in_at_alice(&browser, &demo).await;
        assert!(browser.driver.find(thirtyfour::By::Css("#session-popup[open]")).await.is_err(), "not at once");
        browser.wait_for(WARNED, "Stay logged in").await;
        browser.wait_for(EXPIRED, "Your session has expired").await;
    }
}

#[tokio::test]
async fn signing_out_in_the_popup_is_for_all_sites() {
    let demo = Demo::start(&["--idle-timeout", "20s", "--warn-before", "18s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    browser.open(&demo.url("sso", "/")).await;
    browser.wait_for(WARNED, "Log out").await;
    browser.click(&format!("{WARNED} [data-do=leave]")).await;
    browser.wait_for("#session-popup[open]", "logged out").await;
    for site in ["alice", "greg", "julius"] {
        expect(&browser, &demo, site, OUT).await;
    }
}

#[tokio::test]
async fn signing_out_where_the_token_is_lost_asks_on_a_page_of_its_own() {
    let demo = Demo::start(&["--idle-timeout", "60s", "--warn-before", "58s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    browser.open(&demo.url("alice", "/about?a=b")).await;
    browser.wait_for(WARNED, "Log out").await;
    // What the page asks from now on stays unanswered: it does not hear of what comes.
    let deaf = "const real = fetch; \
                window.fetch = (url, options) => options.method === 'POST' ? real(url, options) : new Promise(() => {});";
    browser.run(deaf).await;
    let url = demo.url("alice", "/");
    browser.cdp("Network.deleteCookies", json!({ "name": "sso-Alice-token", "url": url })).await;
    browser.click(&format!("{WARNED} [data-do=leave]")).await;
    browser.wait_for("h1", "Log out?").await;
    assert_eq!(browser.url().await, demo.url("alice", "/sso/logout?to=%2Fabout%3Fa%3Db"));
    // The login goes on until that is answered.
    let asks = new_tab(&browser).await;
    expect(&browser, &demo, "greg", JACKIE).await;
    show(&browser, &asks).await;
    browser.click("form[action='/sso/logout'] button").await;
    browser.wait_for("h1", OUT).await;
    expect(&browser, &demo, "greg", OUT).await;
    assert_quiet(&browser, &[401]).await;
}

#[tokio::test]
async fn the_open_popup_is_accessible() {
    let demo = Demo::start(&["--idle-timeout", "40s", "--warn-before", "39s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    browser.wait_for(WARNED, "Stay logged in").await;
    look(&browser, "popup-warned").await;

    let demo = Demo::start(&["--idle-timeout", "16s", "--warn-before", "2s"]);
    log_in_at_alice(&browser, &demo).await;
    browser.wait_for(EXPIRED, "Your session has expired").await;
    look(&browser, "popup-expired").await;
}

#[tokio::test]
async fn a_tab_that_slept_through_the_end_shows_it_when_it_wakes() {
    let demo = Demo::start(&["--idle-timeout", "16s", "--warn-before", "1s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    browser.cdp("Page.setWebLifecycleState", json!({ "state": "frozen" })).await;
    // While it sleeps, nothing runs in it; the server goes on.
    tokio::time::sleep(std::time::Duration::from_millis(17_500)).await;
    browser.cdp("Page.setWebLifecycleState", json!({ "state": "active" })).await;
    browser.wait_for(EXPIRED, "Your session has expired").await;
    assert!(!browser.find("body").await.text().await.unwrap().contains("Jackie Black"));
}
