//! What a thief finds in the log, at its most talkative, of a whole run: threat 8. No secret that the run used.

use std::collections::BTreeSet;

use reqwest::Method;
use sso_core::{BearerToken, Token};
use sso_tests::{
    Demo, Visitor,
    visitor::{Answer, send},
};

use crate::{
    ground::{cookie, peer_of},
    peer::ask,
};

/// Every secret that went through the hands of the visitor.
#[derive(Default)]
struct Secrets(BTreeSet<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        assert!(secret.len() >= 8, "{secret:?} is too short to be looked for");
        self.0.insert(secret.to_owned());
    }

    /// Follows the redirects, and keeps what is in their parameters.
    async fn follow(&mut self, visitor: &Visitor, mut answer: Answer) -> Answer {
        while let Some(next) = answer.location() {
            for (name, value) in answer.location_params() {
                match name.as_str() {
                    "token" | "checksum" | "sso_verify" | "state" => self.add(&value),
                    "return_url" => self.add(value.split_once("state=").unwrap().1),
                    _ => {}
                }
            }
            answer = visitor.get(&next).await;
        }
        answer
    }

    /// The form tokens of a page.
    fn form(&mut self, page: &Answer, action: &str) {
        page.form(action).1.iter().filter(|(name, _)| name == "form_token").for_each(|(_, value)| self.add(value));
    }

    /// The visitor's cookies, and what the broker makes of them.
    fn cookies(&mut self, demo: &Demo, visitor: &Visitor) {
        let sso = demo.url("sso", "");
        self.add(&cookie(visitor, &sso, "sso_session"));
        self.add(&cookie(visitor, &sso, "sso_form"));
        for id in ["Alice", "Greg", "Julius"] {
            let peer = peer_of(demo, id);
            let kept = cookie(visitor, &peer.origin, &format!("sso-{id}-token"));
            let mut parts = kept.split('.');
            let (token, code) = (parts.next().unwrap(), parts.next().unwrap());
            self.add(token);
            self.add(code);
            let token: Token = token.parse().unwrap();
            let code = code.parse().unwrap();
            self.add(peer.key.attach(&token).as_str());
            self.add(peer.key.bearer(&code, &token).as_str());
            self.add(&BearerToken::new(peer.id.clone(), token, &code, &peer.key).to_wire());
        }
    }
}

#[tokio::test]
async fn threat_8_the_log_of_a_whole_run_holds_no_secret() {
    let demo = Demo::start(&[]);
    let (visitor, mut secrets) = (Visitor::new(), Secrets::default());
    for known in ["jackie123", "john123x", "8iwzik1bwd", "7pypoox2pc", "ceda63kmhp"] {
        secrets.add(known);
    }
    // Visits, an attach by hand at the script's broker, and a login at the server.
    for page in [demo.url("alice", "/"), demo.url("greg", "/"), demo.url("julius", "/sso/attach?to=/")] {
        let first = visitor.get(&page).await;
        secrets.follow(&visitor, first).await;
    }
    let first = visitor.get(&demo.url("alice", "/sso/login?to=/")).await;
    let form = secrets.follow(&visitor, first).await;
    secrets.form(&form, "/attach");
    secrets.cookies(&demo, &visitor);
    let wrong = visitor.submit(&form, "/attach", &[("username", "jackie"), ("password", "john123x")]).await;
    let sent = visitor.submit(&wrong, "/attach", &[("username", "jackie"), ("password", "jackie123")]).await;
    let page = secrets.follow(&visitor, sent).await;
    assert_eq!(page.heading(), "Logged in as jackie");
    secrets.form(&page, "/logout");
    secrets.cookies(&demo, &visitor);

    // A login through a broker's own form, and by script, wrong ones too.
    let page = visitor.follow(visitor.submit(&page, "/logout", &[]).await).await;
    assert_eq!(page.heading(), "You are logged out");
    let form = visitor.get(&demo.url("greg", "/login")).await;
    secrets.form(&form, "/login");
    visitor.submit(&form, "/login", &[("username", "jackie"), ("password", "john123x")]).await;
    visitor.follow(visitor.submit(&form, "/login", &[("username", "jackie"), ("password", "jackie123")]).await).await;
    visitor.visit(&demo.url("julius", "/sso/attach?to=/")).await;
    let login =
        visitor.request(Method::POST, &demo.url("julius", "/sso/ajax/login")).header("Sec-Fetch-Site", "same-origin");
    let john = serde_json::json!({ "username": "jackie", "password": "john123x" });
    assert_eq!(send(login.json(&john)).await.status, 400);
    visitor.visit(&demo.url("sso", "/")).await;
    secrets.cookies(&demo, &visitor);

    // What fails: a wrong checksum at attach and at the API, a foreign return URL, a lost token.
    let peer = peer_of(&demo, "Alice");
    let mut link = peer.attach(&visitor).await;
    secrets.add(&link.code);
    secrets.add(link.token.as_str());
    secrets.add(link.checksum().as_str());
    visitor.get(&peer.attach_url(&Token::generate(), &[("return_url", "http://evil.localhost/")])).await;
    let spoiled =
        peer.attach_url(&link.token, &[("return_url", &peer.return_url())]).replace("checksum=", "checksum=0");
    visitor.get(&spoiled).await;
    link.code = Token::generate().as_str().to_owned();
    assert_eq!(link.get("/api/info").await.status, 403);
    secrets.add(link.checksum().as_str());
    Visitor::new()
        .visit(&demo.url("alice", &format!("/sso/return?state={}&sso_verify={}", link.code, link.code)))
        .await;
    secrets.add(&link.code);
    let sso = demo.url("sso", "/");
    ask(
        &Visitor::new(),
        &sso,
        &[("Cookie", &format!("sso_session={}", link.code)), ("Authorization", &format!("Bearer {}", link.bearer()))],
    )
    .await;

    let log = demo.site.log();
    assert!(log.lines().count() > 100 && log.contains("TRACE"), "the log is not at its most talkative");
    assert!(log.contains("wrong bearer checksum") && log.contains("logged in"), "the run is in the log");
    assert!(secrets.0.len() > 40, "{}", secrets.0.len());
    for secret in &secrets.0 {
        let told = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(told, None, "{secret}");
    }
}
