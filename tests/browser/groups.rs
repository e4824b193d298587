//! Which sites share the session and which do not: what pages say of it is true.

use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::{JACKIE, LOG_OUT, OUT, log_in_at_alice};

/// The addresses of a group in the navigation of the page that is open.
async fn group(browser: &Browser, name: &str) -> Vec<String> {
    let script = format!(
        "const name = [...document.querySelectorAll('header nav p')].find(p => p.innerText === '{name}'); \
         const list = document.querySelector(`header nav ul[aria-labelledby=${{name.id}}]`); \
         return [...list.querySelectorAll('a')].map(a => a.href)"
    );
    let links = browser.run(&script).await;
    links.as_array().unwrap().iter().map(|link| link.as_str().unwrap().to_owned()).collect()
}

/// Every site of this group says so, once it has settled.
async fn all_say(browser: &Browser, sites: &[String], text: &str) {
    for site in sites {
        browser.open(site).await;
        browser.wait_for("main", text).await;
    }
}

#[tokio::test]
async fn a_login_and_a_logout_are_for_the_sites_that_are_said_to_share_the_session() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    let (sharing, linked) =
        (group(&browser, "Sites that share the session").await, group(&browser, "Linked applications").await);
    let origins = |sites: &[&str]| sites.iter().map(|site| format!("{}/", demo.url(site, ""))).collect::<Vec<_>>();
    assert_eq!((&sharing, &linked), (&origins(&["sso", "alice", "greg", "julius"]), &origins(&["nora", "otto"])));
    for site in sharing.iter().chain(&linked) {
        browser.open(site).await;
        assert_eq!(group(&browser, "Sites that share the session").await, sharing, "{site}");
        assert_eq!(group(&browser, "Linked applications").await, linked, "{site}");
        assert!(browser.driver.find(thirtyfour::By::Css("header [aria-current]")).await.is_ok(), "{site}");
    }

    all_say(&browser, &sharing, "ogged in as jackie").await;
    all_say(&browser, &linked, "You are not logged in").await;
    browser.open(&demo.url("sso", "/")).await;
    browser.wait_for("main", "here and on the sites that share the session").await;
    browser.wait_for("form[action='/logout']", "on all the sites that share the session").await;

    // At a linked application too: then a logout elsewhere leaves that, as the pages say.
    browser.open(&demo.url("nora", "/login")).await;
    crate::type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    browser.open(&demo.url("greg", "/")).await;
    browser.wait_for("form[action='/logout']", "The linked applications have their own sessions").await;
    browser.click(LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    all_say(&browser, &sharing, OUT).await;
    browser.open(&demo.url("nora", "/")).await;
    browser.wait_for("h1", JACKIE).await;
}
