//! Two nodes are one server: what one begins the other goes on with. They share a store, its key, and the keys of tokens.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use reqwest::Method;
use sso_core::Encoding;
use sso_engines::Engine;
use sso_tests::{
    Visitor,
    load::BROKERS,
    nodes::{Node, public_url},
    peer::{Link, Peer},
    process::{free_ports, sso_bin},
    visitor::{Answer, send},
};
use tempfile::TempDir;

const PASSWORD: (&str, &str) = ("password", "jackie123");
const USER: [(&str, &str); 2] = [("username", "user1"), PASSWORD];

/// Two nodes with one public URL and one directory of keys. Cookies do not tell ports apart, so a visitor of one is a visitor of the other.
struct Pair {
    nodes: [Node; 2],
    _keys: TempDir,
}

impl Pair {
    fn start(store: &str) -> Self {
        let (first, dir) = (free_ports(3), TempDir::new().unwrap());
        let keys = dir.path().join("keys");
        let made = Command::new(sso_bin()).args(["keys", "new", "--dir"]).arg(&keys).stdout(Stdio::null()).status();
        assert!(made.unwrap().success());
        let nodes = [1, 2].map(|n| Node::start_with_keys(first + n, &public_url(first), store, &keys));
        Self { nodes, _keys: dir }
    }

    fn url(&self, node: usize, path: &str) -> String {
        self.nodes[node].url(path)
    }

    /// The broker, which calls this node.
    fn peer(&self, node: usize, broker: usize) -> Peer {
        let (id, secret, origin) = BROKERS[broker];
        Peer::new(&self.url(node, ""), id, secret, Encoding::Exact, origin)
    }

    /// The same page, as if this node had served it.
    fn moved(&self, node: usize, mut page: Answer) -> Answer {
        page.url.set_port(Some(self.nodes[node].port)).unwrap();
        page
    }
}

/// The same token, at another node.
fn at(link: &Link, peer: &Peer) -> Link {
    let mut link = link.clone();
    link.peer.server.clone_from(&peer.server);
    link
}

/// Attach, login form, bearer, logout.
async fn a_login(pair: &Pair) {
    let visitor = Visitor::new();
    let alice = pair.peer(0, 0).attach(&visitor).await;
    let greg = pair.peer(1, 1).attach(&visitor).await;
    let alice_at_other = at(&alice, &greg.peer);
    assert_eq!((alice.user().await, alice_at_other.user().await), (None, None));

    let form = pair.moved(1, visitor.get(&pair.url(0, "/login")).await);
    assert_eq!(visitor.submit(&form, "/login", &USER).await.status, 303);
    for link in [&alice, &alice_at_other, &greg, &at(&greg, &alice.peer)] {
        assert_eq!(link.get("/api/info").await.json()["code"], "superseded");
    }
    let (alice, greg) = (pair.peer(0, 0).attach(&visitor).await, pair.peer(1, 1).attach(&visitor).await);
    let alice_at_other = at(&alice, &greg.peer);
    let user = Some("user1".to_owned());
    for link in [&alice, &alice_at_other, &greg, &at(&greg, &alice.peer)] {
        assert_eq!(link.user().await, user);
    }
    for node in [0, 1] {
        assert_eq!(visitor.get(&pair.url(node, "/login")).await.status, 303, "logged in at node {node}");
    }

    // What one node wrote the other reads, and the other way round.
    assert_eq!(alice.post("/api/data", &[("theme", "forest")]).await.status, 200);
    assert_eq!(greg.get("/api/data").await.json()["theme"], "forest");

    let form = pair.moved(0, visitor.get(&pair.url(1, "/")).await);
    assert_eq!(visitor.submit(&form, "/logout", &[]).await.status, 303);
    for link in [&alice, &alice_at_other, &greg, &at(&greg, &alice.peer)] {
        assert_eq!(link.user().await, None);
    }
    for node in [0, 1] {
        assert_eq!(visitor.get(&pair.url(node, "/login")).await.status, 200, "logged out at node {node}");
    }
}

/// A remembered browser comes back at the other node; the token that this replaced is known as replaced at both.
async fn remembering(pair: &Pair) {
    let visitor = Visitor::new();
    let form = pair.moved(1, visitor.get(&pair.url(0, "/login")).await);
    let fields = [USER[0], PASSWORD, ("remember", "yes")];
    assert_eq!(visitor.submit(&form, "/login", &fields).await.status, 303);
    let closed = |visitor: &Visitor| {
        let again = Visitor::new();
        let cookies = visitor.cookies(&pair.url(0, "/"));
        let kept = cookies.split("; ").find(|cookie| cookie.contains("_remember=")).expect("it is remembered");
        again.set_cookie(&pair.url(0, "/"), &format!("{kept}; Path=/"));
        again
    };
    let (first, second) = (closed(&visitor), closed(&visitor));
    assert_eq!(first.get(&pair.url(0, "/login")).await.status, 303, "remembered");
    // Within its grace, a replaced token leads to the same session, here as well.
    assert_eq!(second.get(&pair.url(1, "/login")).await.status, 303, "remembered by the other node, too");
    let [one, other] = [&first, &second].map(|visitor| visitor.cookies(&pair.url(0, "/")));
    assert_eq!(one.split("; ").collect::<BTreeSet<_>>(), other.split("; ").collect::<BTreeSet<_>>());

    // The password again: asked for by one, taken by the other.
    let page = pair.moved(1, first.get(&pair.url(0, "/confirm?return_url=/account")).await);
    let answer = first.submit(&page, "/confirm", &[PASSWORD]).await;
    assert_eq!((answer.status, answer.location()), (303, Some(pair.url(1, "/account"))));

    // Logged out at one, the browser is remembered by neither.
    let closed = closed(&first);
    let form = pair.moved(1, first.get(&pair.url(0, "/")).await);
    assert_eq!(first.submit(&form, "/logout", &[]).await.status, 303);
    assert_eq!(closed.get(&pair.url(0, "/login")).await.status, 200);
}

/// Tokens of one are known to the other, and to whoever has the keys of either.
async fn tokens(pair: &Pair) {
    let visitor = Visitor::new();
    let keys_of = async |node| visitor.get(&pair.url(node, "/.well-known/jwks.json")).await.json();
    let (first, second) = (keys_of(0).await, keys_of(1).await);
    assert_eq!(first, second);
    assert_eq!(first["keys"].as_array().map(Vec::len), Some(1), "{first}");

    let link = pair.peer(0, 0).log_in(&visitor, "user2", "jackie123").await;
    let token = link.post("/api/token", &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    let introspect = async |node: usize| {
        let request = visitor.request(Method::POST, &pair.url(node, "/api/introspect"));
        let request = request.basic_auth(BROKERS[0].0, Some(BROKERS[0].1)).form(&[("token", token.as_str())]);
        send(request).await.json()["active"].clone()
    };
    assert_eq!((introspect(0).await, introspect(1).await), (true.into(), true.into()));
    assert_eq!(at(&link, &pair.peer(1, 0)).post("/api/logout", &[]).await.status, 204);
    assert_eq!((introspect(0).await, introspect(1).await), (false.into(), false.into()));
}

async fn two_are_one(store: &str) {
    let pair = Pair::start(store);
    a_login(&pair).await;
    remembering(&pair).await;
    tokens(&pair).await;
}

#[tokio::test]
async fn two_nodes_are_one_server_on_redis() {
    let _turn = crate::turn().await;
    let engine = Engine::redis();
    two_are_one(&engine.url()).await;
}

#[tokio::test]
async fn two_nodes_are_one_server_on_postgresql() {
    let _turn = crate::turn().await;
    let engine = Engine::postgres();
    two_are_one(&engine.url()).await;
}
