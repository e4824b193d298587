//! `GET /attach`: the checks of the protocol's table in their order, by redirect, as JSON and as a script.
//!
//! Only the last row, a store that does not work, cannot be had from outside.

use sso_core::Token;
use sso_tests::{Visitor, visitor::Answer};

use crate::{
    peer::{Peer, ask, code_in},
    sites::Sites,
};

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

pub const FOREIGN: &str = "http://evil.localhost:1";

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
pub fn escaped(message: &str) -> String {
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

    for (first, fault) in REDIRECT_FAULTS.iter().enumerate() {
        for (second, other) in REDIRECT_FAULTS.iter().enumerate().skip(first) {
            let token = Token::generate();
            let mut request = good(&token);
            (other.spoil)(&mut request);
            (fault.spoil)(&mut request);
            let answer = sent(&peer, request, &token).await;
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

        for (first, fault) in SILENT_FAULTS.iter().enumerate() {
            for (second, other) in SILENT_FAULTS.iter().enumerate().skip(first) {
                let token = Token::generate();
                let mut request = good(&token);
                (other.spoil)(&mut request);
                (fault.spoil)(&mut request);
                let answer = sent(&peer, request, &token).await;
                let Fault { status, message, .. } = fault;
                let error = format!("{{\"code\":{status},\"message\":\"{message}\"}}");
                let (expected, on_wire) = match callback {
                    Some(name) => (format!("/**/{name}({error}, {status});"), 200),
                    None => (error, *status),
                };
                assert_eq!((answer.status, answer.body), (on_wire, expected), "{id} {first} {second}");
            }
        }
    }
}
