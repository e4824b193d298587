//! Fields that are wrong are marked, and the first of them has the focus.

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
