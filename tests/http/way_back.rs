//! Back to the wanted page, however the visit began: late, under another name of the site, with a long address, from an older tab.

use std::time::Duration;

use sso_tests::{Demo, Visitor};

#[tokio::test]
async fn who_leaves_the_login_page_open_for_too_long_still_gets_to_the_wanted_page() {
    let demo = Demo::start(&["--form-timeout", "2s"]);
    let page = demo.url("alice", "/about?a=1&b=%2F");
    let begin = async |visitor: &Visitor| {
        let to: String = url::form_urlencoded::byte_serialize(b"/about?a=1&b=%2F").collect();
        visitor.visit(&demo.url("alice", &format!("/sso/login?to={to}"))).await
    };
    let jackie = [("username", "jackie"), ("password", "jackie123")];
    // In time.
    let visitor = Visitor::new();
    let sent = visitor.submit(&begin(&visitor).await, "/attach", &jackie).await;
    assert_eq!(visitor.follow(sent).await.url.as_str(), page);

    let visitor = Visitor::new();
    let form = begin(&visitor).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let late = visitor.submit(&form, "/attach", &jackie).await;
    assert!(late.status == 403 && late.body.contains("This form timed out"), "{late:?}");
    let done = visitor.follow(visitor.submit(&late, "/attach", &jackie).await).await;
    assert_eq!(done.url.as_str(), page);
    assert!(done.body.contains("jackie"), "{done:?}");
}

#[tokio::test]
async fn a_visit_under_another_name_ends_at_the_same_page_under_the_sites_own() {
    let demo = Demo::start(&[]);
    let own = demo.url("alice", "");
    let port = own.rsplit(':').next().unwrap();
    for name in ["127.0.0.1", "localhost", "[::1]"] {
        let visitor = Visitor::new();
        let page = visitor.visit(&format!("http://{name}:{port}/?a=1&b=%2F")).await;
        assert_eq!((page.url.as_str(), page.heading()), (format!("{own}/?a=1&b=%2F").as_str(), "You are logged out"));
        // The link to the login on a page that sends nobody away.
        let form = visitor.visit(&format!("http://{name}:{port}/sso/login?to=/about")).await;
        let sent = visitor.submit(&form, "/attach", &[("username", "jackie"), ("password", "jackie123")]).await;
        assert_eq!(visitor.follow(sent).await.url.as_str(), format!("{own}/about"));
    }
}

#[tokio::test]
async fn pages_of_three_kibibytes_come_back() {
    let demo = Demo::start(&[]);
    for part in ["x", "%C3%A9", "a=b&"] {
        let page = format!("/?{}", part.repeat((3 << 10) / part.len() - 1));
        let (visitor, url) = (Visitor::new(), demo.url("alice", &page));
        assert_eq!(visitor.visit(&url).await.url.as_str(), url);
        let to: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
        let form = visitor.visit(&demo.url("alice", &format!("/sso/login?to={to}"))).await;
        let sent = visitor.submit(&form, "/attach", &[("username", "jackie"), ("password", "jackie123")]).await;
        let done = visitor.follow(sent).await;
        assert_eq!((done.url.as_str(), done.heading()), (url.as_str(), "Logged in as jackie"));
        // And at the server's own login.
        let form = Visitor::new();
        let login = form.visit(&demo.url("sso", &format!("/login?return_url={to}"))).await;
        let sent = form.submit(&login, "/login", &[("username", "jackie"), ("password", "jackie123")]).await;
        assert_eq!(sent.location(), Some(demo.url("sso", &page)));
    }
}

#[tokio::test]
async fn the_logout_of_an_older_tab_works_and_one_that_cannot_be_verified_asks() {
    let demo = Demo::start(&[]);
    let (visitor, alice) = (Visitor::new(), demo.url("alice", ""));
    visitor.log_in(&alice, "jackie", "jackie123").await;
    let older_tab = visitor.visit(&format!("{alice}/")).await;
    visitor.visit(&format!("{alice}/sso/attach?to=/")).await;
    let done = visitor.follow(visitor.submit(&older_tab, "/logout", &[]).await).await;
    assert_eq!(done.heading(), "You are logged out");

    visitor.log_in(&alice, "jackie", "jackie123").await;
    visitor.set_cookie(&alice, "sso-Alice-form=; Max-Age=0; Path=/");
    let asked = visitor.follow(visitor.submit(&older_tab, "/logout", &[]).await).await;
    assert_eq!((asked.status, asked.heading()), (200, "Log out?"));
    let greg = demo.url("greg", "/");
    assert_eq!(visitor.visit(&greg).await.heading(), "Logged in as jackie");
    let done = visitor.follow(visitor.submit(&asked, "/sso/logout", &[]).await).await;
    assert_eq!((done.heading(), visitor.visit(&greg).await.heading()), ("You are logged out", "You are logged out"));
}
