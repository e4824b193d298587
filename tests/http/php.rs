//! A jasny/sso broker, in PHP itself, against our server.

use std::process::Command;

use sso_tests::Site;

struct Server {
    _site: Site,
    origin: String,
}

fn server(session: &str) -> Server {
    let config = r#"
        public_url = "http://localhost:PORT"
        php_routes = true
        [[brokers]]
        id = "Paula"
        secret = "8iwzik1bwd"
        origins = ["http://paula.localhost:1"]
        checksum = "php"
        password_login = true
        [[brokers]]
        id = "Club"
        secret = "8iwzik1bwd"
        origins = ["http://paula.localhost:1"]
        checksum = "php"
        password_login = true
        allow_users = ["jackie"]
        [[brokers]]
        id = "Alice"
        secret = "8iwzik1bwd"
        origins = ["http://paula.localhost:1"]
        return_paths = ["/shop/index.php"]
        [[users]]
        username = "john"
        password = "$argon2id$v=19$m=19456,t=2,p=1$d+d/Lmz5RSSm3s9/crB7Kg$OZZ0W55NHpsZzf9w0I3SPMgzrjJ51OzUXB7u5hco5qY"
        attributes = { fullname = "John Doe" }
        "#;
    let (site, port) = Site::server(&format!("{config}\n[session]\n{session}\n"));
    Server { _site: site, origin: format!("http://127.0.0.1:{port}") }
}

/// Runs the client; its lines.
fn client(server: &Server, broker: &str, return_url: &str, steps: &[&str]) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/http/php/client.php");
    let output = Command::new("php")
        .args(["-d", "display_errors=stderr", "-d", "error_reporting=-1", script])
        .args([&server.origin, broker, "8iwzik1bwd", return_url])
        .args(steps)
        .output()
        .unwrap_or_else(|error| panic!("php is not there ({error}): run tests/run, or install php-cli"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

const PAGE: &str = "http://paula.localhost:1/shop/index.php?item=1";
const JOHN: &str = r#"{"username":"john","fullname":"John Doe"}"#;

#[test]
fn a_php_broker_attaches_logs_in_and_logs_out() {
    let server = server("");
    let steps = ["attach", "info", "login:john:wrong", "login:john:jackie123", "info", "logout", "info", "logout"];
    let expected = [
        "attach 303 http://paula.localhost:1/shop/index.php?item=1&sso_verify=CODE",
        "info 204",
        r#"login 400 {"error":"Invalid credentials"}"#,
        &format!("login 200 {JOHN}"),
        &format!("info 200 {JOHN}"),
        "logout 204",
        "info 204",
        "logout 204",
    ];
    assert_eq!(client(&server, "Paula", PAGE, &steps), expected);
}

#[test]
fn attaching_twice_gives_the_code_that_counts_and_errors_are_what_php_reads() {
    let server = server("");
    assert_eq!(
        client(&server, "Paula", "http://elsewhere.localhost/", &["attach"])[0].split('<').next(),
        Some("attach 400 ")
    );
    let not_attached = r#"{"error":"Invalid or expired bearer token","code":"not_attached"}"#;
    let refused = client(&server, "Paula", PAGE, &["info", "login:john:jackie123", "logout", "nothing"]);
    let expected = [
        format!("info 403 {not_attached}"),
        format!("login 403 {not_attached}"),
        format!("logout 403 {not_attached}"),
        r#"nothing 404 {"error":"There is no such API call"}"#.to_owned(),
    ];
    assert_eq!(refused, expected);
    // A second browser, as this client without cookies is one each time, does not get the token.
    let lines = client(&server, "Paula", PAGE, &["attach", "attach"]);
    assert_eq!(
        lines[1],
        "attach 303 http://paula.localhost:1/shop/index.php?item=1&sso_error=Token+is+already+attached"
    );
}

#[test]
fn phps_checksum_is_refused_for_a_broker_that_is_not_configured_for_it() {
    let lines = client(&server(""), "Alice", PAGE, &["attach"]);
    assert_eq!(lines, ["attach 303 http://paula.localhost:1/shop/index.php?item=1&sso_error=Invalid+attach+checksum"]);
}

#[test]
fn a_user_who_may_not_use_the_site_is_an_error_that_php_shows_until_the_logout() {
    let server = server("");
    let refused = r#"{"error":"This user may not use this site","code":"user_not_allowed"}"#;
    let steps =
        ["attach", "login:john:jackie123", "switch:Club", "info", "logout", "info", "login:john:jackie123", "info"];
    let expected = [
        "attach 303 http://paula.localhost:1/shop/index.php?item=1&sso_verify=CODE",
        &format!("login 200 {JOHN}"),
        "switch 303 http://paula.localhost:1/shop/index.php?item=1&sso_verify=CODE",
        &format!("info 403 {refused}"),
        "logout 204",
        "info 204",
        r#"login 403 {"error":"This user may not use this site"}"#,
        "info 204",
    ];
    assert_eq!(client(&server, "Paula", PAGE, &steps), expected);
}

#[test]
fn after_its_session_ended_a_php_broker_is_logged_out_and_logs_in_with_the_same_token() {
    let server = server("idle_timeout = \"2s\"");
    let steps = ["attach", "login:john:jackie123", "await:204", "logout", "login:john:jackie123", "info"];
    let lines = client(&server, "Paula", PAGE, &steps);
    let user = format!("200 {JOHN}");
    assert_eq!(
        lines[1..],
        [
            format!("login {user}"),
            "await 204".to_owned(),
            "logout 204".to_owned(),
            format!("login {user}"),
            format!("info {user}"),
        ]
    );
}
