//! The broker's side, from outside: the way to the server and back, and its forms.

use reqwest::Method;
use sso_tests::{
    Demo, Visitor,
    visitor::{Answer, send},
};

pub fn is_json_attach(answer: &Answer) -> bool {
    answer.status == 401 && answer.json()["attach"] == "redirect" && answer.json()["error"].is_string()
}

#[tokio::test]
async fn a_return_without_the_right_state_changes_nothing_and_leads_to_a_clean_url() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let alice = demo.url("alice", "");
    visitor.log_in(&alice, "jackie", "jackie123").await;
    let before = visitor.cookies(&alice);
    let code = "0".repeat(50);
    let state = "1".repeat(50);
    for query in [
        String::new(),
        format!("?sso_verify={code}"),
        format!("?state={state}&sso_verify={code}"),
        format!("?state={state}&sso_error=Broken"),
        format!("?state=&sso_verify={code}"),
        format!("?state[]={state}&sso_verify={code}"),
        format!("?state={state}&state={state}&sso_verify={code}"),
        "?sso_error=%3Cscript%3E".to_owned(),
    ] {
        let answer = visitor.get(&format!("{alice}/sso/return{query}")).await;
        assert_eq!((answer.status, answer.header("location"), answer.header("set-cookie")), (303, "/", ""), "{query}");
        assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
        assert_eq!(visitor.cookies(&alice), before);
    }
    assert_eq!(visitor.visit(&format!("{alice}/")).await.heading(), "Logged in as jackie");
}

#[tokio::test]
async fn a_return_with_the_right_state_goes_to_the_page_that_was_wanted_once() {
    let demo = Demo::start(&[]);
    let (visitor, alice) = (Visitor::new(), demo.url("alice", ""));
    let to_server = visitor.get(&format!("{alice}/?a=1&b=%2F")).await;
    let back = visitor.get(&to_server.location().unwrap()).await;
    let params = back.location_params();
    assert!(params.contains_key("state") && params.contains_key("sso_verify"));
    let done = visitor.get(&format!("{}&to=/evil", back.location().unwrap())).await;
    assert_eq!((done.status, done.header("location")), (303, "/?a=1&b=%2F"));
    assert_eq!(visitor.follow(done).await.heading(), "You are logged out");
    // The state is spent: the same URL from the history does nothing any more.
    let again = visitor.get(&back.location().unwrap()).await;
    assert_eq!((again.header("location"), again.header("set-cookie")), ("/", ""));

    // An error with the right state is told, once, and the next visit tries again.
    let to_server = visitor.get(&format!("{alice}/sso/attach?to=/")).await;
    let state = to_server.location_params()["return_url"].split_once("state=").unwrap().1.to_owned();
    let page = visitor.visit(&format!("{alice}/sso/return?state={state}&sso_error=It+%3Cb%3Ebroke")).await;
    assert!(page.status == 200 && page.body.contains("It &#60;b&#62;broke"), "{}", page.body);
    assert!(!visitor.visit(&format!("{alice}/")).await.body.contains("broke"));
}

#[tokio::test]
async fn a_browser_without_cookies_gets_a_page_that_says_so() {
    let demo = Demo::start(&[]);
    let alice = demo.url("alice", "");
    let to_server = Visitor::new().get(&format!("{alice}/")).await;
    let back = Visitor::new().get(&to_server.location().unwrap()).await;
    let page = Visitor::new().get(&back.location().unwrap()).await;
    assert_eq!((page.status, page.heading(), page.header("set-cookie")), (400, "Your browser sent no cookie", ""));
    assert!(page.body.contains("href=\"/sso/attach?to=") && page.body.contains("href=\"/\""));
}

#[tokio::test]
async fn the_wanted_page_is_always_one_of_this_site() {
    let demo = Demo::start(&[]);
    let alice = demo.url("alice", "");
    for (to, leads_to) in [
        ("/about", "/about"),
        ("/about?a=1%26b", "/about?a=1&b"),
        ("https://evil.localhost/", "/"),
        ("//evil.localhost/", "/"),
        ("/\\evil.localhost/", "/"),
        ("\\\\evil.localhost", "/"),
        ("/%09/evil.localhost", "/"),
        ("/.//evil.localhost", "/"),
        ("/about/..//evil.localhost", "/"),
        ("http:evil.localhost", "/"),
        ("javascript:alert(1)", "/"),
        ("/about%0d%0aSet-Cookie:x=y", "/"),
        ("", "/"),
    ] {
        let visitor = Visitor::new();
        let to_server = visitor.get(&format!("{alice}/sso/attach?to={to}")).await;
        let back = visitor.get(&to_server.location().unwrap()).await;
        let done = visitor.get(&back.location().unwrap()).await;
        assert_eq!(done.location(), Some(format!("{alice}{leads_to}")), "{to}");
        let login = visitor.get(&format!("{alice}/sso/login?to={to}")).await;
        assert!(login.location().unwrap().starts_with(&demo.url("sso", "/attach?")), "{to}");
    }
}

#[tokio::test]
async fn only_a_visit_to_a_page_is_sent_away_to_attach() {
    let demo = Demo::start(&[]);
    let alice = demo.url("alice", "/");
    let ask = |headers: &'static [(&'static str, &'static str)]| {
        let request = Visitor::new().request(Method::GET, &alice);
        send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    };
    for headers in [
        &[("Accept", "application/json")][..],
        &[("Accept", "image/avif,image/webp")],
        &[("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")],
        &[("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
        &[("Accept", "text/html"), ("Sec-Purpose", "prefetch")],
        &[("Accept", "text/html"), ("X-Requested-With", "XMLHttpRequest")],
    ] {
        let answer = ask(headers).await;
        assert!(is_json_attach(&answer) && answer.header("set-cookie").is_empty(), "{headers:?} {answer:?}");
    }
    let crawler = ask(&[("User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1)"), ("Accept", "text/html")]).await;
    assert_eq!((crawler.status, crawler.header("set-cookie")), (200, ""));
    let visit = ask(&[("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]).await;
    assert_eq!(visit.status, 303);

    let visitor = Visitor::new();
    for (path, status) in [("/about", 200), ("/static/sso.css", 200), ("/healthz", 200), ("/nothing", 404)] {
        let answer = visitor.get(&demo.url("alice", path)).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (status, ""), "{path}");
    }
    for path in ["/logout", "/theme"] {
        let answer = send(visitor.request(Method::POST, &demo.url("alice", path)).form(&[("form_token", "x")])).await;
        assert!(answer.status == 403 && answer.location().is_none(), "{path} {answer:?}");
    }
}

#[tokio::test]
async fn forms_need_their_token_from_a_page_of_this_site() {
    let demo = Demo::start(&[]);
    let (visitor, stranger) = (Visitor::new(), Visitor::new());
    let alice = demo.url("alice", "");
    let page = visitor.log_in(&alice, "jackie", "jackie123").await;
    let others = stranger.visit(&format!("{alice}/")).await.form("/theme").1;
    let own = page.form("/logout").1;
    let post = |path: &str, fields: &[(String, String)]| {
        visitor.request(Method::POST, &format!("{alice}{path}")).header("Accept", "text/html").form(fields)
    };
    let none = Vec::new();
    for (what, request) in [
        ("no token", post("/logout", &none)),
        ("another visitor's token", post("/logout", &others)),
        ("from another site", post("/logout", &own).header("Sec-Fetch-Site", "cross-site")),
        ("from a sibling", post("/logout", &own).header("Sec-Fetch-Site", "same-site")),
    ] {
        let answer = visitor.follow(send(request).await).await;
        assert_eq!((answer.status, answer.heading()), (200, "Log out?"), "{what}");
        assert!(answer.body.contains("href=\"/\"") && answer.body.contains("action=\"/sso/logout\""));
    }
    for (what, request) in [
        ("no token", post("/theme", &none)),
        ("another visitor's token", post("/theme", &others)),
        ("from another site", post("/theme", &own).header("Sec-Fetch-Site", "cross-site")),
        ("from a sibling", post("/theme", &own).header("Sec-Fetch-Site", "same-site")),
    ] {
        let answer = send(request).await;
        assert_eq!((answer.status, answer.heading()), (403, "This form is no longer valid"), "{what}");
        assert!(answer.body.contains("href=\"/\""));
    }
    // Changing state by GET is no way.
    for path in ["/logout", "/theme?theme=ocean"] {
        assert!(matches!(visitor.get(&format!("{alice}{path}")).await.status, 404 | 405), "{path}");
    }
    assert_eq!(visitor.visit(&format!("{alice}/")).await.heading(), "Logged in as jackie");
    let good = send(post("/logout", &own).header("Sec-Fetch-Site", "same-origin")).await;
    assert_eq!((good.status, visitor.visit(&format!("{alice}/")).await.heading()), (303, "You are logged out"));
}
