//! The account page of the running demo: what is ended there ends at the brokers, and nothing else does.

use reqwest::Method;
use sso_core::Encoding;
use sso_tests::{
    Demo, Visitor,
    visitor::{Answer, send},
};

use crate::peer::{Link, Peer};

pub const PASSWORD: (&str, &str) = ("password", "jackie123");

/// Somebody at a browser, who is logged in at the server, and at Alice by way of it.
pub struct Person {
    pub visitor: Visitor,
    alice: Link,
}

impl Person {
    pub async fn start(demo: &Demo, username: &str, password: &str) -> Self {
        let visitor = Visitor::new();
        let origin = demo.url("alice", "");
        let alice = Peer::new(&demo.url("sso", ""), "Alice", "8iwzik1bwd", Encoding::Exact, &origin);
        let alice = alice.log_in(&visitor, username, password).await;
        let this = Self { visitor, alice };
        assert_eq!(this.at_alice().await.as_deref(), Ok(username));
        this
    }

    /// Who is logged in there, or the status of the refusal.
    pub async fn at_alice(&self) -> Result<String, u16> {
        let answer = self.alice.get("/api/info").await;
        if answer.status == 200 { Ok(answer.json()["username"].as_str().unwrap().into()) } else { Err(answer.status) }
    }

    pub async fn account(&self, demo: &Demo) -> Answer {
        let page = self.visitor.get(&demo.url("sso", "/account")).await;
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"), "{page:?}");
        page
    }
}

/// Sends the page's first form with these fields in place of its own.
async fn post(person: &Person, page: &Answer, fields: &[(&str, &str)], header: Option<(&str, &str)>) -> Answer {
    let (target, mut hidden) = page.form("/account");
    hidden.retain(|(name, _)| fields.iter().all(|(other, _)| other != name));
    hidden.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let request = person.visitor.request(Method::POST, &target).header("Accept", "text/html").form(&hidden);
    send(header.into_iter().fold(request, |request, (name, value)| request.header(name, value))).await
}

/// Where the answer to a form leads, the page says this; no link of a stranger's makes it say so.
async fn says(person: &Person, sent: &Answer, text: &str) {
    let url = sent.location().expect("a redirect");
    let page = person.visitor.get(&url).await;
    assert!(page.status == 200 && page.body.contains(text), "{text} is not in {page:?}");
    let (link, proof) = url.split_once("&proof=").expect("a proof");
    let other = proof.replace(|c: char| c.is_ascii_digit(), "7");
    for forged in [link.to_owned(), format!("{link}&proof="), format!("{link}&proof={other}")] {
        let page = person.visitor.get(&forged).await;
        assert!(page.status == 200 && !page.body.contains(text), "{forged}");
    }
    let elsewhere = person.visitor.request(Method::GET, &url).header("Sec-Fetch-Site", "cross-site");
    assert!(!send(elsewhere.header("Accept", "text/html")).await.body.contains(text));
}

#[tokio::test]
async fn a_session_that_is_ended_is_over_at_the_brokers_next_call() {
    let demo = Demo::start(&[]);
    let (mine, other) =
        (Person::start(&demo, "jackie", "jackie123").await, Person::start(&demo, "jackie", "jackie123").await);
    let page = mine.account(&demo).await;
    for text in ["this session", "<dd>Alice</dd>", "(just now), with the password", "End all others"] {
        assert!(page.body.contains(text), "{text} is not in {}", page.body);
    }
    // Rows of one browser are told apart by exact times.
    let times: Vec<_> = page.body.split("<time datetime=\"").skip(1).map(|rest| &rest[..20]).collect();
    let is_exact = |time: &&str| time.as_bytes()[10] == b'T' && time.ends_with('Z');
    assert!(times.len() == 4 && times.iter().all(is_exact), "{times:?}");
    assert_eq!(page.body.matches("End this session").count(), 1, "not this one: that is what the logout is for");
    assert!(!page.body.contains(mine.alice.token.as_str()) && !page.body.contains(&mine.alice.code));

    // The form of the page, as the button sends it.
    let sent = post(&mine, &page, &[("action", "end")], None).await;
    assert_eq!(sent.status, 303);
    says(&mine, &sent, "The session was ended, and its browser was forgotten.").await;
    let answer = other.alice.get("/api/info").await;
    assert_eq!((answer.status, answer.header("SSO-Ended")), (204, "revoked; n=2"));
    assert_eq!(mine.at_alice().await.as_deref(), Ok("jackie"));
    let alone = mine.account(&demo).await;
    assert!(
        ["End this session", "End all others", "The session was ended"].iter().all(|text| !alone.body.contains(text))
    );
    let home = other.visitor.visit(&demo.url("sso", "/")).await;
    assert!(home.body.contains("You are logged out."));
    // The page is old: what it would end has ended.
    says(&mine, &post(&mine, &page, &[("action", "end")], None).await, "That had ended already.").await;
    assert_eq!(mine.at_alice().await.as_deref(), Ok("jackie"));
}

#[tokio::test]
async fn all_others_end_but_this_one_and_those_of_other_users() {
    let demo = Demo::start(&[]);
    let (mine, second, third) = (
        Person::start(&demo, "jackie", "jackie123").await,
        Person::start(&demo, "jackie", "jackie123").await,
        Person::start(&demo, "jackie", "jackie123").await,
    );
    let john = Person::start(&demo, "john", "john123").await;
    let sent = post(&mine, &mine.account(&demo).await, &[("action", "end_others")], None).await;
    says(&mine, &sent, "All your other sessions were ended, and all other browsers were forgotten.").await;
    assert_eq!((second.at_alice().await, third.at_alice().await), (Err(204), Err(204)));
    assert_eq!(mine.at_alice().await.as_deref(), Ok("jackie"));
    assert_eq!(john.at_alice().await.as_deref(), Ok("john"));
}

#[tokio::test]
async fn only_the_page_of_this_user_in_this_browser_ends_anything() {
    let demo = Demo::start(&[]);
    let (mine, other) =
        (Person::start(&demo, "jackie", "jackie123").await, Person::start(&demo, "jackie", "jackie123").await);
    let john = Person::start(&demo, "john", "john123").await;
    let _johns_other = Person::start(&demo, "john", "john123").await;
    let page = mine.account(&demo).await;
    let all = ("action", "end_others");
    let foreign = other.account(&demo).await.form("/account").1.remove(0).1;
    for (fields, header) in [
        (vec![all, ("form_token", "")], None),
        (vec![all, ("form_token", "x")], None),
        (vec![all, ("form_token", &foreign)], None),
        (vec![all], Some(("Origin", "https://evil.example"))),
        (vec![all], Some(("Sec-Fetch-Site", "cross-site"))),
        (vec![all], Some(("Sec-Fetch-Site", "same-site"))),
    ] {
        let refused = post(&mine, &page, &fields, header).await;
        assert_eq!(refused.status, 403, "{fields:?} {header:?}");
    }
    // A link does nothing.
    assert_eq!(mine.visitor.get(&demo.url("sso", "/account?action=end_others")).await.status, 200);
    // John names Jackie's session.
    let handle = page.form("/account").1.into_iter().find(|(name, _)| name == "handle").unwrap().1;
    assert_eq!(
        post(&john, &john.account(&demo).await, &[("action", "end"), ("handle", &handle)], None).await.status,
        303
    );
    assert_eq!(post(&mine, &page, &[("action", "")], None).await.status, 400);
    assert_eq!(other.at_alice().await.as_deref(), Ok("jackie"), "nothing was ended");
    // The page was Jackie's, and the browser is John's now.
    let sent = mine.visitor.submit(&mine.visitor.get(&demo.url("sso", "/")).await, "/logout", &[]).await;
    assert_eq!(sent.status, 303);
    let login = post(&mine, &page, &[all], None).await;
    assert_eq!(login.location(), Some(demo.url("sso", "/login?return_url=/account")), "{login:?}");
    let form = mine.visitor.get(&login.location().unwrap()).await;
    let sent = mine.visitor.submit(&form, "/login", &[("username", "john"), ("password", "john123")]).await;
    assert_eq!(sent.location(), Some(demo.url("sso", "/account")));
    assert_eq!(post(&mine, &page, &[all], None).await.status, 403);
    assert_eq!((other.at_alice().await.as_deref(), john.at_alice().await.as_deref()), (Ok("jackie"), Ok("john")));
    assert_eq!(post(&mine, &mine.account(&demo).await, &[all], None).await.status, 303);
    assert_eq!((other.at_alice().await.as_deref(), john.at_alice().await), (Ok("jackie"), Err(204)));
}

#[tokio::test]
async fn the_password_is_asked_for_again_and_leads_on() {
    let demo = Demo::start(&["--idle-timeout", "16s", "--warn-before", "1s"]);
    let stranger = Visitor::new().get(&demo.url("sso", "/confirm?return_url=/profile")).await;
    assert_eq!(stranger.location(), Some(demo.url("sso", "/login?return_url=%2Fprofile")));

    let mine = Person::start(&demo, "jackie", "jackie123").await;
    let url = demo.url("sso", "/confirm?return_url=/profile");
    let page = mine.visitor.get(&url).await;
    assert_eq!((page.status, page.heading()), (200, "Confirm it's you"), "{page:?}");
    assert!(page.body.contains("value=\"jackie\"") && page.body.contains("readonly"));
    let wrong = mine.visitor.submit(&page, "/confirm", &[("password", "jackie124")]).await;
    assert_eq!((wrong.status, wrong.location()), (400, None));
    assert!(wrong.body.contains("Wrong username or password.") && !wrong.body.contains("jackie124"));
    // Whose it is is not the form's to say.
    let john = mine.visitor.submit(&page, "/confirm", &[("username", "john"), ("password", "john123")]).await;
    assert_eq!(john.status, 400);

    let before = mine.visitor.cookies(&url);
    let sent = mine.visitor.submit(&wrong, "/confirm", &[PASSWORD]).await;
    assert_eq!((sent.status, sent.location()), (303, Some(demo.url("sso", "/profile"))), "{sent:?}");
    assert_ne!(mine.visitor.cookies(&url), before, "a new cookie");
    assert_eq!(mine.at_alice().await.as_deref(), Ok("jackie"), "links stay");
    for (path, wanted) in [("//evil.example", "/"), ("https://evil.example", "/"), ("/account", "/account")] {
        let page = mine.visitor.get(&demo.url("sso", &format!("/confirm?return_url={path}"))).await;
        let sent = mine.visitor.submit(&page, "/confirm", &[PASSWORD]).await;
        assert_eq!(sent.location(), Some(demo.url("sso", wanted)), "{path}");
    }

    // Half of the idle timeout: the form's own limit.
    let page = mine.visitor.get(&url).await;
    let forged = send(mine.visitor.request(Method::POST, &url).form(&[PASSWORD])).await;
    assert_eq!(forged.status, 403);
    crate::peer::until("the form times out", async || {
        mine.visitor.submit(&page, "/confirm", &[PASSWORD]).await.body.contains("This form timed out")
    })
    .await;
}
