//! A neighbour under the same parent domain plants cookies: threat 25.

use sso_tests::{
    Browser, Visitor,
    browser::ThirdPartyCookies,
    family::{Family, Scheme},
};

use crate::{assert_quiet, pages::look, type_password};

/// What Evil's page can do: `name=value` for the parent domain.
async fn plant(browser: &Browser, family: &Family, name: &str, value: &str, more: &str) {
    browser.open(&family.url("evil", "/")).await;
    browser.wait_for("h1", "Evil").await;
    let domain = Family::DOMAIN;
    browser.run(&format!("document.cookie = '{name}={value}; Domain={domain}; Path=/{more}'")).await;
    let shown = browser.run("return document.cookie").await;
    assert!(shown.as_str().unwrap().contains(value), "the browser takes it: {shown}");
}

/// Opens a site's first page, which says so of the visitor.
async fn open(browser: &Browser, family: &Family, site: &str, who: &str) {
    browser.open(&family.url(site, "/")).await;
    browser.wait_for("main", who).await;
}

const JACKIE: &str = "ogged in as jackie";
const OUT: &str = "ou are logged out";

/// jackie logs in at Alice's first page and at the server, and at Nora's, as anybody does.
async fn log_in_everywhere(browser: &Browser, family: &Family) {
    open(browser, family, "alice", OUT).await;
    browser.click("a[href^='/sso/login']").await;
    type_password(browser, "jackie", "jackie123").await;
    browser.wait_for("main", JACKIE).await;
    assert_eq!(browser.url().await, family.url("alice", "/"));
    open(browser, family, "sso", JACKIE).await;
    open(browser, family, "nora", OUT).await;
    browser.click("main a[href^='/login']").await;
    type_password(browser, "jackie", "jackie123").await;
    browser.wait_for("main", JACKIE).await;
}

/// The attacker's own cookies, with which john is logged in at each site.
async fn attacker(family: &Family) -> (Visitor, [(&'static str, &'static str, String); 3]) {
    let attacker = Visitor::who_trusts_any_certificate();
    let page = attacker.log_in(&family.url("alice", ""), "john", "jackie123").await;
    assert_eq!(page.heading(), "Logged in as john");
    let form = attacker.request(reqwest::Method::POST, &family.url("nora", "/login?to=/"));
    let form = form.header("Origin", family.url("nora", "")).form(&[("username", "john"), ("password", "jackie123")]);
    assert_eq!(sso_tests::visitor::send(form).await.status, 303);
    let own = [("alice", "sso-Alice-token"), ("sso", "sso_session"), ("nora", "nora")].map(|(site, name)| {
        let cookies = attacker.cookies(&family.url(site, "/"));
        let found = cookies.split("; ").find_map(|cookie| cookie.strip_prefix(&format!("__Host-{name}=")));
        (site, name, found.unwrap_or_else(|| panic!("{name} in {cookies}")).to_owned())
    });
    (attacker, own)
}

#[tokio::test]
async fn a_neighbours_cookie_makes_nobody_somebody_else() {
    let family = Family::start(Scheme::Https).await;
    let (attacker, own) = attacker(&family).await;
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    for (_, name, value) in &own {
        for prefix in ["\\u2000__Host-", "\\u00a0__Host-", "__Host%2D"] {
            plant(&browser, &family, &format!("{prefix}{name}"), value, "; Secure").await;
        }
    }
    // Nobody is john here, and who logs in is known as jackie, to themselves and to nobody else.
    log_in_everywhere(&browser, &family).await;
    for (site, ..) in &own {
        open(&browser, &family, site, JACKIE).await;
        assert!(attacker.visit(&family.url(site, "/")).await.body.contains("john"), "{site}");
    }
    assert_quiet(&browser, &[]).await;
}

#[tokio::test]
async fn the_attackers_token_does_not_see_the_victims_login() {
    let family = Family::start(Scheme::Https).await;
    // In a browser of the same kind, or the fingerprint would tell. Nobody yet: whoever uses the session now shares it.
    let attacker = Browser::start(ThirdPartyCookies::Blocked).await;
    open(&attacker, &family, "alice", OUT).await;
    let session = cookie(&attacker, "__Host-sso_session").await;
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    plant(&browser, &family, "\\u2000__Host-sso_session", &session, "; Secure").await;
    browser.open(&family.url("sso", "/login")).await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("main", "ou are logged").await;
    open(&attacker, &family, "alice", OUT).await;
    open(&browser, &family, "sso", JACKIE).await;
    open(&browser, &family, "alice", JACKIE).await;
}

/// The value of a cookie that the browser holds, of whatever site.
pub(crate) async fn cookie(browser: &Browser, name: &str) -> String {
    let all = browser.cdp("Storage.getCookies", serde_json::json!({})).await;
    let found = all["cookies"].as_array().unwrap().iter().find(|cookie| cookie["name"] == name);
    found.unwrap_or_else(|| panic!("{name} in {all}"))["value"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_cookies_of_one_name_are_told_of_and_deleted() {
    // Over http names have no prefix, so a neighbour can set the very same one.
    let family = Family::start(Scheme::Http).await;
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_everywhere(&browser, &family).await;
    for (site, name) in [("alice", "sso-Alice-token"), ("sso", "sso_session"), ("nora", "nora")] {
        plant(&browser, &family, name, "planted", "").await;
        browser.open(&family.url(site, "/")).await;
        browser.wait_for("main", "sets a cookie with the name of one of ours").await;
        look(&browser, &format!("two-cookies-{site}")).await;
        // Loading it again changes nothing, and nobody is sent around.
        browser.open(&family.url(site, "/")).await;
        browser.wait_for("main", "sets a cookie with the name of one of ours").await;
        // Evil cannot have it done.
        browser.open(&family.url("evil", "/")).await;
        let script = format!(
            "const done = arguments[arguments.length - 1], end = () => done(document.cookie);
             fetch('{}', {{ method: 'POST', mode: 'no-cors', credentials: 'include' }}).then(end, end)",
            family.url(site, "/sso/clear-cookies"),
        );
        let left = browser.driver.execute_async(&script, Vec::new()).await.unwrap().json().clone();
        assert!(left.as_str().is_some_and(|left| left.contains("planted")), "{left}");

        browser.open(&family.url(site, "/")).await;
        browser.click("form[action^='/sso/clear-cookies'] button").await;
        browser.wait_for("main", OUT).await;
        assert_eq!(browser.url().await, family.url(site, "/"));
        log_in_everywhere(&browser, &family).await;
    }
}
