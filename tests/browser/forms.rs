//! Fields that are wrong are marked, and the first of them has the focus.

use serde_json::Value;
use sso_tests::{Browser, Demo, browser::ThirdPartyCookies};

use crate::type_password;

/// The width and the colour of a field's border.
async fn border(browser: &Browser, css: &str) -> String {
    let script = format!(
        "const style = getComputedStyle(document.querySelector('{css}')); \
         return style.borderTopWidth + ' ' + style.borderTopColor"
    );
    browser.run(&script).await.as_str().unwrap().to_owned()
}

async fn focused(browser: &Browser) -> String {
    browser.run("return document.activeElement.id").await.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn wrong_fields_are_marked_and_the_first_has_the_focus() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.set_dark(false).await;
    browser.open(&demo.url("sso", "/login?return_url=/profile")).await;
    let good = border(&browser, "#username").await;
    type_password(&browser, "jackie", "wrong").await;
    browser.wait_for("[role=alert]", "Wrong username or password").await;
    let wrong = border(&browser, "#username").await;
    assert_eq!(wrong, "2px rgb(166, 27, 27)");
    assert_ne!(good, wrong);
    assert_eq!(border(&browser, "#password").await, wrong);
    // What has to be typed again.
    assert_eq!(focused(&browser).await, "password");

    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", "page 1 of 2").await;
    assert_eq!((border(&browser, "#email").await, focused(&browser).await), (good.clone(), String::new()));
    browser.fill("#email", "nowhere").await;
    browser.run("document.querySelector('main form').noValidate = true").await;
    browser.click("main form button").await;
    browser.wait_for("#email-error", "valid email address").await;
    assert_eq!(border(&browser, "#fullname").await, good);
    assert_eq!(border(&browser, "#email").await, wrong);
    assert_eq!(focused(&browser).await, "email");
    browser.fill("#email", "jb@example.org").await;
    browser.click("main form button").await;
    browser.wait_for("h1", "page 2 of 2").await;
}

#[tokio::test]
async fn a_late_login_form_asks_for_the_password_alone() {
    let demo = Demo::start(&["--form-timeout", "1s"]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&demo.url("sso", "/login")).await;
    browser.fill("#username", "jackie").await;
    browser.fill("#password", "jackie123").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    browser.click("main form button").await;
    browser.wait_for("[role=alert]", "Enter your password again").await;
    assert_eq!(focused(&browser).await, "password");
    assert_eq!(browser.run("return document.querySelectorAll('[aria-invalid]').length").await, 1);
}

#[tokio::test]
async fn a_saved_profile_is_shown_where_the_page_after_it_says_so() {
    let demo = Demo::start(&[]);
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&demo.url("sso", "/login?return_url=/profile/done")).await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", "page 1 of 2").await;
    assert!(!browser.text().await.contains("show it, too"), "nothing is claimed before it is so");
    browser.fill("#fullname", "Jackie B.").await;
    browser.fill("#email", "jb@example.org").await;
    browser.click("main form button").await;
    browser.wait_for("h1", "page 2 of 2").await;
    browser.fill("#town", "Leiden").await;
    browser.click("main form button").await;
    browser.wait_for("h1", "Your profile is saved").await;
    let shown = browser.run("return [...document.querySelectorAll('main dl > *')].map(part => part.innerText)").await;
    let all = ["Full name", "Jackie B.", "Email", "jb@example.org", "Town", "Leiden", "About you", "\u{2013}"]
        .map(Value::from);
    assert_eq!(shown, Value::from(all.to_vec()));
    let claimed =
        browser.run("return [...document.querySelectorAll('main .card p')].map(part => part.innerText)").await;
    assert_eq!(claimed, Value::from(vec![Value::from("The sites that may see your profile show it, too.")]));
    for site in ["alice", "greg", "julius"] {
        browser.open(&demo.url(site, "/")).await;
        browser.wait_for("h1", "Logged in as jackie").await;
        browser.wait_for("main", "Leiden").await;
        let text = browser.text().await;
        assert!(["Jackie B.", "jb@example.org"].iter().all(|answer| text.contains(answer)), "{site}: {text}");
    }
}
