//! What was planted or copied is worth nothing in the next login: threats 5 and 36. Over whichever store is tested.

use sso_core::Token;
use sso_tests::{
    Demo, Visitor,
    visitor::{Answer, send},
};

use crate::{
    ground::{Ground, peer_of, thief_of},
    peer::{Link, until},
};

const JACKIE: (&str, &str) = ("jackie", "jackie123");
const JOHN: (&str, &str) = ("john", "john123");

/// What a call with this link is answered: a user's name, "nobody", or the code of the refusal.
async fn sees(link: &Link) -> String {
    let answer = link.get("/api/info").await;
    match answer.status {
        200 => answer.json()["username"].as_str().unwrap().to_owned(),
        204 => "nobody".to_owned(),
        _ => answer.json()["code"].as_str().unwrap().to_owned(),
    }
}

/// A browser with the server's login page in a tab, which is sent again and again.
struct Victim {
    visitor: Visitor,
    form: Answer,
}

impl Victim {
    async fn of(demo: &Demo) -> Self {
        let visitor = Visitor::new();
        let form = visitor.visit(&demo.url("sso", "/login")).await;
        Self { visitor, form }
    }

    async fn log_in(&self, (username, password): (&str, &str)) {
        let sent = self.visitor.submit(&self.form, "/login", &[("username", username), ("password", password)]).await;
        assert_eq!(sent.status, 303, "{sent:?}");
    }
}

async fn log_out(demo: &Demo, Victim { visitor, .. }: &Victim) {
    let home = visitor.visit(&demo.url("sso", "/")).await;
    assert_eq!(visitor.submit(&home, "/logout", &[]).await.status, 303);
}

#[tokio::test]
async fn threat_5_a_link_of_before_sees_no_later_login_at_any_broker() {
    let demo = Demo::start(&[]);
    let victim = Victim::of(&demo).await;
    let peers = ["Alice", "Greg", "Julius"].map(|id| peer_of(&demo, id));
    let mut copied = Vec::new();
    // Before a login, in one, after it, and in one of another user.
    for (step, user) in [("before", None), ("during", Some(JACKIE)), ("after", None), ("another's", Some(JOHN))] {
        if let Some(user) = user {
            victim.log_in(user).await;
        } else if step == "after" {
            log_out(&demo, &victim).await;
        }
        for peer in &peers {
            let link = peer.attach(&victim.visitor).await;
            assert_eq!(sees(&link).await, user.map_or("nobody", |(name, _)| name), "{step}: the honest twin");
            copied.push(link);
        }
    }
    // John goes on as jackie, without a logout; and then she logs out and in again.
    for logs_out in [false, true] {
        if logs_out {
            log_out(&demo, &victim).await;
        }
        victim.log_in(JACKIE).await;
        for link in &copied {
            assert_eq!(sees(link).await, "superseded");
            for (path, fields) in [("/api/data", [("stolen", "1")]), ("/api/logout", [("", "")])] {
                assert_eq!(link.post(path, &fields).await.json()["code"], "superseded", "{path}");
            }
        }
        for peer in &peers {
            assert_eq!(sees(&peer.attach(&victim.visitor).await).await, "jackie", "who attaches anew sees her still");
        }
    }
}

#[tokio::test]
async fn threat_36_a_token_that_is_attached_again_sees_no_more_than_before() {
    let demo = Demo::start(&[]);
    let victim = Victim::of(&demo).await;
    let alice = peer_of(&demo, "Alice");
    let copied = alice.attach(&victim.visitor).await;
    victim.log_in(JACKIE).await;
    // The attacker has the victim open the attach of the token that they hold, with all its parameters right.
    let url = alice.attach_url(&copied.token, &[("return_url", &alice.return_url())]);
    for prompt in ["", "&prompt=login"] {
        let refused = victim.visitor.get(&format!("{url}{prompt}")).await;
        assert_eq!(refused.location_params()["sso_error"], "Token is already attached");
        assert_eq!(sees(&copied).await, "superseded");
    }
    log_out(&demo, &victim).await;
    // Nobody is logged in: its code is as it was, and so is what it will see.
    assert_eq!(alice.attach_token(&victim.visitor, copied.token.clone()).await.code, copied.code);
    victim.log_in(JACKIE).await;
    assert_eq!(sees(&copied).await, "superseded");
    // Its twin: a new token.
    assert_eq!(sees(&alice.attach_token(&victim.visitor, Token::generate()).await).await, "jackie");
}

#[tokio::test]
async fn threat_5_a_link_of_a_login_that_expired_does_not_see_the_next_one() {
    let demo = Demo::start(&["--idle-timeout", "3s"]);
    let mut victim = Victim::of(&demo).await;
    let alice = peer_of(&demo, "Alice");
    let copied = alice.log_in(&victim.visitor, JACKIE.0, JACKIE.1).await;
    assert_eq!(sees(&copied).await, "jackie");
    until("the login ends", async || sees_unattended(&copied).await == 204).await;
    // A form has half of that time.
    victim.form = victim.visitor.visit(&demo.url("sso", "/login")).await;
    victim.log_in(JACKIE).await;
    assert_eq!(sees(&copied).await, "superseded");
    assert_eq!(sees(&alice.attach(&victim.visitor).await).await, "jackie");
}

async fn sees_unattended(link: &Link) -> u16 {
    let request = link.call(reqwest::Method::GET, "/api/info").header("SSO-Activity", "none");
    send(request).await.status
}

#[tokio::test]
async fn threat_5_a_cookie_of_before_opens_no_later_login() {
    let demo = Demo::start(&[]);
    let (victim, sso) = (Victim::of(&demo).await, demo.url("sso", "/"));
    let mut copies = Vec::new();
    victim.visitor.visit(&demo.url("alice", "/")).await;
    for (step, user) in [("before", None), ("during", Some(JACKIE)), ("after", None), ("another's", Some(JOHN))] {
        match user {
            Some(user) => victim.log_in(user).await,
            None if step == "after" => log_out(&demo, &victim).await,
            None => {}
        }
        copies.push((step, thief_of(&victim.visitor, &sso)));
        let page = victim.visitor.visit(&demo.url("alice", "/")).await;
        assert_eq!(page.heading().contains("Logged in"), user.is_some(), "{step}: the honest twin");
    }
    victim.log_in(JACKIE).await;
    for (step, thief) in &copies {
        for site in ["sso", "alice", "greg"] {
            let page = thief.visit(&demo.url(site, "/")).await;
            assert!(!page.body.contains("Jackie Black") && !page.body.contains("jackie"), "{step} {site}");
        }
    }
    assert_eq!(victim.visitor.visit(&demo.url("alice", "/")).await.heading(), "Logged in as jackie");
    assert_eq!(victim.visitor.visit(&demo.url("greg", "/")).await.heading(), "Logged in as jackie");
}

/// A site attaches anew by itself, with one redirect there and back, and its page is the one that was asked for.
#[tokio::test]
async fn each_site_attaches_anew_by_itself_after_a_login_and_keeps_its_page() {
    let demo = Demo::start(&[]);
    let person = Victim::of(&demo).await;
    let visitor = &person.visitor;
    for site in ["alice", "greg"] {
        visitor.visit(&demo.url(site, "/")).await;
    }
    for user in [JACKIE, JOHN] {
        person.log_in(user).await;
        for site in ["alice", "greg"] {
            let mut answer = visitor.get(&demo.url(site, "/?page=1")).await;
            let mut hops = Vec::new();
            while let Some(next) = answer.location() {
                hops.push(next.split('?').next().unwrap().to_owned());
                answer = visitor.get(&next).await;
            }
            let expected = [demo.url("sso", "/attach"), demo.url(site, "/sso/return"), demo.url(site, "/")];
            assert_eq!(hops, expected, "{site}");
            assert_eq!(answer.url.as_str(), demo.url(site, "/?page=1"));
            assert_eq!(answer.heading(), format!("Logged in as {}", user.0));
        }
    }
}

/// A jasny/sso broker cannot attach anew: its links are exempt, and end the sooner. What may be had by one is told in docs/threats.md.
#[tokio::test]
async fn threat_5_only_links_of_php_brokers_outlast_a_login() {
    let ground = Ground::start("");
    let victim = Visitor::new();
    let (alice, paula) = (ground.peer("Alice").attach(&victim).await, ground.peer("Paula").attach(&victim).await);
    ground.peer("Json").log_in(&victim, JACKIE.0, JACKIE.1).await;
    assert_eq!((sees(&alice).await.as_str(), sees(&paula).await.as_str()), ("superseded", "jackie"));
}
