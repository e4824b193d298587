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
    environment: [(&'static str, String); 6],
    dir: TempDir,
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
    let variables = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let server = Site::try_start(&["server"], &variables).unwrap_or_else(|failed| panic!("{failed:?}"));
    let place = Place { _server: server, url, environment, dir };
    let attributes = ["--attribute", "email=ada@example.com", "--attribute", "fullname=Ada Byron"];
    place.add("ada", &attributes);
    place
}

impl Place {
    /// Adds a user with these attributes.
    fn add(&self, username: &str, attributes: &[&str]) {
        self.sso(&[&["users", "add", username], attributes].concat(), &format!("{PASSWORD}\n"));
    }

    /// A command of the operator.
    fn sso(&self, args: &[&str], input: &str) {
        let mut command = Command::new(sso_bin());
        command.args(args).envs(self.environment.clone()).current_dir(self.dir.path());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

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
async fn what_another_node_has_saved_is_shown_at_once() {
    let place = start();
    let visitor = Visitor::new();
    place.log_in(&visitor, "ada", PASSWORD).await;
    for town in ["London", "Leiden"] {
        let profile = json!({ "fullname": "Ada", "email": "ada@example.com", "town": town, "about": "" });
        place.sso(&["users", "set", "ada", "--json-attribute", &format!("profile={profile}")], "");
        let done = visitor.get(&place.url("/profile/done")).await;
        assert!(done.status == 200 && done.body.contains(town), "{done:?}");
        assert!(visitor.get(&place.url("/profile")).await.body.contains("value=\"Ada\""));
    }
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

/// The operator's own attribute of the same name, whatever it is: the form neither shows it nor writes over it.
#[tokio::test]
async fn an_operators_own_attribute_profile_stays_as_it_is() {
    let place = start();
    let ours = json!({ "fullname": "Ada Byron", "email": "ada@example.com", "town": "London", "about": "" });
    let mut with_more = ours.clone();
    with_more["role"] = "editor".into();
    let mut with_number = ours.clone();
    with_number["about"] = 7.into();
    for (username, value, is_ours) in [
        ("text", json!("basic"), false),
        ("list", json!(["staff"]), false),
        ("object", json!({ "role": "editor" }), false),
        ("empty", json!({}), false),
        ("part", json!({ "fullname": "Ada Byron" }), false),
        ("more", with_more, false),
        ("number", with_number, false),
        // The twin: what the form has saved is shown and changed.
        ("ours", ours, true),
    ] {
        place.add(username, &["--json-attribute", &format!("profile={value}")]);
        let visitor = Visitor::new();
        place.log_in(&visitor, username, PASSWORD).await;
        let first = visitor.get(&place.url("/profile")).await;
        let is_linked = visitor.get(&place.url("/")).await.body.contains("href=\"/profile\"");
        assert_eq!(is_linked, is_ours, "{username}");
        if is_ours {
            let filled_in = [("fullname", "Ada King"), ("email", "ada@example.com")];
            let second = visitor.submit(&first, "/profile", &filled_in).await;
            let sent = visitor.submit(&second, "/profile/2", &[("town", "London"), ("about", "")]).await;
            assert_eq!(sent.location(), Some(place.url("/profile/done")), "{sent:?}");
        } else {
            assert!(first.status == 404 && first.body.contains("attribute &#34;profile&#34;"), "{username}: {first:?}");
            let done = visitor.get(&place.url("/profile/done")).await;
            assert_eq!(done.location(), Some(place.url("/profile")), "{username}");
        }
        let info = place.peer("Profile").attach(&visitor).await.get("/api/info").await.json();
        assert_eq!(info["profile"] == value, !is_ours, "{username}: {info}");
    }
}

/// The operator writes it while the form is open.
#[tokio::test]
async fn an_operators_attribute_that_comes_meanwhile_stays_as_it_is() {
    for value in [None, Some(json!({ "role": "editor" }))] {
        let place = start();
        let visitor = Visitor::new();
        place.log_in(&visitor, "ada", PASSWORD).await;
        let first = visitor.get(&place.url("/profile")).await;
        let filled_in = [("fullname", "Ada Byron"), ("email", "ada@example.com")];
        let second = visitor.submit(&first, "/profile", &filled_in).await;
        if let Some(value) = &value {
            place.sso(&["users", "set", "ada", "--json-attribute", &format!("profile={value}")], "");
        }
        let sent = visitor.submit(&second, "/profile/2", &[("town", "London"), ("about", "Numbers.")]).await;
        let info = place.peer("Profile").attach(&visitor).await.get("/api/info").await.json();
        match value {
            Some(value) => {
                assert_eq!((sent.status, &info["profile"]), (409, &value));
                let again = visitor.submit(&sent, "/profile/2", &[("town", "London"), ("about", "Numbers.")]).await;
                assert!(again.status == 404 && again.body.contains("attribute &#34;profile&#34;"), "{again:?}");
            }
            None => assert_eq!((sent.status, &info["profile"]["town"]), (303, &json!("London"))),
        }
    }
}
