//! Silent attach, JSON and JSONP, and attach with `prompt=login`.

use sso_core::Token;
use sso_tests::{Visitor, visitor::Answer};

use crate::{
    peer::{Peer, ask, code_in},
    sites::Sites,
};

const NO_SESSION: &str = r#"{"code":403,"message":"There is no session to join silently","attach":"redirect"}"#;
const OFF: &str = r#"{"code":403,"message":"Silent attach is not enabled for this broker","attach":"redirect"}"#;

async fn json(peer: &Peer, visitor: &Visitor, token: &Token) -> Answer {
    ask(visitor, &peer.attach_url(token, &[]), &[("Origin", &peer.origin), ("Accept", "application/json")]).await
}

async fn script(peer: &Peer, visitor: &Visitor, token: &Token) -> Answer {
    let referer = format!("{}/", peer.origin);
    ask(visitor, &peer.attach_url(token, &[("callback", "back_1")]), &[("Referer", &referer)]).await
}

#[tokio::test]
async fn json_joins_an_existing_session_and_never_starts_one() {
    let sites = Sites::start();
    let (peer, visitor) = (sites.peer("Json"), Visitor::new());
    let answer = json(&peer, &visitor, &Token::generate()).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.header("set-cookie")), (403, NO_SESSION, ""));
    // An error can be read by the page too.
    assert_eq!(answer.header("access-control-allow-origin"), "http://json.localhost:1");

    let link = sites.peer("Exact").attach(&visitor).await;
    let token = Token::generate();
    let answer = json(&peer, &visitor, &token).await;
    let code = answer.json()["verify"].as_str().unwrap().to_owned();
    assert_eq!((answer.status, answer.body), (200, format!("{{\"verify\":\"{code}\"}}")));
    let header = |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "http://json.localhost:1"),
        ("access-control-allow-credentials", "true"),
        ("vary", "Origin"),
        ("set-cookie", ""),
    ] {
        assert_eq!(header(name), value, "{name}");
    }
    // It is the same session: the same token by redirect has the same code, and data are shared.
    assert_eq!(peer.attach_token(&visitor, token).await.code, code);
    assert_eq!(link.user().await, None);
}

#[tokio::test]
async fn jsonp_is_a_script_that_calls_the_function() {
    let sites = Sites::start();
    let (peer, visitor, token) = (sites.peer("Script"), Visitor::new(), Token::generate());
    let answer = script(&peer, &visitor, &token).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, format!("/**/back_1({NO_SESSION}, 403);").as_str()));

    peer.attach(&visitor).await;
    let answer = script(&peer, &visitor, &token).await;
    let code = peer.attach_token(&visitor, token).await.code;
    assert_eq!(answer.body, format!("/**/back_1({{\"verify\":\"{}\"}}, 200);", code));
    for (name, value) in [
        ("content-type", "application/javascript"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", ""),
        ("set-cookie", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    for bad in ["alert(1)", "1f", "a.b", "", "f;g", "f%0a", "f<"] {
        let url = format!("{}&callback={bad}", peer.attach_url(&Token::generate(), &[]));
        let answer = ask(&visitor, &url, &[("Referer", "http://script.localhost:1/")]).await;
        assert_eq!(
            (answer.status, answer.json()["message"].as_str()),
            (400, Some("Invalid 'callback' query parameter"))
        );
    }
}

#[tokio::test]
async fn silent_attach_is_off_unless_the_entry_names_the_same_mode() {
    let sites = Sites::start();
    let visitor = Visitor::new();
    sites.peer("Exact").attach(&visitor).await;
    for (id, is_json, is_script) in
        [("Exact", false, false), ("Php", false, false), ("Json", true, false), ("Script", false, true)]
    {
        let peer = sites.peer(id);
        let answer = json(&peer, &visitor, &Token::generate()).await;
        assert_eq!((answer.status == 200, answer.body == OFF), (is_json, !is_json), "{id} {answer:?}");
        let answer = script(&peer, &visitor, &Token::generate()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body == format!("/**/back_1({OFF}, 403);"), !is_script, "{id} {answer:?}");
    }
}

#[tokio::test]
async fn silent_start_alone_may_start_a_session() {
    let sites = Sites::start();
    let (peer, visitor) = (sites.peer("Starter"), Visitor::new());
    let answer = script(&peer, &visitor, &Token::generate()).await;
    assert!(
        answer.body.starts_with("/**/back_1({\"verify\":\"") && answer.header("set-cookie").starts_with("sso_session=")
    );
    let again = script(&peer, &visitor, &Token::generate()).await;
    assert!(again.body.contains("verify") && again.header("set-cookie").is_empty());
}

#[tokio::test]
async fn a_page_without_return_url_is_told_so_and_has_a_way_on() {
    let sites = Sites::start();
    let page = Visitor::new().get(&sites.peer("Json").attach_url(&Token::generate(), &[])).await;
    assert_eq!(page.status, 400);
    assert!(page.body.contains("Missing &#39;return_url&#39; query parameter") && page.body.contains("href=\"/\""));
}

#[tokio::test]
async fn prompt_login_asks_for_the_password_and_then_attaches() {
    let sites = Sites::start();
    let (peer, visitor, token) = (sites.peer("Exact"), Visitor::new(), Token::generate());
    let url = peer.attach_url(&token, &[("return_url", &peer.return_url()), ("prompt", "login")]);
    // The same checks as without it.
    for (spoiled, told) in [
        (url.replace("broker=Exact", "broker=Nobody"), "Broker is unknown or disabled"),
        (url.replace("exact.localhost", "evil.localhost"), "Domain of return_url is not allowed"),
    ] {
        assert!(visitor.get(&spoiled).await.body.contains(told), "{spoiled}");
    }

    let page = visitor.get(&url).await;
    assert_eq!((page.status, visitor.cookies(&peer.server).contains("sso_session")), (200, false));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self' http://exact.localhost:1;"), "{policy}");

    let wrong = visitor.submit(&page, "/attach", &[("username", "jackie"), ("password", "wrong")]).await;
    assert_eq!((wrong.status, wrong.location()), (400, None));
    assert!(wrong.body.contains("Wrong username or password.") && wrong.body.contains("value=\"jackie\""));
    let unknown = visitor.submit(&page, "/attach", &[("username", "nobody"), ("password", "wrong")]).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("Wrong username or password."));

    let back = visitor.submit(&wrong, "/attach", &[("username", "jackie"), ("password", "jackie123")]).await;
    let code = code_in(&back);
    assert_eq!((back.header("cache-control"), back.header("referrer-policy")), ("no-store", "no-referrer"));
    assert!(back.header("set-cookie").starts_with("sso_session="));
    let link = peer.attach_token(&visitor, token).await;
    assert_eq!((link.code.clone(), link.user().await.as_deref()), (code, Some("jackie")));

    // Someone is logged in now: no form.
    let next = peer.attach_url(&Token::generate(), &[("return_url", &peer.return_url()), ("prompt", "login")]);
    code_in(&visitor.get(&next).await);
}

#[tokio::test]
async fn prompt_is_login_by_redirect_or_nothing() {
    let sites = Sites::start();
    let (peer, visitor) = (sites.peer("Exact"), Visitor::new());
    let redirect = |prompt: &'static str| {
        let url = peer.attach_url(&Token::generate(), &[("return_url", &peer.return_url()), ("prompt", prompt)]);
        let visitor = visitor.clone();
        async move { visitor.get(&url).await.status }
    };
    assert_eq!((redirect("login").await, redirect("none").await, redirect("LOGIN").await), (200, 400, 400));
    let json = sites.peer("Json");
    let url = json.attach_url(&Token::generate(), &[("prompt", "login")]);
    let answer = ask(&visitor, &url, &[("Origin", &json.origin)]).await;
    assert_eq!((answer.status, answer.json()["message"].as_str()), (400, Some("Invalid 'prompt' query parameter")));
    // Posting to an attach without it logs nobody in.
    let plain = peer.attach_url(&Token::generate(), &[("return_url", &peer.return_url())]);
    let page = visitor.get(&format!("{plain}&prompt=login")).await;
    let (_, form) = page.form("/attach");
    let posted = sso_tests::visitor::send(visitor.request(reqwest::Method::POST, &plain).form(&form)).await;
    assert_eq!((posted.status, posted.location()), (405, None));
}
