//! What one visitor does, as their browser and their brokers do it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{
    Client, Method, RequestBuilder,
    cookie::{CookieStore, Jar},
    header::{COOKIE, SET_COOKIE},
    redirect::Policy,
};
use sso_core::{BearerToken, Encoding, Token};

use super::{Person, Standing, Trouble};
use crate::{peer::Peer, process::JACKIE123, visitor::Answer};

/// How many users there are: `user0` and so on, with the password `jackie123`.
pub const USERS: usize = 20;

/// The brokers: id, secret, origin.
pub const BROKERS: [(&str, &str, &str); 2] =
    [("Alice", "alice's secret", "http://alice.localhost:1"), ("Greg", "greg's secret", "http://greg.localhost:1")];

/// Long enough that only what hangs is cut off.
const PATIENCE: Duration = Duration::from_secs(60);

/// Visitors of one server, or of several behind one address.
pub struct Crowd {
    client: Client,
    server: String,
    brokers: Vec<Peer>,
    troubles: Mutex<Vec<Trouble>>,
    pub(super) acknowledged: AtomicUsize,
    pub(super) stopped: AtomicBool,
}

impl Crowd {
    /// Of the server with this public URL, which knows [`BROKERS`] and [`USERS`].
    pub fn new(server: &str) -> Self {
        let here = "127.0.0.1:0".parse().unwrap();
        let client = Client::builder()
            .user_agent("Mozilla/5.0 (tests)")
            .redirect(Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .resolve("sso.localhost", here);
        let brokers = BROKERS.iter().map(|(id, secret, origin)| Peer::new(server, id, secret, Encoding::Exact, origin));
        Self {
            client: client.build().unwrap(),
            server: server.to_owned(),
            brokers: brokers.collect(),
            troubles: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// The users, as `SSO_USERS` has them.
    pub fn users() -> String {
        let entry = |n| format!("{{ username = \"user{n}\", password = \"{JACKIE123}\" }}");
        format!("[{}]", (0..USERS).map(entry).collect::<Vec<_>>().join(", "))
    }

    /// The brokers, as `SSO_BROKERS` has them.
    pub fn brokers() -> String {
        let entry = |(id, secret, origin)| {
            format!(
                "{{ id = \"{id}\", secret = \"{secret}\", origins = [\"{origin}\"], password_login = true, audiences = [\"https://api.example.com\"] }}"
            )
        };
        format!("[{}]", BROKERS.map(entry).join(", "))
    }

    /// Waits until some request has failed.
    pub async fn wait_for_trouble(&self) {
        while self.troubles.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The requests that failed since this was asked last.
    pub fn troubles(&self) -> Vec<Trouble> {
        std::mem::take(&mut self.troubles.lock().unwrap())
    }

    /// A new visitor, attached at both brokers.
    pub async fn arrive(&self, number: usize) -> Result<Person, Trouble> {
        let (standing, jar, bearers) = (Standing::Out, Jar::default(), Vec::new());
        let mut person = Person { number, standing, jar, may_have_lost_cookie: AtomicBool::new(false), bearers };
        for peer in &self.brokers {
            let bearer = self.attach_or_begin_anew(&mut person, peer).await?;
            person.bearers.push(bearer);
        }
        Ok(person)
    }

    async fn attach_or_begin_anew(&self, person: &mut Person, peer: &Peer) -> Result<String, Trouble> {
        // As every broker of ours, once: the answer to the first request was lost, and with it the cookie of a new session.
        for _ in 0..2 {
            if let Some(bearer) = self.attach(person, peer).await? {
                return Ok(bearer);
            }
        }
        // The answer to a login was lost, and with it the cookie that took the place of this one.
        person.jar = Jar::default();
        Ok(self.attach(person, peer).await?.expect("a new token is free"))
    }

    /// Attaches with a new token; `None` if that is taken.
    async fn attach(&self, person: &Person, peer: &Peer) -> Result<Option<String>, Trouble> {
        let (token, started) = (Token::generate(), Instant::now());
        let url = peer.attach_url(&token, &[("return_url", &peer.return_url())]);
        let answer = self.browse(person, "attach", Method::GET, &url, &[]).await?;
        let params = answer.location_params();
        if let Some(code) = params.get("sso_verify") {
            let bearer = BearerToken::new(peer.id.clone(), token, &code.parse().unwrap(), &peer.key);
            return Ok(Some(bearer.to_wire()));
        }
        let error = params.get("sso_error").map(String::as_str).unwrap_or_default();
        if error == "Token is already attached" {
            return Ok(None);
        }
        // In redirect mode the broker is told by its address what the status would have said.
        let told = error.starts_with("The server is temporarily unavailable");
        let (status, retry_after) = if told { (503, Some("in a redirect".to_owned())) } else { (303, None) };
        Err(self.note(Trouble { what: "attach", started, status: Some(status), retry_after, text: error.to_owned() }))
    }

    /// Logs in: at the server's form, or every third one at the first broker's own.
    pub async fn log_in(&self, person: &mut Person) -> Result<(), Trouble> {
        if person.may_have_lost_cookie.load(Ordering::SeqCst) {
            *person = self.arrive(person.number).await?;
        }
        let username = format!("user{}", person.number % USERS);
        let fields = [("username", username.as_str()), ("password", "jackie123")];
        if person.number.is_multiple_of(3) {
            person.standing = Standing::Unknown;
            self.call(person, 0, "api login", Method::POST, "/api/login", &fields).await?;
        } else {
            let url = format!("{}/login", self.server);
            let page = self.browse(person, "login page", Method::GET, &url, &[]).await?;
            self.submit(person, "login", &page, "/login", &fields).await?;
        }
        self.acknowledge(person, Standing::In);
        Ok(())
    }

    /// Logs out: at the second broker, or every third one at the server's own page.
    pub async fn log_out(&self, person: &mut Person) -> Result<(), Trouble> {
        if person.number % 3 == 1 {
            let page = self.browse(person, "home page", Method::GET, &format!("{}/", self.server), &[]).await?;
            self.submit(person, "logout", &page, "/logout", &[]).await?;
            self.acknowledge(person, Standing::Out);
            return Ok(());
        }
        self.log_out_at_broker(person).await
    }

    pub(super) async fn log_out_at_broker(&self, person: &mut Person) -> Result<(), Trouble> {
        person.standing = Standing::Unknown;
        self.call(person, 1, "api logout", Method::POST, "/api/logout", &[]).await?;
        self.acknowledge(person, Standing::Out);
        Ok(())
    }

    /// Whether they are logged in: at the server, and at each broker.
    pub async fn look(&self, person: &mut Person) -> Result<Vec<bool>, Trouble> {
        let mut seen = Vec::new();
        for broker in 0..person.bearers.len() {
            seen.push(self.call(person, broker, "info", Method::GET, "/api/info", &[]).await?.status == 200);
        }
        let url = format!("{}/login", self.server);
        seen.push(self.browse(person, "look", Method::GET, &url, &[]).await?.status == 303);
        Ok(seen)
    }

    async fn submit(
        &self,
        person: &mut Person,
        what: &'static str,
        page: &Answer,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<(), Trouble> {
        let (target, mut form) = page.form(action);
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        person.standing = Standing::Unknown;
        let started = Instant::now();
        let answer = self.browse(person, what, Method::POST, &target, &form).await?;
        if answer.status == 303 { Ok(()) } else { Err(self.refused(what, started, &answer)) }
    }

    fn acknowledge(&self, person: &mut Person, standing: Standing) {
        person.standing = standing;
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    /// A request of the visitor's browser. 200 and 303 are good.
    async fn browse(
        &self,
        person: &Person,
        what: &'static str,
        method: Method,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, Trouble> {
        let mut request = self.client.request(method, url).header("Accept", "text/html");
        if let Some(cookies) = person.jar.cookies(&url.parse().unwrap()) {
            request = request.header(COOKIE, cookies);
        }
        if !form.is_empty() {
            request = request.form(form);
        }
        let started = Instant::now();
        let answer = match self.send(what, started, request).await {
            Ok(answer) if matches!(answer.status, 200 | 303) => answer,
            failed => {
                person.may_have_lost_cookie.store(true, Ordering::SeqCst);
                return Err(failed.map_or_else(|trouble| trouble, |answer| self.refused(what, started, &answer)));
            }
        };
        person.jar.set_cookies(&mut answer.headers.get_all(SET_COOKIE).iter(), &answer.url);
        Ok(answer)
    }

    /// A call of a broker's back end. 200 and 204 are good. Where somebody has logged in since the broker was attached, it
    /// attaches again first.
    async fn call(
        &self,
        person: &mut Person,
        broker: usize,
        what: &'static str,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, Trouble> {
        for is_again in [false, true] {
            let request = self.client.request(method.clone(), format!("{}{path}", self.server));
            let request = request.header("Accept", "application/json").bearer_auth(&person.bearers[broker]);
            let started = Instant::now();
            let answer = self.send(what, started, if form.is_empty() { request } else { request.form(form) }).await?;
            match answer.status {
                200 | 204 => return Ok(answer),
                403 if !is_again && answer.json()["code"] == "superseded" => {
                    person.bearers[broker] = self.attach_or_begin_anew(person, &self.brokers[broker]).await?;
                }
                _ => return Err(self.refused(what, started, &answer)),
            }
        }
        unreachable!("the second answer is given back")
    }

    async fn send(&self, what: &'static str, started: Instant, request: RequestBuilder) -> Result<Answer, Trouble> {
        let answered = async {
            let response = request.send().await?;
            let (url, status, headers) = (response.url().clone(), response.status(), response.headers().clone());
            Ok(Answer { url, status: status.as_u16(), headers, body: response.text().await? })
        };
        answered.await.map_err(|error: reqwest::Error| {
            let text = format!("{error:?}");
            self.note(Trouble { what, started, status: None, retry_after: None, text })
        })
    }

    fn refused(&self, what: &'static str, started: Instant, answer: &Answer) -> Trouble {
        let retry_after = answer.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let text = answer.body.clone();
        self.note(Trouble { what, started, status: Some(answer.status), retry_after, text })
    }

    fn note(&self, trouble: Trouble) -> Trouble {
        self.troubles.lock().unwrap().push(trouble.clone());
        trouble
    }
}
