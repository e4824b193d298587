//! Guessing codes and checksums, and wearing out what was copied: threats 6, 7 and 14.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use reqwest::Method;
use sso_core::{BearerToken, Encoding, Token, base36};
use sso_tests::{Visitor, visitor::send};

use crate::{
    ground::{Ground, cookie},
    peer::{Peer, ask, until},
};

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
    let ground = Ground::start("link_lifetime = \"6s\"");
    let visitor = Visitor::new();
    let link = ground.peer("Alice").log_in(&visitor, "jackie", "jackie123").await;
    until("the link ends", async || link.get("/api/info").await.status == 403).await;
    assert_eq!(link.get("/api/info").await.json()["code"], "not_attached");
    let again = ground.peer("Alice").attach(&visitor).await;
    assert_eq!(send(again.call(Method::GET, "/api/info")).await.status, 200, "the session itself goes on");

    let ground = Ground::start("idle_timeout = \"6s\"");
    let link = ground.peer("Alice").log_in(&Visitor::new(), "jackie", "jackie123").await;
    let ask = async || send(link.call(Method::GET, "/api/info").header("SSO-Activity", "none")).await;
    until("the login ends", async || ask().await.status == 204).await;
    assert_eq!(link.get("/api/info").await.header("SSO-Ended"), "expired; n=2");

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
