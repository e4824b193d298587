//! `GET /attach`: each check of the protocol's table, refused and accepted, in its order and in each mode.

use reqwest::Method;
use sso_core::{Encoding, Token};
use sso_tests::{
    Site, Visitor,
    visitor::{Answer, send},
};

use crate::peer::{Peer, ask, code_in};

/// A server with a broker for each way to attach.
pub struct Sites {
    _server: Site,
    port: u16,
}

impl Sites {
    pub fn start() -> Self {
        let (server, port) = Site::server(
            r#"
            public_url = "http://sso.localhost:PORT"
            php_routes = true
            brokers = [
                { id = "Exact", secret = "s-Exact", origins = ["http://exact.localhost:1"] },
                { id = "Php", secret = "s-Php", origins = ["http://php.localhost:1"], checksum = "php" },
                { id = "Host", secret = "s-Host", origins = ["host.localhost"], checksum = "php" },
                { id = "Json", secret = "s-Json", origins = ["http://json.localhost:1"], silent = "json" },
                { id = "Script", secret = "s-Script", origins = ["http://script.localhost:1"], silent = "jsonp" },
                { id = "Starter", secret = "s-Starter", origins = ["http://starter.localhost:1"], silent = "jsonp", silent_start = true },
            ]
            [[users]]
            username = "jackie"
            password = "$argon2id$v=19$m=19456,t=2,p=1$d+d/Lmz5RSSm3s9/crB7Kg$OZZ0W55NHpsZzf9w0I3SPMgzrjJ51OzUXB7u5hco5qY"
            attributes = { fullname = "Jackie Black" }
            "#,
        );
        Self { _server: server, port }
    }

    pub fn peer(&self, id: &str) -> Peer {
        let encoding = if matches!(id, "Php" | "Host") { Encoding::Php } else { Encoding::Exact };
        let origin = format!("http://{}.localhost:1", id.to_ascii_lowercase());
        Peer::new(&format!("http://sso.localhost:{}", self.port), id, &format!("s-{id}"), encoding, &origin)
    }
}

/// What one check finds wrong, and where that is told.
struct Fault {
    status: u16,
    message: &'static str,
    /// Told to the return URL, no longer on a page.
    at_broker: bool,
    spoil: fn(&mut Request),
}

#[derive(Clone)]
struct Request {
    params: Vec<(String, String)>,
    headers: Vec<(&'static str, &'static str)>,
    /// The token is linked to another browser's session already.
    taken: bool,
}

impl Request {
    fn set(&mut self, name: &str, value: &str) {
        self.params.retain(|(key, _)| key != name);
        self.params.push((name.to_owned(), value.to_owned()));
    }
}

const FOREIGN: &str = "http://evil.localhost:1";

/// In the order of the table.
const REDIRECT_FAULTS: [Fault; 7] = [
    Fault {
        status: 400,
        message: "Missing 'token' query parameter",
        at_broker: false,
        spoil: |r| r.params.retain(|(key, _)| key != "token"),
    },
    Fault {
        status: 403,
        message: "Broker is unknown or disabled",
        at_broker: false,
        spoil: |r| r.set("broker", "Nobody"),
    },
    Fault {
        status: 400,
        message: "Domain of return_url is not allowed",
        at_broker: false,
        spoil: |r| r.set("return_url", FOREIGN),
    },
    Fault { status: 403, message: "Invalid attach checksum", at_broker: true, spoil: |r| r.set("checksum", "0") },
    Fault {
        status: 400,
        message: "Domain of origin is not allowed",
        at_broker: true,
        spoil: |r| r.headers.push(("Origin", FOREIGN)),
    },
    Fault {
        status: 400,
        message: "Attach must be a navigation of the whole page",
        at_broker: true,
        spoil: |r| r.headers.push(("Sec-Fetch-Dest", "iframe")),
    },
    Fault { status: 400, message: "Token is already attached", at_broker: true, spoil: |r| r.taken = true },
];

/// In the order of the table, with no return URL: told in JSON, or by the script.
const SILENT_FAULTS: [Fault; 6] = [
    Fault {
        status: 400,
        message: "Missing 'token' query parameter",
        at_broker: false,
        spoil: |r| r.params.retain(|(key, _)| key != "token"),
    },
    Fault {
        status: 403,
        message: "Broker is unknown or disabled",
        at_broker: false,
        spoil: |r| r.set("broker", "Nobody"),
    },
    Fault { status: 403, message: "Invalid attach checksum", at_broker: false, spoil: |r| r.set("checksum", "0") },
    Fault {
        status: 400,
        message: "Domain of origin is not allowed",
        at_broker: false,
        spoil: |r| r.headers = vec![("Origin", FOREIGN)],
    },
    Fault {
        status: 400,
        message: "Domain of referer is not allowed",
        at_broker: false,
        spoil: |r| r.headers.push(("Referer", "http://evil.localhost:1/page")),
    },
    Fault { status: 400, message: "Token is already attached", at_broker: false, spoil: |r| r.taken = true },
];

async fn sent(peer: &Peer, request: Request, token: &Token) -> Answer {
    if request.taken {
        peer.attach_token(&Visitor::new(), token.clone()).await;
    }
    let visitor = Visitor::new();
    // A session to join, for the silent modes.
    peer.attach(&visitor).await;
    ask(&visitor, &peer.url(&request.params), &request.headers).await
}

/// The message as a page has it.
fn escaped(message: &str) -> String {
    message.replace('\'', "&#39;")
}

#[tokio::test]
async fn of_two_faults_of_a_redirect_the_first_in_the_table_is_told() {
    let sites = Sites::start();
    let peer = sites.peer("Exact");
    let good = |token: &Token| {
        let mut request = Request { params: peer.params(token), headers: vec![("Accept", "text/html")], taken: false };
        request.set("return_url", &peer.return_url());
        request
    };
    let token = Token::generate();
    code_in(&sent(&peer, good(&token), &token).await);

    for first in 0..REDIRECT_FAULTS.len() {
        for second in first..REDIRECT_FAULTS.len() {
            let token = Token::generate();
            let mut request = good(&token);
            (REDIRECT_FAULTS[second].spoil)(&mut request);
            (REDIRECT_FAULTS[first].spoil)(&mut request);
            let answer = sent(&peer, request, &token).await;
            let fault = &REDIRECT_FAULTS[first];
            assert_eq!(answer.header("set-cookie"), "");
            assert_eq!(answer.header("cache-control"), "no-store");
            if fault.at_broker {
                assert_eq!(answer.status, 303, "{first} {second} {answer:?}");
                assert!(answer.location().unwrap().starts_with(&format!("{}?sso_error=", peer.return_url())));
                assert_eq!(answer.location_params()["sso_error"], fault.message, "{first} {second}");
                assert_eq!(answer.header("referrer-policy"), "no-referrer");
            } else {
                assert_eq!(answer.status, fault.status, "{first} {second} {answer:?}");
                assert!(answer.body.contains(&escaped(fault.message)), "{first} {second} {}", answer.body);
                assert!(answer.header("content-type").starts_with("text/html") && answer.location().is_none());
            }
        }
    }
}

#[tokio::test]
async fn of_two_faults_of_a_silent_attach_the_first_in_the_table_is_told() {
    let sites = Sites::start();
    for (id, callback, source) in
        [("Json", None, "http://json.localhost:1"), ("Script", Some("back"), "http://script.localhost:1")]
    {
        let peer = sites.peer(id);
        let good = |token: &Token| {
            let mut request = Request { params: peer.params(token), headers: vec![("Origin", source)], taken: false };
            if let Some(name) = callback {
                request.set("callback", name);
            }
            request
        };
        let token = Token::generate();
        let answer = sent(&peer, good(&token), &token).await;
        assert!(answer.status == 200 && answer.body.contains("{\"verify\":\""), "{answer:?}");

        for first in 0..SILENT_FAULTS.len() {
            for second in first..SILENT_FAULTS.len() {
                let token = Token::generate();
                let mut request = good(&token);
                (SILENT_FAULTS[second].spoil)(&mut request);
                (SILENT_FAULTS[first].spoil)(&mut request);
                let answer = sent(&peer, request, &token).await;
                let Fault { status, message, .. } = SILENT_FAULTS[first];
                let error = format!("{{\"code\":{status},\"message\":\"{message}\"}}");
                let (expected, on_wire) = match callback {
                    Some(name) => (format!("/**/{name}({error}, {status});"), 200),
                    None => (error, status),
                };
                assert_eq!((answer.status, answer.body), (on_wire, expected), "{id} {first} {second}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_repeated_array_or_malformed_parameter_is_named() {
    let sites = Sites::start();
    let (peer, visitor, token) = (sites.peer("Exact"), Visitor::new(), Token::generate());
    let good = peer.attach_url(&token, &[("return_url", &peer.return_url())]);
    for (name, bad) in [
        ("broker", "no-word"),
        ("broker", ""),
        ("token", "short"),
        ("token", ""),
        ("checksum", "UPPER"),
        ("checksum", ""),
        ("return_url", ""),
        ("prompt", "none"),
        ("prompt", ""),
    ] {
        let mut params: Vec<(String, String)> = good.parse::<url::Url>().unwrap().query_pairs().into_owned().collect();
        params.retain(|(key, _)| key != name);
        params.push((name.to_owned(), bad.to_owned()));
        let page = visitor.get(&peer.url(&params)).await;
        let message = if name == "return_url" {
            "Domain of return_url is not allowed".into()
        } else {
            format!("Invalid '{name}' query parameter")
        };
        assert_eq!(page.status, 400, "{name}={bad}");
        assert!(page.body.contains(&escaped(&message)), "{name}={bad} {}", page.body);
    }
    for name in ["broker", "token", "checksum", "return_url"] {
        for extra in [format!("&{name}=x"), format!("&{name}[]=x"), format!("&{name}%5Ba%5D=x")] {
            let page = visitor.get(&format!("{good}{extra}")).await;
            assert_eq!(page.status, 400, "{extra}");
            assert!(page.body.contains(&escaped(&format!("Invalid '{name}' query parameter"))), "{extra}");
        }
        let mut params: Vec<(String, String)> = good.parse::<url::Url>().unwrap().query_pairs().into_owned().collect();
        params.retain(|(key, _)| key != name);
        let page = visitor.get(&peer.url(&params)).await;
        assert_eq!(page.status, 400, "{name}");
        assert!(page.body.contains(&escaped(&format!("Missing '{name}' query parameter"))), "{name}");
    }
    code_in(&visitor.get(&format!("{good}&unknown=1")).await);
}

#[tokio::test]
async fn a_redirect_is_303_uncached_without_referrer_and_starts_a_session() {
    let sites = Sites::start();
    let (peer, visitor) = (sites.peer("Exact"), Visitor::new());
    let token = Token::generate();
    let url = peer
        .attach_url(&token, &[("return_url", "http://exact.localhost:1/sso/return?state=1"), ("callback", "ignored")]);
    let answer = visitor.get(&url).await;
    let code = code_in(&answer);
    assert_eq!(answer.location().unwrap(), format!("http://exact.localhost:1/sso/return?state=1&sso_verify={}", code));
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with("sso_session=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    // The click that led here carries the page's Referer, whichever page that was.
    let from_elsewhere = [
        ("Referer", "http://greg.localhost:1/"),
        ("Sec-Fetch-Dest", "document"),
        ("Origin", "http://exact.localhost:1"),
    ];
    assert_eq!(code_in(&ask(&visitor, &url, &from_elsewhere).await), code);
}

#[tokio::test]
async fn the_same_token_in_the_same_session_has_the_same_code_and_in_another_none() {
    let sites = Sites::start();
    let (peer, visitor) = (sites.peer("Exact"), Visitor::new());
    let link = peer.attach(&visitor).await;
    assert_eq!(peer.attach_token(&visitor, link.token.clone()).await.code, link.code);
    assert_ne!(peer.attach(&visitor).await.code, link.code);
    let url = peer.attach_url(&link.token, &[("return_url", &peer.return_url())]);
    let refused = Visitor::new().get(&url).await;
    assert_eq!(refused.location_params()["sso_error"], "Token is already attached");
    assert_eq!((link.user().await, refused.header("set-cookie")), (None, ""));
    // One broker's token says nothing about the same one of another.
    sites.peer("Json").attach_token(&Visitor::new(), link.token.clone()).await;
}

#[tokio::test]
async fn exact_brokers_return_to_one_path_and_php_brokers_to_any_page_of_theirs() {
    let sites = Sites::start();
    for (id, url, allowed) in [
        ("Exact", "http://exact.localhost:1/sso/return", true),
        ("Exact", "http://EXACT.localhost:1/x/../sso/return#top", true),
        ("Exact", "http://exact.localhost:1/", false),
        ("Exact", "http://exact.localhost:1/sso/return/", false),
        ("Exact", "https://exact.localhost:1/sso/return", false),
        ("Exact", "http://exact.localhost:2/sso/return", false),
        ("Exact", "/sso/return", false),
        ("Php", "http://php.localhost:1/any/page.php?a=1", true),
        ("Php", "http://php.localhost:2/", false),
        ("Php", "http://exact.localhost:1/sso/return", false),
        ("Host", "https://host.localhost:4711/deep", true),
        ("Host", "http://sub.host.localhost/", false),
    ] {
        let peer = sites.peer(id);
        let answer = Visitor::new().get(&peer.attach_url(&Token::generate(), &[("return_url", url)])).await;
        if allowed {
            code_in(&answer);
        } else {
            assert_eq!((answer.status, answer.location()), (400, None), "{id} {url}");
            assert!(answer.body.contains("Domain of return_url is not allowed"), "{id} {url}");
        }
    }
}

#[tokio::test]
async fn our_parameter_is_the_only_one_of_its_name_and_stands_last_before_the_fragment() {
    let sites = Sites::start();
    let peer = sites.peer("Php");
    for (url, back) in [
        ("http://php.localhost:1/?sso_verify=old&a=1&sso_error=old", "http://php.localhost:1/?a=1&sso_verify="),
        ("http://php.localhost:1/p?sso_verify[]=old&sso.verify=old#top", "http://php.localhost:1/p?sso_verify="),
        ("http://php.localhost:1/p?a=%26%3D", "http://php.localhost:1/p?a=%26%3D&sso_verify="),
    ] {
        let link = format!("{}&path=/attach.php", peer.attach_url(&Token::generate(), &[("return_url", url)]));
        let answer = Visitor::new().get(&link).await;
        let fragment = url.split_once('#').map(|(_, top)| format!("#{top}")).unwrap_or_default();
        assert_eq!(answer.location().unwrap(), format!("{back}{}{fragment}", code_in(&answer)));
    }
    let spoiled = peer.attach_url(&Token::generate(), &[("return_url", "http://php.localhost:1/?sso_verify=old#x")]);
    let answer = ask(&Visitor::new(), &spoiled, &[("Origin", FOREIGN)]).await;
    assert_eq!(answer.location().unwrap(), "http://php.localhost:1/?sso_error=Domain+of+origin+is+not+allowed#x");
}

#[tokio::test]
async fn only_the_configured_method_reads_and_preflights_attach() {
    let sites = Sites::start();
    let (json, visitor) = (sites.peer("Json"), Visitor::new());
    let url = json.attach_url(&Token::generate(), &[]);
    let preflight = |origin: &'static str| {
        let request = visitor.request(Method::OPTIONS, &url).header("Origin", origin);
        send(request.header("Access-Control-Request-Method", "GET"))
    };
    let allowed = preflight("http://json.localhost:1").await;
    assert_eq!((allowed.status, allowed.header("vary")), (204, "Origin"));
    assert_eq!(allowed.header("access-control-allow-origin"), "http://json.localhost:1");
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    assert_eq!(allowed.header("access-control-allow-methods"), "GET");
    let foreign = preflight(FOREIGN).await;
    assert_eq!(
        (foreign.header("access-control-allow-origin"), foreign.header("access-control-allow-methods")),
        ("", "")
    );
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(send(visitor.request(method, &url)).await.status, 405);
    }
    // `.php` is the same place, where it is switched on.
    let php = sites.peer("Php");
    let url = php.attach_url(&Token::generate(), &[("return_url", "http://php.localhost:1/")]);
    code_in(&visitor.get(&url.replace("/attach?", "/attach.php?")).await);
}
