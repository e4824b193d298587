//! Leading the code astray: threats 1, 10 and 11.

use sso_core::Token;
use sso_tests::{Demo, Visitor, visitor::Answer};
use url::Url;

use crate::{
    ground::{Ground, peer_of},
    peer::{Peer, ask, code_in, raw},
};

async fn attach_with(peer: &Peer, return_url: &str) -> Answer {
    Visitor::new().get(&peer.attach_url(&Token::generate(), &[("return_url", return_url)])).await
}

/// Refused on a page of the server, with nothing given away.
fn is_kept(answer: &Answer) -> bool {
    answer.status == 400 && answer.location().is_none() && answer.header("set-cookie").is_empty()
}

/// `{at}` is the broker's host and port, `{host}` the host.
const TWO_WAYS: [&str; 26] = [
    "http://evil.localhost\\@{at}/sso/return",
    "http://evil.localhost\\\\@{at}/sso/return",
    "http://{at}\\@evil.localhost/sso/return",
    "http://evil.localhost/\\@{at}/sso/return",
    "http://evil.localhost#@{at}/sso/return",
    "http://evil.localhost?@{at}/sso/return",
    "http://evil.localhost;@{at}/sso/return",
    "http://{at}@evil.localhost/sso/return",
    "http://{at}:x@evil.localhost/sso/return",
    "http://user:pass@{at}/sso/return",
    "http://@{at}/sso/return",
    "http:{at}/sso/return",
    "http:/{at}/sso/return",
    "http:///{at}/sso/return",
    "//{at}/sso/return",
    "\\\\{at}\\sso\\return",
    "http:\\\\{at}/sso/return",
    "http://{at}\\sso\\return",
    " http://{at}/sso/return",
    "http://{at}/sso/return ",
    "ht\ttp://{at}/sso/return",
    "http://{at}\t/sso/return",
    "http://{at}\n.evil.localhost/sso/return",
    "http://{at}/sso/return\0",
    "http://{at}\u{FFFD}/sso/return",
    "http://{host}%2eevil.localhost/sso/return",
];

#[tokio::test]
async fn threat_1_a_return_url_that_parses_two_ways() {
    let (demo, ground) = (Demo::start(&[]), Ground::start(""));
    // Also at a PHP broker that allows any page, scheme and port of a bare host: the loosest that there is.
    for peer in [peer_of(&demo, "Alice"), ground.peer("Paula")] {
        let origin: Url = peer.origin.parse().unwrap();
        let host = origin.host_str().unwrap();
        let at = format!("{host}:{}", origin.port().unwrap());
        for pattern in TWO_WAYS {
            let url = pattern.replace("{at}", &at).replace("{host}", host);
            let answer = attach_with(&peer, &url).await;
            assert!(is_kept(&answer), "{} {url:?} {answer:?}", peer.id);
        }
        let good = attach_with(&peer, &format!("http://{at}/sso/return")).await;
        assert!(good.location().unwrap().starts_with(&format!("http://{at}/sso/return?sso_verify=")));
    }
}

#[tokio::test]
async fn threat_1_what_is_accepted_is_sent_as_it_was_understood() {
    let ground = Ground::start("");
    for (url, sent) in [
        ("HTTP://PAULA.LocalHost:80/a/../b", "http://paula.localhost/b?sso_verify="),
        ("http://paula.localhost/?next=http://evil\\@x", ""),
        ("http://paula.localhost/%5C@evil", "http://paula.localhost/%5C@evil?sso_verify="),
        ("http://p%61ula.localhost/", "http://paula.localhost/?sso_verify="),
    ] {
        let answer = attach_with(&ground.peer("Paula"), url).await;
        match sent {
            "" => assert!(is_kept(&answer), "{url}"),
            sent => assert!(answer.location().unwrap().starts_with(sent), "{url} {answer:?}"),
        }
    }
}

#[tokio::test]
async fn threat_10_another_port_scheme_host_or_page_of_the_broker() {
    let demo = Demo::start(&[]);
    let peer = peer_of(&demo, "Alice");
    let good = peer.return_url();
    let port = good.parse::<Url>().unwrap().port().unwrap().to_string();
    for bad in [
        good.replace(&port, "1"),
        good.replace(&format!(":{port}"), ""),
        good.replace("http:", "https:"),
        good.replace("http:", "ftp:"),
        good.replace("alice.", "greg."),
        good.replace("alice.", "www.alice."),
        good.replace("alice.", "alice-"),
        good.replace("alice.localhost", "127.0.0.1"),
        good.replace("alice.localhost", "alice.localhost."),
        good.replace("/sso/return", "/"),
        good.replace("/sso/return", "/about"),
        good.replace("/sso/return", "/SSO/return"),
        good.replace("/sso/return", "/sso/return/.."),
        good.replace("/sso/return", "/sso//return"),
        good.replace("/sso/return", "/sso%2Freturn"),
        good.replace("/sso/return", "/sso/login?to=//evil.localhost&x=/sso/return"),
        "javascript:alert(1)".to_owned(),
        "data:text/html,x".to_owned(),
    ] {
        let answer = attach_with(&peer, &bad).await;
        assert!(is_kept(&answer), "{bad} {answer:?}");
    }
    code_in(&attach_with(&peer, &good).await);
    code_in(&attach_with(&peer, &format!("{good}?state=1#x")).await);
}

#[tokio::test]
async fn threat_11_a_failed_attach_is_no_open_redirect() {
    let demo = Demo::start(&[]);
    let peer = peer_of(&demo, "Alice");
    let token = Token::generate();
    for evil in ["http://evil.localhost/", "//evil.localhost", "https://evil.localhost/sso/return"] {
        for spoiled in ["broker", "token", "checksum", "nothing"] {
            let mut params = peer.params(&token);
            params.retain(|(name, _)| name != spoiled);
            params.push(("return_url".into(), evil.into()));
            for (name, value) in [("callback", "f"), ("prompt", "login"), ("prompt", "x")] {
                let url = peer.url(&[params.clone(), vec![(name.into(), value.into())]].concat());
                let answer = Visitor::new().get(&url).await;
                assert!(answer.location().is_none() && answer.status >= 400, "{url} {answer:?}");
            }
        }
    }
    // With a good return URL the failure is told there, and nowhere else.
    let mut params = peer.params(&token);
    params.iter_mut().filter(|(name, _)| name == "checksum").for_each(|(_, value)| *value = "0".into());
    params.push(("return_url".into(), peer.return_url()));
    let told = Visitor::new().get(&peer.url(&params)).await;
    assert_eq!(told.location().unwrap(), format!("{}?sso_error=Invalid+attach+checksum", peer.return_url()));
}

#[tokio::test]
async fn threat_11_login_at_the_server_leads_to_its_own_pages_only() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let login = |to: &str| demo.url("sso", &format!("/login?return_url={to}"));
    let form = visitor.get(&login("//evil.localhost")).await;
    let sent = visitor.submit(&form, "/login", &[("username", "john"), ("password", "john123")]).await;
    assert_eq!((sent.status, sent.header("location")), (303, "/"));
    for (to, leads_to) in [
        ("/?a=1", "/?a=1"),
        ("http://evil.localhost/", "/"),
        ("//evil.localhost/", "/"),
        ("///evil.localhost/", "/"),
        ("/\\evil.localhost/", "/"),
        ("/.//evil.localhost/", "/"),
        ("/x/..//evil.localhost/", "/"),
        ("/%09/evil.localhost/", "/"),
        ("/%0d%0aSet-Cookie:a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("@evil.localhost", "/"),
    ] {
        let answer = visitor.get(&login(to)).await;
        assert_eq!((answer.status, answer.header("location")), (303, leads_to), "{to}");
    }
}

#[tokio::test]
async fn threat_11_line_breaks_quotes_and_html_stay_in_their_place() {
    let ground = Ground::start("");
    let (peer, token) = (ground.peer("Paula"), Token::generate());
    for bad in [
        "x\r\nSet-Cookie: a=b",
        "x\r\n\r\n<script>alert(1)</script>",
        "\"><script>alert(1)</script>",
        "'\"><img src=x>",
    ] {
        for name in ["broker", "token", "checksum", "return_url", "callback", "prompt"] {
            let mut params = peer.params(&token);
            params.push(("return_url".into(), "http://paula.localhost/".into()));
            params.retain(|(key, _)| key != name && !(name == "callback" && key == "return_url"));
            params.push((name.into(), bad.into()));
            for accept in ["text/html", "*/*"] {
                let answer = ask(&Visitor::new(), &peer.url(&params), &[("Accept", accept)]).await;
                assert_eq!((answer.status, answer.header("set-cookie")), (400, ""), "{name} {bad:?} {answer:?}");
                assert!(!answer.body.contains("<script>") && !answer.body.contains("<img"));
                let is_page = answer.header("content-type").starts_with("text/html");
                assert!(is_page || answer.header("x-content-type-options") == "nosniff");
            }
        }
        // What the broker put into its own return URL comes back encoded.
        let back =
            attach_with(&peer, &format!("http://paula.localhost/?a={}", bad.replace(['\r', '\n', ' '], ""))).await;
        let location = back.header("location");
        assert!(!location.contains(['"', '<', '>', '\r', '\n', ' ']), "{location}");
    }
    let head = format!(
        "GET /attach?broker=Paula%0d%0aX-Evil:1&token={} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        token.as_str()
    );
    let answer = raw(ground.port, head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400") && !answer.to_lowercase().contains("\r\nx-evil"), "{answer}");
}
