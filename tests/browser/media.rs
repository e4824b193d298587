//! Pages on a phone, on paper, and in the colours that a user forces.

use serde_json::json;
use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{JACKIE, expect, log_in_at_alice};

async fn media(browser: &Browser, kind: &str, feature: &str, value: &str) {
    browser
        .cdp("Emulation.setEmulatedMedia", json!({ "media": kind, "features": [{ "name": feature, "value": value }] }))
        .await;
}

/// What can be seen of this.
async fn seen(browser: &Browser, css: &str) -> i64 {
    let script = format!("return [...document.querySelectorAll('{css}')].filter(e => e.checkVisibility()).length");
    browser.run(&script).await.as_i64().unwrap()
}

#[tokio::test]
async fn the_header_is_one_row_on_a_phone() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    for site in ["sso", "alice", "nora"] {
        browser.open(&demo.url(site, "/")).await;
        browser.set_size(390, 800).await;
        let height = browser.run("return document.querySelector('header').offsetHeight").await.as_f64().unwrap();
        assert!(height <= 96.0, "{site}: {height}");
        let tops = "return new Set([...document.querySelectorAll('header nav a')].map(a => a.offsetTop)).size";
        assert_eq!(browser.run(tops).await, 1, "{site}");
        let current = browser.run("return document.querySelector('header [aria-current]').offsetHeight").await;
        assert!(current.as_f64().unwrap() >= 44.0, "to be hit by a thumb");
    }
}

#[tokio::test]
async fn paper_has_no_buttons_and_no_bar() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    for (site, path, kept) in [
        ("alice", "/", "jackie.black@example.com"),
        ("julius", "/", "jackie.black@example.com"),
        ("sso", "/", "You are logged in as jackie"),
        ("sso", "/account", "Where you are logged in"),
        ("sso", "/profile", "Full name"),
    ] {
        browser.open(&demo.url(site, path)).await;
        browser.wait_for("main", kept).await;
        assert!(seen(&browser, "button").await > 0, "on the screen they are there");
        media(&browser, "print", "prefers-color-scheme", "dark").await;
        assert_eq!(seen(&browser, "button, .button, nav, .skip").await, 0, "{site}{path}");
        browser.wait_for("main", kept).await;
        browser.wait_for(".brand", if site == "sso" { "SSO server" } else { "" }).await;
        let header = browser.run("return getComputedStyle(document.querySelector('header')).borderBottomWidth").await;
        assert_eq!(header, "0px");
        assert_eq!(browser.run("return getComputedStyle(document.body).color").await, "rgb(0, 0, 0)");
        media(&browser, "", "prefers-color-scheme", "light").await;
    }
}

#[tokio::test]
async fn swatches_keep_their_colours_where_colours_are_forced() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    for site in ["alice", "julius"] {
        expect(&browser, &demo, site, JACKIE).await;
        media(&browser, "", "forced-colors", "active").await;
        let script = "return new Set([...document.querySelectorAll('.swatch')] \
                      .map(e => getComputedStyle(e).backgroundImage).filter(image => image !== 'none')).size";
        assert_eq!(browser.run(script).await, 4, "{site}");
        let adjust = "return getComputedStyle(document.querySelector('.swatch')).forcedColorAdjust";
        assert_eq!(browser.run(adjust).await, "none");
    }
}
