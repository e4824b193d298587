use serde_json::{Map, Value, json};
use sso_core::wire::User;

use super::*;
use crate::{
    session::{EndReason, Family, Fingerprint, Link, LinkKey, Login, OldToken, Session},
    util::clock::Timestamp,
};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// One in which every field says something.
fn session() -> Session {
    let cookie = |n: u8| serde_json::from_value(json!(vec![n; 32])).unwrap();
    let mut session = Session::new(cookie(1), at(1));
    session.id = "id".to_owned().into();
    let attributes = Map::from_iter([("n".to_owned(), json!(1.5))]);
    let login = Login::new(User { username: "jackie".into(), attributes }, [9; 32], at(3));
    session.log_in(login.clone().remembered("family".into(), at(2)), at(3));
    session.end(EndReason::Idle, at(4));
    let through = Some("c0de".parse().unwrap());
    session.log_in(Login { through, next_credential: Some(Box::new([8; 32])), ..login }, at(5));
    session.rotate_cookie(cookie(2), cookie(1), at(6));
    session.fingerprint = Some(Fingerprint::new([7; 32]));
    session.browser = Some("Firefox".into());
    session.data.insert("theme".into(), json!({"name": "forest"}));
    (session.version, session.keep_until, session.ends, session.links_since) = (9, at(10), at(11), 1);
    (session.renew_cookie, session.begun_silently) = (true, true);
    session
}

/// What stores hold, also those of others. It changes only with the form of the records (`schema_*.sql`, `redis/`).
#[test]
fn the_stored_form_stays() {
    let bytes = |n: u8| json!(vec![n; 32]);
    let expected = json!({
        "id": "id", "version": 9,
        "cookie": bytes(2), "cookie_since": 6, "old_cookie": {"hash": bytes(1), "works_until": i64::MAX},
        "renew_cookie": true, "begun_silently": true, "epoch": 3, "links_since": 1,
        "fingerprint": bytes(7), "browser": "Firefox", "created": 1, "last_seen": 5,
        "login": {
            "user": {"username": "jackie", "n": 1.5}, "epoch": 3, "through": "c0de",
            "credential": bytes(9), "next_credential": bytes(8),
            "at": 3, "auth_time": 3, "method": "password", "family": null,
        },
        "last_end": {
            "reason": "idle", "at": 4, "epoch": 2, "username": "jackie", "began": 1, "through": null, "family": "family",
        },
        "data": {"theme": {"name": "forest"}}, "ends": 11, "keep_until": 10,
    });
    assert_eq!(serde_json::to_value(session()).unwrap(), expected);
    assert_eq!(serde_json::from_value::<Session>(expected).unwrap(), session());

    let (key, link) = link();
    let expected = json!({"session": "id", "epoch": 3, "code": "c0de", "at": 5, "php": true});
    assert_eq!(serde_json::to_value(&link).unwrap(), expected);
    assert_eq!(serde_json::to_value(&key).unwrap(), json!({"broker": "Alice", "token": "t".repeat(32)}));

    let expected = json!({
        "id": "id", "version": 3, "username": "jackie", "jti": "jti", "issued": 3,
        "old": {"jti": "old", "replaced": 1, "successor_seen": 2},
        "password": bytes(8), "browser": "Firefox", "created": 4, "last_used": 5, "expires": 6,
    });
    assert_eq!(serde_json::to_value(family()).unwrap(), expected);
}

fn link() -> (LinkKey, Link) {
    let key = LinkKey { broker: "Alice".parse().unwrap(), token: "t".repeat(32).parse().unwrap() };
    (key, Link { session: session().id, epoch: 3, code: "c0de".parse().unwrap(), at: at(5), php: true })
}

fn family() -> Family {
    Family {
        id: "id".into(),
        version: 3,
        username: "jackie".into(),
        jti: "jti".into(),
        issued: at(3),
        old: Some(OldToken { jti: "old".into(), replaced: at(1), successor_seen: Some(at(2)) }),
        password: [8; 32],
        browser: "Firefox".into(),
        created: at(4),
        last_used: at(5),
        expires: at(6),
    }
}

#[test]
fn a_session_comes_back_as_it_was_and_shows_nothing() {
    let keys = StoreKeys::generate();
    let session = session();
    let sealed = keys.seal_text(Kind::Session, "name", &session).unwrap();
    let opened: Session = keys.open_text(Kind::Session, "name", &sealed).unwrap();
    assert_eq!(opened, session);
    assert!(!sealed.windows(6).any(|bytes| bytes == b"jackie" || bytes == b"forest"));
    assert!(keys.open_text::<Session>(Kind::Session, "other", &sealed).is_err());
    assert!(StoreKeys::generate().open_text::<Session>(Kind::Session, "name", &sealed).is_err());
}

/// While nodes are replaced by those of a newer version, the older ones read what it writes.
#[test]
fn a_login_that_ended_for_an_unknown_reason_was_revoked() {
    let reason = |name: &str| serde_json::from_value::<EndReason>(json!(name)).unwrap();
    assert_eq!(reason("moon_was_full"), EndReason::Revoked);
    assert_eq!(reason("logged_out"), EndReason::LoggedOut);
}

#[test]
fn a_link_and_a_family_come_back_as_they_were() {
    let keys = StoreKeys::generate();
    let (key, link) = link();
    let sealed = keys.seal_text(Kind::Link, "name", &(&key, &link)).unwrap();
    assert_eq!(keys.open_text::<(LinkKey, Link)>(Kind::Link, "name", &sealed).unwrap(), (key, link));
    assert!(keys.open_text::<(LinkKey, Link)>(Kind::Family, "name", &sealed).is_err(), "a record of another kind");
    let sealed = keys.seal_text(Kind::Family, "name", &family()).unwrap();
    assert!(keys.open_text::<Family>(Kind::Family, "name", &sealed).unwrap() == family());
}

/// As deep as the JSON of a call, or of a user's attributes, may be; the record around it makes it deeper.
#[test]
fn a_session_with_the_deepest_values_comes_back() {
    let deep = |levels: usize| serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    assert!(deep(127).is_ok() && deep(128).is_err(), "what comes in is limited");
    let keys = StoreKeys::generate();
    let mut session = session();
    session.data.insert("deep".into(), deep(127).unwrap());
    if let Some(login) = &mut session.login {
        login.user.attributes.insert("deep".into(), deep(127).unwrap());
    }
    let sealed = keys.seal_text(Kind::Session, "name", &session).unwrap();
    let opened: Session = keys.open_text(Kind::Session, "name", &sealed).unwrap();
    assert_eq!(opened, session);
}
