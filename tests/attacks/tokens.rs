//! Guessing, planting, stealing and wearing out tokens, codes and cookies: threats 3 to 7 and 14.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use reqwest::Method;
use sso_core::{BearerToken, Encoding, Token, base36};
use sso_tests::{Demo, Visitor, visitor::send};

use crate::{
    ground::{Ground, cookie, peer_of, thief_of},
    peer::{Peer, ask, until},
};

#[tokio::test]
async fn threat_3_short_tokens_are_refused_at_attach_and_at_bearer() {
    let ground = Ground::start("");
    let peer = ground.peer("Alice");
    let visitor = Visitor::new();
    let checksum = peer.key.attach(&Token::generate());
    for (token, is_refused) in [
        ("".into(), true),
        ("0".into(), true),
        ("a".repeat(31), true),
        ("a".repeat(129), true),
        ("a".repeat(32), false),
    ] {
        let mut params = peer.params(&Token::generate());
        params.retain(|(name, _)| name == "broker");
        let checksum = token.parse::<Token>().map_or(checksum.clone(), |token| peer.key.attach(&token));
        params.extend([("token".into(), token.clone()), ("checksum".into(), checksum.as_str().into())]);
        params.push(("return_url".into(), peer.return_url()));
        let answer = visitor.get(&peer.url(&params)).await;
        assert_eq!(answer.status, if is_refused { 400 } else { 303 }, "{token}");
        let request = visitor.request(Method::GET, &format!("{}/api/info", peer.server));
        let bearer = format!("SSO-Alice-{token}-{}", checksum.as_str());
        assert_eq!(send(request.bearer_auth(bearer)).await.status, 403, "{token}");
    }
}

#[tokio::test]
async fn threat_3_a_code_of_the_attackers_does_not_bind_a_visitor() {
    let demo = Demo::start(&[]);
    let alice = demo.url("alice", "");
    // The attacker stops just before coming back, with a state and a code of their own.
    let attacker = Visitor::new();
    attacker.log_in(&demo.url("greg", ""), "john", "john123").await;
    let to_server = attacker.get(&format!("{alice}/")).await;
    let link = attacker.get(&to_server.location().unwrap()).await.location().unwrap();
    let code = link.split_once("sso_verify=").unwrap().1;

    let (new, known) = (Visitor::new(), Visitor::new());
    known.log_in(&alice, "jackie", "jackie123").await;
    for lure in [link.clone(), format!("{alice}/?sso_verify={code}"), format!("{alice}/sso/return?sso_verify={code}")] {
        let page = new.get(&lure).await;
        assert_eq!(page.header("set-cookie").contains("sso-Alice-token"), false, "{lure}");
        assert_eq!(new.visit(&format!("{alice}/")).await.heading(), "You are logged out", "{lure}");
        known.visit(&lure).await;
        assert_eq!(known.visit(&format!("{alice}/")).await.heading(), "Logged in as jackie", "{lure}");
    }
    // The twin: in the attacker's own browser it works.
    assert_eq!(attacker.visit(&link).await.heading(), "Logged in as john");
}

#[tokio::test]
async fn threat_4_no_bearer_answer_sets_a_cookie_and_a_cookies_value_is_nothing_else() {
    let demo = Demo::start(&[]);
    let (sso, visitor) = (demo.url("sso", ""), Visitor::new());
    let peer = peer_of(&demo, "Greg");
    let link = peer.log_in(&visitor, "jackie", "jackie123").await;
    for (method, path) in [
        (Method::GET, "info"),
        (Method::GET, "data"),
        (Method::POST, "data"),
        (Method::POST, "login"),
        (Method::POST, "logout"),
        (Method::GET, "info"),
    ] {
        // Also when the browser's cookie comes along, as from a broker that passes everything on.
        let fields = [("username", "jackie"), ("password", "jackie123")];
        let request = link.call(method, &format!("/api/{path}")).header("Cookie", visitor.cookies(&sso));
        let answer = send(request.form(&fields)).await;
        assert!(answer.status < 300 && !answer.headers.contains_key("set-cookie"), "{path} {answer:?}");
    }
    let link = peer.log_in(&visitor, "jackie", "jackie123").await;
    let session = cookie(&visitor, &sso, "sso_session");

    let stranger = Visitor::new();
    let as_token: Token = session.parse().unwrap();
    for bearer in [
        session.clone(),
        format!("SSO-Greg-{session}-{}", link.checksum().as_str()),
        format!("SSO-Greg-{}-{session}", link.token.as_str()),
        BearerToken::new(peer.id.clone(), link.token.clone(), &session.parse().unwrap(), &peer.key).to_wire(),
        BearerToken::new(peer.id.clone(), as_token, &link.code.parse().unwrap(), &peer.key).to_wire(),
    ] {
        let request = stranger.request(Method::GET, &format!("{sso}/api/info")).bearer_auth(bearer);
        assert_eq!(send(request).await.status, 403);
    }
    let is_logged_in = async |cookies: String| {
        ask(&stranger, &format!("{sso}/"), &[("Cookie", &cookies)]).await.body.contains("You are logged in")
    };
    let form = cookie(&visitor, &sso, "sso_form");
    for other in [link.token.as_str(), &link.code, link.checksum().as_str(), &form, &link.bearer()] {
        assert!(!is_logged_in(format!("sso_session={other}")).await, "{other}");
    }
    assert!(!is_logged_in(format!("sso_form={session}; __Host-sso_session={session}")).await);
    assert!(is_logged_in(format!("sso_session={session}")).await);
}

#[tokio::test]
async fn threat_5_a_planted_session_cookie_dies_at_login() {
    let demo = Demo::start(&[]);
    let (sso, alice) = (demo.url("sso", ""), demo.url("alice", ""));
    for through_own_form in [false, true] {
        let attacker = Visitor::new();
        attacker.visit(&format!("{alice}/")).await;
        let planted = cookie(&attacker, &sso, "sso_session");
        let victim = thief_of(&attacker, &sso);
        if through_own_form {
            let greg = demo.url("greg", "");
            victim.visit(&format!("{greg}/")).await;
            let form = victim.get(&format!("{greg}/login")).await;
            let sent = victim.submit(&form, "/login", &[("username", "jackie"), ("password", "jackie123")]).await;
            victim.follow(sent).await;
            // The broker cannot reach the cookie: it is replaced at the victim's next visit to the server.
            victim.visit(&format!("{sso}/")).await;
        } else {
            victim.log_in(&alice, "jackie", "jackie123").await;
        }
        assert_ne!(cookie(&victim, &sso, "sso_session"), planted);
        assert!(victim.visit(&format!("{sso}/")).await.body.contains("<strong>jackie</strong>"));
        assert!(!attacker.visit(&format!("{sso}/")).await.body.contains("jackie"), "own form: {through_own_form}");
        let after = attacker.get(&format!("{alice}/sso/attach?to=/")).await;
        assert_ne!(attacker.follow(after).await.heading(), "Logged in as jackie");
    }
}

#[tokio::test]
async fn threat_5_a_value_that_the_server_did_not_make_is_not_adopted() {
    let demo = Demo::start(&[]);
    let (sso, peer) = (demo.url("sso", ""), peer_of(&demo, "Alice"));
    for made_up in
        ["0".repeat(50), Token::generate().as_str().to_owned(), "x".into(), String::new(), "../../etc".into()]
    {
        let victim = Visitor::new();
        victim.set_cookie(&sso, &format!("sso_session={made_up}; Path=/"));
        peer.attach(&victim).await;
        let value = cookie(&victim, &sso, "sso_session");
        assert_ne!(value, made_up);
        peer.log_in(&victim, "jackie", "jackie123").await;
        assert_ne!(cookie(&victim, &sso, "sso_session"), value, "and the login makes another");
    }
}

#[tokio::test]
async fn threat_5_a_brokers_token_copied_before_the_login_is_dead() {
    let demo = Demo::start(&[]);
    let (alice, victim) = (demo.url("alice", ""), Visitor::new());
    victim.visit(&format!("{alice}/")).await;
    let thief = thief_of(&victim, &alice);
    assert_eq!(thief.get(&format!("{alice}/")).await.status, 200, "the copy works before");
    assert_eq!(victim.log_in(&alice, "jackie", "jackie123").await.heading(), "Logged in as jackie");
    assert_eq!(thief.visit(&format!("{alice}/")).await.heading(), "You are logged out");

    let (peer, victim) = (peer_of(&demo, "Alice"), Visitor::new());
    let copied = peer.attach(&victim).await;
    assert_eq!(copied.user().await, None);
    let own = peer.log_in(&victim, "jackie", "jackie123").await;
    assert_eq!((copied.get("/api/info").await.status, own.user().await.as_deref()), (403, Some("jackie")));
    // A broker whose entry does not allow it cannot log a visitor in with a password either.
    let answer = own.post("/api/login", &[("username", "john"), ("password", "john123")]).await;
    assert_eq!((answer.status, own.user().await.as_deref()), (403, Some("jackie")));
}

fn sha256(text: &str) -> String {
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()[..64].to_owned()
}

#[tokio::test]
async fn threat_6_codes_are_random_and_not_derived_from_what_can_be_seen() {
    let ground = Ground::start("");
    // The derivation itself, on a known value.
    assert!(sha256("abc").starts_with("ba7816bf"));
    for id in ["Alice", "Paula"] {
        let (peer, visitor, other) = (ground.peer(id), Visitor::new(), Visitor::new());
        let (first, second, third) =
            (peer.attach(&visitor).await, peer.attach(&visitor).await, peer.attach(&other).await);
        assert!(first.code != second.code && second.code != third.code && first.code != third.code);
        let session = cookie(&visitor, &ground.url(), "sso_session");
        let (broker, token) = (peer.id.as_str(), first.token.as_str());
        for seen in [session.as_str(), token, broker, second.code.as_str(), second.token.as_str(), ""] {
            for text in [
                format!("{broker}{token}{seen}"),
                format!("{seen}{token}{broker}"),
                format!("{token}{seen}"),
                seen.to_owned(),
            ] {
                let digest = sha256(&text);
                let bytes: Vec<u8> =
                    (0..64).step_by(2).map(|i| u8::from_str_radix(&digest[i..i + 2], 16).unwrap()).collect();
                let exact = base36::exact(bytes.as_slice().try_into().unwrap());
                assert!(first.code != base36::php_base_convert(&digest) && first.code != exact, "{text}");
            }
        }
    }
}

#[tokio::test]
async fn threat_7_a_broker_has_one_encoding_and_no_weaker_one() {
    let ground = Ground::start("");
    for (id, right, wrong) in [("Alice", Encoding::Exact, Encoding::Php), ("Paula", Encoding::Php, Encoding::Exact)] {
        let peer = |encoding| Peer::new(&ground.url(), id, &format!("s-{id}"), encoding, &ground.peer(id).origin);
        let weak = peer(wrong);
        let answer =
            Visitor::new().get(&weak.attach_url(&Token::generate(), &[("return_url", &weak.return_url())])).await;
        assert_eq!(answer.location_params()["sso_error"], "Invalid attach checksum", "{id}");
        let link = peer(right).attach(&Visitor::new()).await;
        let bearer =
            BearerToken::new(weak.id.clone(), link.token.clone(), &link.code.parse().unwrap(), &weak.key).to_wire();
        let request = Visitor::new().request(Method::GET, &format!("{}/api/info", ground.url())).bearer_auth(bearer);
        assert_eq!((send(request).await.status, link.user().await), (403, None), "{id}");
    }
}

#[tokio::test]
async fn threat_7_failing_on_purpose_slows_down_that_token_alone() {
    let ground = Ground::start("");
    let (peer, visitor) = (ground.peer("Alice"), Visitor::new());
    let (attacked, other) = (peer.attach(&visitor).await, peer.attach(&visitor).await);
    let guess = || {
        let bearer = format!("SSO-Alice-{}-{}", attacked.token.as_str(), Token::generate().as_str());
        send(visitor.request(Method::GET, &format!("{}/api/info", ground.url())).bearer_auth(bearer))
    };
    let mut tries = 0;
    let slowed = loop {
        let answer = guess().await;
        tries += 1;
        if answer.status != 403 || tries == 50 {
            break answer;
        }
    };
    assert_eq!((slowed.status, tries > 5), (429, true), "{slowed:?}");
    assert!(slowed.header("retry-after").parse::<u64>().unwrap() > 0 && slowed.json()["error"].is_string());
    assert_eq!(other.user().await, None, "the same broker's other tokens work");
    peer.attach(&visitor).await;

    // The same at attach, as JSON and by redirect.
    let mut params = peer.params(&Token::generate());
    params.iter_mut().filter(|(name, _)| name == "checksum").for_each(|(_, value)| *value = "0".into());
    let mut last = ask(&visitor, &peer.url(&params), &[]).await;
    for _ in 0..50 {
        if last.status == 429 {
            break;
        }
        last = ask(&visitor, &peer.url(&params), &[]).await;
    }
    assert!(last.status == 429 && last.header("retry-after").parse::<u64>().unwrap() > 0, "{last:?}");
    peer.attach(&visitor).await;
}

#[tokio::test]
async fn threat_14_a_copied_bearer_token_ends_with_its_link_its_session_and_its_login() {
    let ground = Ground::start("link_lifetime = \"2s\"");
    let visitor = Visitor::new();
    let link = ground.peer("Alice").log_in(&visitor, "jackie", "jackie123").await;
    until("the link ends", async || link.get("/api/info").await.status == 403).await;
    assert_eq!(link.get("/api/info").await.json()["code"], "not_attached");
    let again = ground.peer("Alice").attach(&visitor).await;
    assert_eq!(send(again.call(Method::GET, "/api/info")).await.status, 200, "the session itself goes on");

    let ground = Ground::start("idle_timeout = \"2s\"");
    let link = ground.peer("Alice").log_in(&Visitor::new(), "jackie", "jackie123").await;
    let ask = async || send(link.call(Method::GET, "/api/info").header("SSO-Activity", "none")).await;
    until("the session ends", async || ask().await.status == 401).await;
    assert_eq!(link.get("/api/info").await.json()["code"], "session_ended");

    let ground = Ground::start("");
    let visitor = Visitor::new();
    let (copied, paula) = (
        ground.peer("Alice").log_in(&visitor, "jackie", "jackie123").await,
        ground.peer("Paula").attach(&visitor).await,
    );
    assert_eq!(paula.post("/api/logout", &[]).await.status, 204);
    assert_eq!(copied.user().await, None);
    ground.peer("Alice").log_in(&visitor, "jackie", "jackie123").await;
    assert_eq!(copied.get("/api/info").await.status, 403, "the next login does not bring it back");
}
