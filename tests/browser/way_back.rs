//! Back to the wanted page, however the visit began: late, under another name of the site, with a long address, in many tabs.

use std::time::Duration;

use serde_json::json;
use sso_tests::{
    Browser, Demo,
    browser::ThirdPartyCookies,
    process::{Attach, Pair},
};

use crate::{JACKIE, OUT, assert_quiet, expect, log_in_at_alice, type_password};

#[tokio::test]
async fn a_login_page_left_open_for_too_long_leads_to_the_wanted_page() {
    let demo = Demo::start(&["--form-timeout", "6s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    expect(&browser, &demo, "alice", OUT).await;
    browser.open(&demo.url("alice", "/sso/login?to=/about%3Fa=1")).await;
    browser.find("input[name=password]").await;
    tokio::time::sleep(Duration::from_millis(6_100)).await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("[role=alert]", "timed out").await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("main", "You are logged in as jackie").await;
    assert_eq!(browser.url().await, demo.url("alice", "/about?a=1"));
    assert_quiet(&browser, &[403]).await;
}

#[tokio::test]
async fn under_another_name_the_visit_goes_on_under_the_sites_own() {
    let demo = Demo::start(&[]);
    let own = demo.url("alice", "");
    let port = own.rsplit(':').next().unwrap();
    for name in ["127.0.0.1", "www.alice.localhost", "[::1]"] {
        let browser = Browser::start(ThirdPartyCookies::Blocked).await;
        browser.open(&format!("http://{name}:{port}/?from=a%20mail#part")).await;
        browser.wait_for("h1", OUT).await;
        assert_eq!(browser.url().await, format!("{own}/?from=a%20mail#part"));
    }
    // The script's site is sent there by its redirect.
    let own = demo.url("julius", "");
    let port = own.rsplit(':').next().unwrap();
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&format!("http://127.0.0.1:{port}/")).await;
    browser.wait_for("h1", OUT).await;
    assert_eq!(browser.url().await, format!("{own}/"));
}

#[tokio::test]
async fn long_addresses_come_back() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    // In a cookie, and then by the tab.
    for length in [3 << 10, 7_000] {
        let page = demo.url("alice", &format!("/?q={}#part", "%C3%A9".repeat(length / 6)));
        browser.open(&page).await;
        browser.wait_for("h1", OUT).await;
        assert_eq!(browser.url().await, page);
        browser.cdp("Network.clearBrowserCookies", json!({})).await;
        let to: String =
            url::form_urlencoded::byte_serialize(format!("/?{}", "xy=z".repeat(length / 4)).as_bytes()).collect();
        browser.open(&demo.url("alice", &format!("/sso/login?to={to}"))).await;
        type_password(&browser, "jackie", "jackie123").await;
        browser.wait_for("h1", JACKIE).await;
        assert_eq!(browser.url().await, demo.url("alice", &format!("/?{}", "xy=z".repeat(length / 4))));
        browser.cdp("Network.clearBrowserCookies", json!({})).await;
    }
    assert_quiet(&browser, &[]).await;
    // Without scripts a page says what to do.
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    let page = demo.url("alice", &format!("/?q={}", "x".repeat(5_000)));
    browser.open(&page).await;
    browser.wait_for("h1", "address is very long").await;
    browser.click("main nav a").await;
    browser.wait_for("h1", "Open your page again").await;
    browser.open(&page).await;
    browser.wait_for("h1", OUT).await;
}

#[tokio::test]
async fn the_logout_button_of_an_older_tab_works() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    let older = browser.driver.window().await.unwrap();
    let newer = browser.driver.new_tab().await.unwrap();
    browser.driver.switch_to_window(newer).await.unwrap();
    browser.open(&demo.url("alice", "/sso/attach?to=/")).await;
    browser.wait_for("h1", JACKIE).await;
    browser.driver.switch_to_window(older.clone()).await.unwrap();
    browser.click("form[action='/logout'] button").await;
    browser.wait_for("h1", OUT).await;

    // One that nobody can verify asks.
    log_in_at_alice(&browser, &demo).await;
    browser.cdp("Network.deleteCookies", json!({ "name": "sso-Alice-form", "url": demo.url("alice", "/") })).await;
    browser.click("form[action='/logout'] button").await;
    browser.wait_for("h1", "Log out?").await;
    let violations = browser.axe().await;
    assert!(violations.is_empty(), "{violations:#?}");
    browser.click("form[action='/sso/logout'] button").await;
    browser.wait_for("h1", OUT).await;
    assert_quiet(&browser, &[]).await;
}

#[tokio::test]
async fn twelve_tabs_opened_at_once_each_land_on_their_page() {
    let demo = Pair::start(Attach::Redirect);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&demo.broker_url("/")).await;
    browser.wait_for("h1", OUT).await;
    browser.cdp("Network.clearBrowserCookies", json!({})).await;
    let mut wanted: Vec<_> = (0..12).map(|tab| demo.broker_url(&format!("/?tab={tab}"))).collect();
    // All of them are on their way when the first one is answered.
    demo.server.signal("STOP");
    for page in &wanted {
        browser.cdp("Target.createTarget", json!({ "url": page })).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    demo.server.signal("CONT");
    wanted.sort();
    let mut landed = Vec::new();
    for _ in 0..1_000 {
        let targets = browser.cdp("Target.getTargets", json!({})).await;
        let tabs = targets["targetInfos"].as_array().unwrap().iter().filter(|target| target["type"] == "page");
        // Where a tab is still on its way, its title is not the page's.
        let done = tabs.filter(|tab| tab["title"].as_str().is_some_and(|title| title.starts_with("Alice")));
        landed = done.filter_map(|tab| tab["url"].as_str()).map(str::to_owned).collect();
        // The first tab stays where it is.
        landed.sort();
        if landed.len() == 1 + wanted.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(landed.first(), Some(&demo.broker_url("/")));
    assert_eq!(landed.split_off(1), wanted);
}
