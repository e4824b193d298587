//! Cookies whose names a neighbour may set, read as ours: threat 25. `tests/browser/siblings.rs` has it in Chromium.

use reqwest::{Method, header::HeaderValue};
use sso_tests::{
    Visitor,
    family::{Family, Scheme},
    visitor::{Answer, send},
};

const NAMES: [&str; 3] = ["sso", "alice", "nora"];

/// A page of a site, for a browser that sends these `Cookie` fields and is nobody otherwise.
async fn page(family: &Family, site: &str, path: &str, fields: &[&[u8]]) -> Answer {
    let request = Visitor::who_trusts_any_certificate().request(Method::GET, &family.url(site, path));
    let request = request.header("Accept", "text/html").header("Sec-Fetch-Site", "same-origin");
    send(
        fields.iter().fold(request, |request, field| request.header("Cookie", HeaderValue::from_bytes(field).unwrap())),
    )
    .await
}

/// Who is logged in for such a browser. `/about` sends nobody away, at the broker.
async fn user(family: &Family, site: &str, fields: &[&[u8]]) -> Option<String> {
    let page = page(family, site, if site == "alice" { "/about" } else { "/" }, fields).await;
    assert_eq!(page.status, 200, "{site} {}", page.body);
    page.body.contains("jackie").then(|| "jackie".to_owned())
}

/// The cookie with which jackie is known at this site: its name and its value.
async fn jackies(family: &Family, site: &str) -> (String, String) {
    let visitor = Visitor::who_trusts_any_certificate();
    if site == "nora" {
        let request = visitor.request(Method::POST, &family.url("nora", "/login?to=/"));
        let sent =
            request.header("Origin", family.url("nora", "")).form(&[("username", "jackie"), ("password", "jackie123")]);
        assert_eq!(send(sent).await.status, 303);
    } else {
        visitor.log_in(&family.url("alice", ""), "jackie", "jackie123").await;
    }
    let cookies = visitor.cookies(&family.url(site, "/"));
    let own = ["sso_session", "sso-Alice-token", "nora"].map(|name| format!("__Host-{name}="));
    let own = cookies.split("; ").find(|cookie| own.iter().any(|own| cookie.starts_with(own))).unwrap();
    let (name, value) = own.split_once('=').unwrap();
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn threat_25_a_name_that_a_neighbour_may_set_is_not_read_as_ours() {
    let family = Family::start(Scheme::Https).await;
    for site in NAMES {
        let (name, value) = jackies(&family, site).await;
        let good = format!("{name}={value}");
        let renamed =
            ["\u{2000}", "\u{a0}", "\u{3000}", "\u{85}", "\u{1680}", "\u{feff}"].map(|space| format!("{space}{good}"));
        let encoded =
            ["__Host%2D", "%5F_Host-", "__host-", "\"__Host-"].map(|start| good.replacen("__Host-", start, 1));
        let padded = [format!("{name}\u{2000}={value}"), format!("{name} ={value}"), format!("={good}")];
        for planted in renamed.iter().chain(&encoded).chain(&padded) {
            assert_eq!(user(&family, site, &[planted.as_bytes()]).await, None, "{site} {planted:?}");
        }
        assert_eq!(user(&family, site, &[good.as_bytes()]).await.as_deref(), Some("jackie"), "{site}");
        // Beside it they change nothing, whichever comes first.
        let before = format!("\u{2000}{name}=x; __Host%2D{}=x; {good}", name.trim_start_matches("__Host-"));
        let after = format!("{good}; \u{2000}{name}=x; __Host%2D{}=x", name.trim_start_matches("__Host-"));
        for fields in [before, after] {
            assert_eq!(user(&family, site, &[fields.as_bytes()]).await.as_deref(), Some("jackie"), "{site} {fields:?}");
        }
    }
}

#[tokio::test]
async fn threat_25_a_neighbours_cookie_hides_no_other_one() {
    let family = Family::start(Scheme::Https).await;
    for site in NAMES {
        let (name, value) = jackies(&family, site).await;
        let good = format!("{name}={value}");
        for bad in [b"zz=a\xff".as_slice(), b"\xff=\xfe", b"zz=%ff", b"zz", b"=", b"zz=\"", b"zz=a\xe2\x80"] {
            let named = String::from_utf8_lossy(bad);
            for fields in [[bad, b"; ", good.as_bytes()].concat(), [good.as_bytes(), b";", bad].concat()] {
                assert_eq!(user(&family, site, &[&fields]).await.as_deref(), Some("jackie"), "{site} {named:?}");
            }
            assert_eq!(user(&family, site, &[bad]).await, None, "{site} {named:?}");
        }
        for fields in [
            &[b"zz=1".as_slice(), good.as_bytes()],
            &[good.as_bytes(), b"zz=a\xff"],
            &[good.as_bytes(), good.as_bytes()],
        ] {
            assert_eq!(user(&family, site, fields).await.as_deref(), Some("jackie"), "{site} {fields:?}");
        }
    }
}

const TWICE: &str = "sets a cookie with the name of one of ours";

#[tokio::test]
async fn threat_25_two_values_are_none_and_a_page_mends_it() {
    let family = Family::start(Scheme::Https).await;
    for site in NAMES {
        let (name, value) = jackies(&family, site).await;
        let (good, planted) = (format!("{name}={value}"), format!("{name}=planted"));
        let both = format!("{planted}; {good}");
        let one_field: &[&[u8]] = &[both.as_bytes()];
        for fields in [one_field, &[good.as_bytes(), planted.as_bytes()]] {
            let page = page(&family, site, "/", fields).await;
            assert_eq!(page.status, 400, "{site}");
            assert!(page.body.contains(TWICE) && !page.body.contains("jackie"), "{site} {}", page.body);
            // What is set now would still come beside the other one; what is expired would leave the other one alone.
            assert!(!page.headers.contains_key("set-cookie"), "{site}");
            let (clear, _) = page.form("/sso/clear-cookies");
            for (relation, is_ours) in
                [("same-origin", true), ("same-site", false), ("cross-site", false), ("none", false)]
            {
                let request = Visitor::who_trusts_any_certificate().request(Method::POST, &clear).body("");
                let request = request.header("Sec-Fetch-Site", relation).header("Cookie", &both);
                let answer = send(request).await;
                assert_eq!(answer.headers.contains_key("clear-site-data"), is_ours, "{site} {relation} {answer:?}");
                assert_eq!(answer.status, if is_ours { 200 } else { 403 }, "{site} {relation}");
            }
            // Whose cookies are in order stays logged in, even if their own page is led to ask for it.
            let request = Visitor::who_trusts_any_certificate().request(Method::POST, &clear).body("");
            let answer = send(request.header("Sec-Fetch-Site", "same-origin").header("Cookie", &good)).await;
            assert!(answer.status == 200 && !answer.headers.contains_key("clear-site-data"), "{site} {answer:?}");
        }
        // The style sheet of that page is no secret.
        let request = Visitor::who_trusts_any_certificate().request(Method::GET, &family.url(site, "/static/sso.css"));
        let style =
            send(request.header("Sec-Fetch-Dest", "style").header("Accept", "text/css").header("Cookie", &both));
        assert_eq!(style.await.status, 200, "{site}");
        if site == "nora" {
            // What holds an arrival from another site, too.
            let ticket = b"__Host-sso-handoff=a; __Host-sso-handoff=b".as_slice();
            assert_eq!(page(&family, site, "/sso/landing/in", &[ticket]).await.status, 400);
        }
        // Two cookies of somebody else's are nobody's business.
        let others = format!("{good}; theme=a; theme=b; {0}=a; {0}=b", name.trim_start_matches("__Host-"));
        assert_eq!(user(&family, site, &[others.as_bytes()]).await.as_deref(), Some("jackie"), "{site}");
    }
}
