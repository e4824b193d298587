//! How a login ended: every other site says it, once; nobody ends a login that they do not see; and who is remembered
//! is back at the first page.

use sso_tests::{Browser, Demo, browser::ThirdPartyCookies, peer::until};

use crate::{
    JACKIE, JOHN, LOG_OUT, OUT, assert_quiet, at_jackies_julius_when_john_is_logged_in, expect, form_for_greg,
    log_in_at_alice, log_in_at_greg, pages::look, run_no_scripts, show, type_password,
};

const LOGGED_OUT: &str = "You were logged out at another site or in another tab.";
const EXPIRED: &str = "Your session has expired. Log in again to continue.";

/// What the page that is open, of whichever site, says of the end of the last login.
async fn told(browser: &Browser) -> String {
    let script = "return document.querySelector('main .notice[role=alert], #status')?.innerText ?? ''";
    browser.run(script).await.as_str().unwrap().to_owned()
}

/// Visits these sites, where nobody is logged in, and says what they tell.
async fn visit<const N: usize>(browser: &Browser, demo: &Demo, sites: [&str; N]) -> [String; N] {
    let mut all = [const { String::new() }; N];
    for (site, one) in sites.iter().zip(&mut all) {
        expect(browser, demo, site, OUT).await;
        *one = told(browser).await;
    }
    all
}

/// jackie is logged in, as all the sites know.
async fn log_in_everywhere(browser: &Browser, demo: &Demo) {
    log_in_at_alice(browser, demo).await;
    for site in ["greg", "julius"] {
        expect(browser, demo, site, JACKIE).await;
    }
}

/// Waits until the page's site says that nobody is logged in.
async fn wait_for_the_end(browser: &Browser) {
    let script = "const done = arguments[arguments.length - 1]; \
                  fetch('/sso/session').then(r => r.json()).then(s => done(s.authenticated), () => done(true))";
    until("the login ends", async || browser.driver.execute_async(script, Vec::new()).await.unwrap().json() == false)
        .await;
}

#[tokio::test]
async fn each_end_is_told_once_at_every_other_site() {
    let demo = Demo::start(&["--idle-timeout", "16s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let sites = ["alice", "greg", "julius"];
    log_in_everywhere(&browser, &demo).await;
    expect(&browser, &demo, "greg", JACKIE).await;
    browser.click(LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    assert_eq!(told(&browser).await, "", "who logged out knows it");
    assert_eq!(visit(&browser, &demo, sites).await, [LOGGED_OUT, "", LOGGED_OUT]);
    assert_eq!(visit(&browser, &demo, sites).await, [""; 3]);

    log_in_everywhere(&browser, &demo).await;
    wait_for_the_end(&browser).await;
    assert_eq!(visit(&browser, &demo, sites).await, [EXPIRED; 3]);
    assert_eq!(visit(&browser, &demo, sites).await, [""; 3]);

    // After both, too; and by a script.
    log_in_everywhere(&browser, &demo).await;
    browser.click(LOG_OUT).await;
    browser.wait_for("#status", "You are logged out here and on all the other sites").await;
    expect(&browser, &demo, "alice", OUT).await;
    look(&browser, "alice-logged-out-elsewhere").await;
    assert_eq!(visit(&browser, &demo, ["greg", "julius"]).await, [LOGGED_OUT, ""]);
    assert_eq!(visit(&browser, &demo, sites).await, [""; 3]);
    assert_quiet(&browser, &[401, 403]).await;
}

#[tokio::test]
async fn the_words_for_an_end_are_accessible() {
    let demo = Demo::start(&["--idle-timeout", "16s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_everywhere(&browser, &demo).await;
    wait_for_the_end(&browser).await;
    for site in ["alice", "julius"] {
        assert_eq!(visit(&browser, &demo, [site]).await, [EXPIRED]);
        look(&browser, &format!("{site}-expired")).await;
    }
    browser.open(&demo.url("greg", "/about")).await;
    browser.wait_for("[role=alert]", EXPIRED).await;
    look(&browser, "greg-about-expired").await;
}

#[tokio::test]
async fn a_logout_on_an_old_page_asks_after_a_login_elsewhere() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let greg = [form_for_greg(&browser, &demo).await, form_for_greg(&browser, &demo).await];
    log_in_at_alice(&browser, &demo).await;
    run_no_scripts(&browser).await;
    let alice = browser.driver.window().await.unwrap();
    let ways = [("john", "main nav a[href='/']"), ("jackie", "form[action='/sso/logout'] button")];
    for (greg, (new, way)) in greg.iter().zip(ways) {
        log_in_at_greg(&browser, greg, new).await;
        show(&browser, &alice).await;
        browser.click(LOG_OUT).await;
        browser.wait_for("h1", "Log out?").await;
        let who = format!("Logged in as {new}");
        show(&browser, greg).await;
        expect(&browser, &demo, "greg", &who).await;
        show(&browser, &alice).await;
        browser.click(way).await;
        browser.wait_for("h1", if new == "john" { JOHN } else { OUT }).await;
    }
    assert_eq!(visit(&browser, &demo, ["greg"]).await, [LOGGED_OUT]);
    assert_quiet(&browser, &[]).await;
}

#[tokio::test]
async fn a_scripts_logout_on_an_old_page_shows_who_is_there_and_logs_nobody_out() {
    let (demo, browser, greg) = at_jackies_julius_when_john_is_logged_in().await;
    let julius = browser.driver.window().await.unwrap();
    browser.click(LOG_OUT).await;
    browser.wait_for("h1", JOHN).await;
    browser.wait_for("#status", "Nobody was logged out.").await;
    show(&browser, &greg).await;
    expect(&browser, &demo, "greg", JOHN).await;
    show(&browser, &julius).await;
    browser.click(LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    show(&browser, &greg).await;
    expect(&browser, &demo, "greg", OUT).await;
}

#[tokio::test]
async fn the_popups_logout_on_an_old_page_claims_nothing_and_asks() {
    let demo = Demo::start(&["--idle-timeout", "60s", "--warn-before", "59s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let greg = form_for_greg(&browser, &demo).await;
    log_in_at_alice(&browser, &demo).await;
    browser.wait_for("#session-popup[open] [data-part=warned]", "Log out").await;
    // It does not hear of the login before the button is pressed.
    let deaf = "const real = fetch; window.fetch = (url, ...more) => \
                url.endsWith('/sso/session') ? Promise.reject(new Error()) : real(url, ...more)";
    browser.run(deaf).await;
    let alice = browser.driver.window().await.unwrap();
    log_in_at_greg(&browser, &greg, "john").await;
    show(&browser, &alice).await;
    browser.click("#session-popup [data-part=warned] [data-do=leave]").await;
    browser.wait_for("h1", "Log out?").await;
    show(&browser, &greg).await;
    expect(&browser, &demo, "greg", JOHN).await;
    // Only who says so there is logged out.
    show(&browser, &alice).await;
    browser.click("form[action='/sso/logout'] button").await;
    browser.wait_for("h1", OUT).await;
    show(&browser, &greg).await;
    expect(&browser, &demo, "greg", OUT).await;
}

#[tokio::test]
async fn a_remembered_browser_that_comes_back_is_logged_in_at_its_first_page() {
    let demo = Demo::start(&["--idle-timeout", "16s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    expect(&browser, &demo, "alice", OUT).await;
    browser.open(&demo.url("alice", "/sso/login?to=/")).await;
    browser.click("input[name=remember]").await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    expect(&browser, &demo, "julius", JACKIE).await;
    for site in ["alice", "julius"] {
        // A page without a script of its own.
        browser.open(&demo.url(site, "/nowhere")).await;
        wait_for_the_end(&browser).await;
        expect(&browser, &demo, site, JACKIE).await;
        assert_eq!(browser.url().await, demo.url(site, "/"));
        assert!(!browser.text().await.contains("has expired"));
    }

    browser.open(&demo.url("alice", "/nowhere")).await;
    wait_for_the_end(&browser).await;
    browser.open(&demo.url("alice", "/about")).await;
    browser.wait_for("main", "this browser is remembered").await;
    look(&browser, "alice-about-remembered").await;
    browser.click("main a[href^='/sso/attach?why=remembered']").await;
    browser.wait_for("main", "You are logged in as jackie").await;
    assert_eq!(browser.url().await, demo.url("alice", "/about"));
}
