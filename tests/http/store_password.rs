//! A store's URL may have a password in it: no error and no log shows it, whatever goes wrong and in every detail.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use sso_engines::{Engine, free_ports};
use sso_tests::{Site, Visitor};

const PASSWORD: &str = "correct-horse-battery";
const WRONG: &str = "incorrect-horse-battery";

fn start(port: u16, args: &[&str], store: Option<&str>) -> Result<Site, sso_tests::process::Failed> {
    let (url, listen) = (format!("http://localhost:{port}"), format!("127.0.0.1:{port}"));
    let mut environment = vec![
        ("SSO_PUBLIC_URL", url.as_str()),
        ("SSO_LISTEN", &listen),
        ("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef"),
    ];
    environment.extend(store.map(|store| ("SSO_STORE", store)));
    Site::try_start(&[&["server"], args].concat(), &environment)
}

/// Whether a server on this store is ready, and all that it said meanwhile.
async fn ready(store: &str) -> (bool, String) {
    let port = free_ports(1);
    let site = start(port, &[], Some(store)).unwrap_or_else(|failed| panic!("{failed:?}"));
    let status = Visitor::new().get(&format!("http://localhost:{port}/readyz")).await.status;
    let log = site.log();
    assert!(!log.is_empty() && (status == 200 || log.contains("AuthenticationFailed")), "{log}");
    (status == 200, log)
}

/// What a server says that does not start.
fn refusal(args: &[&str], store: Option<&str>) -> String {
    match start(free_ports(1), args, store) {
        Err(failed) => {
            assert!(failed.said.lines().any(|line| line.starts_with("sso: ")), "{failed:?}");
            failed.said
        }
        Ok(_) => panic!("{args:?} {store:?} starts a server"),
    }
}

#[tokio::test]
async fn what_is_said_of_a_redis_that_wants_a_password_does_not_show_it() {
    let redis = Engine::redis();
    let place = redis.url().replace("redis://", "");
    let mut stream = TcpStream::connect(place.trim_end_matches('/')).unwrap();
    writeln!(stream, "ACL SETUSER sso on >{PASSWORD} ~* +@all").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert_eq!(answer.trim(), "+OK");
    for (password, is_right) in [(PASSWORD, true), (WRONG, false)] {
        let (is_ready, log) = ready(&format!("redis://sso:{password}@{place}")).await;
        assert_eq!(is_ready, is_right, "{password}");
        assert!(!log.contains(password), "{log}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_store_that_cannot_be_opened_does_not_show_its_password() {
    let postgres = Engine::postgres();
    let place = postgres.url().replace("postgres://sso@", "");
    let (is_ready, log) = ready(&format!("postgres://sso:{PASSWORD}@{place}")).await;
    assert!(is_ready && !log.contains(PASSWORD), "{log}");
    for store in [
        // No such user; nobody there; no such parameter, place or store.
        format!("postgres://nobody:{PASSWORD}@{place}"),
        format!("postgres://sso:{PASSWORD}@127.0.0.1:1/sso"),
        format!("postgres://sso:{PASSWORD}@127.0.0.1/sso?sslmode=perhaps"),
        format!("postgres://sso:{PASSWORD}@127.0.0.1:port/sso"),
        format!("redis://sso:{PASSWORD}@127.0.0.1:port/"),
        format!("redis://sso:{PASSWORD}@127.0.0.1/?unknown=1"),
        format!("redis://sso:{PASSWORD}@127.0.0.1/no-number"),
        format!("rediss://sso:{PASSWORD}@127.0.0.1/?sslrootcert=/none.pem"),
        format!("mysql://sso:{PASSWORD}@127.0.0.1/sso"),
    ] {
        for said in [refusal(&[], Some(&store)), refusal(&["--store", &store], None)] {
            assert!(!said.contains(PASSWORD), "{store}: {said}");
        }
    }
}
