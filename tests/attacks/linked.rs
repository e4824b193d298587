//! Linked applications: what leads out of them unasked (threat 28), and what is left of a login there (threat 30).

use reqwest::Method;
use sso_tests::{Demo, Visitor, visitor::send};

use crate::{
    ground::cookie,
    handoff::{OUT, assert_asks, deliver, external, follow, go_on, link, log_in, token, user_at, who},
};

#[tokio::test]
async fn threat_28_a_login_starts_no_hand_off() {
    let demo = Demo::start(&[]);
    let wanted: String = url::form_urlencoded::byte_serialize(demo.url("otto", "/reports/2").as_bytes()).collect();
    let wanted: String = url::form_urlencoded::byte_serialize(format!("/external?url={wanted}").as_bytes()).collect();
    for (from, login) in [("nora", format!("/login?to={wanted}")), ("sso", format!("/login?return_url={wanted}"))] {
        for logged_in in [false, true] {
            // With the link of a stranger, which looks like a login; or sent there by `/external` itself.
            let visitor = if logged_in { user_at(&demo, from, "john").await } else { Visitor::new() };
            let unasked = external(&demo, &Visitor::new(), from, &demo.url("otto", "/reports/2"), None).await;
            for login in [demo.url(from, &login), unasked.location().unwrap()] {
                let page = visitor.get(&login).await;
                let back = match page.location() {
                    // Who is logged in at the server goes on at once.
                    Some(back) => back,
                    None => {
                        let (action, mut form) = page.form("/login");
                        let fields = [("username", "jackie"), ("password", "jackie123")];
                        form.extend(fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
                        let sent = visitor.request(Method::POST, &action).header("Origin", demo.url(from, ""));
                        send(sent.form(&form)).await.location().unwrap()
                    }
                };
                let page = follow(&visitor, &back, Some("same-origin")).await;
                assert_asks(&page, &format!("{from} {login}"));
                assert!(go_on(&visitor, &page).await.body.contains("eyJ"), "the visitor has chosen it");
            }
        }
    }
}

#[tokio::test]
async fn threat_28_a_link_acts_for_the_login_that_it_was_written_for() {
    let demo = Demo::start(&[]);
    for from in ["nora", "sso"] {
        let jackie = user_at(&demo, from, "jackie").await;
        let own = link(&demo, &jackie, from, "otto").await;
        let (_, proof) = own.split_once("&proof=").unwrap();
        let other = if from == "nora" { "sso" } else { "nora" };
        let elsewhere = link(&demo, &user_at(&demo, other, "jackie").await, other, "otto").await;
        let page = demo.url("otto", "/reports/3");
        for stolen in [
            // Of another user; of the same user's login in another browser; for another page; of another application;
            // none at all.
            link(&demo, &user_at(&demo, from, "john").await, from, "otto").await,
            link(&demo, &user_at(&demo, from, "jackie").await, from, "otto").await,
            demo.url(from, &format!("/external?url={page}&proof={proof}")),
            own.replace(proof, elsewhere.split_once("&proof=").unwrap().1),
            own.replace(proof, ""),
            own.replace(proof, &"0".repeat(50)),
        ] {
            for relation in [Some("same-origin"), Some("cross-site"), None] {
                assert_asks(&follow(&jackie, &stolen, relation).await, &stolen);
            }
        }
        // The twin. Only who is logged in has a proof.
        assert!(follow(&jackie, &own, Some("same-origin")).await.body.contains("eyJ"));
        assert!(!visitor_without_login(&demo, from).await.contains("proof="));
        // The next login has links of its own.
        let out = jackie.request(Method::POST, &demo.url(from, "/logout")).header("Origin", demo.url(from, ""));
        let form = jackie.get(&demo.url(from, "/")).await.form("/logout").1;
        assert_eq!(send(out.form(&form)).await.status, 303);
        if from == "sso" {
            jackie.log_in(&demo.url("alice", ""), "jackie", "jackie123").await;
        } else {
            log_in(&demo, &jackie, from, "jackie").await;
        }
        assert_asks(&follow(&jackie, &own, Some("same-origin")).await, "an earlier login's");
        token(&demo, &jackie, from, "otto").await;
    }
}

async fn visitor_without_login(demo: &Demo, site: &str) -> String {
    Visitor::new().get(&demo.url(site, "/")).await.body
}

/// The applications' own session cookie.
const SESSION: &str = "sso_nora";

#[tokio::test]
async fn threat_30_a_copied_cookie_of_a_linked_application_ends_with_its_login() {
    let demo = Demo::start(&[]);
    let nora = demo.url("nora", "/");
    let thief = |cookie: &str| {
        let thief = Visitor::new();
        thief.set_cookie(&nora, &format!("{SESSION}={cookie}; Path=/"));
        thief
    };
    let log_out = async |visitor: &Visitor| {
        let out = visitor.request(Method::POST, &demo.url("nora", "/logout")).header("Origin", demo.url("nora", ""));
        assert_eq!(send(out).await.status, 303);
    };
    for by_handoff in [false, true] {
        let jackie = if by_handoff {
            let jackie = user_at(&demo, "sso", "jackie").await;
            let made = token(&demo, &jackie, "sso", "nora").await;
            let landed = deliver(&demo, &jackie, "nora", Some(&demo.url("sso", "")), &made).await;
            assert_eq!(jackie.follow(landed).await.heading(), "Report 2 of jackie");
            jackie
        } else {
            user_at(&demo, "nora", "jackie").await
        };
        let copy = cookie(&jackie, &nora, SESSION);
        // The twin: until then it is as good as the original.
        assert_eq!(who(&demo, &thief(&copy), "nora").await, "Logged in as jackie");
        log_out(&jackie).await;
        let thief = thief(&copy);
        for _ in 0..2 {
            assert_eq!(who(&demo, &thief, "nora").await, OUT);
            assert_eq!(thief.get(&demo.url("nora", "/reports/2")).await.status, 303, "to the login");
        }
        // Nor is it alive again, or changes hands, when its owner logs in again.
        log_in(&demo, &jackie, "nora", "jackie").await;
        assert_eq!(who(&demo, &thief, "nora").await, OUT);
    }
    // A login replaces the value before it, for who planted or copied that.
    let jackie = user_at(&demo, "nora", "jackie").await;
    let before = cookie(&jackie, &nora, SESSION);
    log_in(&demo, &jackie, "nora", "john").await;
    assert_eq!(who(&demo, &thief(&before), "nora").await, OUT);
}
