//! A broker whose server goes away and comes back.

use sso_tests::{Site, Visitor, process::free_ports, visitor::Answer};

use crate::peer::until;

pub(crate) const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$d+d/Lmz5RSSm3s9/crB7Kg$OZZ0W55NHpsZzf9w0I3SPMgzrjJ51OzUXB7u5hco5qY";

fn start_server(port: u16, broker: &str) -> Site {
    let (url, listen) = (format!("http://sso.localhost:{port}"), format!("127.0.0.1:{port}"));
    let brokers = format!("[{{ id = \"Alice\", secret = \"s\", origins = [\"{broker}\"] }}]");
    let users = format!("[{{ username = \"jackie\", password = \"{HASH}\" }}]");
    let environment =
        [("SSO_PUBLIC_URL", url.as_str()), ("SSO_LISTEN", &listen), ("SSO_BROKERS", &brokers), ("SSO_USERS", &users)];
    Site::try_start(&["server"], &environment).unwrap_or_else(|failed| panic!("{failed:?}"))
}

pub(crate) fn start_broker(port: u16, server_port: u16) -> Site {
    let (attach, listen) = (format!("http://sso.localhost:{server_port}/attach"), format!("127.0.0.1:{port}"));
    let url = format!("http://alice.localhost:{port}");
    let environment = [
        ("SSO_SERVER", attach.as_str()),
        ("SSO_BROKER_ID", "Alice"),
        ("SSO_BROKER_SECRET", "s"),
        ("SSO_BROKER_URL", &url),
    ];
    Site::try_start(&["broker", "--listen", &listen], &environment).unwrap_or_else(|failed| panic!("{failed:?}"))
}

/// Nobody knows whether this visitor is logged in, and no heading claims to.
fn says_neither_in_nor_out(page: &Answer) {
    assert!(page.body.contains("The login server cannot be reached"), "{page:?}");
    let main = page.body.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
    assert_eq!(page.heading(), "Alice");
    for claim in ["ogged in as", "You are logged", "ou are not logged in", "href=\"/sso/"] {
        assert!(!main.contains(claim), "{claim} in {main}");
    }
}

#[tokio::test]
async fn the_site_stays_up_without_its_server_and_heals_when_it_is_back() {
    let (server_port, port) = (free_ports(1), free_ports(1));
    let alice = format!("http://alice.localhost:{port}");
    let page = format!("{alice}/");
    let mut server = start_server(server_port, &alice);
    let _broker = start_broker(port, server_port);
    let (known, new) = (Visitor::new(), Visitor::new());
    assert_eq!(known.log_in(&alice, "jackie", "jackie123").await.heading(), "Logged in as jackie");

    server.kill();
    let down = known.get(&page).await;
    assert_eq!(down.status, 200);
    says_neither_in_nor_out(&down);
    // A page for everyone does not say what nobody knows, and sends nobody to a dead server.
    let about = known.get(&format!("{alice}/about")).await;
    assert!(about.body.contains("The login server cannot be reached"), "{about:?}");
    let main = about.body.split_once("</main>").unwrap().0;
    assert!(!main.contains("You are logged out") && !main.contains("href=\"/sso/"), "{main}");
    // That the server was there is believed for a moment; then nobody is sent to a dead address any more.
    until("a new visitor is not sent away", async || new.get(&page).await.status == 200).await;
    says_neither_in_nor_out(&new.get(&page).await);
    assert_eq!(new.get(&format!("{alice}/about")).await.status, 200);
    let login = new.get(&format!("{alice}/sso/login?to=/")).await;
    assert_eq!((login.status, login.heading()), (503, "The login server cannot be reached"));
    assert!(login.body.contains("href=\"/\"") && login.location().is_none());

    // It has an empty store, so all sessions are gone: both visitors are attached anew by themselves.
    let _server = start_server(server_port, &alice);
    for visitor in [&known, &new] {
        until("the site finds its server again", async || visitor.visit(&page).await.heading() == "You are logged out")
            .await;
    }
    assert_eq!(known.log_in(&alice, "jackie", "jackie123").await.heading(), "Logged in as jackie");
}
