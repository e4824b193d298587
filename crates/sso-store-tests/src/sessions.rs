//! The contract's rules about session records: insert, look-ups, compare-and-swap, touch.

use std::time::Duration;

use serde_json::json;
use sso_core::VerificationCode;
use sso_server::{
    Session, Store,
    clock::{Clock, Timestamp},
    session::{CookieValue, EndReason, Fingerprint, Login, OldCookie},
    store::StoreError::Conflict,
};

use crate::{World, log_in, log_out};

pub async fn insert_never_overwrites_an_id<S: Store>(world: World<S>) {
    let first = world.inserted().await;
    let same_id = Session { cookie: CookieValue::generate().hash(), version: 7, ..Session::clone(&first) };
    let cookie = same_id.cookie;
    assert_eq!(world.store.insert(same_id, None).await.unwrap_err(), Conflict);
    assert_eq!(world.store.get(&first.id).await.unwrap().unwrap().version, first.version);
    assert!(world.store.load(&cookie).await.unwrap().is_none());
    world.inserted().await;
}

pub async fn insert_never_overwrites_a_cookie<S: Store>(world: World<S>) {
    let first = world.inserted().await;
    let thief = Session { cookie: first.cookie, ..world.session() };
    let id = thief.id.clone();
    assert_eq!(world.store.insert(thief, None).await.unwrap_err(), Conflict);
    assert_eq!(world.store.load(&first.cookie).await.unwrap().unwrap().id, first.id);
    assert!(world.store.get(&id).await.unwrap().is_none());
    assert!(world.store.get(&first.id).await.unwrap().is_some());
}

pub async fn a_session_is_found_by_id_and_by_cookie<S: Store>(world: World<S>) {
    let mut session = world.session();
    let now = session.last_seen;
    // Each of its parts is there when it comes back.
    let login = Login::new(crate::user("jackie"), crate::CREDENTIAL, now).remembered("family".into(), now);
    session.log_in(Login { through: Some(VerificationCode::generate()), ..login.clone() }, now);
    session.end(EndReason::Idle, now);
    session.log_in(Login { next_credential: Some(Box::new([8; 32])), ..login }, now);
    session.data.insert("theme".into(), json!({"name": "forest"}));
    session.old_cookie = Some(OldCookie { hash: CookieValue::generate().hash(), works_until: Timestamp::NEVER });
    session.fingerprint = Some(Fingerprint::new([9; 32]));
    session.browser = Some("Firefox on Linux".into());
    session.links_since = 1;
    let kept = world.store.insert(session.clone(), None).await.unwrap();
    assert_eq!(*kept, session);
    let by_id = world.store.get(&kept.id).await.unwrap().unwrap();
    let by_cookie = world.store.load(&kept.cookie).await.unwrap().unwrap();
    for found in [by_id, by_cookie] {
        assert_eq!(*found, session);
    }
    let other = world.session();
    assert!(world.store.get(&other.id).await.unwrap().is_none());
    assert!(world.store.load(&other.cookie).await.unwrap().is_none());
}

pub async fn update_replaces_the_version_it_was_made_from<S: Store>(world: World<S>) {
    let mut current = world.inserted().await;
    for n in 0..3 {
        let mut next = Session::clone(&current);
        next.data.insert("n".into(), json!(n));
        let updated = world.store.update(next).await.unwrap();
        assert_eq!(updated.version, current.version + 1);
        let found = world.store.get(&current.id).await.unwrap().unwrap();
        assert_eq!((found.version, &found.data["n"]), (updated.version, &json!(n)));
        current = updated;
    }
}

pub async fn update_of_an_older_version_is_a_conflict<S: Store>(world: World<S>) {
    let read = world.inserted().await;
    let newer = world.store.update(Session::clone(&read)).await.unwrap();
    let mut late = Session::clone(&read);
    late.data.insert("late".into(), json!(true));
    late.cookie = CookieValue::generate().hash();
    let cookie = late.cookie;
    assert_eq!(world.store.update(late.clone()).await.unwrap_err(), Conflict);
    assert!(world.store.get(&read.id).await.unwrap().unwrap().data.is_empty());
    assert!(world.store.load(&cookie).await.unwrap().is_none());
    late.version = newer.version;
    assert!(world.store.update(late).await.is_ok());
}

pub async fn update_of_what_is_not_there_is_a_conflict<S: Store>(world: World<S>) {
    let never = world.session();
    let (id, cookie) = (never.id.clone(), never.cookie);
    assert_eq!(world.store.update(never.clone()).await.unwrap_err(), Conflict);
    assert!(world.store.get(&id).await.unwrap().is_none());
    assert!(world.store.load(&cookie).await.unwrap().is_none());
    world.store.insert(never.clone(), None).await.unwrap();
    assert!(world.store.update(never).await.is_ok());
}

pub async fn update_swaps_the_cookie_in_the_same_write<S: Store>(world: World<S>) {
    let old = world.inserted().await;
    let swapped = Session { cookie: CookieValue::generate().hash(), ..Session::clone(&old) };
    let new = world.store.update(swapped).await.unwrap();
    assert!(world.store.load(&old.cookie).await.unwrap().is_none(), "the old cookie is dead at once");
    assert_eq!(world.store.load(&new.cookie).await.unwrap().unwrap().id, old.id);
    // A value that is dead can be given away again.
    let next = Session { cookie: old.cookie, ..world.session() };
    let id = next.id.clone();
    world.store.insert(next, None).await.unwrap();
    assert_eq!(world.store.load(&old.cookie).await.unwrap().unwrap().id, id);
}

pub async fn update_to_a_taken_cookie_changes_nothing<S: Store>(world: World<S>) {
    let (mine, other) = (world.inserted().await, world.inserted().await);
    let mut thief = Session { cookie: other.cookie, ..Session::clone(&mine) };
    thief.data.insert("stolen".into(), json!(true));
    assert_eq!(world.store.update(thief).await.unwrap_err(), Conflict);
    let found = world.store.get(&mine.id).await.unwrap().unwrap();
    assert!(found.version == mine.version && found.cookie == mine.cookie && found.data.is_empty());
    assert_eq!(world.store.load(&mine.cookie).await.unwrap().unwrap().id, mine.id);
    assert_eq!(world.store.load(&other.cookie).await.unwrap().unwrap().id, other.id);
    assert!(world.store.update(Session::clone(&mine)).await.is_ok(), "its own cookie is not taken");
}

pub async fn update_never_moves_times_back<S: Store>(world: World<S>) {
    let read = world.inserted().await;
    let (later, keep) = (read.last_seen.after(Duration::from_secs(9)), read.keep_until.after(Duration::from_secs(9)));
    world.store.touch(&crate::used(&read, later, keep)).await.unwrap();
    // Made from what was read before the touch.
    let updated = world.store.update(Session::clone(&read)).await.unwrap();
    assert_eq!((updated.last_seen, updated.keep_until), (later, keep));
}

pub async fn touch_moves_times_forward_and_nothing_else<S: Store>(world: World<S>) {
    let before = world.inserted().await;
    let (later, keep) =
        (before.last_seen.after(Duration::from_secs(9)), before.keep_until.after(Duration::from_secs(9)));
    world.store.touch(&crate::used(&before, later, keep)).await.unwrap();
    world.store.touch(&crate::used(&before, before.last_seen, before.keep_until)).await.unwrap();
    let after = world.store.get(&before.id).await.unwrap().unwrap();
    assert_eq!((after.last_seen, after.keep_until), (later, keep));
    assert!(after.version == before.version && after.cookie == before.cookie && after.data == before.data);
    assert_eq!(world.store.load(&before.cookie).await.unwrap().unwrap().last_seen, later);
}

pub async fn a_touch_with_another_count_is_a_conflict<S: Store>(world: World<S>) {
    let before = world.inserted().await;
    let (later, keep) =
        (before.last_seen.after(Duration::from_secs(9)), before.keep_until.after(Duration::from_secs(9)));
    let touch = async |epoch| {
        let used = Session { epoch, ..crate::used(&before, later, keep) };
        world.store.touch(&used).await
    };
    let stored = async || world.store.get(&before.id).await.unwrap().unwrap();
    let mut next = Session::clone(&before);
    log_in(&mut next, "jackie");
    let logged_in = world.store.update(next).await.unwrap();
    for other in [before.epoch, logged_in.epoch + 1] {
        assert_eq!(touch(other).await, Err(Conflict));
        assert_eq!(stored().await, logged_in);
    }
    let mut next = Session::clone(&logged_in);
    log_out(&mut next);
    let ended = world.store.update(next).await.unwrap();
    assert_eq!(touch(logged_in.epoch).await, Err(Conflict));
    assert_eq!(stored().await, ended, "what has ended is not revived");
    assert_eq!(touch(ended.epoch).await, Ok(()));
    assert_eq!(*stored().await, Session { last_seen: later, keep_until: keep, ..Session::clone(&ended) });
}

pub async fn a_login_and_its_end_have_times_of_their_own<S: Store>(world: World<S>) {
    let mut session = world.inserted().await;
    let soon = session.keep_until;
    let long = soon.after(Duration::from_secs(60 * 60));
    for change in [|session: &mut Session| log_in(session, "jackie"), log_out] {
        world.store.touch(&crate::used(&session, session.last_seen, long)).await.unwrap();
        // Made from what was read before the touch.
        let same_count = world.store.update(Session::clone(&session)).await.unwrap();
        assert_eq!(same_count.keep_until, long);
        let mut next = Session { keep_until: soon, ..Session::clone(&same_count) };
        change(&mut next);
        session = world.store.update(next).await.unwrap();
        assert_eq!(session.keep_until, soon);
        assert_eq!(world.store.get(&session.id).await.unwrap().unwrap(), session);
    }
}

pub async fn touch_of_what_is_not_there_is_a_conflict<S: Store>(world: World<S>) {
    let never = world.session();
    let touch = world.store.touch(&crate::used(&never, never.last_seen, never.keep_until)).await;
    assert_eq!(touch.unwrap_err(), Conflict);
    assert!(world.store.get(&never.id).await.unwrap().is_none());
}

pub async fn the_store_answers_a_ping<S: Store>(world: World<S>) {
    assert_eq!(world.store.ping().await, Ok(()));
}

pub async fn a_last_use_in_the_future_does_not_count_nor_what_follows_from_it<S: Store>(world: World<S>) {
    let (now, hour) = (world.clock.now(), Duration::from_secs(60 * 60));
    let mut session = Session { ends: now.after(hour / 2), ..world.session() };
    log_in(&mut session, "jackie");
    let session = world.store.insert(session, None).await.unwrap();
    let moved = |session: &Session, by: Duration| Session {
        last_seen: session.last_seen.after(by),
        keep_until: session.keep_until.after(by),
        ends: session.ends.after(by),
        ..session.clone()
    };
    let stored = async || world.store.get(&session.id).await.unwrap().unwrap();
    let ends_by = async |by| world.store.due(by, 9).await.unwrap().len() == 1;
    // By a node whose clock is an hour ahead.
    world.store.touch(&moved(&session, hour)).await.unwrap();
    let read = stored().await;
    assert_eq!((read.last_seen, read.keep_until), (now.after(hour), now.after(2 * hour)));
    assert!(!ends_by(now.after(hour)).await);
    let right = Session { last_seen: now, keep_until: now.after(hour), ..Session::clone(&session) };
    let updated = world.store.update(right).await.unwrap();
    for right in [&updated, &stored().await] {
        assert_eq!((right.last_seen, right.keep_until), (now, now.after(hour)));
    }
    assert!(ends_by(now.after(hour)).await);
    // A touch that came between counts, also that of a node whose clock is a little ahead.
    let later = Duration::from_secs(20);
    world.store.touch(&moved(&session, later)).await.unwrap();
    let updated = world.store.update(Session::clone(&updated)).await.unwrap();
    assert_eq!((updated.last_seen, updated.keep_until), (now.after(later), now.after(hour + later)));
    let end = session.ends.after(later);
    assert!(ends_by(end).await && !ends_by(Timestamp::from_millis(end.as_millis() - 1)).await);
}

pub async fn logins_are_found_by_their_end<S: Store>(world: World<S>) {
    let now = world.clock.now();
    let at = |seconds| now.after(Duration::from_secs(seconds));
    let mut sessions = Vec::new();
    for ends in [at(2), at(1), at(3), Timestamp::NEVER] {
        let mut session = Session { ends, ..world.session() };
        if ends != Timestamp::NEVER {
            log_in(&mut session, "jackie");
        }
        sessions.push(world.store.insert(session, None).await.unwrap());
    }
    let due = async |by, most| {
        let found = world.store.due(by, most).await.unwrap();
        found
            .iter()
            .map(|found| sessions.iter().position(|session| session.id == found.id).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(due(now, 9).await, [0; 0]);
    assert_eq!(due(at(1), 9).await, [1]);
    assert_eq!(due(at(9), 9).await, [1, 0, 2]);
    assert_eq!(due(at(9), 2).await, [1, 0], "the earliest");
    // It is used: its end moves, and never back.
    for ends in [at(8), at(4)] {
        world.store.touch(&Session { ends, ..Session::clone(&sessions[1]) }).await.unwrap();
        assert_eq!(due(at(7), 9).await, [0, 2]);
        assert_eq!(due(at(8), 9).await, [0, 2, 1]);
    }
    // A write that was made from what was read before that use does not undo it.
    let written = world.store.update(Session::clone(&sessions[1])).await.unwrap();
    assert_eq!(due(at(7), 9).await, [0, 2]);
    // Logged out: it has no end any more. Another login has one of its own.
    let mut out = Session { ends: Timestamp::NEVER, ..Session::clone(&sessions[0]) };
    log_out(&mut out);
    let out = world.store.update(out).await.unwrap();
    assert_eq!(due(at(9), 9).await, [2, 1]);
    let mut again = Session { ends: at(5), ..Session::clone(&out) };
    log_in(&mut again, "jackie");
    world.store.update(again).await.unwrap();
    let mut sooner = Session { ends: at(6), ..Session::clone(&written) };
    log_in(&mut sooner, "john");
    world.store.update(sooner).await.unwrap();
    assert_eq!(due(at(9), 9).await, [2, 0, 1]);
    // Under another policy it has no end, which is later than any: it must not be found again and again.
    world.store.touch(&Session { ends: Timestamp::NEVER, ..Session::clone(&sessions[2]) }).await.unwrap();
    assert_eq!(due(at(9), 9).await, [0, 1]);
    world.store.remove_all().await.unwrap();
    assert_eq!(due(at(9), 9).await, [0; 0]);
}
