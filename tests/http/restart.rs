//! A server that is killed and started again on the same store: nobody is logged out, and who logged out stays so.

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
        ("SSO_BROKERS", &brokers),
        ("SSO_USERS", &users),
    ];
    Site::try_start(&["server"], &environment).unwrap_or_else(|failed| panic!("{failed:?}"))
}

#[tokio::test]
async fn logins_and_logouts_outlive_a_killed_server() {
    let dir = TempDir::new().unwrap();
    let store = format!("sqlite:{}", dir.path().join("sso.db").display());
    let (server_port, port) = (free_ports(1), free_ports(1));
    let alice = format!("http://alice.localhost:{port}");
    let page = format!("{alice}/");
    let mut server = start_server(server_port, &alice, &store);
    let _broker = start_broker(port, server_port);
    let (stays, leaves) = (Visitor::new(), Visitor::new());
    for visitor in [&stays, &leaves] {
        assert_eq!(visitor.log_in(&alice, "jackie", "jackie123").await.heading(), "Logged in as jackie");
    }
    let home = leaves.visit(&page).await;
    leaves.submit(&home, "/logout", &[]).await;
    assert_ne!(leaves.visit(&page).await.heading(), "Logged in as jackie");

    server.kill();
    let _server = start_server(server_port, &alice, &store);
    // It may have noticed that the server was away.
    crate::peer::until("still logged in", async || stays.visit(&page).await.heading() == "Logged in as jackie").await;
    assert_ne!(leaves.visit(&page).await.heading(), "Logged in as jackie");
}
