//! The attach by redirect: there, back, and everything that must not come of it.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    browser::Browser,
    server::{NOBODY_LISTENS, Server},
    site::Site,
};

fn names(browser: &Browser) -> Vec<&str> {
    // Without the random part of a pending attach.
    let names = browser.cookies.keys().map(|name| name.split("attach-").next().unwrap());
    names.filter(|name| *name != "sso-Alice-form").collect()
}

#[actix_web::test]
async fn a_first_visit_attaches_and_ends_at_the_wanted_page() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    server.state().user = Some("jackie".into());

    let page = browser.visit("/page?a=b;c&d=%2F").await;
    assert_eq!(names(&browser), ["sso-Alice-"]);
    let back = server.attach(page.location());
    assert!(back.starts_with(&format!("{}sso/return?state=", site.broker.public_url())), "{back}");
    let page = browser.visit(&back).await;
    assert_eq!(page.location(), "/page?a=b;c&d=%2F");
    assert_eq!(names(&browser), ["sso-Alice-arrived", "sso-Alice-token"]);
    let page = browser.visit("/page?a=b;c&d=%2F").await;
    assert_eq!((page.status, page.body.as_str()), (200, "jackie down=false problem=None"));
    assert!(!names(&browser).contains(&"sso-Alice-arrived"));
    assert!(!server.state().attached[0].prompt_login);
}

#[actix_web::test]
async fn only_the_own_state_opens_the_return() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let mut other = Browser::new(&site);
    let own = server.attach(browser.visit("/page").await.location());
    let foreign = server.attach(other.visit("/page").await.location());
    let before = browser.cookies.clone();

    let state = own.split(['=', '&']).nth(1).unwrap();
    for poison in [
        "/sso/return".to_owned(),
        "/sso/return?sso_verify=evil".into(),
        "/sso/return?sso_error=evil".into(),
        "/sso/return?state=&sso_verify=evil".into(),
        format!("/sso/return?state={}&sso_verify=evil", &state[..10]),
        format!("/sso/return?state={}x&sso_error=evil", &state[..49]),
        format!("/sso/return?state={state}&state={state}&sso_verify=evil"),
        foreign,
    ] {
        let page = browser.visit(&poison).await;
        assert_eq!(page.location(), "/", "{poison}");
        assert_eq!(browser.cookies, before, "{poison}");
    }
    assert_eq!(browser.visit(&own).await.location(), "/page");
    assert_eq!(names(&browser), ["sso-Alice-arrived", "sso-Alice-token"]);
    // Used up.
    let before = browser.cookies.clone();
    assert_eq!(browser.visit(&own).await.location(), "/");
    assert_eq!(browser.visit("/sso/return?sso_verify=evil").await.location(), "/");
    assert_eq!(browser.cookies, before);
    assert_eq!(browser.visit("/page").await.status, 200);
}

#[actix_web::test]
async fn without_cookies_one_round_ends_at_a_page_that_says_so() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    browser.keeps_cookies = false;
    let back = server.attach(browser.visit("/page").await.location());
    let page = browser.visit(&back).await;
    assert!(page.is_problem(400, "Your browser sent no cookie"), "{page:?}");
    assert!(page.body.contains("href=\"/sso/attach?to=/\""));
    // The same return with cookies is a good one.
    browser.keeps_cookies = true;
    assert_eq!(browser.arrive(&server, "/page").await.status, 200);
}

#[actix_web::test]
async fn parallel_tabs_each_come_back_to_their_page() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let first = server.attach(browser.visit("/page?1").await.location());
    let second = server.attach(browser.visit("/page?2").await.location());
    assert_eq!(browser.visit(&first).await.location(), "/page?1");
    assert_eq!(browser.visit(&second).await.location(), "/page?2");
    assert_eq!(browser.visit("/page?1").await.status, 200);
}

#[actix_web::test]
async fn sixteen_tabs_opened_at_once_each_come_back_to_their_page() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let (mut backs, mut last) = (Vec::new(), UNIX_EPOCH);
    for tab in 0..20 {
        // Two within a millisecond may make room in either order, and so may those around a clock that is set back.
        while SystemTime::now() < last + Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        last = SystemTime::now();
        backs.push(server.attach(browser.visit(&format!("/page?{tab}")).await.location()));
        last = last.max(SystemTime::now());
    }
    // Of more, the oldest made room.
    assert_eq!(browser.kept().len(), 16);
    let form = browser.cookies["sso-Alice-form"].clone();
    for (tab, back) in backs.iter().enumerate() {
        let page = if tab < 4 { "/".to_owned() } else { format!("/page?{tab}") };
        assert_eq!(browser.visit(back).await.location(), page);
    }
    assert_eq!(browser.cookies["sso-Alice-form"], form, "the forms of all of them are good");
}

#[actix_web::test]
async fn an_attach_that_failed_is_shown_once_and_not_repeated() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let start = browser.visit("/page").await;
    let back = server.refuse_attach(start.location(), "<b>Broker is unknown</b>\r\n");
    assert_eq!(browser.visit(&back).await.location(), "/page");
    let page = browser.visit("/page").await;
    assert_eq!(page.body, "nobody down=false problem=Some(\"<b>Broker is unknown</b>\")");
    // The next visit tries again.
    assert_eq!(browser.arrive(&server, "/page").await.body, "nobody down=false problem=None");
}

#[actix_web::test]
async fn a_code_that_is_none_is_a_failed_attach() {
    let server = Server::start();
    let site = Site::start(server.broker());
    for bad in ["", "sso_verify=", "sso_verify=A-b", "sso_verify=a&sso_verify=b"] {
        let mut browser = Browser::new(&site);
        let back = server.attach(browser.visit("/page").await.location());
        let (start, _) = back.split_once("sso_verify").unwrap();
        assert_eq!(browser.visit(&format!("{start}{bad}")).await.location(), "/page");
        assert!(browser.visit("/page").await.body.contains("problem=Some(\"This is not a verification code"), "{bad}");
    }
}

#[actix_web::test]
async fn a_token_that_is_taken_is_replaced_once() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let taken = "Token is already attached";
    let start = browser.visit("/sso/login?max_age=60&to=/page").await;
    let back = server.refuse_attach(start.location(), taken);
    let again = browser.visit(&back).await;
    assert_ne!(again.location(), start.location());
    let back = server.refuse_attach(again.location(), taken);
    let minute = Some(Duration::from_secs(60));
    assert!(server.state().attached.iter().all(|attach| attach.prompt_login && attach.max_age == minute));
    assert_eq!(browser.visit(&back).await.location(), "/page");
    assert!(browser.visit("/page").await.body.contains(taken));
}

#[actix_web::test]
async fn attach_is_for_people() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let json: &[(&str, &str)] = &[("Accept", "application/json")];
    let script = &[("Accept", "*/*"), ("Sec-Fetch-Mode", "cors")];
    let prefetch = &[("Accept", "text/html"), ("Sec-Purpose", "prefetch")];
    for headers in [json, script, prefetch, &[("Accept", "image/png")], &[("X-Requested-With", "XMLHttpRequest")]] {
        let page = browser.get("/page", headers).await;
        assert_eq!((page.status, page.json()["attach"].as_str()), (401, Some("redirect")), "{headers:?}");
    }
    let post = browser.post("/", "", &[("Accept", "application/json")]).await;
    assert_eq!((post.status, post.json()["attach"].as_str()), (401, Some("redirect")));
    // A form that a person sent is answered with a page, which has a way on.
    let form = browser.post_form("/", "", &[]).await;
    assert!(form.is_problem(401, "Your session has ended"), "{form:?}");
    let crawler = browser.get("/page", &[("User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")]).await;
    assert_eq!((crawler.status, crawler.body.as_str()), (200, "nobody down=false problem=None"));
    assert!(browser.kept().is_empty());
    // People: browsers, and curl.
    assert_eq!(browser.visit("/page").await.status, 303);
    assert_eq!(browser.get("/page", &[("Accept", "*/*"), ("User-Agent", "curl/8.0")]).await.status, 303);
}

#[actix_web::test]
async fn a_browser_that_drops_the_token_alone_is_told_so_and_not_sent_on_for_ever() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let back = server.attach(browser.visit("/page").await.location());
    assert_eq!(browser.visit(&back).await.location(), "/page");
    browser.cookies.retain(|name, _| !name.ends_with("-token"));
    let page = browser.visit("/page").await;
    assert_eq!((page.status, page.body.contains("did not keep this site's cookie")), (200, true), "{page:?}");
    // The next visit is a new try.
    assert_eq!(browser.visit("/page").await.status, 303);
}

#[actix_web::test]
async fn an_optional_visitor_is_sent_nowhere() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    assert_eq!(browser.visit("/optional").await.body, "nobody down=false problem=None");
    server.state().user = Some("john".into());
    browser.arrive(&server, "/page").await;
    assert_eq!(browser.visit("/optional").await.body, "john down=false problem=None");
}

#[actix_web::test]
async fn the_server_is_down_the_site_is_up() {
    let server = Server::start();
    let site = Site::start(server.broker().backchannel(NOBODY_LISTENS));
    let mut browser = Browser::new(&site);
    let page = browser.visit("/page").await;
    assert_eq!((page.status, page.body.as_str()), (200, "nobody down=true problem=None"));
    assert!(browser.visit("/sso/attach?to=/page").await.is_problem(503, "The login server cannot be reached"));
    // An attached visitor stays attached.
    let attached = Site::start(server.broker());
    let mut known = Browser::new(&attached);
    known.arrive(&server, "/page").await;
    browser.cookies = known.cookies.clone();
    assert_eq!(browser.visit("/page").await.body, "nobody down=true problem=None");
    assert_eq!(browser.cookies, known.cookies);
}

#[actix_web::test]
async fn login_makes_a_new_token_and_prompts() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    browser.arrive(&server, "/page").await;
    let back = server.attach(browser.visit("/sso/login?to=/page?x").await.location());
    assert_eq!(browser.visit(&back).await.location(), "/page?x");
    let [first, login] = &server.state().attached[..] else { panic!("there are two attaches") };
    assert!(!first.prompt_login && login.prompt_login);
    assert_ne!(first.token, login.token);
    assert!(browser.cookies["sso-Alice-token"].starts_with(login.token.as_str()));
}

#[actix_web::test]
async fn a_login_may_be_asked_of_who_typed_the_password_too_long_ago() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    browser.arrive(&server, "/page").await;
    for (asked, seconds) in [
        ("", None),
        ("max_age=900&", Some(900)),
        ("max_age=0&", Some(0)),
        // Not a number: asked in any case.
        ("max_age=15min&", Some(0)),
        ("max_age=&", Some(0)),
    ] {
        let start = browser.visit(&format!("/sso/login?{asked}to=/page?x")).await;
        let back = server.attach(start.location());
        assert_eq!(browser.visit(&back).await.location(), "/page?x");
        let login = server.state().attached.last().unwrap().clone();
        assert!(login.prompt_login);
        assert_eq!(login.max_age, seconds.map(Duration::from_secs), "{asked}");
    }
    // The same without a link to it.
    let (mut store, page) = (BTreeMap::new(), site.broker.local_path("/page").unwrap());
    for (max_age, seconds) in [(Duration::from_millis(60_999), 60), (Duration::MAX, u32::MAX.into())] {
        server.attach(&site.broker.start_login_again(&mut store, &page, max_age));
        let asked = server.state().attached.last().unwrap().max_age;
        assert_eq!(asked, Some(Duration::from_secs(seconds)));
    }
}

#[actix_web::test]
async fn no_way_leads_to_another_site() {
    let server = Server::start();
    let site = Site::start(server.broker());
    for (to, page) in [
        ("/page%3Fa%3Db", "/page?a=b"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("/.//evil.example", "/"),
        ("/%09/evil.example", "/"),
        ("/%0D%0ASet-Cookie:x=y", "/"),
        ("/a&to=/b", "/"),
    ] {
        for start in ["/sso/attach", "/sso/login"] {
            let mut browser = Browser::new(&site);
            let back = server.attach(browser.visit(&format!("{start}?to={to}")).await.location());
            assert_eq!(browser.visit(&back).await.location(), page, "{to}");
        }
        // Crawlers are sent on at once.
        let crawler = [("User-Agent", "Googlebot")];
        let page_for_crawler = Browser::new(&site).get(&format!("/sso/attach?to={to}"), &crawler).await;
        assert_eq!(page_for_crawler.location(), page, "{to}");
    }
}

#[actix_web::test]
async fn the_return_url_is_the_configured_one_whatever_the_host_header() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let spoofed = [("Host", "evil.example"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")];
    let first = browser.get("/page", &spoofed).await;
    assert_eq!(first.location(), format!("{}sso/attach?from=000&to=/page", site.broker.public_url()));
    let page = browser.get("/sso/attach?from=000&to=/page", &spoofed).await;
    assert!(server.attach(page.location()).starts_with(site.broker.public_url().as_str()));
}

#[actix_web::test]
async fn a_middleware_inside_sends_a_visitor_away_as_a_handler_does() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let page = browser.arrive(&server, "/guarded/page").await;
    assert_eq!((page.status, page.body.as_str()), (403, "users only"), "it is attached");
    server.state().user = Some("jackie".into());
    assert_eq!(browser.visit("/guarded/page").await.body, "jackie down=false problem=None");
    assert_eq!(server.state().attached.len(), 1);
    // An error that changes no cookie is passed on as it is.
    server.state().user = None;
    assert_eq!(browser.visit("/guarded/page").await.body, "users only");
    // A token that the server forgot is replaced there, too.
    server.state().links.clear();
    assert_eq!(browser.arrive(&server, "/guarded/page").await.body, "users only");
}

#[actix_web::test]
async fn no_way_on_from_an_attach_leads_to_another_one() {
    let server = Server::start();
    let site = Site::start(server.broker());
    for (to, page) in [
        ("/sso/attach?to=/sso/attach?to=/page", "/"),
        ("/sso/login?to=/page", "/"),
        ("/sso/return?state=x", "/"),
        ("/./sso/attach?to=/page", "/"),
        ("/page?to=/sso/attach", "/page?to=/sso/attach"),
    ] {
        for start in ["/sso/attach?to=", "/sso/login?to="] {
            let mut browser = Browser::new(&site);
            let back = server.attach(browser.visit(&format!("{start}{to}")).await.location());
            assert_eq!(browser.visit(&back).await.location(), page, "{start}{to}");
        }
        let crawler = Browser::new(&site).get(&format!("/sso/attach?to={to}"), &[("User-Agent", "Googlebot")]).await;
        assert_eq!(crawler.location(), page, "{to}");
    }
}
