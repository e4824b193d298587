//! Clients that send, or take what they asked for, by the byte: threat 32.

use std::time::Duration;

use sso_tests::Demo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use url::Url;

/// Longer than any connection may take; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(150);

async fn connect(url: &str) -> (TcpStream, String) {
    let url: Url = url.parse().unwrap();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    (TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap(), host)
}

/// A request whose body is said to be of this length.
fn head(path: &str, host: &str, kind: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Goes on sending a byte every half second; returns when the server has closed the connection.
async fn trickle(mut stream: TcpStream) {
    let mut answer = [0; 1024];
    loop {
        match timeout(Duration::from_millis(500), stream.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(_)) => {}
            Err(_) => {
                if stream.write_all(b"x").await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn threat_32_what_trickles_is_ended_at_every_site() {
    let demo = Demo::start(&[]);
    let form = "application/x-www-form-urlencoded";
    let mut attacks = JoinSet::new();
    for (site, path, kind) in [
        ("sso", "/login", form),
        ("sso", "/api/login", form),
        ("alice", "/theme", form),
        ("julius", "/sso/ajax/login", "application/json"),
        ("nora", "/login?to=/", form),
        ("api", "/me", form),
    ] {
        let (mut stream, host) = connect(&demo.url(site, "")).await;
        stream.write_all(head(path, &host, kind, 10_000).as_bytes()).await.unwrap();
        attacks.spawn(async move { (site, timeout(PATIENCE, trickle(stream)).await.is_ok()) });
    }
    // The head of a second request.
    let (mut stream, host) = connect(&demo.url("sso", "")).await;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
    stream.write_all(b"GET /").await.unwrap();
    attacks.spawn(async move { ("second head", timeout(PATIENCE, trickle(stream)).await.is_ok()) });
    // Answers without end, of which nothing is taken.
    let (mut stream, host) = connect(&demo.url("sso", "")).await;
    let request = format!("GET /static/session-popup.js HTTP/1.1\r\nHost: {host}\r\n\r\n");
    attacks.spawn(async move {
        let ask = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
        ("takes nothing", timeout(PATIENCE, ask).await.is_ok())
    });
    for (what, is_ended) in attacks.join_all().await {
        assert!(is_ended, "{what}");
    }
}

#[tokio::test]
async fn threat_32_its_twin_a_slow_client_is_answered() {
    let demo = Demo::start(&[]);
    for (site, path, kind, body) in [
        ("sso", "/login", "application/x-www-form-urlencoded", "username=jackie&password=x"),
        ("alice", "/theme", "application/x-www-form-urlencoded", "theme=ocean&form_token=x"),
        ("julius", "/sso/ajax/login", "application/json", "{\"username\":\"jackie\"}"),
    ] {
        let (mut stream, host) = connect(&demo.url(site, "")).await;
        // Twice on one connection, with silence in between.
        for _ in 0..2 {
            let request = head(path, &host, kind, body.len()) + body;
            for piece in request.as_bytes().chunks(request.len().div_ceil(4)) {
                stream.write_all(piece).await.unwrap();
                sleep(Duration::from_millis(300)).await;
            }
            let mut answer = vec![0; 64 * 1024];
            let read = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..read]);
            assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 403"), "{site} {answer}");
            while timeout(Duration::from_millis(300), stream.read(&mut [0; 4096])).await.is_ok_and(|r| r.unwrap() > 0) {
            }
        }
    }
}
