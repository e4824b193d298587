//! A server that is killed and started again on the same store: nobody is logged out, and who logged out stays so.

use sso_engines::Engine;
use sso_tests::{Site, Visitor, process::free_ports};
use tempfile::TempDir;

use crate::outage::{HASH, start_broker};

fn start_server(port: u16, broker: &str, store: &str) -> Site {
    let (url, listen) = (format!("http://sso.localhost:{port}"), format!("127.0.0.1:{port}"));
    let brokers = format!("[{{ id = \"Alice\", secret = \"s\", origins = [\"{broker}\"] }}]");
    let users = format!("[{{ username = \"jackie\", password = \"{HASH}\" }}]");
    let environment = [
        ("SSO_PUBLIC_URL", url.as_str()),
        ("SSO_LISTEN", &listen),
        ("SSO_STORE", store),
        ("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef"),
        ("SSO_BROKERS", &brokers),
        ("SSO_USERS", &users),
    ];
    Site::try_start(&["server"], &environment).unwrap_or_else(|failed| panic!("{failed:?}"))
}

/// Logs in and out, kills the server, and starts another one on the same store.
async fn survives(store: &str) {
    let (server_port, port) = (free_ports(1), free_ports(1));
    let alice = format!("http://alice.localhost:{port}");
    let page = format!("{alice}/");
    let mut server = start_server(server_port, &alice, store);
    let _broker = start_broker(port, server_port);
    let (stays, leaves) = (Visitor::new(), Visitor::new());
    for visitor in [&stays, &leaves] {
        assert_eq!(visitor.log_in(&alice, "jackie", "jackie123").await.heading(), "Logged in as jackie");
    }
    let home = leaves.visit(&page).await;
    leaves.submit(&home, "/logout", &[]).await;
    assert_ne!(leaves.visit(&page).await.heading(), "Logged in as jackie");

    server.kill();
    let _server = start_server(server_port, &alice, store);
    // It may have noticed that the server was away.
    crate::peer::until("still logged in", async || stays.visit(&page).await.heading() == "Logged in as jackie").await;
    assert_ne!(leaves.visit(&page).await.heading(), "Logged in as jackie");
}

#[tokio::test]
async fn logins_and_logouts_outlive_a_killed_server() {
    let dir = TempDir::new().unwrap();
    survives(&format!("sqlite:{}", dir.path().join("sso.db").display())).await;
}

#[tokio::test]
async fn so_they_do_in_redis() {
    survives(&Engine::redis().url()).await;
}

#[tokio::test]
async fn so_they_do_in_postgresql() {
    survives(&Engine::postgres().url()).await;
}

#[tokio::test]
async fn while_redis_is_gone_the_server_says_so_and_then_goes_on() {
    let (mut redis, server_port) = (Engine::redis(), free_ports(1));
    let _server = start_server(server_port, "http://alice.localhost:1", &redis.url());
    let visitor = Visitor::new();
    let (ready, login) =
        (format!("http://sso.localhost:{server_port}/readyz"), format!("http://sso.localhost:{server_port}/login"));
    let form = visitor.visit(&login).await;
    let fields = [("username", "jackie"), ("password", "jackie123")];
    assert_eq!(visitor.submit(&form, "/login", &fields).await.status, 303);
    assert_eq!(visitor.get(&ready).await.status, 200);

    redis.stop();
    let refused = visitor.get(&ready).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    let page = visitor.get(&login).await;
    assert_eq!((page.status, page.header("retry-after")), (503, "5"));

    redis.start();
    crate::peer::until("ready again", async || visitor.get(&ready).await.status == 200).await;
    assert_eq!(visitor.get(&login).await.status, 303, "still logged in");
}
