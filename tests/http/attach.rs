//! `GET /attach` by redirect: its parameters, where it returns to, and what the answers look like.

use reqwest::Method;
use sso_core::Token;
use sso_tests::{Visitor, visitor::send};

use crate::{
    attach_order::{FOREIGN, escaped},
    peer::{ask, code_in},
    sites::Sites,
};

#[tokio::test]
async fn a_missing_repeated_array_or_malformed_parameter_is_named() {
    let sites = Sites::start();
    let (peer, visitor, token) = (sites.peer("Exact"), Visitor::new(), Token::generate());
    let good = peer.attach_url(&token, &[("return_url", &peer.return_url())]);
    for (name, bad) in [
        ("broker", "no-word"),
        ("broker", ""),
        ("token", "short"),
        ("token", ""),
        ("checksum", "UPPER"),
        ("checksum", ""),
        ("return_url", ""),
        ("prompt", "none"),
        ("prompt", ""),
    ] {
        let mut params: Vec<(String, String)> = good.parse::<url::Url>().unwrap().query_pairs().into_owned().collect();
        params.retain(|(key, _)| key != name);
        params.push((name.to_owned(), bad.to_owned()));
        let page = visitor.get(&peer.url(&params)).await;
        let message = if name == "return_url" {
            "Domain of return_url is not allowed".into()
        } else {
            format!("Invalid '{name}' query parameter")
        };
        assert_eq!(page.status, 400, "{name}={bad}");
        assert!(page.body.contains(&escaped(&message)), "{name}={bad} {}", page.body);
    }
    for name in ["broker", "token", "checksum", "return_url"] {
        for extra in [format!("&{name}=x"), format!("&{name}[]=x"), format!("&{name}%5Ba%5D=x")] {
            let page = visitor.get(&format!("{good}{extra}")).await;
            assert_eq!(page.status, 400, "{extra}");
            assert!(page.body.contains(&escaped(&format!("Invalid '{name}' query parameter"))), "{extra}");
        }
        let mut params: Vec<(String, String)> = good.parse::<url::Url>().unwrap().query_pairs().into_owned().collect();
        params.retain(|(key, _)| key != name);
        let page = visitor.get(&peer.url(&params)).await;
        assert_eq!(page.status, 400, "{name}");
        assert!(page.body.contains(&escaped(&format!("Missing '{name}' query parameter"))), "{name}");
    }
    code_in(&visitor.get(&format!("{good}&unknown=1")).await);
}

#[tokio::test]
async fn a_redirect_is_303_uncached_without_referrer_and_starts_a_session() {
    let sites = Sites::start();
    let (peer, visitor) = (sites.peer("Exact"), Visitor::new());
    let token = Token::generate();
    let url = peer
        .attach_url(&token, &[("return_url", "http://exact.localhost:1/sso/return?state=1"), ("callback", "ignored")]);
    let answer = visitor.get(&url).await;
    let code = code_in(&answer);
    assert_eq!(answer.location().unwrap(), format!("http://exact.localhost:1/sso/return?state=1&sso_verify={}", code));
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with("sso_session=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    // The click that led here carries the page's Referer, whichever page that was.
    let from_elsewhere = [
        ("Referer", "http://greg.localhost:1/"),
        ("Sec-Fetch-Dest", "document"),
        ("Origin", "http://exact.localhost:1"),
    ];
    assert_eq!(code_in(&ask(&visitor, &url, &from_elsewhere).await), code);
}

#[tokio::test]
async fn the_same_token_in_the_same_session_has_the_same_code_and_in_another_none() {
    let sites = Sites::start();
    let (peer, visitor) = (sites.peer("Exact"), Visitor::new());
    let link = peer.attach(&visitor).await;
    assert_eq!(peer.attach_token(&visitor, link.token.clone()).await.code, link.code);
    assert_ne!(peer.attach(&visitor).await.code, link.code);
    let url = peer.attach_url(&link.token, &[("return_url", &peer.return_url())]);
    let refused = Visitor::new().get(&url).await;
    assert_eq!(refused.location_params()["sso_error"], "Token is already attached");
    assert_eq!((link.user().await, refused.header("set-cookie")), (None, ""));
    // One broker's token says nothing about the same one of another.
    sites.peer("Json").attach_token(&Visitor::new(), link.token.clone()).await;
}

#[tokio::test]
async fn exact_brokers_return_to_one_path_and_php_brokers_to_any_page_of_theirs() {
    let sites = Sites::start();
    for (id, url, allowed) in [
        ("Exact", "http://exact.localhost:1/sso/return", true),
        ("Exact", "http://EXACT.localhost:1/x/../sso/return#top", true),
        ("Exact", "http://exact.localhost:1/", false),
        ("Exact", "http://exact.localhost:1/sso/return/", false),
        ("Exact", "https://exact.localhost:1/sso/return", false),
        ("Exact", "http://exact.localhost:2/sso/return", false),
        ("Exact", "/sso/return", false),
        ("Php", "http://php.localhost:1/any/page.php?a=1", true),
        ("Php", "http://php.localhost:2/", false),
        ("Php", "http://exact.localhost:1/sso/return", false),
        ("Host", "https://host.localhost:4711/deep", true),
        ("Host", "http://sub.host.localhost/", false),
    ] {
        let peer = sites.peer(id);
        let answer = Visitor::new().get(&peer.attach_url(&Token::generate(), &[("return_url", url)])).await;
        if allowed {
            code_in(&answer);
        } else {
            assert_eq!((answer.status, answer.location()), (400, None), "{id} {url}");
            assert!(answer.body.contains("Domain of return_url is not allowed"), "{id} {url}");
        }
    }
}

#[tokio::test]
async fn our_parameter_is_the_only_one_of_its_name_and_stands_last_before_the_fragment() {
    let sites = Sites::start();
    let peer = sites.peer("Php");
    for (url, back) in [
        ("http://php.localhost:1/?sso_verify=old&a=1&sso_error=old", "http://php.localhost:1/?a=1&sso_verify="),
        ("http://php.localhost:1/p?sso_verify[]=old&sso.verify=old#top", "http://php.localhost:1/p?sso_verify="),
        ("http://php.localhost:1/p?a=%26%3D", "http://php.localhost:1/p?a=%26%3D&sso_verify="),
    ] {
        let link = format!("{}&path=/attach.php", peer.attach_url(&Token::generate(), &[("return_url", url)]));
        let answer = Visitor::new().get(&link).await;
        let fragment = url.split_once('#').map(|(_, top)| format!("#{top}")).unwrap_or_default();
        assert_eq!(answer.location().unwrap(), format!("{back}{}{fragment}", code_in(&answer)));
    }
    let spoiled = peer.attach_url(&Token::generate(), &[("return_url", "http://php.localhost:1/?sso_verify=old#x")]);
    let answer = ask(&Visitor::new(), &spoiled, &[("Origin", FOREIGN)]).await;
    assert_eq!(answer.location().unwrap(), "http://php.localhost:1/?sso_error=Domain+of+origin+is+not+allowed#x");
}

#[tokio::test]
async fn only_the_configured_method_reads_and_preflights_attach() {
    let sites = Sites::start();
    let (json, visitor) = (sites.peer("Json"), Visitor::new());
    let url = json.attach_url(&Token::generate(), &[]);
    let preflight = |origin: &'static str| {
        let request = visitor.request(Method::OPTIONS, &url).header("Origin", origin);
        send(request.header("Access-Control-Request-Method", "GET"))
    };
    let allowed = preflight("http://json.localhost:1").await;
    assert_eq!((allowed.status, allowed.header("vary")), (204, "Origin"));
    assert_eq!(allowed.header("access-control-allow-origin"), "http://json.localhost:1");
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    assert_eq!(allowed.header("access-control-allow-methods"), "GET");
    let foreign = preflight(FOREIGN).await;
    assert_eq!(
        (foreign.header("access-control-allow-origin"), foreign.header("access-control-allow-methods")),
        ("", "")
    );
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(send(visitor.request(method, &url)).await.status, 405);
    }
    // `.php` is the same place, where it is switched on.
    let php = sites.peer("Php");
    let url = php.attach_url(&Token::generate(), &[("return_url", "http://php.localhost:1/")]);
    code_in(&visitor.get(&url.replace("/attach?", "/attach.php?")).await);
}
