//! The story of the demo, told over HTTP: one login for all sites, one logout for all.

use sso_tests::{Demo, Visitor};

/// Visit Alice, log in, be logged in at Greg, log out there, be logged out at Alice.
async fn the_story(options: &[&str]) {
    let demo = Demo::start(options);
    let visitor = Visitor::new();
    let (alice, greg) = (demo.url("alice", ""), demo.url("greg", ""));

    let first = visitor.get(&demo.url("alice", "/")).await;
    assert!(first.location().unwrap().starts_with(&demo.url("sso", "/attach?broker=Alice")), "{first:?}");
    let page = visitor.follow(first).await;
    assert_eq!((page.status, page.url.as_str()), (200, format!("{alice}/").as_str()));
    assert_eq!(page.heading(), "You are logged out");

    let page = visitor.log_in(&alice, "jackie", "jackie123").await;
    assert_eq!(page.heading(), "Logged in as jackie");
    assert!(page.body.contains("Jackie Black") && page.body.contains("jackie.black@example.com"));

    let page = visitor.visit(&format!("{greg}/")).await;
    assert_eq!(page.heading(), "Logged in as jackie");

    let page = visitor.follow(visitor.submit(&page, "/logout", &[]).await).await;
    assert_eq!(page.heading(), "You are logged out");
    assert_eq!(visitor.visit(&format!("{alice}/")).await.heading(), "You are logged out");
}

#[tokio::test]
async fn one_login_and_one_logout_for_all_sites() {
    the_story(&[]).await;
}

#[tokio::test]
async fn the_same_on_one_host() {
    the_story(&["--same-site"]).await;
}

#[tokio::test]
async fn a_theme_chosen_at_one_site_shows_at_all() {
    let demo = Demo::start(&[]);
    let visitor = Visitor::new();
    let page = visitor.visit(&demo.url("alice", "/")).await;
    assert!(page.body.contains("data-theme=\"plain\""));
    let page = visitor.follow(visitor.submit(&page, "/theme", &[("theme", "forest")]).await).await;
    assert!(page.body.contains("data-theme=\"forest\""));
    for site in ["greg", "sso"] {
        assert!(visitor.visit(&demo.url(site, "/")).await.body.contains("data-theme=\"forest\""), "{site}");
    }
}
