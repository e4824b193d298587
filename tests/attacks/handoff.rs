//! Hand-offs that are forged, forced on a visitor, or led astray, between the demo's server, Nora and Otto: threats 20,
//! 23, 24 and 33.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::Value;
use sso_jwt::{Algorithm, HandoffClaims, Key, KeySet, Registered};
use sso_tests::{
    Demo, Site, Visitor,
    process::free_ports,
    visitor::{Answer, send},
};

use crate::ground::{cookie, peer_of};

const LANDING: &str = "/sso/landing";
const TICKET: &str = "sso-handoff";

fn password(user: &str) -> &str {
    if user == "john" { "john123" } else { "jackie123" }
}

/// A browser in which this user is logged in at the server or an application.
pub(crate) async fn user_at(demo: &Demo, site: &str, user: &str) -> Visitor {
    let visitor = Visitor::new();
    if site == "sso" {
        let page = visitor.log_in(&demo.url("alice", ""), user, password(user)).await;
        assert_eq!(page.heading(), format!("Logged in as {user}"));
    } else {
        log_in(demo, &visitor, site, user).await;
    }
    visitor
}

pub(crate) async fn log_in(demo: &Demo, visitor: &Visitor, site: &str, user: &str) {
    let request = visitor.request(Method::POST, &demo.url(site, "/login?to=/")).header("Origin", demo.url(site, ""));
    let sent = send(request.form(&[("username", user), ("password", password(user))])).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert_eq!(who(demo, visitor, site).await, format!("Logged in as {user}"));
}

/// The heading of an application's start page.
pub(crate) async fn who(demo: &Demo, visitor: &Visitor, site: &str) -> String {
    visitor.get(&demo.url(site, "/")).await.heading().to_owned()
}

pub(crate) const OUT: &str = "You are logged out";

/// What `/external` of this site answers to an address of somebody's own, called from a page of this relation.
pub(crate) async fn external(
    demo: &Demo,
    visitor: &Visitor,
    site: &str,
    wanted: &str,
    relation: Option<&str>,
) -> Answer {
    let wanted: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    follow(visitor, &demo.url(site, &format!("/external?url={wanted}")), relation).await
}

/// Follows a link on a page of this relation.
pub(crate) async fn follow(visitor: &Visitor, url: &str, relation: Option<&str>) -> Answer {
    let request = visitor.request(Method::GET, url);
    let request = relation.into_iter().fold(request, |request, relation| request.header("Sec-Fetch-Site", relation));
    send(request.header("Accept", "text/html")).await
}

/// The link to report 2 of `to` on the start page of `from`, as it is written for this visitor.
pub(crate) async fn link(demo: &Demo, visitor: &Visitor, from: &str, to: &str) -> String {
    let body = visitor.get(&demo.url(from, "/")).await.body;
    let links = body.split("href=\"/external?").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut links = links.map(|query| demo.url(from, &format!("/external?{}", query.replace("&#38;", "&"))));
    links.find(|link| link.contains(to)).unwrap()
}

/// That the visitor is asked, and nothing else is done.
pub(crate) fn assert_asks(page: &Answer, what: &str) {
    assert_eq!((page.status, page.heading()), (200, "Continue to another site?"), "{what}");
    assert!(!page.body.contains("eyJ") && !page.body.contains("handoff.js"), "{what}");
}

/// The visitor was asked, and goes on.
pub(crate) async fn go_on(visitor: &Visitor, page: &Answer) -> Answer {
    let (action, fields) = page.form("/external");
    follow(visitor, url::Url::parse_with_params(&action, &fields).unwrap().as_str(), Some("same-origin")).await
}

/// An honest token to report 2 of `to`.
pub(crate) async fn token(demo: &Demo, visitor: &Visitor, from: &str, to: &str) -> String {
    let page = follow(visitor, &link(demo, visitor, from, to).await, Some("same-origin")).await;
    let (action, fields) = page.form("http");
    assert_eq!(action, demo.url(to, LANDING));
    assert_eq!(page.header("referrer-policy"), "strict-origin");
    fields.into_iter().find(|(name, _)| name == "token").unwrap().1
}

/// Delivers a token as a form of a page of this origin.
pub(crate) async fn deliver(demo: &Demo, visitor: &Visitor, to: &str, origin: Option<&str>, token: &str) -> Answer {
    let request = visitor.request(Method::POST, &demo.url(to, LANDING)).form(&[("token", token)]);
    send(origin.into_iter().fold(request, |request, origin| request.header("Origin", origin))).await
}

/// It is refused in a word, and leaves nothing.
fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}");
    assert!(answer.body.contains("That link could not log you in."), "{what}");
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert!(cookies.iter().all(|cookie| cookie.starts_with("sso-handoff=;")), "{what}: {cookies:?}");
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn read(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

#[tokio::test]
async fn threat_20_a_forged_or_replayed_hand_off_lets_nobody_in() {
    let demo = Demo::start(&[]);
    for from in ["nora", "sso"] {
        let jackie = user_at(&demo, from, "jackie").await;
        let origin = demo.url(from, "");
        let good = token(&demo, &jackie, from, "otto").await;
        let parts: Vec<&str> = good.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("{}", parts.len()) };
        let (mut own_header, mut own_claims) = (read(header), read(claims));
        assert_eq!(own_header["typ"], "handoff+jwt");
        let kid = own_header["kid"].as_str().unwrap().to_owned();
        own_claims["sub"] = "john".into();
        let john = part(&own_claims);
        let mut forged = vec![
            ("altered", format!("{header}.{john}.{signature}")),
            ("no signature", format!("{header}.{john}.")),
            ("nothing", String::new()),
        ];
        for algorithm in ["none", "None", "HS256", "EdDSA", "RS256"] {
            own_header["alg"] = algorithm.into();
            forged.push(("another algorithm", format!("{}.{john}.", part(&own_header))));
        }
        // Keys of the attacker's own, under the right name and another; and a published key as a secret.
        let registered = Registered::new(&origin, "john", demo.url("otto", ""), now(), Duration::from_secs(60));
        let theirs = HandoffClaims { registered, path: "/".into() };
        let jwks = Visitor::new().get(&demo.url("sso", "/.well-known/jwks.json")).await.body;
        for secret in [&[7; 32][..], jwks.as_bytes()] {
            for kid in [kid.as_str(), "other"] {
                let keys = KeySet::new(vec![Key::hs256(kid, secret).unwrap()]).unwrap();
                forged.push(("another key", keys.sign(&theirs, now()).unwrap()));
            }
        }
        let own = KeySet::generate(Algorithm::EdDsa, now()).unwrap();
        let renamed = KeySet::from_json(&own.to_json().replace(own.keys()[0].kid(), &kid)).unwrap();
        forged.push(("another pair of keys", renamed.sign(&theirs, now()).unwrap()));
        // A good token of another use.
        let link = peer_of(&demo, "Alice").log_in(&Visitor::new(), "jackie", "jackie123").await;
        let access = link.post("/api/token", &[]).await.json()["access_token"].as_str().unwrap().to_owned();
        forged.push(("an access token", access));

        let visitor = Visitor::new();
        for (what, token) in &forged {
            assert_refused(&deliver(&demo, &visitor, "otto", Some(&origin), token).await, what);
            assert_eq!(who(&demo, &visitor, "otto").await, OUT, "{what}");
        }
        // For another audience: what was made for Otto is nothing to Nora.
        assert_refused(&deliver(&demo, &visitor, "nora", Some(&origin), &good).await, "another audience");

        let page = visitor.follow(deliver(&demo, &visitor, "otto", Some(&origin), &good).await).await;
        assert_eq!((page.heading(), page.url.as_str()), ("Report 2 of jackie", &*demo.url("otto", "/reports/2")));
        let other = Visitor::new();
        assert_refused(&deliver(&demo, &other, "otto", Some(&origin), &good).await, "replayed");
        assert_eq!(who(&demo, &other, "otto").await, OUT);
    }
}

#[tokio::test]
async fn threat_23_another_sites_page_starts_no_hand_off() {
    let demo = Demo::start(&[]);
    for from in ["nora", "sso"] {
        let jackie = user_at(&demo, from, "jackie").await;
        let wanted = demo.url("otto", "/reports/2");
        for relation in [Some("cross-site"), Some("same-site"), Some("none"), Some("same-origin"), None] {
            let page = external(&demo, &jackie, from, &wanted, relation).await;
            assert_asks(&page, &format!("{relation:?}"));
            assert!(go_on(&jackie, &page).await.body.contains("eyJ"), "the visitor has chosen it");
        }
    }
}

#[tokio::test]
async fn threat_23_an_attackers_own_token_logs_no_visitor_in() {
    let demo = Demo::start(&[]);
    let attacker = user_at(&demo, "nora", "john").await;
    let (nobody, jackie) = (Visitor::new(), user_at(&demo, "otto", "jackie").await);
    let nora = demo.url("nora", "");
    let good = token(&demo, &attacker, "nora", "otto").await;
    let (evil, slash) = (demo.url("nora", "").replace("nora", "evil"), format!("{nora}/"));
    let (server, otto) = (demo.url("sso", ""), demo.url("otto", ""));
    for origin in [&evil, &slash, &server, &otto].map(|origin| Some(origin.as_str())).into_iter().chain([
        Some("null"),
        Some(""),
        None,
    ]) {
        for visitor in [&nobody, &jackie] {
            assert_refused(&deliver(&demo, visitor, "otto", origin, &good).await, &format!("{origin:?}"));
        }
    }
    // By GET, with which there is no `Origin`.
    let by_get = nobody.get(&demo.url("otto", &format!("{LANDING}?token={good}"))).await;
    assert_refused(&by_get, "by GET");
    assert_eq!(who(&demo, &nobody, "otto").await, OUT);
    assert_eq!(who(&demo, &jackie, "otto").await, "Logged in as jackie");
    // The twin: from where it was made the same token is good, for its user.
    let page = attacker.follow(deliver(&demo, &attacker, "otto", Some(&nora), &good).await).await;
    assert_eq!(page.heading(), "Report 2 of john");
}

#[tokio::test]
async fn threat_23_a_different_user_is_replaced_only_by_their_own_choice() {
    let demo = Demo::start(&[]);
    let visitor = user_at(&demo, "nora", "john").await;
    log_in(&demo, &visitor, "otto", "jackie").await;
    let (nora, otto) = (demo.url("nora", ""), demo.url("otto", ""));
    let ask = async || {
        let good = token(&demo, &visitor, "nora", "otto").await;
        let page = visitor.follow(deliver(&demo, &visitor, "otto", Some(&nora), &good).await).await;
        assert_eq!(page.heading(), "Switch user?");
        assert_eq!(who(&demo, &visitor, "otto").await, "Logged in as jackie");
        page
    };
    let choose = async |page: &Answer, origin: &str, token: Option<&str>, choice: &str| {
        let (target, fields) = page.form("/sso/landing/in");
        let form_token = token.map_or_else(|| fields[0].1.clone(), str::to_owned);
        let request = visitor.request(Method::POST, &target).header("Origin", origin);
        send(request.form(&[("form_token", form_token.as_str()), ("choice", choice)])).await
    };
    // Forged: from elsewhere, without the page's token, with that of a ticket before.
    let before = ask().await;
    let before = before.form("/sso/landing/in").1[0].1.clone();
    for (origin, token) in
        [(nora.as_str(), None), ("null", None), (&otto, Some("")), (&otto, Some("1.x")), (&otto, Some(before.as_str()))]
    {
        let page = ask().await;
        if token == Some(before.as_str()) {
            assert_ne!(page.form("/sso/landing/in").1[0].1, before);
        }
        assert_refused(&choose(&page, origin, token, "switch").await, &format!("{origin} {token:?}"));
        assert_eq!(who(&demo, &visitor, "otto").await, "Logged in as jackie", "{origin} {token:?}");
    }
    let stayed = choose(&ask().await, &otto, None, "stay").await;
    assert_eq!(visitor.follow(stayed).await.heading(), "Report 2 of jackie");
    let switched = choose(&ask().await, &otto, None, "switch").await;
    assert_eq!(visitor.follow(switched).await.heading(), "Report 2 of john");
}

#[tokio::test]
async fn threat_23_a_ticket_that_was_altered_or_copied_is_worthless() {
    let demo = Demo::start(&[]);
    let visitor = user_at(&demo, "nora", "jackie").await;
    let (nora, otto) = (demo.url("nora", ""), demo.url("otto", "/"));
    let good = token(&demo, &visitor, "nora", "otto").await;
    let landed = deliver(&demo, &visitor, "otto", Some(&nora), &good).await;
    let ticket = cookie(&visitor, &otto, TICKET);
    let with = |ticket: &str| {
        let browser = Visitor::new();
        browser.set_cookie(&otto, &format!("{TICKET}={ticket}; Path=/"));
        browser
    };
    let foreign = {
        let elsewhere = Demo::start(&[]);
        let john = user_at(&elsewhere, "nora", "john").await;
        let token = token(&elsewhere, &john, "nora", "otto").await;
        deliver(&elsewhere, &john, "otto", Some(&elsewhere.url("nora", "")), &token).await;
        cookie(&john, &elsewhere.url("otto", "/"), TICKET)
    };
    let arrive = demo.url("otto", "/sso/landing/in");
    for bad in [ticket.replace("jackie", "john"), format!("{ticket}x"), foreign, String::from("x"), String::new()] {
        let browser = with(&bad);
        assert_refused(&browser.get(&arrive).await, &bad);
        assert_eq!(who(&demo, &browser, "otto").await, OUT);
    }
    // Nor does a program use it up that only looks at the link.
    let looked = send(visitor.request(Method::HEAD, &arrive)).await;
    assert_eq!((looked.status, looked.header("set-cookie")), (401, ""));
    assert_eq!(visitor.follow(landed).await.heading(), "Report 2 of jackie");
    // It is used up, for a copy too.
    let thief = with(&ticket);
    assert_refused(&thief.get(&arrive).await, "copied");
    assert_eq!(who(&demo, &thief, "otto").await, OUT);

    let log = demo.site.log();
    assert!(log.contains("TRACE") && log.contains("a user was handed over"), "the run is in the log");
    let ticket_mac = ticket.split("%7C").next().unwrap();
    for secret in [good.as_str(), good.rsplit('.').next().unwrap(), &ticket, ticket_mac] {
        assert_eq!(log.lines().find(|line| line.contains(secret)), None, "{secret}");
    }
}

/// A linked application by itself, which trusts a shop that there is not.
struct Forum {
    port: u16,
    url: String,
    store: String,
}

impl Forum {
    const SHOP: &str = "http://localhost:1";
    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn new(store: String) -> Self {
        let port = free_ports(1);
        Self { port, url: format!("http://localhost:{port}"), store }
    }

    fn start(&self) -> Site {
        let environment = [
            ("SSO_USERS", "[]"),
            ("SSO_SESSION_KEY", Self::SECRET),
            ("SSO_SESSION_STORE", &self.store),
            ("SSO_APP_URL", &self.url),
            ("SSO_PEER", Self::SHOP),
            ("SSO_PAIR_KEY", Self::SECRET),
        ];
        Site::try_start(&["linked-app", "--listen", &format!("127.0.0.1:{}", self.port)], &environment).unwrap()
    }

    /// What the shop makes for jackie, good for so many seconds.
    fn token(&self, lifetime: u64) -> String {
        let keys = KeySet::new(vec![Key::hs256("pair", Self::SECRET.as_bytes()).unwrap()]).unwrap();
        let registered = Registered::new(Self::SHOP, "jackie", &self.url, now(), Duration::from_secs(lifetime));
        keys.sign(&HandoffClaims { registered, path: "/reports/2".into() }, now()).unwrap()
    }

    async fn deliver(&self, token: &str) -> (Answer, Visitor) {
        let visitor = Visitor::new();
        let request = visitor.request(Method::POST, &format!("{}{LANDING}", self.url)).form(&[("token", token)]);
        (send(request.header("Origin", Self::SHOP)).await, visitor)
    }

    async fn lets_in(&self, token: &str) {
        let (landed, visitor) = self.deliver(token).await;
        assert_eq!(visitor.follow(landed).await.heading(), "Report 2 of jackie");
    }
}

#[tokio::test]
async fn threat_33_a_hand_off_that_would_be_good_for_longer_is_refused() {
    let forum = Forum::new("memory:".into());
    let site = forum.start();
    for lifetime in [130, 3600, 10 * 365 * 24 * 60 * 60] {
        assert_refused(&forum.deliver(&forum.token(lifetime)).await.0, &format!("{lifetime} s"));
    }
    forum.lets_in(&forum.token(60)).await;
    // A restart forgets which tokens were used; what it would take again is good for a minute, and not for years.
    drop(site);
    let _site = forum.start();
    assert_refused(&forum.deliver(&forum.token(3600)).await.0, "after a restart");
}

#[tokio::test]
async fn threat_33_what_was_used_stays_so_after_a_restart_where_there_is_a_file() {
    let dir = tempfile::TempDir::new().unwrap();
    let forum = Forum::new(format!("sqlite:{}", dir.path().join("forum.db").display()));
    let site = forum.start();
    let (used, other) = (forum.token(100), forum.token(100));
    let (landed, visitor) = forum.deliver(&used).await;
    let ticket = cookie(&visitor, &forum.url, TICKET);
    assert_eq!(visitor.follow(landed).await.heading(), "Report 2 of jackie");
    drop(site);
    let _site = forum.start();
    assert_refused(&forum.deliver(&used).await.0, "the token");
    let thief = Visitor::new();
    thief.set_cookie(&forum.url, &format!("{TICKET}={ticket}; Path=/"));
    assert_refused(&thief.get(&format!("{}{LANDING}/in", forum.url)).await, "its ticket");
    // The twin: one that nobody has used, once, also of several that come at once.
    let all = tokio::join!(forum.deliver(&other), forum.deliver(&other), forum.deliver(&other));
    let mut statuses = [all.0, all.1, all.2].map(|(answer, _)| answer.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 401, 401]);
}

#[tokio::test]
async fn threat_24_a_pair_of_applications_cannot_speak_for_the_server() {
    let demo = Demo::start(&[]);
    // What Nora made, with the key that she shares with Otto, is not taken as the server's, nor the other way round.
    let jackie = user_at(&demo, "nora", "jackie").await;
    let at_server = user_at(&demo, "sso", "jackie").await;
    for (visitor, from, pretended) in [(&jackie, "nora", "sso"), (&at_server, "sso", "nora")] {
        let made = token(&demo, visitor, from, "otto").await;
        let nobody = Visitor::new();
        assert_refused(&deliver(&demo, &nobody, "otto", Some(&demo.url(pretended, "")), &made).await, pretended);
        assert_eq!(who(&demo, &nobody, "otto").await, OUT);
        let page = nobody.follow(deliver(&demo, &nobody, "otto", Some(&demo.url(from, "")), &made).await).await;
        assert_eq!(page.heading(), "Report 2 of jackie");
    }
}

#[tokio::test]
async fn threat_24_nobody_is_led_to_a_site_that_is_not_on_the_list() {
    let demo = Demo::start(&[]);
    let (otto, evil) = (demo.url("otto", ""), demo.url("otto", "").replace("otto", "evil"));
    for from in ["nora", "sso"] {
        let jackie = user_at(&demo, from, "jackie").await;
        let foreign = [
            format!("{evil}/reports/2"),
            format!("{otto}@evil.localhost/"),
            format!("{otto}.evil.localhost/"),
            otto.replace("http://", "https://"),
            otto.replace("http://", "http://a:b@"),
            otto.replace("http://", "http:\\\\"),
            format!("{otto}/\\evil.localhost"),
            "http://otto.localhost/".into(),
            demo.url(from, "/"),
            "//evil.localhost".into(),
            "javascript:alert(1)".into(),
            String::new(),
        ];
        for wanted in &foreign {
            for relation in [Some("same-origin"), Some("cross-site")] {
                let page = external(&demo, &jackie, from, wanted, relation).await;
                assert_eq!((page.status, page.heading()), (400, "This link does not work"), "{wanted}");
                assert!(!page.body.contains("eyJ") && !page.body.contains("evil"), "{wanted}");
            }
        }
        // A page of the target that would lead on to another site.
        for path in ["//evil.localhost/", "/%0d%0aSet-Cookie:x=y", "/.//evil.localhost", "/%5Cevil.localhost"] {
            let page = external(&demo, &jackie, from, &format!("{otto}{path}"), Some("same-origin")).await;
            if page.status == 400 {
                continue;
            }
            let made = go_on(&jackie, &page).await.form("http").1[0].1.clone();
            let visitor = Visitor::new();
            let mut answer = deliver(&demo, &visitor, "otto", Some(&demo.url(from, "")), &made).await;
            while let Some(next) = answer.location() {
                assert!(next.starts_with(&format!("{otto}/")), "{path} leads to {next}");
                answer = visitor.get(&next).await;
            }
        }
        token(&demo, &jackie, from, "otto").await;
    }
}
