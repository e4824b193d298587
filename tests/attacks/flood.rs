//! Filling the store with sessions and links: threat 18.

use reqwest::{Client, Response, redirect::Policy};
use sso_core::{Encoding, Token};
use sso_tests::{Site, Visitor, process::free_ports};
use tokio::task::JoinSet;

use crate::peer::Peer;

/// How many sessions without a user the server keeps.
const ROOM: usize = 50;

fn start() -> (Site, Peer) {
    let (port, origin) = (free_ports(1), "http://alice.localhost:1");
    let (url, listen) = (format!("http://localhost:{port}"), format!("127.0.0.1:{port}"));
    let hash = "$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK";
    let environment = [
        ("SSO_PUBLIC_URL", url.as_str()),
        ("SSO_LISTEN", &listen),
        ("SSO_STORE", "memory:"),
        ("SSO_SESSION_MAX_ANONYMOUS", &ROOM.to_string()),
        ("SSO_BROKERS", &format!("[{{ id = \"Alice\", secret = \"s-Alice\", origins = [\"{origin}\"] }}]")),
        ("SSO_USERS", &format!("[{{ username = \"jackie\", password = \"{hash}\" }}]")),
        ("RUST_LOG", "warn"),
    ];
    let server = Site::try_start(&["server"], &environment).unwrap_or_else(|failed| panic!("{failed:?}"));
    (server, Peer::new(&url, "Alice", "s-Alice", Encoding::Exact, origin))
}

/// So many visitors without a cookie attach, many at once.
async fn flood(peer: &Peer, count: usize) {
    // One client without a jar is as many visitors as one likes; each of ours would cost more than what it asks for.
    let (client, mut tasks) = (Client::builder().redirect(Policy::none()).no_proxy().build().unwrap(), JoinSet::new());
    for _ in 0..count {
        let url = peer.attach_url(&Token::generate(), &[("return_url", &peer.return_url())]);
        let request = client.get(url).header("Accept", "text/html");
        tasks.spawn(async move { request.send().await.unwrap() });
        if tasks.len() == 20 {
            is_attached(tasks.join_next().await.unwrap().unwrap());
        }
    }
    tasks.join_all().await.into_iter().for_each(is_attached);
}

fn is_attached(answer: Response) {
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(answer.status() == 303 && location.contains("sso_verify="), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn threat_18_a_flood_of_attaches_logs_nobody_out_and_takes_no_more_room() {
    let (server, peer) = start();
    let jackie = peer.log_in(&Visitor::new(), "jackie", "jackie123").await;
    let first = peer.attach(&Visitor::new()).await;
    // The twin: while there is room everybody stays.
    flood(&peer, ROOM / 2).await;
    assert_eq!(first.get("/api/info").await.status, 204);
    assert_eq!(jackie.user().await.as_deref(), Some("jackie"));

    flood(&peer, 500).await;
    let before = server.memory();
    assert_eq!(first.get("/api/info").await.status, 403, "the longest unused one made room");
    flood(&peer, 1_000).await;
    assert_eq!(jackie.user().await.as_deref(), Some("jackie"));
    // Whoever had to make room attaches anew, as after any end of a session.
    let again = peer.attach(&Visitor::new()).await;
    assert_eq!(again.get("/api/info").await.status, 204);
    let after = server.memory();
    println!("{before} MiB after 500 attaches, {after} MiB after 1,500");
    assert!(after <= before + 30, "{before} MiB, then {after} MiB");
}

#[tokio::test]
async fn threat_18_one_attach_that_is_repeated_begins_one_session() {
    let (_server, peer) = start();
    let visitor = peer.attach(&Visitor::new()).await;
    let url = peer.attach_url(&Token::generate(), &[("return_url", &peer.return_url())]);
    let once = Visitor::new().get(&url).await;
    assert!(once.location_params().contains_key("sso_verify"), "{once:?}");
    for _ in 0..2 * ROOM {
        let answer = Visitor::new().get(&url).await;
        assert_eq!(answer.location_params()["sso_error"], "Token is already attached");
        assert_eq!(answer.header("set-cookie"), "");
    }
    assert_eq!(visitor.get("/api/info").await.status, 204, "nobody had to make room");
}

#[tokio::test]
async fn threat_18_a_session_has_few_links_and_the_newest_ones_work() {
    let (_server, peer) = start();
    let visitor = Visitor::new();
    let mut links = Vec::new();
    for _ in 0..60 {
        links.push(peer.attach(&visitor).await);
    }
    let mut live = Vec::new();
    for link in &links {
        live.push(link.get("/api/info").await.status == 204);
    }
    assert_eq!(live, [[false; 40].as_slice(), &[true; 20]].concat());
}
