//! Reading a code by script on a foreign page: threat 2.

use sso_core::Token;
use sso_tests::Visitor;

use crate::{
    ground::Ground,
    peer::{Peer, ask},
};

/// The attacker has a token of the broker, and the victim's browser runs the attacker's page. Whether the victim's session was read.
async fn steals(peer: &Peer, victim: &Visitor, more: &[(&str, &str)], headers: &[(&str, &str)]) -> bool {
    let token = Token::generate();
    let answer = ask(victim, &peer.attach_url(&token, more), headers).await;
    let gave_code = answer.body.contains("verify");
    assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
    let readable = answer.header("access-control-allow-origin");
    assert!(readable.is_empty() || readable == peer.origin, "{readable}");
    if !gave_code {
        // Nothing was linked either: the token is still free for another browser.
        peer.attach_token(&Visitor::new(), token).await;
    }
    gave_code
}

#[tokio::test]
async fn threat_2_a_script_without_origin_and_referer() {
    let ground = Ground::start("");
    let victim = Visitor::new();
    ground.peer("Alice").log_in(&victim, "jackie", "jackie123").await;
    for (id, more) in [
        ("Script", &[("callback", "f")][..]),
        ("Starter", &[("callback", "f")]),
        ("Json", &[]),
        ("Alice", &[("callback", "f")]),
        ("Paula", &[("callback", "f")]),
    ] {
        let peer = ground.peer(id);
        for headers in [
            &[][..],
            &[("Sec-Fetch-Dest", "script"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],
            &[("Origin", "null")],
            &[("Origin", "")],
            &[("Referer", "")],
            &[("Referer", "about:blank")],
            &[("Origin", "http://evil.localhost")],
            &[("Referer", "http://evil.localhost/")],
            &[("Referer", "http://script.localhost:1.evil.localhost/")],
            &[("Referer", "http://evil.localhost/http://script.localhost:1/")],
            &[("Referer", "http://script.localhost:1@evil.localhost/")],
            &[("Origin", "http://script.localhost:1"), ("Referer", "http://evil.localhost/")],
            &[("Origin", "http://evil.localhost"), ("Referer", "http://script.localhost:1/")],
            &[("Origin", "http://script.localhost:2")],
            &[("Origin", "https://script.localhost:1")],
        ] {
            assert!(!steals(&peer, &victim, more, headers).await, "{id} {headers:?}");
        }
    }
}

#[tokio::test]
async fn threat_2_its_twin_on_the_brokers_own_page_works() {
    let ground = Ground::start("");
    let visitor = Visitor::new();
    ground.peer("Alice").log_in(&visitor, "jackie", "jackie123").await;
    for (id, more, header) in [
        ("Script", &[("callback", "f")][..], ("Referer", "http://script.localhost:1/page")),
        ("Json", &[], ("Origin", "http://json.localhost:1")),
    ] {
        let answer = ask(&visitor, &ground.peer(id).attach_url(&Token::generate(), more), &[header]).await;
        assert!(answer.status == 200 && answer.body.contains("{\"verify\":\""), "{id} {answer:?}");
    }
}

#[tokio::test]
async fn threat_2_a_redirect_is_not_followed_in_a_frame_or_by_an_image() {
    let ground = Ground::start("");
    let victim = Visitor::new();
    let peer = ground.peer("Alice");
    peer.log_in(&victim, "jackie", "jackie123").await;
    for dest in ["iframe", "frame", "image", "script", "empty", "embed", "object"] {
        let url = peer.attach_url(&Token::generate(), &[("return_url", &peer.return_url())]);
        let answer = ask(&victim, &url, &[("Accept", "text/html"), ("Sec-Fetch-Dest", dest)]).await;
        let params = answer.location_params();
        assert!(params.contains_key("sso_error") && !params.contains_key("sso_verify"), "{dest} {params:?}");
    }
}
