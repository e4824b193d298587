//! Sites that are not for everyone: what somebody sees there who is logged in and may not use them.

use sso_tests::{Browser, Site, browser::ThirdPartyCookies, process::free_ports};

use crate::{JACKIE, OUT, assert_quiet, pages::look, type_password};

const BARRED: &str = "Your account has no access to this site";
const SECRET: &str = "a_secret_of_the_tests_that_is_long";
/// The hash of `jackie123`, cheap to check.
const HASH: &str = "$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK";

struct Sites {
    _programs: [Site; 3],
    server: String,
    alice: String,
    julius: String,
}

/// Alice works with redirects and Julius by script; both are for jackie, and not for john.
fn start() -> Sites {
    let port = free_ports(2);
    let (alice, julius) = (format!("http://alice.localhost:{port}"), format!("http://julius.localhost:{}", port + 1));
    let broker = |id: &str, origin: &str| {
        format!(
            "[[brokers]]\nid = \"{id}\"\nsecret = \"{SECRET}\"\norigins = [\"{origin}\"]\nallow_users = [\"jackie\"]\n\
             password_login = true\n"
        )
    };
    let user = |name: &str| format!("[[users]]\nusername = \"{name}\"\npassword = \"{HASH}\"\n");
    let (server, server_port) = Site::server(&format!(
        "public_url = \"http://sso.localhost:PORT\"\n{}{}{}{}",
        broker("Alice", &alice),
        broker("Julius", &julius),
        user("jackie"),
        user("john")
    ));
    let origin = format!("http://sso.localhost:{server_port}");
    let attach = format!("{origin}/attach");
    let site = |id: &str, kind: &str, url: &str, port: u16| {
        let listen = format!("127.0.0.1:{port}");
        let environment = [
            ("SSO_SERVER", attach.as_str()),
            ("SSO_BROKER_ID", id),
            ("SSO_BROKER_SECRET", SECRET),
            ("SSO_BROKER_URL", url),
        ];
        Site::try_start(&["broker", "--kind", kind, "--listen", &listen], &environment).unwrap()
    };
    let programs = [server, site("Alice", "redirect", &alice, port), site("Julius", "ajax", &julius, port + 1)];
    Sites { _programs: programs, server: origin, alice, julius }
}

#[tokio::test]
async fn a_page_says_so_and_its_logout_works() {
    let sites = start();
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&format!("{}/login", sites.server)).await;
    type_password(&browser, "john", "jackie123").await;
    browser.wait_for("main", "john").await;

    browser.open(&format!("{}/", sites.alice)).await;
    browser.wait_for("h1", BARRED).await;
    look(&browser, "alice-not-allowed").await;
    assert!(!browser.text().await.contains("john"));
    browser.open(&format!("{}/about", sites.alice)).await;
    browser.wait_for("main", "your account has no access to Alice").await;
    look(&browser, "alice-about-not-allowed").await;
    browser.click("main a[href='/']").await;
    browser.wait_for("h1", BARRED).await;
    browser.click("form[action='/sso/logout'] button").await;
    browser.wait_for("h1", OUT).await;
    browser.click("a[href^='/sso/login']").await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", JACKIE).await;
    assert_quiet(&browser, &[403]).await;
}

#[tokio::test]
async fn a_script_says_so_and_its_logout_and_login_work() {
    let sites = start();
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&format!("{}/login", sites.server)).await;
    type_password(&browser, "john", "jackie123").await;
    browser.wait_for("main", "john").await;

    browser.open(&format!("{}/", sites.julius)).await;
    browser.wait_for("h1", BARRED).await;
    look(&browser, "julius-not-allowed").await;
    assert!(!browser.text().await.contains("john"));
    browser.click(crate::LOG_OUT).await;
    browser.wait_for("h1", OUT).await;
    for (user, heading) in [("john", OUT), ("jackie", JACKIE)] {
        browser.fill("#username", user).await;
        browser.fill("#password", "jackie123").await;
        browser.click("#login-form button").await;
        if heading == OUT {
            browser.wait_for("#login-error", "Your account has no access to this site.").await;
        }
        browser.wait_for("h1", heading).await;
    }
    assert_quiet(&browser, &[401, 403]).await;
}
