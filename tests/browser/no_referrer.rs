//! Sites behind a proxy that adds `Referrer-Policy: no-referrer` to every page: the browser then says `Origin: null` of
//! their own forms.

use sso_tests::{
    Browser, Site,
    browser::ThirdPartyCookies,
    nodes::Nginx,
    process::{JACKIE123, free_ports},
};
use url::form_urlencoded::byte_serialize;

use crate::type_password;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A server, the broker Alice and the linked applications Nora and Otto, each behind the proxy.
struct Sites {
    port: u16,
    _proxy: Nginx,
    _sites: [Site; 4],
}

impl Sites {
    const NAMES: [&str; 4] = ["sso", "alice", "nora", "otto"];

    async fn start() -> Self {
        let port = free_ports(8);
        let url = |place: u16| format!("http://{}.localhost:{}", Self::NAMES[usize::from(place)], port + place);
        let listen = |place: u16| format!("127.0.0.1:{}", port + 4 + place);
        let (users, attach) =
            (format!("[{{ username = \"jackie\", password = \"{JACKIE123}\" }}]"), format!("{}/attach", url(0)));
        let brokers = format!("[{{ id = \"Alice\", secret = \"8iwzik1bwd\", origins = [\"{}\"] }}]", url(1));
        let start = |args: &[&str], environment: &[(&str, &str)]| {
            Site::try_start(args, environment).unwrap_or_else(|failed| panic!("{failed:?}"))
        };
        let linked = |place: u16, name: &str| {
            let (this, other) = (url(place), url(5 - place));
            start(
                &["linked-app", "--listen", &listen(place), "--name", name],
                &[
                    ("SSO_USERS", &users),
                    ("SSO_APP_URL", &this),
                    ("SSO_SESSION_KEY", KEY),
                    ("SSO_PEER", &other),
                    ("SSO_PAIR_KEY", KEY),
                ],
            )
        };
        let server = start(
            &["server", "--listen", &listen(0)],
            &[("SSO_PUBLIC_URL", &url(0)), ("SSO_USERS", &users), ("SSO_BROKERS", &brokers)],
        );
        let broker = start(
            &["broker", "--kind", "redirect", "--listen", &listen(1)],
            &[
                ("SSO_SERVER", &attach),
                ("SSO_BROKER_ID", "Alice"),
                ("SSO_BROKER_SECRET", "8iwzik1bwd"),
                ("SSO_BROKER_URL", &url(1)),
            ],
        );
        let sites = [server, broker, linked(2, "Nora"), linked(3, "Otto")];
        let ports: Vec<_> = (0..4).map(|place| (port + place, port + 4 + place)).collect();
        Self { port, _proxy: Nginx::adding("Referrer-Policy", "no-referrer", &ports).await, _sites: sites }
    }

    fn url(&self, site: &str, path: &str) -> String {
        let place = Self::NAMES.iter().position(|name| *name == site).unwrap();
        format!("http://{site}.localhost:{}{path}", usize::from(self.port) + place)
    }
}

/// Opens a page without an origin, which posts this form.
async fn post_from_nowhere(browser: &Browser, action: &str, fields: &[(&str, &str)]) {
    let fields: String = fields.iter().map(|(name, value)| format!("<input name={name} value='{value}'>")).collect();
    let page = format!(
        "<form method=post action='{action}'>{fields}</form><script>setTimeout(() => document.forms[0].submit())</script>"
    );
    let page: String = byte_serialize(page.as_bytes()).collect();
    browser.open(&format!("data:text/html,{}", page.replace('+', "%20"))).await;
}

#[tokio::test]
async fn logins_and_logouts_work_under_a_policy_that_hides_the_origin() {
    let sites = Sites::start().await;
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;

    // At the server itself.
    browser.open(&sites.url("sso", "/login")).await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("main", "jackie").await;
    let token = browser.run("return document.querySelector('[name=form_token]').value").await;
    // Forged, from a page that hides its origin as ours do; even with the right token.
    post_from_nowhere(&browser, &sites.url("sso", "/logout"), &[("form_token", token.as_str().unwrap())]).await;
    browser.wait_for("h1", "Log out?").await;
    browser.open(&sites.url("sso", "/")).await;
    browser.wait_for("main", "jackie").await;
    // What the forged one led to is good for who wants it.
    post_from_nowhere(&browser, &sites.url("sso", "/logout"), &[]).await;
    browser.wait_for("h1", "Log out?").await;
    browser.click("form[action='/logout'] button").await;
    browser.wait_for("main", "You are logged out").await;

    // On the way from a broker, and out again there.
    browser.open(&sites.url("alice", "/")).await;
    browser.click("a[href^='/sso/login']").await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", "Logged in as jackie").await;
    assert_eq!(browser.url().await, sites.url("alice", "/"));
    browser.click("form[action='/logout'] button").await;
    browser.wait_for("h1", "You are logged out").await;

    // At a linked application.
    browser.open(&sites.url("nora", "/login?to=/")).await;
    type_password(&browser, "jackie", "jackie123").await;
    browser.wait_for("h1", "Logged in as jackie").await;
    post_from_nowhere(&browser, &sites.url("nora", "/logout"), &[]).await;
    browser.open(&sites.url("nora", "/")).await;
    browser.wait_for("h1", "Logged in as jackie").await;

    // The hand-off cannot work so: the other side must see who sends the token, and refuses it.
    browser.click("main a[href^='/external']").await;
    browser.wait_for("[role=alert]", "That link could not log you in").await;
    assert_eq!(browser.url().await, sites.url("otto", "/sso/landing"));

    browser.open(&sites.url("nora", "/")).await;
    browser.click("form[action='/logout'] button").await;
    browser.wait_for("h1", "You are logged out").await;
}
