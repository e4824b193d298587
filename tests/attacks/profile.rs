//! What a broker may not see of its users, by way of a form of the server: threat 29.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::json;
use sso_core::Encoding;
use sso_tests::{
    Site, Visitor,
    process::{free_ports, sso_bin},
};
use tempfile::TempDir;

use crate::peer::Peer;

const SECRET: &str = "a_secret_of_the_tests_that_is_long";
const PASSWORD: &str = "a password of ada's";

/// A server whose users are in SQL, and one more who is in its configuration. Each broker sees what its name says.
struct Place {
    _server: Site,
    url: String,
    _dir: TempDir,
}

fn start() -> Place {
    let (dir, port) = (TempDir::new().unwrap(), free_ports(1));
    let broker = |id: &str, attributes: &str| {
        let origin = format!("http://{}.localhost:1", id.to_lowercase());
        format!("{{ id = \"{id}\", secret = \"{SECRET}\", origins = [\"{origin}\"]{attributes} }}")
    };
    let brokers = [
        broker("Nothing", ", attributes = []"),
        broker("Email", ", attributes = [\"email\"]"),
        broker("Profile", ", attributes = [\"profile\"]"),
        broker("All", ""),
    ];
    let url = format!("http://sso.localhost:{port}");
    let hash = "$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK";
    let environment = [
        ("SSO_PUBLIC_URL", url.clone()),
        ("SSO_LISTEN", format!("127.0.0.1:{port}")),
        ("SSO_STORE", format!("sqlite:{}", dir.path().join("sso.db").display())),
        ("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef".to_owned()),
        ("SSO_BROKERS", format!("[{}]", brokers.join(", "))),
        ("SSO_USERS", format!("[{{ username = \"jackie\", password = \"{hash}\" }}]")),
    ];
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Site::try_start(&["server"], &environment).unwrap_or_else(|failed| panic!("{failed:?}"));
    let add = ["users", "add", "ada", "--attribute", "email=ada@example.com", "--attribute", "fullname=Ada Byron"];
    let mut command = Command::new(sso_bin());
    let mut child = command.args(add).envs(environment).current_dir(dir.path()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    Place { _server: server, url, _dir: dir }
}

impl Place {
    fn peer(&self, id: &str) -> Peer {
        Peer::new(&self.url, id, SECRET, Encoding::Exact, &format!("http://{}.localhost:1", id.to_lowercase()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn log_in(&self, visitor: &Visitor, username: &str, password: &str) {
        let form = visitor.get(&self.url("/login")).await;
        let sent = visitor.submit(&form, "/login", &[("username", username), ("password", password)]).await;
        assert_eq!(sent.status, 303, "{sent:?}");
    }
}

#[tokio::test]
async fn threat_29_a_saved_profile_tells_no_broker_more_than_it_may_see() {
    let place = start();
    let visitor = Visitor::new();
    place.log_in(&visitor, "ada", PASSWORD).await;
    // The form is filled in with what the account has, and sent as it is.
    let first = visitor.get(&place.url("/profile")).await;
    assert!(first.body.contains("ada@example.com") && first.body.contains("Ada Byron"), "{}", first.body);
    let filled_in = [("fullname", "Ada Byron"), ("email", "ada@example.com")];
    let second = visitor.submit(&first, "/profile", &filled_in).await;
    let sent = visitor.submit(&second, "/profile/2", &[("town", "London"), ("about", "Numbers.")]).await;
    assert_eq!(sent.location(), Some(place.url("/profile/done")), "{sent:?}");
    assert!(visitor.follow(sent).await.body.contains("London"), "at once");

    let profile = json!({ "fullname": "Ada Byron", "email": "ada@example.com", "town": "London", "about": "Numbers." });
    for (id, expected) in [
        ("Nothing", json!({ "username": "ada" })),
        ("Email", json!({ "username": "ada", "email": "ada@example.com" })),
        // Its twin: who may see it does, and what the operator has set is as it was.
        ("Profile", json!({ "username": "ada", "profile": profile })),
        ("All", json!({ "username": "ada", "email": "ada@example.com", "fullname": "Ada Byron", "profile": profile })),
    ] {
        let link = place.peer(id).attach(&visitor).await;
        assert_eq!(link.get("/api/data").await.json(), json!({}), "{id}");
        assert_eq!(link.get("/api/info").await.json(), expected, "{id}");
    }
    // What brokers share on purpose is another thing.
    let (one, other) = (place.peer("Nothing").attach(&visitor).await, place.peer("All").attach(&visitor).await);
    one.post("/api/data", &[("theme", "ocean")]).await;
    assert_eq!(other.get("/api/data").await.json(), json!({ "theme": "ocean" }));
}

#[tokio::test]
async fn there_is_no_form_where_nothing_can_be_kept() {
    let place = start();
    let visitor = Visitor::new();
    place.log_in(&visitor, "jackie", "jackie123").await;
    assert!(!visitor.get(&place.url("/")).await.body.contains("href=\"/profile\""));
    let page = visitor.get(&place.url("/profile")).await;
    assert!(page.status == 404 && page.body.contains("keep profiles"), "{page:?}");
    let visitor = Visitor::new();
    place.log_in(&visitor, "ada", PASSWORD).await;
    assert!(visitor.get(&place.url("/")).await.body.contains("href=\"/profile\""));
    assert_eq!(visitor.get(&place.url("/profile")).await.status, 200);
}
