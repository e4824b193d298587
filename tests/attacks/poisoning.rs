//! Leading a broker astray, and dead ends: threats 12 and 13. Whatever is lost, a visitor is never sent in circles.

use sso_tests::{Demo, Visitor, visitor::Answer};

use crate::ground::{Ground, broker_site, cookie, thief_of};

/// Follows redirects as a browser does, few of them; the page at the end offers a way on.
async fn arrive(visitor: &Visitor, url: &str) -> Answer {
    let mut answer = visitor.get(url).await;
    for _ in 0..6 {
        let Some(next) = answer.location() else { break };
        answer = visitor.get(&next).await;
    }
    assert_eq!(answer.location(), None, "more than 6 redirects");
    assert!(answer.body.contains("<h1") && answer.body.contains("href=\"/"), "{}", answer.body);
    assert!(answer.status == 200 || (400..500).contains(&answer.status), "{answer:?}");
    answer
}

#[tokio::test]
async fn threat_12_a_link_with_a_code_or_an_error_poisons_nobody() {
    let demo = Demo::start(&[]);
    for site in ["alice", "greg", "julius"] {
        let home = demo.url(site, "/");
        let (known, new) = (Visitor::new(), Visitor::new());
        known.visit(&demo.url(site, "/sso/attach?to=/")).await;
        // Another browser's return URL: state, code and all.
        let other = Visitor::new();
        let to_server = other.get(&demo.url(site, "/sso/attach?to=/")).await;
        let foreign = other.get(&to_server.location().unwrap()).await.location().unwrap();
        let before = known.cookies(&home);
        for lure in [
            format!("{home}?sso_verify=garbage"),
            format!("{home}?sso_error=You+are+hacked"),
            format!("{home}?sso_verify[]=x&sso_error[]=x"),
            demo.url(site, "/sso/return?sso_verify=garbage"),
            demo.url(site, "/sso/return?sso_error=You+are+hacked"),
            demo.url(site, "/sso/return?state=garbage&sso_error=You+are+hacked"),
            demo.url(site, "/sso/return?state=garbage&sso_verify=garbage"),
            foreign.replace("sso_verify=", "sso_error=You+are+hacked&x="),
            foreign.clone(),
        ] {
            for visitor in [&known, &new] {
                let page = arrive(visitor, &lure).await;
                assert!(!page.body.contains("hacked"), "{lure}");
            }
            assert_eq!(known.cookies(&home), before, "{lure}");
            let page = arrive(&known, &home).await;
            assert!(page.status == 200 && !page.body.contains("hacked"), "{lure}");
        }
        let page = arrive(&new, &home).await;
        assert_eq!(page.status, 200, "{site}");
        // The twin: with its own cookies it is a good return.
        assert_eq!(arrive(&other, &foreign).await.status, 200);
        assert!(other.cookies(&home).contains("-token="), "{site}");
    }
}

#[tokio::test]
async fn threat_12_a_code_that_does_not_fit_is_healed() {
    let demo = Demo::start(&[]);
    let (visitor, alice) = (Visitor::new(), demo.url("alice", ""));
    visitor.log_in(&alice, "jackie", "jackie123").await;
    // Somebody exchanged the code on the way, with a good state.
    let to_server = visitor.get(&format!("{alice}/sso/attach?to=/about")).await;
    let back = visitor.get(&to_server.location().unwrap()).await.location().unwrap();
    let (url, _) = back.split_once("sso_verify=").unwrap();
    visitor.get(&format!("{url}sso_verify={}", "0".repeat(50))).await;
    assert_eq!(arrive(&visitor, &format!("{alice}/")).await.heading(), "Logged in as jackie");
}

#[tokio::test]
async fn threat_13_a_lost_or_broken_cookie_heals() {
    let demo = Demo::start(&[]);
    let (sso, alice) = (demo.url("sso", ""), demo.url("alice", ""));
    let home = format!("{alice}/");
    let visitor = Visitor::new();
    visitor.log_in(&alice, "jackie", "jackie123").await;

    let without_brokers = thief_of(&visitor, &sso);
    assert_eq!(arrive(&without_brokers, &home).await.heading(), "Logged in as jackie");
    let without_servers = thief_of(&visitor, &alice);
    assert_eq!(arrive(&without_servers, &home).await.heading(), "Logged in as jackie");
    assert_eq!(arrive(&without_servers, &demo.url("greg", "/")).await.heading(), "You are logged out");

    let kept = cookie(&visitor, &alice, "sso-Alice-token");
    for broken in
        ["", "x", "..", "0.0.0", &kept[1..], &kept[..kept.len() - 2], &kept.replace('.', "-"), &"x".repeat(3000)]
    {
        let visitor = thief_of(&visitor, &sso);
        visitor.set_cookie(&alice, &format!("sso-Alice-token={broken}; Path=/"));
        let page = arrive(&visitor, &home).await;
        assert_eq!(page.heading(), "Logged in as jackie", "{broken}");
    }
    for broken in ["", "x", &"0".repeat(50)] {
        let visitor = thief_of(&visitor, &alice);
        visitor.set_cookie(&sso, &format!("sso_session={broken}; Path=/"));
        assert_eq!(arrive(&visitor, &home).await.status, 200);
        assert_eq!(arrive(&visitor, &format!("{alice}/sso/attach?to=/")).await.heading(), "You are logged out");
    }
}

#[tokio::test]
async fn threat_13_a_token_that_another_browser_attached_first_is_replaced_once() {
    let demo = Demo::start(&[]);
    let (visitor, other) = (Visitor::new(), Visitor::new());
    let to_server = visitor.get(&demo.url("alice", "/")).await.location().unwrap();
    assert!(other.get(&to_server).await.location_params().contains_key("sso_verify"));
    let told = visitor.get(&to_server).await;
    assert_eq!(told.location_params()["sso_error"], "Token is already attached");
    let again = visitor.get(&told.location().unwrap()).await.location().unwrap();
    assert!(again.starts_with(&demo.url("sso", "/attach?")) && again != to_server);
    // Once more, as an attacker would who reads along: now it is told, and not tried for ever.
    assert!(other.get(&again).await.location_params().contains_key("sso_verify"));
    let page = arrive(&visitor, &again).await;
    assert!(page.status == 200 && page.body.contains("Token is already attached"), "{}", page.body);
    assert_eq!(arrive(&visitor, &demo.url("alice", "/")).await.heading(), "You are logged out");
}

#[tokio::test]
async fn threat_13_a_browser_that_keeps_no_cookies_is_told() {
    let demo = Demo::start(&[]);
    for path in ["/", "/sso/attach?to=/about", "/sso/attach?to=/sso/attach"] {
        let mut answer = Visitor::new().get(&demo.url("alice", path)).await;
        let mut redirects = 0;
        while let Some(next) = answer.location() {
            redirects += 1;
            assert!(redirects <= 6, "{path}");
            answer = Visitor::new().get(&next).await;
        }
        assert_eq!((answer.status, answer.heading()), (400, "Your browser sent no cookie"), "{path}");
        assert!(answer.body.contains("href=\"/sso/attach?to="));
    }
}

#[tokio::test]
async fn threat_13_a_broker_that_the_server_does_not_accept_is_a_page_and_no_loop() {
    for (id, secret, options, status, told) in [
        ("Local", "s-Local", &[][..], 200, "You are logged out"),
        ("Local", "wrong", &[], 200, "Invalid attach checksum"),
        ("Local", "s-Local", &["--checksum", "php"], 200, "Invalid attach checksum"),
        ("Alice", "s-Alice", &[], 400, "Domain of return_url is not allowed"),
        ("Nobody", "s", &[], 403, "Broker is unknown or disabled"),
    ] {
        let ground = Ground::start("");
        let (_broker, url) = broker_site(&ground, id, secret, options);
        let visitor = Visitor::new();
        for _ in 0..3 {
            let page = arrive(&visitor, &format!("{url}/")).await;
            assert_eq!(page.status, status, "{id} {secret} {options:?}");
            assert!(page.body.contains(told), "{id} {secret} {options:?} {}", page.body);
        }
    }
}
