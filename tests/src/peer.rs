//! A broker without a site: it holds a secret, makes tokens, sends visitors to attach and calls the API.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder};
use sso_core::{BearerToken, BrokerId, Checksum, ChecksumKey, Encoding, Secret, Token, VerificationCode};
use url::Url;

use crate::{
    Visitor,
    process::PATIENCE,
    visitor::{Answer, send},
};

/// A broker's back end.
#[derive(Clone)]
pub struct Peer {
    /// The server's origin.
    pub server: String,
    /// The broker's id.
    pub id: BrokerId,
    /// What it computes checksums with.
    pub key: ChecksumKey,
    /// Its own origin.
    pub origin: String,
}

impl Peer {
    /// The broker with this id and secret at `origin`, of the server at the other one.
    pub fn new(server: &str, id: &str, secret: &str, encoding: Encoding, origin: &str) -> Self {
        let key = ChecksumKey::new(&Secret::new(secret), encoding);
        Self { server: server.to_owned(), id: id.parse().unwrap(), key, origin: origin.to_owned() }
    }

    /// The usual return URL.
    pub fn return_url(&self) -> String {
        format!("{}/sso/return", self.origin)
    }

    /// The three parameters of each attach.
    pub fn params(&self, token: &Token) -> Vec<(String, String)> {
        let checksum = self.key.attach(token);
        [("broker", self.id.as_str()), ("token", token.as_str()), ("checksum", checksum.as_str())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// An attach URL with these parameters added.
    pub fn attach_url(&self, token: &Token, more: &[(&str, &str)]) -> String {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.url(&self.params(token).into_iter().chain(more).collect::<Vec<_>>())
    }

    /// An attach URL with exactly these parameters.
    pub fn url(&self, params: &[(String, String)]) -> String {
        Url::parse_with_params(&format!("{}/attach", self.server), params).unwrap().into()
    }

    /// Sends the visitor through a redirect attach with a new token.
    pub async fn attach(&self, visitor: &Visitor) -> Link {
        self.attach_token(visitor, Token::generate()).await
    }

    /// The same with this token.
    pub async fn attach_token(&self, visitor: &Visitor, token: Token) -> Link {
        let answer = visitor.get(&self.attach_url(&token, &[("return_url", &self.return_url())])).await;
        let code = code_in(&answer);
        Link { peer: self.clone(), caller: Visitor::new(), token, code }
    }

    /// The visitor logs in at the server on the way to this broker.
    pub async fn log_in(&self, visitor: &Visitor, username: &str, password: &str) -> Link {
        let token = Token::generate();
        let url = self.attach_url(&token, &[("return_url", &self.return_url()), ("prompt", "login")]);
        let page = visitor.get(&url).await;
        let answer = visitor.submit(&page, "/attach", &[("username", username), ("password", password)]).await;
        Link { peer: self.clone(), caller: Visitor::new(), token, code: code_in(&answer) }
    }
}

/// The code in a redirect to the broker.
pub fn code_in(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    let params = answer.location_params();
    params.get("sso_verify").unwrap_or_else(|| panic!("refused: {params:?}")).clone()
}

/// An attached token.
#[derive(Clone)]
pub struct Link {
    /// Whose it is.
    pub peer: Peer,
    /// The token.
    pub token: Token,
    /// What the server answered.
    pub code: String,
    caller: Visitor,
}

impl Link {
    /// The bearer token.
    pub fn bearer(&self) -> String {
        BearerToken::new(self.peer.id.clone(), self.token.clone(), &self.code(), &self.peer.key).to_wire()
    }

    /// The checksum in it.
    pub fn checksum(&self) -> Checksum {
        self.peer.key.bearer(&self.code(), &self.token)
    }

    fn code(&self) -> VerificationCode {
        self.code.parse().unwrap()
    }

    /// A call of the API, to be sent with `send`.
    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.caller.request(method, &format!("{}{path}", self.peer.server));
        request.bearer_auth(self.bearer()).header("Accept", "application/json")
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.call(Method::GET, path)).await
    }

    /// `POST` of a form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        send(self.call(Method::POST, path).form(fields)).await
    }

    /// Who is logged in: the username, or nothing.
    pub async fn user(&self) -> Option<String> {
        let answer = self.get("/api/info").await;
        match answer.status {
            200 => Some(answer.json()["username"].as_str().unwrap().to_owned()),
            204 => None,
            _ => panic!("{answer:?}"),
        }
    }
}

/// A GET with headers, without any that a browser would add.
pub async fn ask(visitor: &Visitor, url: &str, headers: &[(&str, &str)]) -> Answer {
    let request = visitor.request(Method::GET, url);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// Sends bytes to a port of the loopback, and reads until the server closes or says nothing for a while.
pub fn raw(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may refuse, and close, before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks again until it is so, for a minute at most.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
