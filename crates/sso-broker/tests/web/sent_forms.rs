//! Forms that are sent when somebody else is logged in, or nobody any more: whose they are, and what becomes of what
//! was typed.

use crate::{browser::Browser, server::Server, site::Site};

const SUPERSEDED: &str = "Someone has logged in meanwhile";
/// As browsers send the form of a page of the site.
const OWN: [(&str, &str); 2] = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate")];

#[actix_web::test]
async fn a_users_form_is_carried_out_for_that_user_only() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    let nobodys = browser.arrive(&server, "/token").await.body;
    server.state().user = Some("jackie".into());
    let jackies = browser.visit("/token").await.body;
    // Through the same link, as by the site's own login form.
    for (user, token, title) in [
        (Some("jackie"), &jackies, ""),
        (Some("john"), &jackies, SUPERSEDED),
        (None, &jackies, "Your session has ended"),
        (Some("jackie"), &jackies, ""),
        (Some("john"), &nobodys, ""),
        (None, &nobodys, ""),
    ] {
        server.state().user = user.map(str::to_owned);
        for path in ["/form", "/optional-form"] {
            let page = browser.post_form(path, &format!("token={token}"), &OWN).await;
            assert_eq!(page.status == 200, title.is_empty(), "{path} {user:?} {page:?}");
            assert!(title.is_empty() || page.is_problem(401, title), "{path} {user:?} {page:?}");
        }
        // Nobody may say whose page it was on.
        for forged in [format!("{nobodys}.john"), jackies.replace("jackie", "john")] {
            let page = browser.post_form("/form", &format!("token={forged}"), &OWN).await;
            assert!(page.is_problem(403, "This form is no longer valid"), "{page:?}");
        }
    }
    // A script is told the same.
    server.state().user = Some("john".into());
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")];
    let script = browser.post("/form", &format!("token={jackies}"), &form).await;
    assert_eq!((script.status, &script.json()["code"]), (401, &"superseded".into()));
}

#[actix_web::test]
async fn a_users_logout_form_asks_who_is_there_now() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    server.state().user = Some("jackie".into());
    let token = browser.arrive(&server, "/token").await.body;
    server.state().user = Some("john".into());
    let answer = browser.post_form("/logout", &format!("token={token}"), &OWN).await;
    let page = browser.asked_for_logout(answer).await;
    assert_eq!(server.state().user.as_deref(), Some("john"));
    let done = browser.post_form("/sso/logout", &format!("form_token={}", page.form_token()), &[]).await;
    assert_eq!((done.location(), server.state().user.clone()), ("/", None));
    // The twin.
    server.state().user = Some("jackie".into());
    let done = browser.post_form("/logout", &format!("token={token}"), &OWN).await;
    assert_eq!((done.header("Location"), server.state().user.clone()), ("/", None));
}

#[actix_web::test]
async fn a_form_on_an_old_token_comes_back_unsent_and_nobodys_runs_as_nobodys() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    let nobodys = browser.arrive(&server, "/token").await.body;
    server.state().user = Some("jackie".into());
    let jackies = browser.visit("/token").await.body;
    server.state().log_in_elsewhere("john");
    let body = format!("title=A+%3Cb%3E%0Ac&password=hunter2&empty=&token={jackies}");
    for path in ["/form", "/optional-form", "/page-form"] {
        let page = browser.post_form(path, &body, &OWN).await;
        assert!(page.is_problem(401, SUPERSEDED), "{path} {page:?}");
        assert!(page.body.contains("<dt>title</dt>\n<dd><pre>A &lt;b&gt;\nc</pre></dd>"), "{path} {page:?}");
        assert!(["hunter2", jackies.as_str(), "<dt>empty"].iter().all(|part| !page.body.contains(part)), "{page:?}");
        assert_eq!(page.header("Cache-Control"), "no-store");
    }
    // It runs, and sees nothing of who is logged in.
    let body = format!("token={nobodys}");
    let page = browser.post_form("/optional-form", &body, &OWN).await;
    assert_eq!((page.status, page.body.as_str()), (200, "nobody down=false problem=None"));
    // What needs the session is of the user whose it is now.
    let page = browser.post_form("/page-form", &body, &OWN).await;
    assert!(page.is_problem(401, SUPERSEDED), "{page:?}");
}

#[actix_web::test]
async fn only_a_short_form_of_the_sites_own_page_is_shown_again() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    browser.arrive(&server, "/page").await;
    server.state().log_in_elsewhere("john");
    let long = |len: usize| format!("title={}&token=x", "a".repeat(len - "title=&token=x".len()));
    for (body, site, is_shown) in [
        (long(16 << 10), "same-origin", true),
        (long((16 << 10) + 1), "same-origin", false),
        (long(100), "same-site", false),
        (long(100), "none", false),
    ] {
        let headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate")];
        for path in ["/form", "/page-form"] {
            let page = browser.post_form(path, &body, &headers).await;
            assert!(
                page.status >= 400 && page.body.contains("<dt>title") == is_shown,
                "{} {site} {page:?}",
                body.len()
            );
        }
    }
}

#[actix_web::test]
async fn a_logout_without_a_token_attaches_and_asks() {
    let server = Server::start();
    let mut browser = Browser::new(&Site::start(server.broker()));
    server.state().user = Some("jackie".into());
    browser.arrive(&server, "/page").await;
    let nobodys = browser.post_form("/posted-token", "", &[("Sec-Fetch-Site", "same-origin")]).await.body;
    let jackies = browser.visit("/token").await.body;
    for token in [&nobodys, &jackies] {
        browser.cookies.remove("sso-Alice-token");
        let answer = browser.post_form("/logout", &format!("token={token}"), &OWN).await;
        assert_eq!(answer.location(), "/sso/logout?to=/");
        let script = browser.post_json("/sso/session/logout", &serde_json::json!({})).await;
        assert_eq!((script.status, &script.json()["attach"]), (401, &"redirect".into()));
        assert_eq!(server.state().user.as_deref(), Some("jackie"));
        let asks = browser.arrive(&server, "/sso/logout?to=/").await;
        assert!(asks.status == 200 && asks.body.contains("<h1>Log out?</h1>"), "{asks:?}");
        // The twin: with a token it is done.
        let done = browser.post_form("/logout", &format!("token={token}"), &OWN).await;
        assert_eq!((done.header("Location"), server.state().user.clone()), ("/", None));
        server.state().user = Some("jackie".into());
        // Its token has shown: it was kept.
        browser.visit("/page").await;
    }
}
