//! What no browser sends: threat 16. Each is refused, leaves nothing behind, and the next good request works.

use std::{io::Write, net::TcpStream};

use sso_core::Token;
use sso_tests::{Demo, Visitor, visitor::send};

use crate::{
    ground::{Ground, peer_of},
    peer::{Peer, raw},
};

/// The status of the first answer; nothing else may follow it.
fn status(what: &str, answer: &str) -> u16 {
    let rest = answer.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("{what}: {answer:?}"));
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: {answer}");
    assert!(!answer.to_lowercase().contains("set-cookie: sso_session"), "{what}: {answer}");
    rest[..3].parse().unwrap()
}

fn is_refused(what: &str, answer: &str) {
    // By whoever reads requests, not by the call that was asked for: that would say 401 or 404.
    assert!(matches!(status(what, answer), 400 | 403 | 413 | 414 | 431 | 501), "{what}: {answer}");
}

/// The server lives, a good attach works, and the token of the bad one is free: nothing was stored for it.
async fn is_unharmed(ground: &mut Ground, peer: &Peer, token: &Token) {
    assert!(ground.server.is_alive());
    let link = peer.attach_token(&Visitor::new(), token.clone()).await;
    assert_eq!(link.user().await, None);
    assert!(!ground.server.log().contains("panicked"));
}

fn get(target: &[u8]) -> Vec<u8> {
    [b"GET ", target, b" HTTP/1.1\r\nHost: sso.localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n"].concat()
}

#[tokio::test]
async fn threat_16_arrays_repetitions_large_and_broken_parameters() {
    let mut ground = Ground::start("");
    let peer = ground.peer("Alice");
    for spoil in [
        |query: &str| format!("{query}&token[]=x"),
        |query: &str| query.replace("token=", "token[]="),
        |query: &str| query.replace("token=", "token[0]="),
        |query: &str| format!("{query}&token=x"),
        |query: &str| format!("{query}&broker=Alice"),
        |query: &str| format!("{query}&checksum=0"),
        |query: &str| query.replace("token=", "token=%FF"),
        |query: &str| query.replace("token=", "token=%C3%28"),
        |query: &str| query.replace("token=", "token=%00"),
        |query: &str| query.replace("&checksum=", "%&checksum="),
        |query: &str| query.replace("token=", "token=%ZZ"),
        |query: &str| query.replace("token=", &format!("token={}", "x".repeat(1_000_000))),
        |query: &str| query.replace("token=", &format!("token={}", "x".repeat(60_000))),
        |query: &str| {
            query.replace("return_url=", &format!("return_url=http://alice.localhost:1/{}", "x".repeat(60_000)))
        },
        |query: &str| query.replace("Alice", &"A".repeat(65)),
        |query: &str| query.replace("Alice", "Alice%00"),
        |query: &str| query.replace("return_url=", "return_url=%FF"),
        |query: &str| query.replace("return_url=", "return_url[]="),
        |query: &str| query.replace('&', ";"),
        |query: &str| format!("{query}&callback[]=x&callback=f&prompt=login&prompt=login"),
    ] {
        let token = Token::generate();
        let url = peer.attach_url(&token, &[("return_url", &peer.return_url())]);
        let query = spoil(url.split_once('?').unwrap().1);
        let answer = raw(ground.port, &get(format!("/attach?{query}").as_bytes()));
        is_refused(&query[query.len().saturating_sub(200)..], &answer);
        is_unharmed(&mut ground, &peer, &token).await;
    }
}

/// Makes a request of the path of a good attach.
type Spoil = fn(&str) -> Vec<u8>;

/// Whole requests. The attach in some of them is a good one, so that a server that understands it links the token.
#[tokio::test]
async fn threat_16_broken_requests_and_smuggled_ones() {
    let mut ground = Ground::start("");
    let peer = ground.peer("Alice");
    let cases: [(&str, Spoil); 23] = [
        ("no method", |path| format!(" {path} HTTP/1.1\r\nHost: x\r\n\r\n").into()),
        ("no version", |path| format!("GET {path}\r\n\r\n").into()),
        ("another version", |path| format!("GET {path} HTTP/9.9\r\nHost: x\r\n\r\n").into()),
        ("no target", |_| "GET  HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("a space in the target", |path| format!("GET {path} x HTTP/1.1\r\nHost: x\r\n\r\n").into()),
        ("TLS", |_| b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("NUL in the target", |path| format!("GET {path}\0 HTTP/1.1\r\nHost: x\r\n\r\n").into()),
        ("NUL in a header", |path| format!("GET {path} HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n").into()),
        ("a folded header", |path| format!("GET {path} HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n").into()),
        ("a space before the colon", |path| {
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello").into()
        }),
        ("a header without a name", |path| format!("GET {path} HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n").into()),
        ("a huge header", |path| {
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1_000_000)).into()
        }),
        ("many headers", |path| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: x\r\n".repeat(10_000)).into()),
        ("both lengths", |path| smuggled(path, "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")),
        ("both lengths, the other way", |path| smuggled(path, "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n")),
        ("two lengths", |path| smuggled(path, "Content-Length: 0\r\nContent-Length: 4\r\n")),
        ("a list of lengths", |path| smuggled(path, "Content-Length: 0, 4\r\n")),
        ("a negative length", |path| smuggled(path, "Content-Length: -1\r\n")),
        ("a signed length", |path| smuggled(path, "Content-Length: +0\r\n")),
        ("an unknown coding", |path| smuggled(path, "Transfer-Encoding: xchunked\r\n")),
        ("two codings", |path| smuggled(path, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
        ("a hidden coding", |path| smuggled(path, "Transfer-Encoding:\x0bchunked\r\n")),
        ("a bare line feed in a header", |path| {
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n").into()
        }),
    ];
    for (what, request) in cases {
        let token = Token::generate();
        let url = peer.attach_url(&token, &[("return_url", &peer.return_url())]);
        let path = url.strip_prefix(&peer.server).unwrap();
        is_refused(what, &raw(ground.port, &request(path)));
        is_unharmed(&mut ground, &peer, &token).await;
    }
}

/// A POST with these lengths; its body holds a second request, that must not be understood as one.
fn smuggled(path: &str, lengths: &str) -> Vec<u8> {
    format!("POST /api/logout HTTP/1.1\r\nHost: x\r\n{lengths}\r\n0\r\n\r\nGET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
        .into()
}

#[tokio::test]
async fn threat_16_bodies_that_are_not_what_they_say() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    visitor.visit(&demo.url("greg", "/")).await;
    let peer = peer_of(&demo, "Greg");
    let link = peer.attach(&visitor).await;
    for body in [
        &b"\xff\xfe\x00"[..],
        b"username=%FF&password=%00",
        b"{\"username\":{\"$ne\":1},\"password\":{}}",
        b"{\"a\":1,\"a\":2",
        b"[[[[[[[[[[",
        b"username[]=jackie&password[]=x",
        &[b'['; 10_000],
    ] {
        for kind in
            ["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "\"", ""]
        {
            let answer =
                send(link.call(reqwest::Method::POST, "/api/login").header("Content-Type", kind).body(body)).await;
            assert!(answer.status == 400 && answer.json()["error"].is_string(), "{kind} {body:?} {answer:?}");
            for (site, path) in [
                ("sso", "/login"),
                ("sso", "/logout"),
                ("greg", "/login"),
                ("greg", "/theme"),
                ("julius", "/sso/ajax/login"),
            ] {
                let request = visitor.request(reqwest::Method::POST, &demo.url(site, path));
                let answer = send(request.header("Content-Type", kind).body(body)).await;
                let asks = path == "/logout" && answer.location() == Some(demo.url(site, path));
                assert!((400..500).contains(&answer.status) || asks, "{site}{path} {kind} {body:?} {answer:?}");
            }
        }
    }
    for (site, path) in [("sso", "/login"), ("greg", "/theme"), ("julius", "/sso/ajax/data")] {
        let request = visitor.request(reqwest::Method::POST, &demo.url(site, path));
        let answer =
            send(request.header("Sec-Fetch-Site", "same-origin").form(&[("form_token", "x".repeat(3_000_000))])).await;
        assert!((400..500).contains(&answer.status), "{site}{path} {answer:?}");
    }
    assert_eq!(link.post("/api/login", &[("username", "jackie"), ("password", "jackie123")]).await.status, 200);
    assert!(!demo.site.log().contains("panicked"));
}

#[tokio::test]
async fn threat_16_cookies_and_headers_that_are_no_text() {
    let mut demo = Demo::start(&[]);
    for site in ["sso", "alice", "greg", "julius"] {
        let port = demo.url(site, "/").parse::<url::Url>().unwrap().port().unwrap();
        for header in [
            &b"Cookie: sso_session=\xff\xfe; sso-Alice-token=\xff"[..],
            b"Cookie: ;;;=;= ; sso_session",
            b"Cookie: sso_session=a\r\nCookie: sso_session=b",
            b"Origin: \xff",
            b"Referer: \xff\xfe",
            b"Sec-Fetch-Site: \xff",
            b"Accept: \xff",
            b"Authorization: Bearer \xff",
            b"User-Agent: \xf0\x28\x8c\x28",
        ] {
            for path in [
                "/",
                "/about",
                "/login",
                "/attach",
                "/sso/return?state=%FF",
                "/sso/ajax/info",
                "/sso/attach?to=%FF",
                "/api/info",
            ] {
                let head = format!("GET {path} HTTP/1.1\r\nHost: {site}.localhost:{port}\r\nConnection: close\r\n");
                let answer = raw(port, &[head.as_bytes(), header, b"\r\n\r\n"].concat());
                assert!(status(path, &answer) < 500, "{site}{path} {header:?} {answer}");
            }
        }
        // Whoever says nothing, or half of it, keeps nobody else waiting.
        let mut silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        silent.write_all(b"GET / HTT").unwrap();
        assert_eq!(Visitor::new().visit(&demo.url(site, "/")).await.status, 200);
    }
    assert!(demo.site.is_alive() && !demo.site.log().contains("panicked"));
}
