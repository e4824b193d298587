//! Which of the visitor's cookies are ours, and what is said of one that comes twice with different values.

use crate::{
    browser::{Browser, Page},
    server::Server,
    site::{STORES, Site},
};

const HTML: [(&str, &str); 2] = [("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate")];
const SCRIPT: [(&str, &str); 3] = [("Accept", "*/*"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")];
const JACKIE: &str = "jackie down=false problem=None";

/// A visitor for whom jackie is logged in, and their cookies for a header.
async fn jackie(server: &Server, site: &Site) -> (Browser, String) {
    let mut browser = Browser::new(site);
    server.state().user = Some("jackie".into());
    assert_eq!(browser.arrive(server, "/page").await.body, JACKIE);
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (browser, cookies.join("; "))
}

/// The same page, with these cookies beside those that the browser has.
async fn with(browser: &mut Browser, path: &str, more: &str, headers: &[(&str, &str)]) -> Page {
    browser.get(path, &[headers, &[("Cookie", more)]].concat()).await
}

fn is_the_page(page: &Page, to: &str) {
    assert!(page.is_problem(400, "Another site sets our cookie"), "{page:?}");
    let form = format!("<form method=\"post\" action=\"/sso/clear-cookies?to={to}\">");
    assert!(page.body.contains(&form), "{}", page.body);
    assert!(!page.headers.contains_key("set-cookie") && !page.headers.contains_key("clear-site-data"));
}

#[actix_web::test]
async fn others_cookies_hide_nothing() {
    let server = Server::start();
    for (adapt, _) in STORES {
        let (mut browser, _) = jackie(&server, &Site::with(server.broker(), adapt)).await;
        for other in
            ["zz=%ff", "zz=\u{e9}; =; zz", "theme=a; theme=b", "\u{2000}id=x; i%64=x", "\u{a0}sso-Alice-token=x"]
        {
            assert_eq!(with(&mut browser, "/page", other, &HTML).await.body, JACKIE, "{other}");
        }
    }
}

#[actix_web::test]
async fn a_name_that_is_not_ours_to_the_letter_brings_no_token() {
    let server = Server::start();
    for (adapt, _) in STORES {
        let site = Site::with(server.broker(), adapt);
        let (_, cookies) = jackie(&server, &site).await;
        let after = |space: &str| format!("{space}{}", cookies.replace("; ", &format!("; {space}")));
        for planted in [
            after("\u{2000}"),
            after("\u{3000}"),
            after("\u{85}"),
            cookies.replace("sso-", "sso%2D").replace("id=", "i%64="),
            cookies.replace("sso-", "SSO-").replace("id=", "ID="),
        ] {
            let answer = with(&mut Browser::new(&site), "/optional", &planted, &HTML).await;
            assert_eq!(answer.body, "nobody down=false problem=None", "{planted}");
        }
        let twin = with(&mut Browser::new(&site), "/optional", &cookies, &HTML).await;
        assert_eq!(twin.body, JACKIE);
    }
}

#[actix_web::test]
async fn pages_and_scripts_are_told_of_two_cookies_of_one_name() {
    let server = Server::start();
    for (adapt, name) in STORES {
        let site = Site::with(server.broker(), adapt);
        let (mut browser, _) = jackie(&server, &site).await;
        let twice = format!("{name}=other");
        for path in ["/page", "/optional", "/sso/attach", "/sso/login"] {
            let to = path.replace('/', "%2F");
            is_the_page(&with(&mut browser, path, &twice, &HTML).await, &to);
        }
        let answer = with(&mut browser, "/data", &twice, &SCRIPT).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["error"], format!("The browser sends two different cookies named {name}"));
        // Nothing was lost.
        assert_eq!(browser.visit("/page").await.body, JACKIE);
        assert_eq!(browser.get("/data", &SCRIPT).await.status, 200);
    }
}

#[actix_web::test]
async fn a_return_from_the_server_is_not_repeated() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    let back = server.attach(browser.visit("/page").await.location());
    let state = browser.cookies.keys().find(|name| name.starts_with("sso-Alice-attach-")).unwrap();
    let twice = format!("{state}=x");
    is_the_page(&with(&mut browser, &back, &twice, &HTML).await, "%2F");
}

#[actix_web::test]
async fn only_a_page_of_the_site_deletes_and_only_where_that_helps() {
    let server = Server::start();
    for (adapt, name) in STORES {
        let site = Site::with(server.broker(), adapt);
        let (mut browser, _) = jackie(&server, &site).await;
        let twice = format!("{name}=x");
        let (clear, twice) = ("/sso/clear-cookies?to=%2Fpage", ("Cookie", twice.as_str()));
        let own = ("Sec-Fetch-Site", "same-origin");
        let cleared = browser.post_form(clear, "", &[own, twice]).await;
        assert_eq!((cleared.header("refresh"), cleared.header("clear-site-data")), ("0; url=/page", "\"cookies\""));
        let nothing_wrong = browser.post_form(clear, "", &[own]).await;
        assert_eq!((nothing_wrong.header("refresh"), nothing_wrong.header("clear-site-data")), ("0; url=/page", ""));
        for foreign in
            [("Sec-Fetch-Site", "same-site"), ("Origin", "http://evil.localhost"), ("Origin", "null"), ("X", "")]
        {
            let refused = browser.post_form(clear, "", &[foreign, twice]).await;
            assert_eq!((refused.status, refused.header("clear-site-data")), (403, ""), "{foreign:?}");
            assert_eq!(refused.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!(refused.body, "Only a page of this site may delete its cookies. Nothing was changed.");
        }
        assert_eq!(with(&mut browser, clear, twice.1, &HTML).await.header("clear-site-data"), "");
        let away = browser.post_form("/sso/clear-cookies?to=%2F%2Fevil.example", "", &[own, twice]).await;
        assert_eq!(away.header("refresh"), "0; url=/");
    }
}
