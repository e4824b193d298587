use serde_json::json;
use sso_core::{Token, VerificationCode};

use super::*;
use crate::session::CookieValue;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// One in which every field says something.
fn session() -> Session {
    let mut session = Session::new(CookieValue::generate().hash(), at(1));
    session.rotate_cookie(CookieValue::generate().hash(), session.cookie, at(2));
    let attributes = Map::from_iter([("username".to_owned(), json!("not this one")), ("n".into(), json!(1.5))]);
    session.sign_in(User { username: "jackie".into(), attributes }, [9; 32], at(3));
    session.fingerprint = Some(Fingerprint::new([7; 32]));
    session.browser = Some("Firefox".into());
    session.family = Some("family".into());
    session.destroyed = Some((DestroyReason::Revoked, at(4)));
    session.data.insert("theme".into(), json!({"name": "forest"}));
    (session.version, session.keep_until, session.serves_php) = (9, Timestamp::NEVER, true);
    (session.renew_cookie, session.begun_silently) = (true, true);
    session
}

#[test]
fn a_session_comes_back_as_it_was_and_shows_nothing() {
    let keys = StoreKeys::generate();
    let session = session();
    let sealed = keys.seal_session("name", &session).unwrap();
    let opened = keys.open_session("name", &sealed).unwrap();
    // `Debug` leaves the secret values out.
    assert_eq!(format!("{opened:?}"), format!("{session:?}"));
    assert!(opened.id == session.id && opened.cookie == session.cookie && opened.old_cookie == session.old_cookie);
    assert!(opened.fingerprint == session.fingerprint && opened.signed_in == session.signed_in);
    assert!(!sealed.windows(6).any(|bytes| bytes == b"jackie" || bytes == b"forest"));
    assert!(
        keys.open_session("other", &sealed).is_err() && StoreKeys::generate().open_session("name", &sealed).is_err()
    );
}

/// An upgrade logs nobody out: what the versions before wrote is still read.
#[test]
fn a_login_of_an_older_version_opens() {
    let keys = StoreKeys::generate();
    let session = session();
    let mut text = serde_json::to_value(SessionText::from(&session)).unwrap();
    for new in ["credential", "next_credential"] {
        text["signed_in"].as_object_mut().unwrap().remove(new).unwrap();
    }
    let sealed = keys.seal(Kind::Session, "name", text.to_string().as_bytes()).unwrap();
    let opened = keys.open_session("name", &sealed).unwrap().signed_in.unwrap();
    assert_eq!(opened, SignedIn { credential: None, ..session.signed_in.unwrap() });
}

/// While nodes are replaced by those of a newer version, the older ones read what it writes.
#[test]
fn a_session_that_ended_for_an_unknown_reason_was_revoked() {
    let keys = StoreKeys::generate();
    let reason = |name: &str| {
        let mut text = serde_json::to_value(SessionText::from(&session())).unwrap();
        text["destroyed"][0] = json!(name);
        let sealed = keys.seal(Kind::Session, "name", text.to_string().as_bytes()).unwrap();
        keys.open_session("name", &sealed).unwrap().destroyed
    };
    assert_eq!(reason("MoonWasFull"), Some((DestroyReason::Revoked, at(4))));
    for known in [
        DestroyReason::FingerprintChanged,
        DestroyReason::FingerprintMissing,
        DestroyReason::NoExpiry,
        DestroyReason::NeverInitiated,
        DestroyReason::Revoked,
        DestroyReason::RememberTokenReused,
        DestroyReason::UserGone,
        DestroyReason::PasswordChanged,
    ] {
        assert_eq!(reason(&format!("{known:?}")), Some((known, at(4))));
    }
}

#[test]
fn a_link_and_a_family_come_back_as_they_were() {
    let keys = StoreKeys::generate();
    let key = LinkKey { broker: "Alice".parse().unwrap(), token: Token::generate() };
    let link = Link { session: session().id, code: VerificationCode::generate(), at: at(5), heals: true };
    let sealed = keys.seal_link("name", &key, &link).unwrap();
    let (same_key, same) = keys.open_link("name", &sealed).unwrap();
    assert!(same_key == key && same.session == link.session && same.code.as_str() == link.code.as_str());
    assert!(same.at == link.at && same.heals);
    assert!(keys.open_family("name", &sealed).is_err(), "a record of another kind");

    let old = OldToken { jti: "old".into(), replaced: at(1), successor_seen: Some(at(2)) };
    let family = Family {
        id: "id".into(),
        version: 3,
        username: "jackie".into(),
        jti: "jti".into(),
        issued: at(3),
        old: Some(old),
        password: [8; 32],
        browser: "Firefox".into(),
        created: at(4),
        last_used: at(5),
        expires: at(6),
    };
    let sealed = keys.seal_family("name", &family).unwrap();
    assert!(keys.open_family("name", &sealed).unwrap() == family);
}

/// As deep as the JSON of a call, or of a user's attributes, may be; the record around it makes it deeper.
#[test]
fn a_session_with_the_deepest_values_comes_back() {
    let deep = |levels: usize| serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    assert!(deep(127).is_ok() && deep(128).is_err(), "what comes in is limited");
    let keys = StoreKeys::generate();
    let mut session = session();
    session.data.insert("deep".into(), deep(127).unwrap());
    if let Some(signed_in) = &mut session.signed_in {
        signed_in.user.attributes.insert("deep".into(), deep(127).unwrap());
    }
    let opened = keys.open_session("name", &keys.seal_session("name", &session).unwrap()).unwrap();
    assert!(opened.data == session.data && opened.signed_in == session.signed_in);
}
