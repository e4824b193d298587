//! The program from outside: how it starts, refuses to start, and ends.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv6Addr, TcpListener, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::{Method, StatusCode};
use sso_core::{Encoding, Token};
use sso_tests::{
    Demo, Site, Visitor,
    process::{Attach, Failed, Pair, free_ports, sso_bin},
};

use crate::{
    outage::HASH,
    peer::{Peer, code_in},
};

/// Runs a tool of the program; what it printed.
fn tool(args: &[&str], input: &str) -> (i32, String) {
    let mut child = Command::new(sso_bin())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code().unwrap(), text)
}

fn failed(result: Result<Site, Failed>) -> Failed {
    match result {
        Ok(site) => panic!("it started: {}", site.announcement),
        Err(failed) => failed,
    }
}

fn one_line(failed: &Failed, status: i32, what: &str) {
    assert_eq!((failed.status, failed.said.trim_end().lines().count()), (status, 1), "{failed:?}");
    assert!(failed.said.starts_with("sso: ") && failed.said.contains(what), "{what}\n{failed:?}");
}

#[tokio::test]
async fn a_port_in_use_is_one_line_and_nothing_is_half_started() {
    for (offset, host) in [(0, "127.0.0.1"), (3, "127.0.0.1"), (6, "127.0.0.1"), (0, "[::1]"), (2, "[::1]")] {
        let base = free_ports(7);
        let port = base + offset;
        let held = TcpListener::bind(format!("{host}:{port}")).unwrap();
        let result = Site::try_start_within(Duration::ZERO, &["demo", "--base-port", &base.to_string()], &[]);
        one_line(&failed(result), 1, &format!("{host}:{port} is in use by another program"));
        for other in (base..base + 7).filter(|other| *other != port) {
            assert!(TcpStream::connect(("127.0.0.1", other)).is_err(), "{other} answers");
        }
        drop(held);
        let site = Site::try_start(&["demo", "--base-port", &base.to_string()], &[]).unwrap();
        assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok());
        assert!(site.announcement.starts_with("The demo is running"));
    }
    let port = free_ports(1);
    let _held = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let listen = format!("127.0.0.1:{port}");
    let environment = [("SSO_PUBLIC_URL", "http://localhost"), ("SSO_LISTEN", listen.as_str())];
    one_line(&failed(Site::try_start_within(Duration::ZERO, &["server"], &environment)), 1, "is in use");
    let environment = [
        ("SSO_SERVER", "http://localhost/attach"),
        ("SSO_BROKER_ID", "A"),
        ("SSO_BROKER_SECRET", "s"),
        ("RUST_LOG", "error"),
    ];
    let result = Site::try_start_within(Duration::ZERO, &["broker", "--listen", &listen], &environment);
    one_line(&failed(result), 1, "is in use");
}

#[tokio::test]
async fn the_demo_says_where_its_sites_are_first_and_each_of_them_answers() {
    let base = free_ports(7);
    let mut demo = Command::new(sso_bin())
        .args(["demo", "--base-port", &base.to_string()])
        .env_remove("RUST_LOG")
        .env("SSO_STORE", "memory:")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let text: Vec<_> = lines.by_ref().take_while(|line| line != "Ctrl-C ends it.").collect();
    let links = text.iter().flat_map(|line| line.split_whitespace().filter(|word| word.starts_with("http://")));
    let (visitor, mut count) = (Visitor::new(), 0);
    for link in links {
        let answer = visitor.visit(&format!("{link}/")).await;
        assert_eq!(answer.status, 200, "{link}");
        count += 1;
    }
    assert_eq!(count, 7, "{text:#?}");
    let service = visitor.get(&format!("http://api.localhost:{}/", base + 6)).await;
    assert!(service.json()["calls"]["/me"].is_string(), "{service:?}");
    demo.kill().unwrap();
    demo.wait().unwrap();
    let mut warnings = String::new();
    demo.stderr.take().unwrap().read_to_string(&mut warnings).unwrap();
    assert_eq!(warnings, "");
}

#[tokio::test]
async fn a_broker_by_itself_links_to_the_server_that_it_knows() {
    let pair = Pair::start(Attach::Redirect);
    let page = Visitor::new().visit(&pair.broker_url("/")).await;
    let nav = page.body.split_once("<nav").unwrap().1.split_once("</nav>").unwrap().0;
    let links: Vec<_> = nav.split("href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    assert_eq!(links, [pair.server_url(""), pair.broker_url("")]);
}

#[tokio::test]
async fn files_are_compressed_and_pages_are_not() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let get = async |site: &str, path: &str, accepts: &str, known: &str| {
        let request = visitor.request(Method::GET, &demo.url(site, path)).header("Accept-Encoding", accepts);
        request.header("Accept", "text/html").header("If-None-Match", known).send().await.unwrap()
    };
    let length = |answer: &reqwest::Response| answer.content_length().unwrap();
    let encoding = |answer: &reqwest::Response| answer.headers().get("content-encoding").cloned();
    for site in ["sso", "alice", "julius", "nora"] {
        let path = "/static/session-popup.js";
        let (plain, gzip) = (get(site, path, "identity", "").await, get(site, path, "gzip, br", "").await);
        assert_eq!((plain.status(), encoding(&plain)), (StatusCode::OK, None));
        assert_eq!((gzip.status(), encoding(&gzip).unwrap().as_bytes()), (StatusCode::OK, &b"gzip"[..]));
        assert!(length(&gzip) * 5 < length(&plain) * 2, "{} of {}", length(&gzip), length(&plain));
        for answer in [&plain, &gzip] {
            assert_eq!(answer.headers()["vary"], "Accept-Encoding");
        }
        // Caches do not take one for the other.
        let tags = [&plain, &gzip].map(|answer| answer.headers()["etag"].to_str().unwrap().to_owned());
        assert_ne!(tags[0], tags[1]);
        assert_eq!(get(site, path, "gzip", &tags[1]).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(get(site, path, "gzip", &tags[0]).await.status(), StatusCode::OK);
        assert_eq!(encoding(&get(site, path, "gzip;q=0, identity", "").await), None);
        assert_eq!(gzip.bytes().await.unwrap()[..2], [0x1f, 0x8b]);
        // Tokens beside what a stranger's link chooses: compressed, their length would tell (BREACH).
        for path in ["/", "/login", "/nowhere"] {
            assert_eq!(encoding(&get(site, path, "gzip, br", "").await), None, "{site}{path}");
        }
    }
}

/// A connection that was used and is kept open.
fn keep_alive(url: &str) -> TcpStream {
    let port = url.parse::<url::Url>().unwrap().port().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn sigterm_ends_with_status_0_also_while_connections_are_open() {
    let demo = Demo::start(&[]);
    let _open = ["sso", "alice", "greg", "julius"].map(|site| keep_alive(&demo.url(site, "/")));
    assert_eq!(demo.site.terminate(), Some(0));
    assert_eq!(Demo::start(&[]).site.terminate(), Some(0));

    let pair = Pair::start(Attach::Redirect);
    let _open = keep_alive(&pair.broker_url("/"));
    assert_eq!(pair.broker.terminate(), Some(0));
    assert_eq!(pair.server.terminate(), Some(0));
    assert_eq!(Pair::start(Attach::Jsonp).broker.terminate(), Some(0));
}

#[tokio::test]
async fn every_site_tells_that_it_is_alive_and_the_server_that_it_is_ready() {
    let demo = Demo::start(&["--idle-timeout", "90s"]);
    let visitor = Visitor::new();
    for site in ["sso", "alice", "greg", "julius"] {
        let health = visitor.get(&demo.url(site, "/healthz")).await;
        assert_eq!((health.status, health.header("set-cookie"), health.location()), (200, "", None), "{site}");
        assert_eq!(visitor.visit(&demo.url(site, "/")).await.status, 200, "{site}");
    }
    assert_eq!(visitor.get(&demo.url("sso", "/readyz")).await.status, 200);
}

#[tokio::test]
async fn a_hash_that_was_printed_is_a_password_that_works() {
    let (status, hash) = tool(&["hash-password"], "a password: with \"ü\" in it\n");
    assert!(status == 0 && hash.starts_with("$argon2id$") && hash.lines().count() == 1, "{hash}");
    assert_eq!(tool(&["hash-password"], "\n").0, 1, "an empty one is refused");
    let (_server, port) = Site::server(&format!(
        "public_url = \"http://sso.localhost:PORT\"\n[[users]]\nusername = \"ada\"\npassword = \"{}\"\n",
        hash.trim_end()
    ));
    let (server, visitor) = (format!("http://sso.localhost:{port}"), Visitor::new());
    let form = visitor.get(&format!("{server}/login")).await;
    let refused = visitor.submit(&form, "/login", &[("username", "ada"), ("password", "a password")]).await;
    assert_eq!(refused.status, 400);
    let good = [("username", "ada"), ("password", "a password: with \"ü\" in it")];
    assert_eq!(visitor.submit(&refused, "/login", &good).await.status, 303);
    assert!(visitor.get(&format!("{server}/")).await.body.contains("<strong>ada</strong>"));
}

#[tokio::test]
async fn what_new_broker_prints_is_a_broker_that_attaches() {
    let broker_port = free_ports(1);
    let origin = format!("http://alice.localhost:{broker_port}");
    let (status, printed) = tool(&["new-broker", "Shop_1", &origin], "");
    let (entry, variables) = printed.split_once("# for the broker's environment\n").expect("two parts");
    assert_eq!(status, 0);
    for (id, origin) in [("no-word", origin.as_str()), ("Shop", "ftp://x"), ("Shop", "https://x/page")] {
        assert_eq!(tool(&["new-broker", id, origin], "").0, 2, "{id} {origin}");
    }

    let (_server, port) = Site::server(&format!("public_url = \"http://sso.localhost:PORT\"\n{entry}"));
    let (attach, listen) = (format!("http://sso.localhost:{port}/attach"), format!("127.0.0.1:{broker_port}"));
    let mut environment: Vec<_> = variables.lines().filter_map(|line| line.split_once('=')).collect();
    environment.extend([("SSO_SERVER", attach.as_str()), ("SSO_BROKER_URL", &origin)]);
    let _broker = Site::try_start(&["broker", "--listen", &listen], &environment).unwrap();
    let page = Visitor::new().visit(&format!("{origin}/")).await;
    assert_eq!((page.status, page.heading()), (200, "You are logged out"));
}

#[test]
fn wrong_settings_are_one_line_with_their_place_and_status_2() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("sso.toml");
    let path = file.to_str().unwrap();
    let good = "public_url = \"http://localhost\"\n";
    for (text, line, what) in [
        ("nonsense = 1\n".to_owned(), 1, "unknown field `nonsense`"),
        (format!("{good}listen = 8000\n"), 2, "invalid type"),
        (format!("{good}\nlisten = \"here\"\n"), 3, "invalid socket address"),
        (format!("{good}store = \"paper:\"\n"), 2, "`paper:` is not a known store"),
        (format!("{good}[session]\nidle_timeout = \"soon\"\n"), 3, "is not a duration"),
        (format!("{good}[session]\nidle_timeout = \"0s\"\n"), 3, "at least one second"),
        (format!("{good}[[brokers]]\nid = \"A-B\"\nsecret = \"s\"\norigins = [\"http://a\"]\n"), 3, ""),
        (format!("{good}[[brokers]]\nid = \"A\"\nsecret = \"s\"\norigins = [\"http://a/page\"]\n"), 2, "broker A"),
        (format!("{good}[[brokers]]\nid = \"A\"\nsecret = \"s\"\norigins = []\n"), 2, "broker A"),
        (format!("{good}[[users]]\nusername = \"a\"\npassword = \"plain\"\n"), 4, "argon2"),
        (format!("{good}[[users]]\nusername = \"a\"\npassword = \"{HASH}\"\nattributes = {{ username = \"b\" }}\n"), 5, "no attribute"),
        (format!("{good}[[users]\n"), 2, ""),
        ("public_url = \"https://sso.example.com\"\n[[brokers]]\nid = \"A\"\nsecret = \"short\"\norigins = [\"https://a\"]\n".into(), 2, "128 bits"),
    ] {
        fs::write(&file, &text).unwrap();
        let failed = failed(Site::try_start(&["server", "--config", path], &[]));
        one_line(&failed, 2, what);
        assert!(failed.said.contains(&format!("{path}:{line}: ")), "{text}\n{failed:?}");
    }
    fs::write(&file, "").unwrap();
    one_line(&failed(Site::try_start(&["server", "--config", path], &[])), 2, "public_url is not set");
    one_line(&failed(Site::try_start(&["server", "--config", "/none.toml"], &[])), 2, "cannot read /none.toml");
    fs::write(&file, good).unwrap();
    let wrong = [("SSO_SESSION_IDLE_TIMEOUT", "soon")];
    one_line(&failed(Site::try_start(&["server", "--config", path], &wrong)), 2, "SSO_SESSION_IDLE_TIMEOUT: ");
    let no_secret = [("SSO_SERVER", "http://localhost/attach"), ("SSO_BROKER_ID", "A")];
    one_line(&failed(Site::try_start(&["broker", "--listen", "127.0.0.1:0"], &no_secret)), 2, "SSO_BROKER_SECRET");
    let far = [("SSO_SERVER", "http://sso.example.com/attach"), ("SSO_BROKER_ID", "A"), ("SSO_BROKER_SECRET", "s")];
    assert_eq!(
        failed(Site::try_start(&["broker", "--listen", "127.0.0.1:0"], &far)).status,
        2,
        "plain http to elsewhere"
    );
    // Visitors would be sent to the server's first page and stay there.
    for server in ["http://localhost:8000", "http://localhost:8000/", "https://example.com/sso/"] {
        let environment =
            [("SSO_SERVER", server), ("SSO_BROKER_ID", "A"), ("SSO_BROKER_SECRET", "s"), ("RUST_LOG", "error")];
        let failed = failed(Site::try_start(&["broker", "--listen", "127.0.0.1:0"], &environment));
        one_line(&failed, 2, "https://sso.example.com/attach");
        assert!(failed.said.contains(server) && failed.said.contains("attach.php"), "{failed:?}");
    }
}

#[tokio::test]
async fn the_environment_alone_configures_a_server_and_counts_over_the_file() {
    let port = free_ports(1);
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://sso.localhost:{port}"));
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("sso.toml");
    fs::write(&file, "public_url = \"http://wrong.localhost\"\nlisten = \"127.0.0.1:1\"\nphp_routes = true\n").unwrap();
    let brokers = "[{ id = \"Alice\", secret = \"s\", origins = [\"http://alice.localhost:1\"] }]";
    let environment = [("SSO_PUBLIC_URL", url.as_str()), ("SSO_LISTEN", &listen), ("SSO_BROKERS", brokers)];
    for (args, has_php_routes) in [(&["server"][..], false), (&["server", "--config", file.to_str().unwrap()], true)] {
        let site = Site::try_start(args, &environment).unwrap();
        assert_eq!(site.announcement.trim_end(), format!("The SSO server is at {url}/"));
        let peer = Peer::new(&url, "Alice", "s", Encoding::Exact, "http://alice.localhost:1");
        let link = peer.attach(&Visitor::new()).await;
        assert_eq!(link.get("/api/info.php").await.status == 204, has_php_routes);
        let attach = peer.attach_url(&Token::generate(), &[("return_url", &peer.return_url())]);
        let answer = Visitor::new().get(&attach.replace("/attach", "/attach.php")).await;
        assert_eq!(answer.status == 303, has_php_routes, "{answer:?}");
        if has_php_routes {
            code_in(&answer);
        }
        assert_eq!(site.terminate(), Some(0));
    }
}
