//! What the README says under "Running more than one node": demo/nodes.sh, in a browser.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
};

use sso_engines::Engine;
use sso_tests::{
    Browser, Visitor,
    browser::ThirdPartyCookies,
    nodes::Nginx,
    process::{free_ports, sso_bin},
    visitor::Answer,
};

/// The script, and all that it starts.
struct Recipe {
    script: Child,
    announcement: String,
    base_port: u16,
}

impl Recipe {
    fn start(options: &[&str]) -> Self {
        // Up to 20 above the base, and one more for https.
        let base_port = free_ports(22);
        let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/nodes.sh"))
            .args(["--base-port", &base_port.to_string()])
            .args(options.iter().map(|option| option.replace("TLS", &(base_port + 21).to_string())))
            .env("SSO_BIN", sso_bin())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(script.stdout.take().unwrap());
        let mut announcement = String::new();
        while !announcement.contains("Ctrl-C") {
            assert!(stdout.read_line(&mut announcement).unwrap() > 0, "the script ended: {announcement}");
        }
        Self { script, announcement, base_port }
    }

    fn url(&self, site: &str, number: u16) -> String {
        format!("http://{site}.localhost:{}", self.base_port + number)
    }

    /// The process of the first node.
    fn first_node(&self) -> &str {
        let (_, after) = self.announcement.split_once("process ").expect("it says so");
        after.split_once(' ').unwrap().0
    }

    /// Ctrl-C, and waits. Nothing is left running.
    fn end(mut self) {
        assert!(kill("TERM", &self.script.id().to_string()));
        assert_eq!(self.script.wait().unwrap().code(), Some(0));
        for number in [0, 1, 2, 11, 12, 20, 21] {
            let port = self.base_port + number;
            assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(), "something is left at {port}");
        }
    }
}

impl Drop for Recipe {
    fn drop(&mut self) {
        kill("TERM", &self.script.id().to_string());
        let _ = self.script.wait();
    }
}

fn kill(signal: &str, pid: &str) -> bool {
    Command::new("kill").args([&format!("-{signal}"), pid]).stderr(Stdio::null()).status().unwrap().success()
}

#[tokio::test]
async fn a_browser_does_not_notice_that_a_node_is_killed() {
    let _turn = crate::turn().await;
    let recipe = Recipe::start(&[]);
    let (alice, greg) = (recipe.url("alice", 1), recipe.url("greg", 2));
    let browser = Browser::start(ThirdPartyCookies::Blocked).await;
    browser.open(&format!("{alice}/sso/login?to=/")).await;
    browser.fill("[name=username]", "jackie").await;
    browser.fill("[name=password]", "jackie123").await;
    browser.click("main form button").await;
    browser.wait_for("h1", "Logged in as").await;
    browser.open(&greg).await;
    browser.wait_for("h1", "Logged in as").await;

    assert!(kill("KILL", recipe.first_node()));
    for site in [&alice, &greg, &recipe.url("sso", 0)] {
        browser.open(site).await;
        browser.wait_for("body", "Jackie Black").await;
    }
    browser.open(&alice).await;
    browser.click("form[action^='/logout'] button").await;
    browser.wait_for("h1", "You are logged out").await;
    browser.open(&greg).await;
    browser.wait_for("h1", "logged out").await;
    recipe.end();
}

#[tokio::test]
async fn over_https_cookies_are_for_this_host_alone() {
    let _turn = crate::turn().await;
    let engine = Engine::postgres();
    let recipe = Recipe::start(&["--https-port", "TLS", "--store", &engine.url()]);
    let (alice, server) = (recipe.url("alice", 1), format!("https://sso.localhost:{}", recipe.base_port + 21));
    let visitor = Visitor::who_trusts_any_certificate();
    let page: Answer = visitor.get(&format!("{server}/login")).await;
    assert_eq!((page.status, page.header("strict-transport-security")), (200, "max-age=31536000"));
    assert_eq!(page.headers.get_all("strict-transport-security").iter().count(), 1);
    assert_eq!(visitor.log_in(&alice, "jackie", "jackie123").await.heading(), "Logged in as jackie");
    let cookies = visitor.cookies(&server);
    assert!(cookies.split("; ").all(|cookie| cookie.starts_with("__Host-")), "{cookies}");
    assert_eq!(visitor.cookies(&recipe.url("sso", 0)), "", "they are secure");
    // By turns, each node has served some of it.
    for _ in 0..4 {
        assert_eq!(visitor.get(&format!("{server}/login")).await.status, 303);
    }
    recipe.end();
}

#[tokio::test]
async fn threat_31_what_nginx_says_while_no_node_is_there_has_the_headers_too() {
    let _turn = crate::turn().await;
    let port = free_ports(3);
    let _nginx = Nginx::start_with_https_headers(port, [port + 1, port + 2]).await;
    for path in ["/", "/login", "/attach", "/api/info"] {
        let answer = Visitor::new().get(&format!("http://127.0.0.1:{port}{path}")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{path}");
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
    }
}
