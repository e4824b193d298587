//! Headers that lie about the host: threat 22. No URL that we write comes from them.

use sso_core::Token;
use sso_tests::Demo;

use crate::{ground::peer_of, peer::raw};

const LIES: &str = "X-Forwarded-Host: evil.localhost\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 1.2.3.4\r\n\
                    X-Forwarded-Port: 1\r\nForwarded: host=evil.localhost;proto=https;for=1.2.3.4\r\nX-Host: evil.localhost\r\n\
                    X-Original-URL: /evil\r\nX-Rewrite-URL: /evil\r\nX-HTTP-Method-Override: POST\r\n";

fn port(demo: &Demo, site: &str) -> u16 {
    demo.url(site, "/").parse::<url::Url>().unwrap().port().unwrap()
}

fn ask(port: u16, target: &str, host: &str, more: &str) -> String {
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n{more}\r\n");
    let answer = raw(port, request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    answer
}

/// The answer with random values and times made the same, its headers in one order.
fn same(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.lines().filter(|line| !line.starts_with("date:") && !line.starts_with("set-cookie:"));
    let mut lines: Vec<String> = head.chain(body.lines()).map(without_random).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn without_random(line: &str) -> String {
    let words = line.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    // And when a form was served: the milliseconds since the epoch.
    let is_time = |word: &str| word.len() > 12 && word.starts_with(|c: char| c.is_ascii_digit());
    words.map(|word| if word.len() > 40 || is_time(word) { "RANDOM" } else { word }).collect()
}

#[tokio::test]
async fn threat_22_a_lie_about_the_host_changes_no_url() {
    let demo = Demo::start(&[]);
    for (site, path) in [
        ("sso", "/"),
        ("sso", "/login"),
        ("sso", "/nothing"),
        ("sso", "/attach"),
        ("sso", "/readyz"),
        ("sso", "/api/info"),
        ("alice", "/"),
        ("alice", "/about"),
        ("alice", "/sso/attach?to=/about"),
        ("alice", "/sso/login?to=/about"),
        ("alice", "/sso/return?state=x"),
        ("alice", "/nothing"),
        ("julius", "/"),
        ("julius", "/sso/attach?to=/"),
    ] {
        let port = port(&demo, site);
        let honest = ask(port, path, &format!("{site}.localhost:{port}"), "");
        for (target, host, more) in [
            (path.to_owned(), "evil.localhost", ""),
            (path.to_owned(), "evil.localhost:1", LIES),
            (path.to_owned(), &format!("{site}.localhost:{port}"), LIES),
            (format!("http://evil.localhost{path}"), "evil.localhost", ""),
            (path.to_owned(), "", ""),
            (path.to_owned(), "evil.localhost\r\nHost: other.localhost", ""),
        ] {
            let answer = ask(port, &target, host, more);
            assert!(!answer.contains("evil"), "{site}{path} {host} {answer}");
            // Two hosts, or none, may also be refused; and a broker's visit begins at its own name.
            let goes_home = answer.contains(&format!("\r\nlocation: http://{site}.localhost:{port}/sso/"));
            assert!(
                answer.starts_with("HTTP/1.1 400") || goes_home || same(&answer) == same(&honest),
                "{site}{path} {host}\n{answer}\n{honest}"
            );
        }
    }
}

#[tokio::test]
async fn threat_22_where_attach_and_login_lead_is_what_was_configured() {
    let demo = Demo::start(&[]);
    let peer = peer_of(&demo, "Alice");
    let port = port(&demo, "sso");
    let path = |more: &[(&str, &str)]| peer.attach_url(&Token::generate(), more)[peer.server.len()..].to_owned();
    let good = [("return_url", peer.return_url())];
    let good = good.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = ask(port, &path(&good), "evil.localhost", LIES);
    assert!(answer.contains(&format!("location: {}?sso_verify=", peer.return_url())), "{answer}");
    // The host that the attacker claims is not an allowed place for that.
    for evil in ["http://evil.localhost/sso/return", "https://evil.localhost/"] {
        let answer = ask(port, &path(&[("return_url", evil)]), "evil.localhost", LIES);
        assert!(answer.starts_with("HTTP/1.1 400") && !answer.contains("location:"), "{answer}");
    }
    // A form posts to a path, whatever the request line said.
    let login = ask(port, &format!("http://evil.localhost{}&prompt=login", path(&good)), "evil.localhost", "");
    assert!(login.contains("action=\"/attach?broker=Alice") && !login.contains("evil"), "{login}");
}
