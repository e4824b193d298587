//! What pages show and allow: cross-site scripting and clickjacking, of threat 15; the headers of every answer, threat 31.

use sso_core::Token;
use sso_tests::{
    Demo, Site, Visitor,
    visitor::{Answer, send},
};

use crate::{
    ground::{Ground, broker_site, peer_of},
    handoff::{OUT, deliver, external, follow, link, log_in, token, user_at, who},
    peer::ask,
};

const SCRIPT: &str = "<script>alert(1)</script>";

/// Nothing on the page runs but files of the site itself, and nobody frames it.
fn check_page(what: &str, page: &Answer) {
    assert!(page.header("content-type").starts_with("text/html; charset=utf-8"), "{what} {page:?}");
    let policy = page.header("content-security-policy");
    for needed in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(needed), "{what}: {needed} is not in {policy:?}");
    }
    for forbidden in ["unsafe", "*", "data:", "blob:", "nonce"] {
        assert!(!policy.contains(forbidden), "{what}: {forbidden} is in {policy:?}");
    }
    assert_eq!((page.header("x-frame-options"), page.header("x-content-type-options")), ("DENY", "nosniff"), "{what}");
    assert!(!page.header("referrer-policy").is_empty() && page.header("cache-control") == "no-store", "{what}");

    let body = page.body.to_lowercase();
    for (at, _) in body.match_indices("<script") {
        let (tag, rest) = body[at..].split_once('>').unwrap();
        assert!(
            (tag.contains("src=\"/static/") || tag.contains("src=\"/sso/")) && rest.starts_with("</script>"),
            "{what}: {tag}"
        );
    }
    for tag in body.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag) {
        let handler = tag.split_whitespace().find(|word| word.starts_with("on") && word.contains('='));
        assert_eq!(handler, None, "{what}: {tag}");
        assert!(!tag.contains(" style=") && !tag.contains("javascript:"), "{what}: {tag}");
    }
    assert!(!body.contains("<style") && !body.contains("<iframe") && !body.contains("<base"), "{what}");
}

#[tokio::test]
async fn threat_15_every_page_of_every_site_has_a_strict_policy_and_no_frame() {
    let demo = Demo::start(&[]);
    let (visitor, stranger) = (Visitor::new(), Visitor::new());
    let mut pages = 0;
    for is_logged_in in [false, true] {
        for (site, path, status) in [
            ("sso", "/", 200),
            ("sso", "/nothing", 404),
            ("sso", "/attach", 400),
            ("sso", "/attach?broker=Nobody&token=01234567890123456789012345678901&checksum=0&return_url=x", 403),
            ("alice", "/", 200),
            ("alice", "/about", 200),
            ("alice", "/nothing", 404),
            ("greg", "/", 200),
            ("greg", "/login", 200),
            ("julius", "/", 200),
            ("julius", "/nothing", 404),
        ] {
            let page = visitor.visit(&demo.url(site, path)).await;
            assert_eq!(page.status, status, "{site}{path}");
            check_page(&format!("{site}{path}"), &page);
            pages += 1;
        }
        // Pages for what went wrong.
        let begun = Visitor::new().get(&demo.url("alice", "/")).await;
        let back = Visitor::new().get(&begun.location().unwrap()).await;
        let cookies_off = Visitor::new().get(&back.location().unwrap()).await;
        check_page("cookies off", &cookies_off);
        let long = stranger.get(&demo.url("alice", &format!("/?{}", "x".repeat(5_000)))).await;
        check_page("a long address", &long);
        let logout =
            visitor.request(reqwest::Method::POST, &demo.url("alice", "/logout")).header("Accept", "text/html");
        let asked = visitor.follow(send(logout.form(&[("form_token", "x")])).await).await;
        assert_eq!(asked.heading(), "Log out?");
        check_page("an unverified logout", &asked);
        let refused =
            visitor.submit(&visitor.visit(&demo.url("alice", "/")).await, "/theme", &[("form_token", "x")]).await;
        assert!(refused.status >= 400);
        let login = stranger.get(&demo.url("sso", "/login")).await;
        check_page("login", &login);
        check_page("wrong login", &stranger.submit(&login, "/login", &[("username", "x"), ("password", "y")]).await);
        let form = stranger.visit(&demo.url("greg", "/sso/login?to=/")).await;
        check_page("login on the way", &form);
        if !is_logged_in {
            visitor.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
        }
    }
    assert_eq!(pages, 22);
    let refused = peer_of(&demo, "Alice");
    let page = ask(&visitor, &refused.attach_url(&Token::generate(), &[]), &[("Accept", "text/html")]).await;
    check_page("no return_url", &page);
}

#[tokio::test]
async fn threat_15_files_and_answers_for_scripts_are_not_sniffed() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    for (site, path) in [
        ("sso", "/static/sso.css"),
        ("julius", "/static/ajax-broker.js"),
        ("julius", "/sso/ajax/info"),
        ("julius", "/sso/ajax/nothing"),
        ("sso", "/api/info"),
        ("sso", "/api/nothing"),
    ] {
        let answer = ask(&visitor, &demo.url(site, path), &[]).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{site}{path}");
        assert!(!answer.header("content-type").starts_with("text/html"), "{site}{path}");
    }
}

#[tokio::test]
async fn threat_15_callbacks_run_nothing_but_one_function() {
    let ground = Ground::start("");
    let (peer, visitor) = (ground.peer("Script"), Visitor::new());
    peer.attach(&visitor).await;
    let asked = async |callback: &str| {
        let url = peer.attach_url(&Token::generate(), &[("callback", callback)]);
        ask(&visitor, &url, &[("Referer", "http://script.localhost:1/")]).await
    };
    for bad in [
        "alert(1)//",
        SCRIPT,
        "f;alert(1)",
        "a.b",
        "a[0]",
        "f\n",
        "f\u{2028}",
        "ñ",
        "",
        " f",
        "1f",
        "f\0",
        "a-b",
        "$",
        &"f".repeat(129),
    ] {
        let answer = asked(bad).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/json"), "{bad:?}");
        assert_eq!(
            (answer.json()["message"].as_str(), answer.header("x-content-type-options")),
            (Some("Invalid 'callback' query parameter"), "nosniff")
        );
    }
    for good in ["f", "_x1", "sso_attach", &"f".repeat(128)] {
        assert!(asked(good).await.body.starts_with(&format!("/**/{good}({{\"verify\":\"")), "{good}");
    }
}

#[tokio::test]
async fn threat_15_what_was_typed_or_told_is_shown_as_text() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    // A username at the server's form and at the broker's own.
    let form = visitor.get(&demo.url("sso", "/login")).await;
    let page =
        visitor.submit(&form, "/login", &[("username", "\"><script>alert(1)</script>"), ("password", "x")]).await;
    assert!(page.status == 400 && page.body.contains("&#60;script&#62;"), "{}", page.body);
    check_page("server's form", &page);
    visitor.visit(&demo.url("greg", "/")).await;
    let form = visitor.get(&demo.url("greg", "/login")).await;
    let page =
        visitor.submit(&form, "/login", &[("username", "\"><script>alert(1)</script>"), ("password", "x")]).await;
    assert!(page.status == 400 && page.body.contains("&#60;script&#62;"), "{}", page.body);
    check_page("broker's form", &page);

    // The URL of the login form goes into its `action`.
    let action = visitor.get(&demo.url("sso", "/login?x=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&y=\"><script>")).await;
    check_page("the form's action", &action);
    let way = visitor.get(&demo.url("greg", "/login?x=\"><script>alert(1)</script>")).await;
    check_page("a way back", &way);

    // An error that comes back with the right state.
    let state = visitor.get(&demo.url("alice", "/")).await.location_params()["return_url"]
        .split_once("state=")
        .unwrap()
        .1
        .to_owned();
    let url = format!("/sso/return?state={state}&sso_error=%3Cscript%3Ealert(1)%3C/script%3E");
    let page = visitor.visit(&demo.url("alice", &url)).await;
    assert!(page.body.contains("&#60;script&#62;alert(1)"), "{}", page.body);
    check_page("the error", &page);

    // A theme is one of a few words, whatever a broker writes into the shared data.
    let link = peer_of(&demo, "Greg").attach(&visitor).await;
    link.post("/api/data", &[("theme", "\"><script>alert(1)</script>"), (SCRIPT, SCRIPT)]).await;
    for site in ["alice", "greg", "sso"] {
        let page = visitor.visit(&demo.url(site, "/")).await;
        assert!(page.body.contains("data-theme=\"plain\""), "{site}");
        check_page(site, &page);
    }
}

#[tokio::test]
async fn threat_15_attributes_of_users_are_shown_as_text() {
    let ground = Ground::start("");
    let (_broker, local) = broker_site(&ground, "Local", "s-Local", &[]);
    let visitor = Visitor::new();
    let page = visitor.log_in(&local, "jackie", "jackie123").await;
    assert_eq!(page.heading(), "Logged in as jackie");
    for (what, page) in [
        ("broker", page),
        ("about", visitor.get(&format!("{local}/about")).await),
        ("server", visitor.get(&format!("{}/", ground.url())).await),
    ] {
        check_page(what, &page);
        assert!(what == "about" || page.body.contains("&#60;/dd&#62;&#60;script&#62;alert(1)"), "{what} {}", page.body);
        assert!(!page.body.contains("<img"), "{what}");
    }
    let info = ground.peer("Alice").attach(&visitor).await.get("/api/info").await;
    assert_eq!((info.header("content-type"), info.header("x-content-type-options")), ("application/json", "nosniff"));
    assert_eq!(info.json()["fullname"], "</dd><script>alert(1)</script>");
}

#[tokio::test]
async fn threat_15_what_a_browser_calls_itself_is_shown_as_text() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let agent = format!("\">{SCRIPT}");
    let (login, account) = (demo.url("sso", "/login"), demo.url("sso", "/account"));
    let (_, mut fields) = ask(&visitor, &login, &[("User-Agent", &agent)]).await.form("/login");
    let typed = [("username", "jackie"), ("password", "jackie123"), ("remember", "yes")];
    fields.extend(typed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let request = visitor.request(reqwest::Method::POST, &login).header("User-Agent", &agent).form(&fields);
    assert_eq!(sso_tests::visitor::send(request).await.status, 303);

    let page = ask(&visitor, &account, &[("User-Agent", &agent), ("Accept", "text/html")]).await;
    assert_eq!(page.body.matches("&#34;&#62;&#60;script&#62;alert(1)").count(), 2, "session and remembered browser");
    check_page("account", &page);
    let confirm = demo.url("sso", "/confirm?return_url=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    let page = ask(&visitor, &confirm, &[("User-Agent", &agent), ("Accept", "text/html")]).await;
    assert_eq!(page.status, 200);
    check_page("confirm", &page);
}

/// The headers that no answer may lack.
fn check_base(what: &str, answer: &Answer, is_https: bool) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("strict-transport-security", if is_https { "max-age=31536000" } else { "" }),
    ] {
        assert_eq!(answer.header(name), value, "{what} {name} {answer:?}");
        assert!(answer.headers.get_all(name).iter().count() <= 1, "{what} {name}");
    }
    assert!(!answer.header("referrer-policy").is_empty(), "{what} {answer:?}");
    // A silent attach, also a refused one, is for pages of brokers.
    let is_json = answer.header("content-type").starts_with("application/");
    let is_silent = answer.url.path() == "/attach" && is_json && !what.starts_with("api");
    let expected = if is_silent { "cross-origin" } else { "same-origin" };
    assert_eq!(answer.header("cross-origin-resource-policy"), expected, "{what} {answer:?}");
    let policy = answer.header("content-security-policy");
    if answer.status == 304 {
        assert_eq!(policy, "", "{what}: that of the page in the cache would go");
    } else if answer.header("content-type").starts_with("text/html") {
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{what} {policy}");
    } else if answer.header("location").is_empty() {
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{what} {answer:?}");
    }
}

/// Answers of every kind that these sites give.
async fn check_answers(visitor: &Visitor, sites: &[(&str, &str)], is_https: bool) {
    let send = async |method: &str, url: &str, headers: &[(&str, &str)], body: &str| {
        let request = visitor.request(method.parse().unwrap(), url).body(body.to_owned());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        sso_tests::visitor::send(request).await
    };
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    for (name, url) in sites {
        for (method, path, headers, body) in [
            ("GET", "/", &[("Accept", "text/html")][..], ""),
            ("GET", "/healthz", &[], ""),
            ("HEAD", "/healthz", &[], ""),
            ("GET", "/readyz", &[], ""),
            ("GET", "/nothing", &[], ""),
            ("GET", "/%00%ff", &[], ""),
            ("DELETE", "/", &[], ""),
            ("OPTIONS", "/", &[], ""),
            ("GET", "/static/sso.css", &[], ""),
            ("GET", "/static/sso.css", &[("If-None-Match", "*")], ""),
            ("GET", "/static/nothing", &[], ""),
            ("POST", "/static/sso.css", &[], ""),
            ("GET", "/login", &[], ""),
            ("DELETE", "/login", &[], ""),
            ("POST", "/login", &form, "%"),
            ("POST", "/login", &[], "nonsense"),
            ("POST", "/logout", &form, ""),
            ("POST", "/theme", &form, &"x".repeat(70_000)),
            ("POST", "/theme", &[], ""),
            ("GET", "/account", &[], ""),
            ("GET", "/external?url=x", &[], ""),
            ("GET", "/api/info", &[], ""),
            ("GET", "/api/nothing", &[], ""),
            ("POST", "/api/info", &[], ""),
            ("GET", "/me", &[], ""),
            ("GET", "/.well-known/jwks.json", &[], ""),
            ("GET", "/attach", &[], ""),
            ("OPTIONS", "/attach", &[], ""),
            ("GET", "/sso/session", &[], ""),
            ("POST", "/sso/session/keepalive", &[], ""),
            ("GET", "/sso/attach?to=/", &[], ""),
            ("GET", "/sso/login?to=/", &[], ""),
            ("GET", "/sso/return?state=x", &[], ""),
            ("GET", "/sso/ajax/info", &[], ""),
            ("POST", "/sso/ajax/attach", &[], "nonsense"),
        ] {
            let answer = send(method, &format!("{url}{path}"), headers, body).await;
            check_base(&format!("{name}: {method} {path}"), &answer, is_https);
        }
    }
}

#[tokio::test]
async fn threat_31_every_answer_of_every_site_has_the_base_headers() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let sites = ["sso", "alice", "greg", "julius", "nora", "otto", "api"].map(|site| (site, demo.url(site, "")));
    let sites: Vec<_> = sites.iter().map(|(name, url)| (*name, url.as_str())).collect();
    check_answers(&visitor, &sites, false).await;
    visitor.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
    check_answers(&visitor, &sites, false).await;
}

#[tokio::test]
async fn threat_31_behind_a_proxy_with_https_browsers_are_bound_to_it() {
    let (server, port) = Site::server(
        "public_url = \"https://sso.example\"\n\
         [[brokers]]\nid = \"Alice\"\nsecret = \"a_secret_of_the_tests_that_is_long\"\norigins = [\"https://alice.example\"]\n",
    );
    check_answers(&Visitor::new(), &[("server", &format!("http://127.0.0.1:{port}"))], true).await;
    drop(server);
}

#[tokio::test]
async fn threat_31_pages_of_brokers_may_load_a_silent_attach() {
    let ground = Ground::start("");
    let visitor = Visitor::new();
    ground.peer("Alice").log_in(&visitor, "jackie", "jackie123").await;
    for (id, more, header) in [
        ("Script", &[("callback", "f")][..], ("Referer", "http://script.localhost:1/page")),
        ("Json", &[], ("Origin", "http://json.localhost:1")),
    ] {
        let answer = ask(&visitor, &ground.peer(id).attach_url(&Token::generate(), more), &[header]).await;
        assert!(answer.body.contains("verify"), "{answer:?}");
        check_base("silent: /attach", &answer, false);
    }
}

/// The second page of the server's profile form, or what comes after it.
async fn profile_page(visitor: &Visitor, demo: &Demo, path: &str) -> Answer {
    let first = visitor.get(&demo.url("sso", "/profile")).await;
    let second = visitor.submit(&first, "/profile", &[("fullname", "Jackie"), ("email", "jb@example.org")]).await;
    if path == "/profile/2" {
        return second;
    }
    visitor.follow(visitor.submit(&second, "/profile/2", &[("town", ""), ("about", "")]).await).await
}

#[tokio::test]
async fn threat_31_every_page_for_a_user_has_a_logout() {
    let demo = Demo::start(&[]);
    for (site, path) in [
        ("sso", "/"),
        ("sso", "/account"),
        ("sso", "/profile"),
        ("sso", "/profile/2"),
        ("sso", "/profile/done"),
        ("sso", "/confirm"),
        ("sso", "/logout"),
        ("sso", "/nothing"),
        ("sso", "/account?refused"),
        ("alice", "/"),
        ("alice", "/about"),
        ("alice", "/reports"),
        ("greg", "/"),
        ("greg", "/about"),
        ("julius", "/"),
    ] {
        let visitor = Visitor::new();
        visitor.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
        if path == "/about" || site == "julius" {
            // These send nobody to the server by themselves.
            visitor.visit(&demo.url(site, "/sso/attach?to=/")).await;
        }
        let page = match path {
            "/profile/2" | "/profile/done" => profile_page(&visitor, &demo, path).await,
            "/account?refused" => send(visitor.request(reqwest::Method::POST, &demo.url(site, path))).await,
            _ => visitor.visit(&demo.url(site, path)).await,
        };
        let sent = visitor.submit(&page, "/logout", &[]).await;
        assert_eq!(sent.status, 303, "{site}{path} {sent:?}");
        assert_eq!(visitor.visit(&demo.url("alice", "/")).await.heading(), OUT, "{site}{path}");
    }
    // Linked applications have sessions of their own.
    for (site, path) in [
        ("nora", "/"),
        ("nora", "/about"),
        ("nora", "/reports/2"),
        ("otto", "/"),
        ("otto", "/about"),
        ("otto", "/reports/2"),
    ] {
        let visitor = user_at(&demo, site, "jackie").await;
        log_out(&demo, &visitor, site, &visitor.visit(&demo.url(site, path)).await).await;
    }
}

/// The pages between two sites are for a user, too: before the way out, on it, where it is closed, and where somebody
/// else arrives.
#[tokio::test]
async fn threat_31_every_page_on_the_way_to_another_site_has_a_logout() {
    let demo = Demo::start(&[]);
    for from in ["sso", "nora"] {
        for heading in ["Continue to another site?", "Continue to", "This link does not work"] {
            let visitor = user_at(&demo, from, "jackie").await;
            let page = match heading {
                "Continue to another site?" => {
                    external(&demo, &visitor, from, &demo.url("otto", "/reports/2"), None).await
                }
                "Continue to" => {
                    follow(&visitor, &link(&demo, &visitor, from, "otto").await, Some("same-origin")).await
                }
                _ => external(&demo, &visitor, from, "http://evil.example/", None).await,
            };
            assert!(page.heading().starts_with(heading), "{}", page.heading());
            log_out(&demo, &visitor, from, &page).await;
        }
    }
    let visitor = user_at(&demo, "nora", "john").await;
    log_in(&demo, &visitor, "otto", "jackie").await;
    let token = token(&demo, &visitor, "nora", "otto").await;
    let page = visitor.follow(deliver(&demo, &visitor, "otto", Some(&demo.url("nora", "")), &token).await).await;
    assert_eq!(page.heading(), "Switch user?");
    log_out(&demo, &visitor, "otto", &page).await;
    assert_eq!(who(&demo, &visitor, "nora").await, "Logged in as john", "who did not log out");
}

/// Sends the logout of this page. The server asks once more.
async fn log_out(demo: &Demo, visitor: &Visitor, site: &str, page: &Answer) {
    let (target, _) = page.form("/logout");
    let sent = if site == "sso" {
        visitor.submit(&visitor.get(&target).await, "/logout", &[]).await
    } else {
        send(visitor.request(reqwest::Method::POST, &target).header("Origin", demo.url(site, ""))).await
    };
    assert_eq!(sent.status, 303, "{site} {} {sent:?}", page.url);
    // The server's home page has the same heading for everybody; Alice asks it.
    let seen_at = if site == "sso" { "alice" } else { site };
    assert_eq!(visitor.visit(&demo.url(seen_at, "/")).await.heading(), OUT, "{site} {}", page.url);
}
