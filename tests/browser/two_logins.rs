//! Two logins in one browser: what the pages say that were opened before the second one.

use serde_json::json;
use sso_tests::{Browser, Demo, browser::ThirdPartyCookies, peer::until};

use crate::{
    JACKIE, JOHN, OUT, assert_quiet, at_jackies_julius_when_john_is_logged_in, expect, form_for_greg, log_in_at_alice,
    log_in_at_greg, new_tab, pages::look, run_no_scripts, show, siblings::cookie, type_password, wait_for_popup,
};

#[tokio::test]
async fn the_page_of_the_user_before_is_hidden_and_its_site_shows_the_new_one() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let greg = form_for_greg(&browser, &demo).await;
    log_in_at_alice(&browser, &demo).await;
    let alice = browser.driver.window().await.unwrap();
    log_in_at_greg(&browser, &greg, "john").await;

    show(&browser, &alice).await;
    wait_for_popup(&browser, "superseded").await;
    browser.wait_for("#session-popup", "Someone has logged in since").await;
    assert!(!browser.find("body").await.text().await.unwrap().contains("Jackie Black"), "what was there is hidden");
    look(&browser, "popup-superseded").await;
    browser.click("#session-popup [data-do=reload]:not([hidden] *)").await;
    browser.wait_for("h1", JOHN).await;
    assert_eq!(browser.url().await, demo.url("alice", "/"));

    // Where the second login is one at the site itself, its pages know who it is.
    browser.click(crate::LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    let forms = [new_tab(&browser).await, browser.driver.window().await.unwrap()];
    for form in &forms {
        show(&browser, form).await;
        browser.open(&demo.url("alice", "/sso/login?to=/")).await;
    }
    for (form, username) in forms.iter().zip(["john", "jackie"]) {
        show(&browser, form).await;
        type_password(&browser, username, &format!("{username}123")).await;
        browser.wait_for("h1", &format!("Logged in as {username}")).await;
    }
    show(&browser, &alice).await;
    wait_for_popup(&browser, "changed").await;
    assert!(!browser.find("body").await.text().await.unwrap().contains("John Doe"), "what was there is hidden");
    browser.click("#session-popup [data-part=changed] [data-do=reload]").await;
    browser.wait_for("h1", JACKIE).await;
    expect(&browser, &demo, "greg", JACKIE).await;
    assert_quiet(&browser, &[401]).await;
}

#[tokio::test]
async fn a_script_that_looks_again_shows_the_new_user() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let greg = form_for_greg(&browser, &demo).await;
    log_in_at_alice(&browser, &demo).await;
    expect(&browser, &demo, "julius", JACKIE).await;
    let julius = browser.driver.window().await.unwrap();
    log_in_at_greg(&browser, &greg, "john").await;
    show(&browser, &julius).await;
    browser.run("document.dispatchEvent(new Event('visibilitychange'))").await;
    browser.wait_for("h1", JOHN).await;
    browser.wait_for("#status", "Somebody has logged in since this page was opened.").await;
    assert!(browser.text().await.contains("John Doe"));
    assert_quiet(&browser, &[401, 403]).await;
}

#[tokio::test]
async fn a_page_that_is_hidden_after_an_end_says_that_somebody_has_logged_in_since() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    log_in_at_alice(&browser, &demo).await;
    let alice = new_tab(&browser).await;
    expect(&browser, &demo, "greg", JACKIE).await;
    browser.click(crate::LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    let greg = browser.driver.window().await.unwrap();
    show(&browser, &alice).await;
    wait_for_popup(&browser, "signed-out-elsewhere").await;

    show(&browser, &greg).await;
    let form = form_for_greg(&browser, &demo).await;
    log_in_at_greg(&browser, &form, "jackie").await;
    show(&browser, &alice).await;
    wait_for_popup(&browser, "superseded").await;
    // No password: the site is attached anew.
    browser.click("#session-popup [data-part=superseded] [data-do=reload]").await;
    browser.wait_for("h1", JACKIE).await;
    assert_quiet(&browser, &[401]).await;
}

#[tokio::test]
async fn a_login_that_is_sent_twice_is_one() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&demo.url("alice", "/sso/login?to=/")).await;
    browser.wait_for("h1", "Log in").await;
    let alice = browser.driver.window().await.unwrap();
    let greg = form_for_greg(&browser, &demo).await;
    log_in_at_greg(&browser, &greg, "jackie").await;

    // The form that was open before, sent by two clicks.
    show(&browser, &alice).await;
    browser.fill("input[name=username]", "jackie").await;
    browser.fill("input[name=password]", "jackie123").await;
    let button = browser.find("form[action^='/'] button").await;
    browser.driver.action_chain().double_click_element(&button).perform().await.unwrap();
    browser.wait_for("h1", JACKIE).await;
    assert_eq!(browser.url().await, demo.url("alice", "/"));

    // Greg's link sees it still: his page stays, and the next one comes without a new attach.
    show(&browser, &greg).await;
    let script = "const done = arguments[arguments.length - 1]; \
                  fetch('/sso/session').then(r => r.json()).then(s => done(s.username), () => done(null))";
    let who = browser.driver.execute_async(script, Vec::new()).await.unwrap();
    assert_eq!(who.json(), "jackie");
    for site in ["greg", "alice"] {
        expect(&browser, &demo, site, JACKIE).await;
        assert_eq!(
            browser.run("return performance.getEntriesByType('navigation')[0].redirectCount").await,
            0,
            "{site}"
        );
    }
    expect(&browser, &demo, "julius", JACKIE).await;
    assert_quiet(&browser, &[401, 403]).await;
}

#[tokio::test]
async fn a_late_answer_to_a_script_deletes_nothing_that_another_tab_has_got() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    let quick = form_for_greg(&browser, &demo).await;
    log_in_at_alice(&browser, &demo).await;
    expect(&browser, &demo, "julius", JACKIE).await;
    let before = cookie(&browser, "sso-Julius-token").await;
    // What this tab asks from now on is answered so much later.
    browser.cdp("Network.enable", json!({})).await;
    let slow = json!({ "offline": false, "latency": 5_000, "downloadThroughput": -1, "uploadThroughput": -1 });
    browser.cdp("Network.emulateNetworkConditions", slow).await;
    let slow = browser.driver.window().await.unwrap();
    log_in_at_greg(&browser, &quick, "john").await;

    show(&browser, &slow).await;
    let asks = "fetch('/sso/ajax/info').then(answer => localStorage.setItem('info', answer.status)); \
                fetch('/sso/ajax/data').then(answer => localStorage.setItem('data', answer.status));";
    browser.run(asks).await;
    show(&browser, &quick).await;
    expect(&browser, &demo, "julius", JOHN).await;
    let attached = cookie(&browser, "sso-Julius-token").await;
    assert_ne!(attached, before);
    let late = "return localStorage.getItem('info') + ' ' + localStorage.getItem('data')";
    assert_eq!(browser.run(late).await, "null null", "not answered yet");
    until("the answers come", async || browser.run(late).await == "401 401").await;
    assert_eq!(cookie(&browser, "sso-Julius-token").await, attached);
    expect(&browser, &demo, "julius", JOHN).await;
    assert_eq!(browser.run("return performance.getEntriesByType('navigation')[0].redirectCount").await, 0);
}

/// Chooses a theme on the page that is open.
async fn choose_ocean(browser: &Browser, form: &str) {
    browser.click("input[value=ocean]").await;
    browser.click(&format!("{form} button")).await;
}

#[tokio::test]
async fn a_form_that_was_begun_before_a_login_changes_nothing_for_who_is_there_now() {
    for begun_by in [None, Some("jackie")] {
        let demo = Demo::start(&[]);
        let browser = Browser::start(ThirdPartyCookies::Blocked).await;
        let greg = form_for_greg(&browser, &demo).await;
        match begun_by {
            None => expect(&browser, &demo, "alice", OUT).await,
            Some(_) => log_in_at_alice(&browser, &demo).await,
        }
        run_no_scripts(&browser).await;
        let alice = browser.driver.window().await.unwrap();
        log_in_at_greg(&browser, &greg, "john").await;

        show(&browser, &alice).await;
        choose_ocean(&browser, "form[action='/theme']").await;
        browser.wait_for("h1", "Someone has logged in meanwhile").await;
        browser.wait_for("main", "Nothing was changed").await;
        browser.wait_for("dl.sent", "ocean").await;
        assert!(!browser.text().await.contains("form_token"));
        show(&browser, &greg).await;
        expect(&browser, &demo, "greg", JOHN).await;
        browser.find("html[data-theme=plain]").await;

        show(&browser, &alice).await;
        browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
        look(&browser, "form-superseded").await;
        browser.click("main nav a").await;
        browser.wait_for("h1", JOHN).await;
        browser.find("html[data-theme=plain]").await;
        // Who knows whose page it is, can.
        choose_ocean(&browser, "form[action='/theme']").await;
        browser.find("html[data-theme=ocean]").await;
        assert_quiet(&browser, &[401]).await;
    }
}

#[tokio::test]
async fn a_form_of_the_user_before_changes_nothing_after_a_login_at_the_site_itself() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    expect(&browser, &demo, "greg", OUT).await;
    let form = form_for_greg(&browser, &demo).await;
    log_in_at_alice(&browser, &demo).await;
    expect(&browser, &demo, "greg", JACKIE).await;
    run_no_scripts(&browser).await;
    let old = browser.driver.window().await.unwrap();
    log_in_at_greg(&browser, &form, "john").await;
    show(&browser, &old).await;
    choose_ocean(&browser, "form[action='/theme']").await;
    browser.wait_for("h1", "Someone has logged in meanwhile").await;
    browser.click("main nav a").await;
    browser.wait_for("h1", JOHN).await;
    browser.find("html[data-theme=plain]").await;
    choose_ocean(&browser, "form[action='/theme']").await;
    browser.find("html[data-theme=ocean]").await;
}

#[tokio::test]
async fn a_script_repeats_nothing_for_another_user() {
    let (_demo, browser, _) = at_jackies_julius_when_john_is_logged_in().await;
    choose_ocean(&browser, "#theme-form").await;
    browser.wait_for("#status", "nothing was changed").await;
    browser.wait_for("h1", JOHN).await;
    browser.find("html[data-theme=plain]").await;
    choose_ocean(&browser, "#theme-form").await;
    browser.wait_for("#status", "The theme was changed").await;
    browser.find("html[data-theme=ocean]").await;
    assert_quiet(&browser, &[401]).await;
}
