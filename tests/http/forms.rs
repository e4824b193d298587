//! Forms with a time limit: the login form, and the profile form of two pages.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sso_core::Encoding;
use sso_tests::{
    Demo, Visitor,
    visitor::{Answer, send},
};

use crate::peer::{Link, Peer, until};

const SCRIPT: &str = "\"><script>alert(1)</script>";
const ESCAPED: &str = "&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;";

const FIRST: [(&str, &str); 2] = [("fullname", "Jackie B."), ("email", "jb@example.org")];
const SECOND: [(&str, &str); 2] = [("town", "Leiden"), ("about", "Cycles.\r\nSwims.")];
/// What is saved of both.
fn saved() -> Value {
    json!({ "fullname": "Jackie B.", "email": "jb@example.org", "town": "Leiden", "about": "Cycles.\nSwims." })
}

const LATE: &str = "This form timed out: send it within 6 seconds of opening it.";
const ENDED: &str = "Your session has ended. Nothing was saved. Log in again";

/// A visitor to the demo's server.
struct Person {
    demo: Demo,
    visitor: Visitor,
}

impl Person {
    async fn start(options: &[&str]) -> Self {
        let this = Self { demo: Demo::start(options), visitor: Visitor::new() };
        this.log_in("jackie", "jackie123").await;
        this
    }

    fn url(&self, path: &str) -> String {
        self.demo.url("sso", path)
    }

    async fn get(&self, path: &str) -> Answer {
        self.visitor.get(&self.url(path)).await
    }

    async fn log_in(&self, username: &str, password: &str) {
        let page = self.get("/login?return_url=/profile").await;
        let sent = self.visitor.submit(&page, "/login", &[("username", username), ("password", password)]).await;
        assert_eq!(sent.location(), Some(self.url("/profile")), "{sent:?}");
    }

    async fn log_out(&self) {
        let sent = self.visitor.submit(&self.get("/").await, "/logout", &[]).await;
        assert_eq!(sent.status, 303, "{sent:?}");
    }

    /// The second page, after the first one was filled in.
    async fn second_page(&self) -> Answer {
        let page = self.visitor.submit(&self.get("/profile").await, "/profile", &FIRST).await;
        assert_eq!((page.status, page.heading()), (200, "Your profile <small>page 2 of 2</small>"), "{page:?}");
        page
    }

    async fn send_second(&self, page: &Answer) -> Answer {
        self.visitor.submit(page, "/profile/2", &SECOND).await
    }

    /// Alice's back end.
    async fn link(&self) -> Link {
        let origin = self.demo.url("alice", "");
        Peer::new(&self.url(""), "Alice", "8iwzik1bwd", Encoding::Exact, &origin).attach(&self.visitor).await
    }

    /// What Alice's back end is told of the user's profile.
    async fn profile(&self) -> Value {
        let info = self.link().await.get("/api/info").await;
        if info.status == 204 { Value::Null } else { info.json()["profile"].clone() }
    }
}

/// The same fields in one list, for a POST by hand.
fn all<'a>(hidden: &'a [(String, String)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(more.iter().copied()).collect()
}

/// A page of the form with these texts on it, and its values kept.
fn is_form(page: &Answer, status: u16, texts: &[&str]) {
    assert_eq!(page.status, status, "{page:?}");
    for text in texts {
        assert!(page.body.contains(text), "{text} is not in {}", page.body);
    }
}

#[tokio::test]
async fn a_profile_of_two_pages_is_kept_with_the_account() {
    let person = Person::start(&[]).await;
    let first = person.get("/profile").await;
    is_form(&first, 200, &["value=\"Jackie Black\"", "autocomplete=\"name\"", "autocomplete=\"email\""]);
    assert!(first.body.contains("value=\"jackie.black@example.com\""), "known of the user");
    assert!(person.get("/").await.body.contains("href=\"/profile\""));
    for path in ["/profile/2", "/profile/done"] {
        assert_eq!(person.get(path).await.location(), Some(person.url("/profile")), "not yet");
    }

    let second = person.second_page().await;
    is_form(&second, 200, &["value=\"Jackie B.\"", "value=\"jb@example.org\"", "autocomplete=\"address-level2\""]);
    assert_eq!(person.profile().await, Value::Null, "only at the end");
    let sent = person.send_second(&second).await;
    assert_eq!((sent.status, sent.location()), (303, Some(person.url("/profile/done"))));
    let done = person.visitor.follow(sent).await;
    assert_eq!(done.heading(), "Your profile is saved");
    assert!(["Jackie B.", "jb@example.org", "Leiden", "Swims."].iter().all(|text| done.body.contains(text)));
    assert_eq!(person.profile().await, saved());

    is_form(&person.get("/profile").await, 200, &["value=\"Jackie B.\""]);
    is_form(&person.second_page().await, 200, &["value=\"Leiden\"", ">\nCycles.\nSwims.</textarea>"]);
    let alice = person.visitor.visit(&person.demo.url("alice", "/")).await;
    assert!(["Jackie B.", "jb@example.org", "Leiden"].iter().all(|text| alice.body.contains(text)), "{}", alice.body);
    person.log_out().await;
    assert_eq!(person.profile().await, Value::Null);
    for path in ["/profile", "/profile/done"] {
        let login = person.get(path).await.location();
        assert_eq!(login, Some(person.url(&format!("/login?return_url={path}"))));
    }
}

#[tokio::test]
async fn the_first_page_has_no_limit_and_the_second_one_has() {
    let person = Person::start(&["--form-timeout", "6s"]).await;
    let (first, second) = (person.get("/profile").await, person.second_page().await);
    tokio::time::sleep(Duration::from_millis(6_100)).await;

    let accepted = person.visitor.submit(&first, "/profile", &FIRST).await;
    assert_eq!((accepted.status, accepted.heading()), (200, "Your profile <small>page 2 of 2</small>"));

    let late = person.send_second(&second).await;
    is_form(
        &late,
        403,
        &[LATE, "role=\"alert\"", "<title>Error: ", "value=\"Leiden\"", ">\nCycles.\nSwims.</textarea>"],
    );
    is_form(&late, 403, &["value=\"Jackie B.\"", "value=\"jb@example.org\""]);
    assert!(!late.body.contains(ENDED));
    assert_eq!(person.profile().await, Value::Null);

    // The page is served anew, and so its time begins anew.
    let sent = person.send_second(&late).await;
    assert_eq!(sent.location(), Some(person.url("/profile/done")), "{sent:?}");
    assert_eq!(person.profile().await, saved());
}

#[tokio::test]
async fn a_late_login_keeps_the_name_and_never_the_password() {
    let demo = Demo::start(&["--form-timeout", "6s"]);
    let visitor = Visitor::new();
    let page = visitor.get(&demo.url("sso", "/login?return_url=/profile")).await;
    tokio::time::sleep(Duration::from_millis(6_100)).await;
    let typed = [("username", "jackie"), ("password", "jackie123")];
    let late = visitor.submit(&page, "/login", &typed).await;
    // The name is right as far as anybody knows; the password is what has to be typed again.
    is_form(&late, 403, &[LATE, "Enter your password again.", "value=\"jackie\""]);
    assert!(!late.body.contains("Check what you typed") && late.body.matches("aria-invalid").count() == 1);
    assert!(!late.body.contains("jackie123\"") && !late.body.contains("session has ended"), "{}", late.body);
    assert_eq!(visitor.get(&demo.url("sso", "/profile")).await.status, 303, "not logged in");
    let sent = visitor.submit(&late, "/login", &[("username", "jackie"), ("password", "jackie123")]).await;
    assert_eq!(sent.location(), Some(demo.url("sso", "/profile")));
}

/// Nothing was saved, and there is a way back.
fn says_ended(answer: &Answer) {
    is_form(answer, 401, &[ENDED, "href=\"/login?return_url=/profile\""]);
    assert!(!answer.body.contains("timed out") && !answer.body.contains("<form"), "{}", answer.body);
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_is_another_matter_than_a_late_form() {
    let person = Person::start(&["--idle-timeout", "12s", "--form-timeout", "6s"]).await;
    let (first, second) = (person.get("/profile").await, person.second_page().await);
    // Asking so does not extend the session.
    until("the login ends", async || person.get("/sso/session").await.json()["authenticated"] == false).await;
    says_ended(&person.visitor.submit(&first, "/profile", &FIRST).await);
    says_ended(&person.send_second(&second).await);

    // Logged in again, in another tab, the same user sends the page once more; now it is only late.
    person.log_in("jackie", "jackie123").await;
    assert_eq!(person.profile().await, Value::Null);
    let late = person.send_second(&second).await;
    is_form(&late, 403, &[LATE, "value=\"Leiden\""]);
    assert_eq!(person.send_second(&late).await.location(), Some(person.url("/profile/done")));
    assert_eq!(person.profile().await, saved());
}

#[tokio::test]
async fn a_form_begun_by_one_user_is_not_saved_for_another() {
    let person = Person::start(&[]).await;
    let (first, second) = (person.get("/profile").await, person.second_page().await);
    person.log_out().await;
    says_ended(&person.send_second(&second).await);

    person.log_in("john", "john123").await;
    for refused in [person.visitor.submit(&first, "/profile", &FIRST).await, person.send_second(&second).await] {
        is_form(
            &refused,
            409,
            &["now logged in as john", "jackie began this form", "Nothing was saved", "href=\"/profile\""],
        );
        assert!(!refused.body.contains("Jackie B.") && !refused.body.contains("Leiden"), "{}", refused.body);
    }
    // To say that it was John's is of no use.
    let (target, mut hidden) = second.form("/profile/2");
    hidden.iter_mut().filter(|(name, _)| name == "begun_as").for_each(|(_, value)| *value = "john".into());
    let refused = send(person.visitor.request(Method::POST, &target).form(&all(&hidden, &SECOND))).await;
    is_form(&refused, 403, &["no longer valid"]);
    assert_eq!(person.profile().await, Value::Null);
    is_form(&person.get("/profile").await, 200, &["value=\"John Doe\""]);
}

#[tokio::test]
async fn a_forged_page_is_refused() {
    let person = Person::start(&[]).await;
    let stranger = Person { demo: Demo::start(&[]), visitor: Visitor::new() };
    stranger.log_in("jackie", "jackie123").await;
    let (first, second) = (person.get("/profile").await, person.second_page().await);
    let (_, hidden) = second.form("/profile/2");
    let token_of = |page: &Answer, action: &str| page.form(action).1.remove(0).1;
    let own = token_of(&second, "/profile/2");

    let post = async |path: &str, token: &str, header: Option<(&str, &str)>| {
        let fields = all(&hidden, &SECOND).into_iter().filter(|(name, _)| *name != "form_token");
        let fields: Vec<_> = fields.chain([("form_token", token)]).collect();
        let request = person.visitor.request(Method::POST, &person.url(path)).form(&fields);
        send(header.into_iter().fold(request, |request, (name, value)| request.header(name, value))).await
    };
    let (of_first, of_other) = (token_of(&first, "/profile"), token_of(&stranger.second_page().await, "/profile/2"));
    let later = format!("9{own}");
    for (path, token, header) in [
        ("/profile/2", "", None),
        ("/profile/2", of_first.as_str(), None),
        ("/profile/2", &of_other, None),
        ("/profile/2", &later, None),
        ("/profile", &own, None),
        ("/profile/2", &own, Some(("Origin", "https://evil.example"))),
        ("/profile/2", &own, Some(("Origin", "null"))),
        ("/profile/2", &own, Some(("Sec-Fetch-Site", "cross-site"))),
        ("/profile/2", &own, Some(("Sec-Fetch-Site", "same-site"))),
    ] {
        let refused = post(path, token, header).await;
        is_form(&refused, 403, &["This form is no longer valid."]);
        assert!(!refused.body.contains("action=\"/profile"), "{path} {token} {header:?}");
    }
    let nothing = send(person.visitor.request(Method::POST, &person.url("/profile/2"))).await;
    is_form(&nothing, 403, &["This form is no longer valid."]);
    assert_eq!(person.profile().await, Value::Null);
    assert_eq!(post("/profile/2", &own, Some(("Sec-Fetch-Site", "same-origin"))).await.status, 303);
    assert_eq!(person.profile().await, saved());
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_and_what_was_typed_stays() {
    let person = Person::start(&[]).await;
    let page = person.get("/profile").await;
    let (long_name, long_email) = ("x".repeat(101), format!("{}@example.com", "x".repeat(250)));
    for (name, email, wrong, message) in [
        (" \t", "a@example.com", "fullname", "Full name is missing."),
        (&long_name, "a@example.com", "fullname", "Full name can have at most 100 characters; this has 101."),
        ("Jackie", "", "email", "Email is missing."),
        ("Jackie", "example.com", "email", "Enter a valid email address, such as name@example.com."),
        ("Jackie", "a@b@c", "email", "Enter a valid email address, such as name@example.com."),
        ("Jackie", "a @b", "email", "Enter a valid email address, such as name@example.com."),
        ("Jackie", &long_email, "email", "Email can have at most 254 characters"),
    ] {
        let again = person.visitor.submit(&page, "/profile", &[("fullname", name), ("email", email)]).await;
        let values = [name.trim(), email].map(|value| format!("value=\"{value}\""));
        is_form(&again, 400, &[message, &values[0], &values[1], "role=\"alert\"", "<title>Error: "]);
        let (shown, tied) = (format!("id=\"{wrong}-error\""), format!("aria-describedby=\"{wrong}-error\""));
        is_form(&again, 400, &[&shown, &tied]);
        assert_eq!(again.body.matches("aria-invalid").count(), 1, "{}", again.body);
        assert_eq!(person.visitor.submit(&again, "/profile", &FIRST).await.status, 200, "its token is good");
    }

    let second = person.second_page().await;
    let (long, longest) = ("é\r\n".repeat(251), format!("{}é\r\n🚲", "é".repeat(497)));
    let again = person.visitor.submit(&second, "/profile/2", &[("town", "Leiden"), ("about", &long)]).await;
    is_form(&again, 400, &["About you can have at most 500 characters; this has 501.", "value=\"Leiden\""]);
    is_form(&again, 400, &["id=\"about-error\"", "aria-describedby=\"about-error\"", "é\né"]);
    // The first page's answers came from the browser a second time.
    let (target, hidden) = second.form("/profile/2");
    let hidden: Vec<_> = hidden.into_iter().filter(|(name, _)| name != "email").collect();
    let first = send(person.visitor.request(Method::POST, &target).form(&all(&hidden, &SECOND))).await;
    is_form(&first, 400, &["page 1 of 2", "Email is missing."]);
    assert_eq!(person.profile().await, Value::Null);
    assert_eq!(person.visitor.submit(&again, "/profile/2", &[("about", &longest)]).await.status, 303);
    assert_eq!(person.profile().await["about"], longest.replace('\r', ""));
}

#[tokio::test]
async fn values_are_escaped_wherever_they_are_shown() {
    let person = Person::start(&[]).await;
    let check = |page: &Answer, count: usize| {
        assert!(!page.body.contains("<script>alert"), "{}", page.body);
        assert_eq!(page.body.matches(ESCAPED).count(), count, "{}", page.body);
    };
    let wrong = [("fullname", SCRIPT), ("email", SCRIPT)];
    check(&person.visitor.submit(&person.get("/profile").await, "/profile", &wrong).await, 2);
    let email = format!("a@{}", SCRIPT.replace(' ', ""));
    let fields = [("fullname", SCRIPT), ("email", &email)];
    let second = person.visitor.submit(&person.get("/profile").await, "/profile", &fields).await;
    check(&second, 2);
    let (target, hidden) = second.form("/profile/2");
    let hidden: Vec<_> = hidden.into_iter().filter(|(name, _)| name != "fullname" && name != "email").collect();
    let about = format!("</textarea>{SCRIPT}");
    let fields = all(&hidden, &[fields[0], fields[1], ("town", SCRIPT), ("about", &about)]);
    let sent = send(person.visitor.request(Method::POST, &target).form(&fields)).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    check(&person.visitor.follow(sent).await, 4);
    check(&person.get("/profile").await, 2);
    assert_eq!(person.profile().await["town"], SCRIPT);

    let alice = person.visitor.visit(&person.demo.url("alice", "/")).await;
    assert!(!alice.body.contains("<script>alert") && alice.body.matches(ESCAPED).count() >= 4, "{}", alice.body);
}
