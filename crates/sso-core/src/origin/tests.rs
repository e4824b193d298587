use proptest::prelude::*;

use super::*;

fn exact(origins: &[&str]) -> AllowedOrigins {
    AllowedOrigins::new(origins, ReturnPages::Paths(vec!["/sso/return".into()])).unwrap()
}

fn any_page(origins: &[&str]) -> AllowedOrigins {
    AllowedOrigins::new(origins, ReturnPages::Any).unwrap()
}

#[test]
fn exact_return_urls() {
    let alice = exact(&["https://alice.example.com", "http://alice.localhost:8001"]);
    for good in [
        "https://alice.example.com/sso/return",
        "https://alice.example.com/sso/return?state=1#x",
        "HTTPS://ALICE.example.com:443/sso/return",
        "http://alice.localhost:8001/sso/return",
        "https://alice.example.com/x/../sso/return",
    ] {
        assert!(alice.return_url(good).is_some(), "{good}");
    }
    for bad in [
        "https://alice.example.com/",
        "https://alice.example.com/sso/return/",
        "https://alice.example.com/sso/return/x",
        "http://alice.example.com/sso/return",
        "https://alice.example.com:8443/sso/return",
        "https://alice.example.com./sso/return",
        "https://evil.example.com/sso/return",
        "https://alice.example.com.evil.com/sso/return",
        "//alice.example.com/sso/return",
        "/sso/return",
        "javascript:alert(1)//https://alice.example.com/sso/return",
        "",
    ] {
        assert!(alice.return_url(bad).is_none(), "{bad}");
    }
}

#[test]
fn what_two_parsers_read_differently_is_refused() {
    let broker = any_page(&["broker"]);
    assert!(broker.return_url("https://broker/").is_some());
    for bad in [
        "https://evil\\@broker/",
        "https://broker\\@evil/",
        "https://evil@broker/",
        "https://@broker/",
        "https://user:pass@broker/",
        "https:broker/",
        "https:///broker/",
        "https:/broker/",
        "https://bro\tker/",
        "https://broker/\r\nSet-Cookie:x=y",
        " https://broker/",
        "https://broker/ ",
        "https://broker/\0",
        "https://broker/\u{FFFD}",
        "ftp://broker/",
        "data:text/html,x",
    ] {
        assert!(broker.return_url(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn bare_hosts_allow_any_scheme_port_and_page_but_no_other_host() {
    let broker = any_page(&["localhost", "bücher.example"]);
    for good in ["http://localhost:8001/a?b", "https://localhost/", "https://xn--bcher-kva.example/"] {
        assert!(broker.return_url(good).is_some(), "{good}");
    }
    for bad in ["http://localhost.evil.com/", "http://sub.localhost/", "http://127.0.0.1/"] {
        assert!(broker.return_url(bad).is_none(), "{bad}");
    }
}

#[test]
fn origin_and_referer_headers() {
    let alice = exact(&["http://alice.localhost:8001"]);
    assert!(alice.allows_origin("http://alice.localhost:8001"));
    assert!(alice.allows_referer("http://alice.localhost:8001/any/page?x"));
    for bad in ["null", "", "http://alice.localhost", "http://alice.localhost:8001/page", "http://greg.localhost:8002"]
    {
        assert!(!alice.allows_origin(bad), "{bad}");
    }
    assert!(!alice.allows_referer("http://greg.localhost:8002/"));
}

#[test]
fn our_parameter_is_the_only_one_and_the_last() {
    let broker = any_page(&["broker"]);
    let code: VerificationCode = "c0de".parse().unwrap();
    for (from, to) in [
        ("https://broker/", "https://broker/?sso_verify=c0de"),
        ("https://broker/?a=1&b=2#top", "https://broker/?a=1&b=2&sso_verify=c0de#top"),
        ("https://broker/?sso_verify=evil&a=%2F", "https://broker/?a=%2F&sso_verify=c0de"),
        ("https://broker/?sso%5Fverify=e&sso_error=e&sso.verify=e&sso_verify[]=e", "https://broker/?sso_verify=c0de"),
    ] {
        assert_eq!(broker.return_url(from).unwrap().with_code(&code), to);
    }
    let error = broker.return_url("https://broker/").unwrap().with_error("\"a\" & <b>\r\n");
    assert_eq!(error, "https://broker/?sso_error=%22a%22+%26+%3Cb%3E%0D%0A");
}

#[test]
fn configuration_is_checked() {
    let error = |origin: &str| AllowedOrigins::new(&[origin], ReturnPages::Any).unwrap_err();
    assert!(matches!(error("ftp://a"), InvalidOrigin::NotAnOrigin(_)));
    assert!(matches!(error("a b"), InvalidOrigin::NotAnOrigin(_)));
    assert!(matches!(error("host:80"), InvalidOrigin::NotAnOrigin(_)));
    for bad in ["", "*", "*.example.com", "https://*", "https://a\"b"] {
        assert!(matches!(error(bad), InvalidOrigin::NotAnOrigin(_)), "{bad}");
    }
    assert!(matches!(error("https://a/path"), InvalidOrigin::MoreThanAnOrigin(_)));
    assert_eq!(AllowedOrigins::new::<&str>(&[], ReturnPages::Any).unwrap_err(), InvalidOrigin::None);
    for bad in ["sso", "//evil", "/a/../b", "/a?b", "/a b", "/\\evil"] {
        let paths = ReturnPages::Paths(vec![bad.into()]);
        assert_eq!(AllowedOrigins::new(&["a"], paths).unwrap_err(), InvalidOrigin::NotAPath(bad.into()));
    }
}

proptest! {
    /// Whatever is accepted leads, as a browser reads it, to the allowed host.
    #[test]
    fn an_accepted_url_leads_to_the_broker(text in "https?:[/\\\\]{0,3}[a-z@:\\\\/?#.\t]{0,12}broker[a-z@:\\\\/?#.0-9]{0,12}") {
        if let Some(url) = any_page(&["broker"]).return_url(&text) {
            let sent = Url::parse(&url.with_code(&"1".parse().unwrap())).unwrap();
            prop_assert_eq!(sent.host_str(), Some("broker"));
        }
    }
}
