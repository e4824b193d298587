//! Requests that a hostile page makes a visitor's browser send: forgery, of threat 15.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use sso_tests::{Demo, Visitor, visitor::send};

use crate::{ground::peer_of, peer::raw};

/// What browsers add to a request from a hostile page, and what they do not say.
const HOSTILE: [&[(&str, &str)]; 6] = [
    &[("Sec-Fetch-Site", "cross-site"), ("Origin", "http://evil.localhost")],
    &[("Sec-Fetch-Site", "cross-site")],
    &[("Sec-Fetch-Site", "same-site"), ("Origin", "http://alice.localhost")],
    &[("Sec-Fetch-Site", "none")],
    &[("Origin", "http://evil.localhost"), ("Sec-Fetch-Site", "cross-site"), ("Referer", "http://evil.localhost/")],
    &[("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
];

fn with(request: RequestBuilder, headers: &[(&str, &str)]) -> RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

#[tokio::test]
async fn threat_15_a_forged_login_logs_nobody_in() {
    let demo = Demo::start(&[]);
    let (victim, attacker) = (Visitor::new(), Visitor::new());
    let peer = peer_of(&demo, "Alice");
    let on_the_way =
        peer.attach_url(&sso_core::Token::generate(), &[("return_url", &peer.return_url()), ("prompt", "login")]);
    victim.visit(&demo.url("greg", "/")).await;
    attacker.visit(&demo.url("greg", "/")).await;
    for (url, action) in
        [(demo.url("sso", "/login"), "/login"), (on_the_way, "/attach"), (demo.url("greg", "/login"), "/login")]
    {
        let (own, foreign) = (victim.get(&url).await.form(action), attacker.get(&url).await.form(action));
        let post = |form: &(String, Vec<(String, String)>)| {
            let mut fields = form.1.clone();
            fields.extend([("username".into(), "john".into()), ("password".into(), "john123".into())]);
            victim.request(Method::POST, &own.0).header("Accept", "text/html").form(&fields)
        };
        // The attacker knows a token of their own browser, or none.
        for form in [&foreign, &(own.0.clone(), vec![]), &(own.0.clone(), vec![("form_token".into(), "x".into())])] {
            for headers in [&[][..], HOSTILE[0]] {
                let answer = send(with(post(form), headers)).await;
                assert_eq!((answer.status, answer.location()), (403, None), "{url} {headers:?}");
                assert!(!answer.header("set-cookie").contains("sso_session"));
            }
        }
        // Even with the right one, a browser that says where it comes from is believed.
        for headers in HOSTILE {
            assert_eq!(send(with(post(&own), headers)).await.status, 403, "{url} {headers:?}");
        }
        assert!(!victim.visit(&demo.url("sso", "/")).await.body.contains("<strong>john"), "{url}");
    }
    // The twin, last: it changes the session that the forms above belong to.
    let form = victim.get(&demo.url("sso", "/login")).await.form("/login");
    let mut fields = form.1.clone();
    fields.extend([("username".into(), "john".into()), ("password".into(), "john123".into())]);
    let honest = [("Sec-Fetch-Site", "same-origin"), ("Origin", &demo.url("sso", ""))];
    assert_eq!(send(with(victim.request(Method::POST, &form.0).form(&fields), &honest)).await.status, 303);
    assert!(victim.visit(&demo.url("sso", "/")).await.body.contains("<strong>john"));
}

#[tokio::test]
async fn threat_15_a_form_of_the_user_before_does_nothing_for_the_next_one() {
    let demo = Demo::start(&[]);
    for site in ["alice", "greg"] {
        let home = demo.url(site, "/");
        let visitor = Visitor::new();
        let nobodys = visitor.visit(&home).await;
        let jackies = visitor.log_in(&demo.url(site, ""), "jackie", "jackie123").await;
        visitor.submit(&jackies, "/logout", &[]).await;
        // Through the same link at Greg's own form, by another one at the server.
        match site {
            "greg" => {
                let form = visitor.visit(&demo.url(site, "/login")).await;
                visitor.submit(&form, "/login", &[("username", "john"), ("password", "john123")]).await;
            }
            _ => drop(visitor.log_in(&demo.url(site, ""), "john", "john123").await),
        }
        let johns = visitor.visit(&home).await;
        assert_eq!(johns.heading(), "Logged in as john", "{site}");
        // As it is, and with john's name in it.
        let (target, own) = jackies.form("/theme");
        for token in [own[0].1.clone(), own[0].1.replace("jackie", "john")] {
            let fields = [("form_token", token.as_str()), ("theme", "ocean"), ("password", "hunter2")];
            let form = visitor.request(Method::POST, &target).form(&fields).header("Accept", "text/html");
            let answer = send(form.header("Sec-Fetch-Site", "same-origin")).await;
            assert!([401, 403].contains(&answer.status), "{site} {answer:?}");
            // What was typed is not lost, and no secret is shown.
            assert!(answer.body.contains("<dd>ocean</dd>"), "{site} {answer:?}");
            assert!(!answer.body.contains("hunter2") && !answer.body.contains(&token), "{site} {answer:?}");
        }
        let asked = visitor.submit(&jackies, "/logout", &[]).await;
        assert_eq!(visitor.follow(asked).await.heading(), "Log out?");
        let page = visitor.visit(&home).await;
        assert!(page.body.contains("john") && page.body.contains("data-theme=\"plain\""), "{site} {page:?}");
        // The twins: john's own form, and one that was nobody's.
        for (page, theme) in [(&johns, "ocean"), (&nobodys, "forest")] {
            let done = visitor.submit(page, "/theme", &[("theme", theme)]).await;
            let page = visitor.follow(done).await;
            assert!(page.body.contains(&format!("data-theme=\"{theme}\"")), "{site} {page:?}");
        }
    }
}

#[tokio::test]
async fn threat_15_a_forged_logout_or_theme_changes_nothing() {
    let demo = Demo::start(&[]);
    let victim = Visitor::new();
    victim.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    for (site, action) in [("alice", "/theme"), ("greg", "/theme"), ("alice", "/logout"), ("sso", "/logout")] {
        let (target, own) = victim.visit(&demo.url(site, "/")).await.form(action);
        let post = |fields: &[(String, String)]| {
            let fields = [fields, &[("theme".to_owned(), "ocean".to_owned())]].concat();
            victim.request(Method::POST, &target).header("Accept", "text/html").form(&fields)
        };
        // Whether a logout is wanted is asked where it cannot be known, on a page of its own.
        let refused = if action == "/logout" { 303 } else { 403 };
        for headers in HOSTILE {
            let answer = send(with(post(&own), headers)).await;
            assert_eq!(answer.status, refused, "{site}{action} {headers:?}");
            assert!(!answer.headers.contains_key("set-cookie") || site != "sso", "{answer:?}");
        }
        for fields in
            [vec![], vec![("form_token".to_owned(), String::new())], vec![("form_token".to_owned(), "0".repeat(64))]]
        {
            let answer = send(post(&fields)).await;
            assert_eq!(answer.status, refused, "{site}{action} {fields:?}");
            if refused == 303 {
                assert_eq!(victim.follow(answer).await.heading(), "Log out?");
            }
        }
        // As `text/plain`, or in the query: other ways in which a page can send without asking.
        let token = &own[0].1;
        let body = format!("form_token={token}&theme=ocean");
        for answer in [
            send(victim.request(Method::POST, &target).header("Content-Type", "text/plain").body(body.clone())).await,
            send(victim.request(Method::POST, &format!("{target}?{body}"))).await,
            victim.get(&format!("{target}?{body}")).await,
            victim.get(&target).await,
        ] {
            let leads_to_page = answer.location() == Some(target.clone()) || answer.body.contains("<h1>Log out?</h1>");
            let asks = (site, action) == ("sso", "/logout") && leads_to_page;
            assert!((400..500).contains(&answer.status) || asks, "{site}{action} {answer:?}");
        }
        let page = victim.visit(&demo.url(site, "/")).await;
        assert!(page.body.contains("jackie") && page.body.contains("data-theme=\"plain\""), "{site}{action}");
        let honest = [("Sec-Fetch-Site", "same-origin"), ("Origin", &demo.url(site, ""))];
        if action == "/logout" {
            assert_eq!(send(with(post(&own), &honest)).await.status, 303, "{site}");
            victim.log_in(&demo.url("greg", ""), "jackie", "jackie123").await;
        }
    }
    let page = victim.visit(&demo.url("alice", "/")).await;
    let page = victim.follow(victim.submit(&page, "/theme", &[("theme", "ocean")]).await).await;
    assert!(page.body.contains("data-theme=\"ocean\""));
}

#[tokio::test]
async fn threat_15_forged_commands_to_the_script_broker_do_nothing() {
    let demo = Demo::start(&[]);
    let victim = Visitor::new();
    victim.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    victim.visit(&demo.url("julius", "/sso/attach?to=/")).await;
    let before = victim.cookies(&demo.url("julius", "/"));
    let post = |name: &str| victim.request(Method::POST, &demo.url("julius", &format!("/sso/ajax/{name}")));
    let john = json!({ "username": "john", "password": "john123", "state": "x", "verify": "x" });
    for name in ["attach", "verify", "login", "logout", "data"] {
        for headers in HOSTILE {
            let answer = send(with(post(name).json(&john), headers)).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (403, ""), "{name} {headers:?}");
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let answer = send(post(name).header("Content-Type", kind).body(john.to_string())).await;
            assert_eq!(answer.status, 403, "{name} {kind}");
        }
        // No page elsewhere is ever allowed to ask for more.
        let preflight = victim.request(Method::OPTIONS, &demo.url("julius", &format!("/sso/ajax/{name}")));
        let preflight =
            send(preflight.header("Origin", "http://evil.localhost").header("Access-Control-Request-Method", "POST"))
                .await;
        assert_eq!(preflight.header("access-control-allow-origin"), "", "{name}");
    }
    assert_eq!(victim.cookies(&demo.url("julius", "/")), before);
    let info = victim.get(&demo.url("julius", "/sso/ajax/info")).await;
    assert_eq!(info.json()["username"], "jackie");
    assert_eq!(info.header("access-control-allow-origin"), "");
    let honest = [("Sec-Fetch-Site", "same-origin"), ("Origin", &demo.url("julius", ""))];
    assert_eq!(send(with(post("logout").json(&json!({})), &honest)).await.status, 204);
    assert_eq!(victim.get(&demo.url("julius", "/sso/ajax/info")).await.status, 204);
}

#[tokio::test]
async fn threat_15_no_path_leads_through_the_script_broker_to_the_servers_api() {
    let demo = Demo::start(&[]);
    let victim = Visitor::new();
    victim.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    victim.visit(&demo.url("julius", "/sso/attach?to=/")).await;
    let url: url::Url = demo.url("julius", "/").parse().unwrap();
    let port = url.port().unwrap();
    for path in [
        "../api/logout",
        "..%2fapi%2flogout",
        "%2e%2e/api/logout",
        "info/../../api/logout",
        "info?path=/api/logout",
        "/api/logout",
        "logout.php",
        "info.php",
        "http://evil.localhost/",
        "@evil.localhost/",
        "info%00",
        "info;x",
        "INFO",
        "info/",
        "%2e%2e%5capi",
        "login/..",
    ] {
        for method in ["GET", "POST"] {
            let head = format!(
                "{method} /sso/ajax/{path} HTTP/1.1\r\nHost: julius.localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n\
                 Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\nCookie: {}\r\n\r\n{{}}",
                victim.cookies(url.as_str())
            );
            let answer = raw(port, head.as_bytes());
            let is_info = path.starts_with("info?") && method == "GET";
            let status = if is_info { "200" } else { "40" };
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path} {answer}");
        }
    }
    assert_eq!(victim.get(&demo.url("julius", "/sso/ajax/info")).await.json()["username"], "jackie");
}

#[tokio::test]
async fn threat_26_what_a_page_sends_by_script_ends_no_session() {
    let demo = Demo::start(&[]);
    let victim = Visitor::new();
    victim.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    let silent = peer_of(&demo, "Julius").attach_url(&sso_core::Token::generate(), &[]);
    let other = [("Accept-Language", "xx"), ("Accept", "text/html")];
    // What scripts may set goes with what the browser says of them; an older one says nothing.
    let by_script: [&[(&str, &str)]; 5] = [
        &[("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty"), ("Origin", &demo.url("julius", ""))],
        &[("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")],
        &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
        &[],
    ];
    let paths = ["/sso/session", "/", "/account", "/login", "/profile"].map(|path| demo.url("sso", path));
    for url in paths.iter().chain([&silent]) {
        for headers in by_script {
            let answer = send(with(with(victim.request(Method::GET, url), headers), &other)).await;
            assert!(!answer.body.contains("Jackie") && !answer.body.contains("verify"), "{url} {answer:?}");
            assert!(!answer.header("set-cookie").contains("session"), "{url} {answer:?}");
        }
    }
    assert!(victim.get(&demo.url("sso", "/")).await.body.contains("Jackie"));
    assert_eq!(victim.visit(&demo.url("alice", "/")).await.heading(), "Logged in as jackie");
    // Its twin: the cookie is in another browser, in which somebody opens a page.
    let navigation = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", "none")];
    let page = send(with(with(victim.request(Method::GET, &demo.url("sso", "/")), &navigation), &other)).await;
    assert!(page.status == 200 && !page.body.contains("Jackie"));
    assert!(!victim.get(&demo.url("sso", "/")).await.body.contains("Jackie"), "now it has ended");
}
