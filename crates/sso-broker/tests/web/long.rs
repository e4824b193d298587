//! Pages with long addresses: kept in a cookie as far as one can hold them, then by the tab.

use crate::{
    browser::{Browser, Page},
    server::Server,
    site::Site,
};

/// A page of this length, in bytes, as a URL is written.
pub(crate) fn page(part: &str, length: usize) -> String {
    let page = format!("/page?{}", part.repeat(length / part.len()));
    page[..length].to_owned()
}

fn encoded(page: &str) -> String {
    url::form_urlencoded::byte_serialize(page.as_bytes()).collect()
}

fn sent(browser: &Browser) -> usize {
    browser.cookies.iter().map(|(name, value)| name.len() + value.len() + "=; ".len()).sum()
}

fn unescaped(text: &str) -> String {
    text.replace("&amp;", "&").replace("&#39;", "'")
}

/// What the script of a long page is told: the page, and where to go.
fn script(page: &Page) -> (String, String) {
    let (_, rest) = page.body.split_once("<script src=\"/sso/long-page.js\" data-page=\"").unwrap();
    let (kept, rest) = rest.split_once("\" data-to=\"").unwrap();
    (unescaped(kept), unescaped(rest.split('"').next().unwrap()))
}

#[actix_web::test]
async fn three_kibibytes_come_back_whichever_way_the_attach_began() {
    let server = Server::start();
    let site = Site::start(server.broker());
    for part in ["x", "%E4%BD%A0", "a=b&", "q=1,2;3&", "[]{}|^`!*()~"] {
        let wanted = page(part, 3 << 10);
        for start in [
            wanted.clone(),
            format!("/sso/attach?to={}", encoded(&wanted)),
            format!("/sso/login?to={}", encoded(&wanted)),
        ] {
            let mut browser = Browser::new(&site);
            let back = server.attach(browser.visit(&start).await.location());
            assert!(browser.cookies.iter().all(|(name, value)| name.len() + value.len() <= 4_096), "{start}");
            assert_eq!(browser.visit(&back).await.location(), wanted, "{start}");
        }
        // A token that was lost, and the way on from a page that says so.
        let mut browser = Browser::new(&site);
        browser.arrive(&server, "/page").await;
        server.state().refuse = Some(sso_core::wire::BearerErrorCode::NotAttached);
        let back = server.attach(browser.visit(&wanted).await.location());
        assert_eq!(browser.visit(&back).await.location(), wanted);
        let page = browser.visit(&wanted).await;
        assert!(page.is_problem(502, "You could not be connected"), "{page:?}");
        let way_on = unescaped(page.body.split_once("<a href=\"").unwrap().1.split('"').next().unwrap());
        assert!(way_on.starts_with("/sso/attach?to=/page?"), "{way_on}");
        server.state().refuse = None;
        let back = server.attach(browser.visit(&way_on).await.location());
        assert_eq!(browser.visit(&back).await.location(), wanted);
        assert_eq!(browser.visit(&wanted).await.status, 200);
    }
}

#[actix_web::test]
async fn a_long_page_is_kept_for_an_hour_and_a_short_one_for_a_day() {
    let server = Server::start();
    let site = Site::start(server.broker());
    for (length, seconds) in [(100, 86_400), (800, 86_400), (1_200, 3_600), (3 << 10, 3_600)] {
        let begun = Browser::new(&site).visit(&page("x", length)).await;
        let cookies = begun.headers.get_all("Set-Cookie").iter().map(|cookie| cookie.to_str().unwrap());
        let pending: Vec<_> = cookies.filter(|cookie| cookie.starts_with("sso-Alice-attach-")).collect();
        assert_eq!(pending.len(), 1);
        assert!(pending[0].ends_with(&format!("; Max-Age={seconds}")), "{length} {pending:?}");
    }
}

#[actix_web::test]
async fn the_attaches_under_way_never_fill_a_header() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let mut browser = Browser::new(&site);
    let mut backs = Vec::new();
    for n in 0..20 {
        let wanted = page(&format!("{n}%25;"), 100 + n * 140);
        backs.push((server.attach(browser.visit(&wanted).await.location()), wanted));
        assert!(sent(&browser) < (6 << 10) + 200, "{}", sent(&browser));
    }
    // The newest is there.
    let (back, wanted) = backs.last().unwrap();
    assert_eq!(browser.visit(back).await.location(), wanted);
}

#[actix_web::test]
async fn a_longer_page_is_kept_by_the_tab() {
    let server = Server::start();
    let site = Site::start(server.broker());
    let wanted = page("x%2Fy=", 7_000);
    for start in
        [wanted.clone(), format!("/sso/attach?to={}", encoded(&wanted)), format!("/sso/login?to={}", encoded(&wanted))]
    {
        let mut browser = Browser::new(&site);
        let leaving = browser.visit(&start).await;
        assert_eq!((leaving.status, leaving.header("Cache-Control")), (200, "no-store"), "{leaving:?}");
        assert!(
            leaving.body.contains("<h1>This page's address is very long</h1>") && leaving.body.contains("Continue</a>")
        );
        let (kept, to) = script(&leaving);
        assert_eq!(kept, wanted);
        let back = server.attach(&to);
        assert_eq!(server.state().attached.last().unwrap().prompt_login, start.starts_with("/sso/login"));
        assert_eq!(browser.visit(&back).await.location(), "/sso/long-page");
        // There the script knows the page, and without scripts a text says what to do.
        let landed = browser.visit("/sso/long-page").await;
        assert_eq!((script(&landed), landed.status), ((String::new(), String::new()), 200));
        assert!(landed.body.contains("<h1>Open your page again</h1>"));
        assert_eq!(browser.visit(&wanted).await.status, 200);
    }
    let script = Browser::new(&site).get("/sso/long-page.js", &[]).await;
    assert_eq!((script.status, script.header("Content-Type")), (200, "text/javascript; charset=utf-8"));
}

#[actix_web::test]
async fn a_longer_page_heals_as_often_as_a_short_one() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    browser.arrive(&server, "/page").await;
    let wanted = page("x", 5_000);
    server.state().refuse = Some(sso_core::wire::BearerErrorCode::NotAttached);
    let (_, to) = script(&browser.visit(&wanted).await);
    assert_eq!(browser.visit(&server.attach(&to)).await.location(), "/sso/long-page");
    let page = browser.visit(&wanted).await;
    assert!(page.is_problem(502, "You could not be connected"), "{page:?}");
}
