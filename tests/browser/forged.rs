//! What a page at a sibling host can have the browser send.

use serde_json::json;
use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{JACKIE, OUT, expect, log_in_at_alice};

#[tokio::test]
async fn threat_26_no_script_of_a_sibling_ends_the_session() {
    let demo = Demo::start(&["--same-site"]);
    let browser = Browser::start(ThirdPartyCookies::Allowed).await;
    log_in_at_alice(&browser, &demo).await;
    // The attacker's page has a policy of its own.
    browser.cdp("Page.setBypassCSP", json!({ "enabled": true })).await;
    expect(&browser, &demo, "greg", JACKIE).await;
    let script = format!(
        "const done = arguments[arguments.length - 1]; \
         const send = path => fetch('{}' + path, {{ mode: 'no-cors', credentials: 'include', headers: {{ 'Accept-Language': 'xx' }} }}); \
         Promise.allSettled(['/sso/session', '/', '/login', '/account'].map(send)).then(() => done('sent'))",
        demo.url("sso", "")
    );
    // The page may see no answer (`Cross-Origin-Resource-Policy`), but the server has seen the requests.
    assert_eq!(browser.driver.execute_async(&script, Vec::new()).await.unwrap().json(), "sent");
    assert!(demo.site.log().matches("a request that is no navigation finds no session").count() >= 4);
    expect(&browser, &demo, "greg", JACKIE).await;
    browser.open(&demo.url("sso", "/")).await;
    browser.wait_for("main", "jackie").await;

    // Its twin: a navigation in what is another browser by its headers.
    let other = json!({ "userAgent": "Other/1.0", "acceptLanguage": "xx" });
    browser.cdp("Emulation.setUserAgentOverride", other).await;
    browser.open(&demo.url("sso", "/")).await;
    expect(&browser, &demo, "alice", OUT).await;
    assert!(demo.site.log().contains("FingerprintChanged"));
}

#[tokio::test]
async fn threat_15_another_sites_form_spoils_no_form_of_an_open_tab() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    let open_tab = browser.driver.window().await.unwrap();
    let forge = async |site: &'static str, path: &str| {
        let tab = browser.driver.new_tab().await.unwrap();
        browser.driver.switch_to_window(tab).await.unwrap();
        let form = format!("<form method=post action={}><button>x</button></form>", demo.url(site, path));
        browser.open(&format!("data:text/html,{form}")).await;
        browser.click("button").await;
        browser.wait_for("h1", "Log out?").await;
    };
    forge("alice", "/logout").await;
    forge("alice", "/sso/logout").await;
    browser.driver.switch_to_window(open_tab).await.unwrap();
    browser.click("form[action='/logout'] button").await;
    browser.wait_for("h1", OUT).await;

    // Its twin: whoever wants the logout that another site asks for.
    log_in_at_alice(&browser, &demo).await;
    forge("alice", "/logout").await;
    browser.click("form[action='/sso/logout'] button").await;
    browser.wait_for("h1", OUT).await;

    // At the server likewise.
    for by_forged_one in [false, true] {
        log_in_at_alice(&browser, &demo).await;
        browser.open(&demo.url("sso", "/")).await;
        browser.wait_for("main", "jackie").await;
        let open_tab = browser.driver.window().await.unwrap();
        forge("sso", "/logout").await;
        if !by_forged_one {
            browser.driver.switch_to_window(open_tab).await.unwrap();
        }
        browser.click("form[action='/logout'] button").await;
        browser.wait_for("main", OUT).await;
    }
}

#[tokio::test]
async fn threat_31_a_window_that_another_page_opened_is_out_of_its_reach() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    for (site, path) in [("sso", "/login"), ("alice", "/"), ("alice", "/sso/login?to=/"), ("nora", "/login")] {
        browser.open("data:text/html,<title>evil</title>").await;
        let script = format!(
            "const done = arguments[arguments.length - 1]; const held = window.open('{}'); \
             const look = tries => held.closed ? done('out of reach') : tries ? setTimeout(look, 50, tries - 1) : done('held'); \
             held ? look(200) : done('no window')",
            demo.url(site, path)
        );
        let held = browser.driver.execute_async(&script, Vec::new()).await.unwrap().json().clone();
        assert_eq!(held, "out of reach", "{site}{path}");
    }
}
