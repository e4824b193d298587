//! The lifecycle, instant by instant, and walked at random beside a plain model.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Map;
use sso_core::wire::User;

use super::*;
use crate::session::{CookieValue, OldCookie};

const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Policy {
    Policy { touch_every: Duration::ZERO, warn_before: MINUTE * 2, ..Policy::default() }
}

fn anonymous() -> Session {
    Session::new(CookieValue::generate().hash(), Timestamp::from_millis(1))
}

fn logged_in() -> Session {
    let mut session = anonymous();
    session.sign_in(User { username: "jackie".into(), attributes: Map::new() }, [7; 32], Timestamp::from_millis(1));
    session
}

fn at(duration: Duration) -> Timestamp {
    Timestamp::from_millis(1).after(duration)
}

#[test]
fn idle_sessions_end_to_the_millisecond() {
    for (session, alive) in [(anonymous(), State::Anonymous), (logged_in(), State::Warned)] {
        assert_eq!(state(&session, &policy(), at(MINUTE * 20 - Duration::from_millis(1))), alive);
        assert_eq!(state(&session, &policy(), at(MINUTE * 20)), State::Expired(Expiry::Idle));
    }
}

#[test]
fn use_moves_the_idle_end_but_not_the_absolute_one() {
    let mut session = logged_in();
    session.last_seen = at(MINUTE * 60 * 12 - MINUTE);
    assert_eq!(state(&session, &policy(), at(MINUTE * 60 * 12 - MINUTE / 2)), State::Warned);
    assert_eq!(state(&session, &policy(), at(MINUTE * 60 * 12)), State::Expired(Expiry::Absolute));
}

#[test]
fn php_brokers_keep_an_anonymous_session_for_an_hour() {
    let mut session = anonymous();
    session.serves_php = true;
    assert_eq!(state(&session, &policy(), at(MINUTE * 59)), State::Anonymous);
    assert_eq!(state(&session, &policy(), at(MINUTE * 60)), State::Expired(Expiry::Idle));
    let mut session = logged_in();
    session.serves_php = true;
    assert_eq!(state(&session, &policy(), at(MINUTE * 20)), State::Expired(Expiry::Idle));
    revive(&mut session, at(MINUTE * 30));
    assert_eq!(state(&session, &policy(), at(MINUTE * 30)), State::Anonymous);
}

#[test]
fn records_outlive_their_session_by_two_hours() {
    assert_eq!(keep_until(&logged_in(), &policy()), at(MINUTE * 20 + MINUTE * 120));
    let mut logged_out = logged_in();
    logged_out.sign_out();
    assert_eq!(keep_until(&logged_out, &policy()), at(MINUTE * 20 + MINUTE * 120));
    let php = Session { serves_php: true, ..anonymous() };
    assert_eq!(keep_until(&php, &policy()), at(MINUTE * 60 + MINUTE * 120));
}

#[test]
fn a_session_that_nobody_logged_in_to_goes_when_it_ends() {
    assert_eq!(keep_until(&anonymous(), &policy()), at(MINUTE * 20));
}

#[test]
fn coarse_touches_let_a_session_end_late_and_never_early() {
    let policy = Policy::default();
    let mut session = anonymous();
    session.last_seen = at(MINUTE);
    let used = at(MINUTE + policy.touch_every - Duration::from_millis(1));
    assert!(!needs_touch(&session, &policy, used));
    assert_eq!(state(&session, &policy, used.after(policy.idle_timeout)), State::Anonymous);
    assert!(needs_touch(&session, &policy, at(MINUTE + policy.touch_every)));
}

#[test]
fn users_are_warned_before_the_nearer_end() {
    let mut session = logged_in();
    assert_eq!(state(&session, &policy(), at(MINUTE * 18 - Duration::from_millis(1))), State::LoggedIn);
    assert_eq!(state(&session, &policy(), at(MINUTE * 18)), State::Warned);
    session.last_seen = at(MINUTE * 18);
    assert_eq!(state(&session, &policy(), at(MINUTE * 18)), State::LoggedIn, "use takes the warning back");
}

#[test]
fn a_login_that_never_expires_has_no_end_and_anonymous_visits_still_have() {
    let policy = Policy { never_expire: true, ..policy() };
    let years = at(MINUTE * 60 * 24 * 4_000);
    assert_eq!(state(&logged_in(), &policy, years), State::LoggedIn);
    assert_eq!(keep_until(&logged_in(), &policy), Timestamp::NEVER);
    assert_eq!(state(&anonymous(), &policy, years), State::Expired(Expiry::Idle));
}

#[test]
fn what_this_server_did_not_begin_is_over() {
    let now = at(MINUTE);
    let never_begun = Session { created: Timestamp::default(), ..logged_in() };
    let no_expiry = Session { keep_until: Timestamp::default(), ..logged_in() };
    let destroyed = Session { destroyed: Some((DestroyReason::FingerprintChanged, now)), ..logged_in() };
    for (session, reason) in [
        (never_begun, DestroyReason::NeverInitiated),
        (no_expiry, DestroyReason::NoExpiry),
        (destroyed, DestroyReason::FingerprintChanged),
    ] {
        assert_eq!(state(&session, &policy(), now), State::Destroyed(reason));
    }
    assert_eq!(state(&logged_in(), &policy(), now), State::LoggedIn);
}

#[test]
fn a_cookie_is_renewed_by_age_and_the_old_value_works_until_the_new_one_was_seen() {
    let (policy, mut session) = (policy(), logged_in());
    let first = session.cookie;
    let due = at(policy.regenerate_every);
    assert_eq!(renewal(&session, &policy, first, at(MINUTE)), Renewal::Keep);
    assert_eq!(renewal(&session, &policy, first, due), Renewal::Rotate);

    let second = CookieValue::generate().hash();
    session.rotate_cookie(second, first, due);
    assert!(accepts(&session, first, due) && accepts(&session, second, due));
    assert_eq!(renewal(&session, &policy, first, due), Renewal::Keep, "another tab, at the same time");
    let later = due.after(Policy::RENEWAL_GRACE);
    assert_eq!(renewal(&session, &policy, first, later), Renewal::Rotate, "the answer was lost");
    assert_eq!(renewal(&session, &policy, second, later), Renewal::Confirm);

    session.old_cookie = Some(OldCookie { hash: first, works_until: later.after(Policy::RENEWAL_GRACE) });
    assert_eq!(renewal(&session, &policy, second, later), Renewal::Keep);
    assert!(accepts(&session, first, later));
    assert!(!accepts(&session, first, later.after(Policy::RENEWAL_GRACE)));
    assert!(accepts(&session, second, later.after(Policy::RENEWAL_GRACE)));
}

#[test]
fn where_rights_changed_the_old_value_is_dead_at_once() {
    let (policy, mut session) = (policy(), logged_in());
    session.renew_cookie = true;
    assert_eq!(renewal(&session, &policy, session.cookie, at(MINUTE)), Renewal::Replace);
    let old = session.cookie;
    session.replace_cookie(CookieValue::generate().hash(), at(MINUTE));
    assert!(!accepts(&session, old, at(MINUTE)));
}

/// What a visitor, a broker and the clock can do to a session.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Use,
    SignIn,
    SignOut,
    Destroy,
    Revive,
}

proptest! {
    /// A walk at random, beside a plain model: who is logged in since when, when it was last used, whether it was destroyed.
    #[test]
    fn a_random_walk_agrees_with_a_plain_model(
        steps in prop::collection::vec(prop_oneof![
            4 => (1u64..1_500).prop_map(Step::Wait),
            3 => Just(Step::Use), 2 => Just(Step::SignIn), 1 => Just(Step::SignOut),
            1 => Just(Step::Destroy), 1 => Just(Step::Revive),
        ], 1..60),
        php: bool,
        never_expire: bool,
    ) {
        let policy = Policy { never_expire, absolute_lifetime: MINUTE * 60, ..policy() };
        let user = User { username: "jackie".into(), attributes: Map::new() };
        let mut session = Session { serves_php: php, ..anonymous() };
        let (mut now, mut login, mut used, mut destroyed) = (0u64, None::<u64>, 0u64, false);
        for step in steps {
            let instant = at(Duration::from_secs(now));
            let is_over = is_ended(&session, &policy, instant);
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::Destroy => {
                    session.destroyed = Some((DestroyReason::FingerprintChanged, instant));
                    destroyed = true;
                }
                Step::Revive if is_over => {
                    revive(&mut session, instant);
                    (login, used, destroyed) = (None, now, false);
                }
                // What is over cannot be used.
                _ if is_over => {}
                Step::Use => (session.last_seen, used) = (instant, now),
                Step::SignIn => {
                    session.sign_in(user.clone(), [7; 32], instant);
                    (login, used) = (Some(now), now);
                }
                Step::SignOut => {
                    session.sign_out();
                    login = None;
                }
                Step::Revive => {}
            }
            let idle_limit = if php && login.is_none() { 3_600 } else { 1_200 };
            let forever = never_expire && login.is_some();
            let expected = if destroyed {
                State::Destroyed(DestroyReason::FingerprintChanged)
            } else if !forever && login.is_some_and(|at| now - at >= 3_600) {
                State::Expired(Expiry::Absolute)
            } else if !forever && now - used >= idle_limit {
                State::Expired(Expiry::Idle)
            } else {
                match login {
                    None => State::Anonymous,
                    Some(_) if forever => State::LoggedIn,
                    Some(at) if (at + 3_600).min(used + 1_200) - now <= 120 => State::Warned,
                    Some(_) => State::LoggedIn,
                }
            };
            prop_assert_eq!(state(&session, &policy, at(Duration::from_secs(now))), expected);
        }
    }
}
