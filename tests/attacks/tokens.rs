//! Planting and copying tokens, codes and cookies: threats 3 to 5.

use reqwest::Method;
use sso_core::{BearerToken, Token};
use sso_tests::{Demo, Visitor, visitor::send};

use crate::{
    ground::{Ground, cookie, peer_of, thief_of},
    peer::{ask, code_in},
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
        assert!(!page.header("set-cookie").contains("sso-Alice-token"), "{lure}");
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

#[tokio::test]
async fn threat_27_a_strangers_link_cuts_no_live_link() {
    let ground = Ground::start("");
    let (alice, paula) = (ground.peer("Alice"), ground.peer("Paula"));
    let victim = Visitor::new();
    let own = alice.log_in(&victim, "jackie", "jackie123").await;
    let php = paula.attach(&victim).await;
    assert_eq!((own.user().await.as_deref(), php.user().await.as_deref()), (Some("jackie"), Some("jackie")));
    // The victim follows links of the attacker, who visits the brokers too and adds what the checksum does not cover.
    for n in 0..25 {
        // Alice attaches anew by herself where so many are made that hers is the oldest of 20.
        if n < 5 {
            let more = [("return_url", alice.return_url()), ("prompt", "login".to_owned())];
            let more: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
            code_in(&victim.get(&alice.attach_url(&Token::generate(), &more)).await);
        }
        paula.attach(&victim).await;
        assert_eq!((own.user().await.as_deref(), php.user().await.as_deref()), (Some("jackie"), Some("jackie")));
    }
}

#[tokio::test]
async fn threat_27_its_twin_a_login_on_the_way_cuts_what_was_copied_before() {
    let ground = Ground::start("");
    let (alice, visitor) = (ground.peer("Alice"), Visitor::new());
    let copied = alice.attach(&visitor).await;
    let own = alice.log_in(&visitor, "jackie", "jackie123").await;
    assert_eq!(own.user().await.as_deref(), Some("jackie"));
    assert_eq!(copied.get("/api/info").await.status, 403);
}
