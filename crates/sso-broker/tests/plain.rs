//! The broker without a framework: requests and answers as plain values, as the documentation of `site` shows it.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use sso_broker::{
    Broker, Secret, Sso, SsoSession, Visitor,
    site::{Answer, Request},
};

/// A server that is there, and honours no token: the broker's secret is wrong, say.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/attach", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            drop(stream.read(&mut head));
            let body = r#"{"error":"The visitor is not attached","code":"not_attached"}"#;
            let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\n";
            drop(write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        }
    });
    url
}

/// A site of one page, and its visitor's browser.
struct Site {
    sso: Sso,
    cookies: BTreeMap<String, String>,
}

const PAGE: [(&str, &str); 1] = [("Accept", "text/html,*/*;q=0.8")];

impl Site {
    fn new(server: &str, origin: &str) -> Self {
        let broker = Broker::builder(server, "Alice".parse().unwrap(), Secret::generate()).public_url(origin);
        Self { sso: Sso::new(broker.build().unwrap()), cookies: BTreeMap::new() }
    }

    fn begin(&self, path_and_query: &str, headers: &[(&str, &str)]) -> Result<SsoSession, Answer> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let headers = headers.iter().copied().chain([("Cookie", cookies.as_str())]);
        let headers = headers.map(|(name, value)| (name, value.as_bytes()));
        self.sso.begin(Request::new("GET", path_and_query, headers), Vec::new())
    }

    /// The visitor's problem on the page, or the answer in its place.
    async fn get(&mut self, path_and_query: &str, headers: &[(&str, &str)]) -> Result<Option<String>, Answer> {
        let session = self.begin(path_and_query, headers)?;
        let result = match session.answer(async { None }).await {
            Some(answer) => Err(answer),
            None => Visitor::recognise(session.clone()).await.map(|visitor| visitor.problem),
        };
        for (_, cookie) in session.header_changes().iter().filter(|(name, _)| *name == "set-cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match cookie.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        result
    }

    /// To the server, and back with a code, or with this error. The page to go on to.
    async fn attach(&mut self, departure: &Answer, end: &str) -> String {
        assert_eq!(departure.status, 303, "{departure:?}");
        let url: url::Url = departure.header("location").unwrap().parse().unwrap();
        let (_, back) = url.query_pairs().find(|(name, _)| name == "return_url").unwrap();
        let back = back.strip_prefix(self.sso.broker().public_url().as_str()).unwrap().to_owned();
        let answer = self.get(&format!("/{back}&{end}"), &PAGE).await.unwrap_err();
        answer.header("location").unwrap().to_owned()
    }
}

const WANTED: &str = "/a%2Fb?c=%20d&e=%C3%A9";
const CODE: &str = "sso_verify=c0de";

#[tokio::test]
async fn a_wrong_secret_is_told_and_does_not_drive_the_browser_round() {
    let mut site = Site::new(&server(), "http://alice.localhost:1");
    for _ in 0..2 {
        let departure = site.get(WANTED, &PAGE).await.unwrap_err();
        assert_eq!(site.attach(&departure, CODE).await, WANTED);
    }
    let told = site.get(WANTED, &PAGE).await.unwrap_err();
    assert!(told.status == 502 && told.body.contains("<h1>You could not be connected</h1>"), "{told:?}");
    assert_eq!(told.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn an_error_waits_for_a_page_and_not_for_its_icon() {
    let mut site = Site::new(&server(), "http://alice.localhost:1");
    let departure = site.get("/", &PAGE).await.unwrap_err();
    assert_eq!(site.attach(&departure, "sso_error=Nope").await, "/");
    let icon = site.get("/favicon.ico", &[("Accept", "image/avif,image/webp")]).await.unwrap_err();
    assert_eq!((icon.status, icon.header("content-type")), (401, Some("application/json")));
    assert_eq!(site.get("/", &PAGE).await.unwrap().as_deref(), Some("Nope"));
}

/// As a middleware and a handler do that both ask who is visiting.
#[tokio::test]
async fn who_asks_twice_in_one_request_gets_the_same() {
    let mut site = Site::new(&server(), "http://alice.localhost:1");
    let departure = site.get("/", &PAGE).await.unwrap_err();
    assert_eq!(site.attach(&departure, "sso_error=Nope").await, "/");
    let session = site.begin("/", &PAGE).unwrap();
    for _ in 0..2 {
        let visitor = Visitor::recognise(session.clone()).await.unwrap();
        assert_eq!(visitor.problem.as_deref(), Some("Nope"));
    }
    // The next request takes it from there.
    assert_eq!(site.get("/", &PAGE).await.unwrap().as_deref(), Some("Nope"), "nothing was written for the first one");
    assert_eq!(site.get("/", &PAGE).await.unwrap_err().status, 303);
}

#[tokio::test]
async fn cookies_on_https_have_their_prefix_and_no_other_name_is_read_as_it() {
    let mut site = Site::new(&server(), "https://alice.example");
    let departure = site.get("/", &PAGE).await.unwrap_err();
    site.attach(&departure, CODE).await;
    assert!(site.begin("/", &PAGE).unwrap().is_attached());
    assert!(site.cookies.keys().all(|name| name.starts_with("__Host-sso-Alice-")), "{:?}", site.cookies);
    let named = |name: &String| name.replace("__Host-", "__Host%2D");
    site.cookies = site.cookies.iter().map(|(name, value)| (named(name), value.clone())).collect();
    assert!(!site.begin("/", &PAGE).unwrap().is_attached());
}

#[tokio::test]
async fn what_is_not_ours_is_the_applications() {
    let site = Site::new(&server(), "http://alice.localhost:1");
    for (path, status) in [("/sso/session", Some(200)), ("/sso/session/logout", Some(405)), ("/sso/ajax/info", None)] {
        let session = site.begin(path, &PAGE).unwrap();
        assert_eq!(session.answer(async { None }).await.map(|answer| answer.status), status, "{path}");
        assert_eq!(site.sso.answers(path), status.is_some(), "{path}");
    }
}
