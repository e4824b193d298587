//! Brokers that are not for everyone, attributes that are not for every broker, and a broker whose secret is replaced.

use sso_core::Encoding;
use sso_tests::{
    Site, Visitor,
    peer::{Peer, ask},
    process::free_ports,
};

/// The hash of `jackie123`, cheap to check.
const HASH: &str = "$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK";
const OLD: &str = "the_secret_that_alice_had_before";
const NEW: &str = "the_secret_that_alice_has_by_now";

struct Sites {
    _server: Site,
    _alice: Site,
    server: String,
    alice: String,
}

/// A server with jackie and john; Alice, with a login form of her own, is for group `staff`, which jackie is in, and is told full names only.
fn start() -> Sites {
    let port = free_ports(1);
    let alice = format!("http://alice.localhost:{port}");
    let (server, server_port) = Site::server(&format!(
        r#"
        public_url = "http://sso.localhost:PORT"
        [[brokers]]
        id = "Alice"
        secret = "{NEW}"
        origins = ["{alice}"]
        password_login = true
        allow_groups = ["staff"]
        attributes = ["fullname"]
        [[brokers]]
        id = "Greg"
        secret = "{NEW}"
        origins = ["http://greg.localhost:1"]
        [[users]]
        username = "jackie"
        password = "{HASH}"
        groups = ["staff"]
        attributes = {{ fullname = "Jackie Black", email = "jackie@example.com" }}
        [[users]]
        username = "john"
        password = "{HASH}"
        attributes = {{ fullname = "John Doe" }}
        "#
    ));
    let origin = format!("http://sso.localhost:{server_port}");
    let (listen, attach) = (format!("127.0.0.1:{port}"), format!("{origin}/attach"));
    let environment = [
        ("SSO_SERVER", attach.as_str()),
        ("SSO_BROKER_ID", "Alice"),
        ("SSO_BROKER_SECRET", NEW),
        ("SSO_BROKER_URL", &alice),
    ];
    let broker = Site::try_start(&["broker", "--own-form", "--listen", &listen], &environment).unwrap();
    Sites { _server: server, _alice: broker, server: origin, alice }
}

#[tokio::test]
async fn who_may_not_use_a_site_gets_a_page_with_a_logout_and_is_somebody_elses_turn() {
    let sites = start();
    let visitor = Visitor::new();
    let page = visitor.log_in(&sites.alice, "john", "jackie123").await;
    assert_eq!((page.status, page.heading()), (403, "Your account has no access to this site"));
    assert!(!page.body.contains("john") && !page.body.contains("John Doe"), "{}", page.body);
    assert!(page.body.contains(&format!("href=\"{}/\"", sites.server)));
    let home = visitor.visit(&format!("{}/", sites.alice)).await;
    assert_eq!((home.status, home.heading()), (403, "Your account has no access to this site"));
    let about = visitor.visit(&format!("{}/about", sites.alice)).await;
    assert!(about.status == 200 && about.body.contains("your account has no access to Alice"), "{}", about.body);
    // At another site he is welcome, and at the server.
    let greg = Peer::new(&sites.server, "Greg", NEW, Encoding::Exact, "http://greg.localhost:1");
    let link = greg.attach(&visitor).await;
    assert_eq!(link.user().await.as_deref(), Some("john"));

    let out = visitor.submit(&home, "/sso/logout", &[]).await;
    assert_eq!(visitor.follow(out).await.heading(), "You are logged out");
    assert_eq!(link.user().await, None);
    let page = visitor.log_in(&sites.alice, "jackie", "jackie123").await;
    assert_eq!((page.status, page.heading()), (200, "Logged in as jackie"));
    assert!(page.body.contains("Jackie Black") && !page.body.contains("jackie@example.com"), "{}", page.body);
    // Greg, whose link of the last user is cut, is told all.
    let link = greg.attach(&visitor).await;
    assert_eq!(link.get("/api/info").await.json()["email"], "jackie@example.com");
}

#[tokio::test]
async fn a_sites_own_form_logs_its_users_in_and_no_others() {
    let sites = start();
    let visitor = Visitor::new();
    visitor.visit(&format!("{}/", sites.alice)).await;
    let form = visitor.visit(&format!("{}/login", sites.alice)).await;
    for (user, password, status, why) in [
        ("john", "wrong", 400, "Wrong username or password."),
        ("nobody", "jackie123", 400, "Wrong username or password."),
        ("john", "jackie123", 403, "Your account has no access to this site."),
    ] {
        let page = visitor.submit(&form, "/login", &[("username", user), ("password", password)]).await;
        assert_eq!(page.status, status, "{user}");
        assert!(page.body.contains(why), "{}", page.body);
        let home = visitor.visit(&format!("{}/", sites.alice)).await;
        assert_eq!(home.heading(), "You are logged out");
    }
    let done = visitor.submit(&form, "/login", &[("username", "jackie"), ("password", "jackie123")]).await;
    assert_eq!(visitor.follow(done).await.heading(), "Logged in as jackie");
}

#[tokio::test]
async fn a_secret_is_replaced_without_a_moment_in_which_the_broker_is_out() {
    for has_previous in [true, false] {
        let previous = if has_previous { format!("previous_secret = \"{OLD}\"") } else { String::new() };
        let (_site, port) = Site::server(&format!(
            "public_url = \"http://sso.localhost:PORT\"\n[[brokers]]\nid = \"Alice\"\nsecret = \"{NEW}\"\n{previous}\n\
             origins = [\"http://alice.localhost:1\"]\n[[users]]\nusername = \"jackie\"\npassword = \"{HASH}\"\n"
        ));
        let server = format!("http://sso.localhost:{port}");
        let peer = |secret| Peer::new(&server, "Alice", secret, Encoding::Exact, "http://alice.localhost:1");
        let visitor = Visitor::new();
        let link = peer(NEW).log_in(&visitor, "jackie", "jackie123").await;
        assert_eq!(link.user().await.as_deref(), Some("jackie"));
        if has_previous {
            assert_eq!(peer(OLD).attach(&visitor).await.user().await.as_deref(), Some("jackie"));
            // A visitor who was attached under one of them is known under the other.
            let mut renewed = link.clone();
            renewed.peer = peer(OLD);
            assert_eq!(renewed.user().await.as_deref(), Some("jackie"));
        } else {
            let token = sso_core::Token::generate();
            let url = peer(OLD).attach_url(&token, &[("return_url", "http://alice.localhost:1/sso/return")]);
            assert_eq!(ask(&visitor, &url, &[]).await.location_params()["sso_error"], "Invalid attach checksum");
            let mut renewed = link.clone();
            renewed.peer = peer(OLD);
            assert_eq!(renewed.get("/api/info").await.status, 403);
        }
    }
}
