//! The lifecycle, instant by instant, and walked at random beside a plain model.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Map;
use sso_core::wire::User;

use super::*;
use crate::session::{CookieValue, Link, LinkState, Login, OldCookie};

const MINUTE: Duration = Duration::from_secs(60);

fn policy() -> Policy {
    Policy { touch_every: Duration::ZERO, warn_before: MINUTE * 2, ..Policy::default() }
}

fn anonymous() -> Session {
    Session::new(CookieValue::generate().hash(), at(Duration::ZERO))
}

fn login(name: &str, now: Timestamp) -> Login {
    Login::new(User { username: name.into(), attributes: Map::new() }, [7; 32], now)
}

fn logged_in() -> Session {
    let mut session = anonymous();
    session.log_in(login("jackie", at(Duration::ZERO)), at(Duration::ZERO));
    session
}

fn at(duration: Duration) -> Timestamp {
    Timestamp::from_millis(1).after(duration)
}

/// Why the login has ended by `now`, and when that was.
fn ended(session: &Session, policy: &Policy, now: Timestamp) -> Option<(EndReason, Timestamp)> {
    let settled = settled(Arc::new(session.clone()), policy, now);
    assert_eq!(settled.login.is_some(), settled.last_end.is_none());
    settled.last_end.as_ref().map(|end| (end.reason, end.at))
}

const SHORT: Duration = Duration::from_millis(1);

#[test]
fn a_login_ends_to_the_millisecond_when_nobody_uses_it() {
    assert_eq!(ended(&logged_in(), &policy(), at(MINUTE * 20 - SHORT)), None);
    let end = Some((EndReason::Idle, at(MINUTE * 20)));
    assert_eq!(ended(&logged_in(), &policy(), at(MINUTE * 20)), end);
    assert_eq!(ended(&logged_in(), &policy(), at(MINUTE * 50)), end, "whenever that is seen");
}

#[test]
fn use_moves_the_idle_end_but_not_the_absolute_one() {
    let mut session = logged_in();
    session.last_seen = at(MINUTE * 60 * 12 - MINUTE);
    assert_eq!(ended(&session, &policy(), at(MINUTE * 60 * 12 - SHORT)), None);
    assert_eq!(ended(&session, &policy(), at(MINUTE * 60 * 12)), Some((EndReason::Absolute, at(MINUTE * 60 * 12))));
}

#[test]
fn a_session_outlives_its_login_and_its_last_use() {
    let hour = MINUTE * 60;
    assert_eq!(keep_until(&logged_in(), &policy()), at(MINUTE * 20 + hour));
    let mut logged_out = logged_in();
    logged_out.end(EndReason::LoggedOut, at(MINUTE));
    assert_eq!(keep_until(&logged_out, &policy()), at(hour));
    let used = Session { last_seen: at(MINUTE), ..anonymous() };
    assert_eq!(keep_until(&used, &policy()), at(MINUTE + hour));
    let long = Policy { idle_timeout: hour * 8, ..policy() };
    assert_eq!(keep_until(&used, &long), at(MINUTE + hour * 8));
    assert_eq!(keep_until(&logged_in(), &long), at(hour * 16));
}

#[test]
fn one_that_was_never_used_again_stays_ten_minutes() {
    assert_eq!(keep_until(&anonymous(), &policy()), at(MINUTE * 10));
    assert!(needs_touch(&anonymous(), &Policy::default(), at(Duration::ZERO)), "so its first use is written");
    assert!(use_at(&anonymous(), at(Duration::ZERO)) > anonymous().created);
}

#[test]
fn a_session_that_is_over_or_not_of_this_server_is_gone() {
    let session = Session { keep_until: at(MINUTE), ..logged_in() };
    assert!(!is_gone(&session, at(MINUTE - SHORT)) && is_gone(&session, at(MINUTE)));
    let now = at(Duration::ZERO);
    assert!(is_gone(&Session { created: Timestamp::default(), ..session.clone() }, now));
    assert!(is_gone(&Session { keep_until: Timestamp::default(), ..session }, now));
}

#[test]
fn coarse_touches_let_a_login_end_late_and_never_early() {
    let policy = Policy::default();
    let mut session = logged_in();
    session.last_seen = at(MINUTE);
    let used = at(MINUTE + policy.touch_every - SHORT);
    assert!(!needs_touch(&session, &policy, used));
    assert_eq!(ended(&session, &policy, used.after(policy.idle_timeout)), None);
    assert!(needs_touch(&session, &policy, at(MINUTE + policy.touch_every)));
}

#[test]
fn a_login_that_never_expires_has_no_end_and_anonymous_visits_still_have() {
    let policy = Policy { never_expire: true, ..policy() };
    let years = at(MINUTE * 60 * 24 * 4_000);
    assert_eq!(ended(&logged_in(), &policy, years), None);
    assert_eq!(keep_until(&logged_in(), &policy), Timestamp::NEVER);
    assert!(keep_until(&anonymous(), &policy) < years);
}

#[test]
fn what_has_ended_is_not_revived_by_a_later_use() {
    let mut session = logged_in();
    settle(&mut session, &policy(), at(MINUTE * 20));
    session.last_seen = at(MINUTE * 20);
    assert_eq!(ended(&session, &policy(), at(MINUTE)), Some((EndReason::Idle, at(MINUTE * 20))), "nor by a clock");
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
    LogIn(&'static str),
    Attach,
    LogOut,
    Destroy,
}

/// A plain model of it.
#[derive(Debug, Default)]
struct Model {
    now: u64,
    used: u64,
    /// Who, since when.
    login: Option<(&'static str, u64)>,
    /// When each link was made: whether it sees the present login, and whether it is dead.
    links: Vec<(bool, bool)>,
}

impl Model {
    fn end(&mut self) {
        self.login = None;
    }

    fn settle(&mut self, never_expire: bool) {
        let is_over = |(_, since): (_, u64)| self.now - since >= 3_600 || self.now - self.used >= 1_200;
        if !never_expire && self.login.is_some_and(is_over) {
            self.end();
        }
    }
}

proptest! {
    /// A walk at random, beside a plain model: who is logged in, since when, when the session was last used, and what
    /// each link sees.
    #[test]
    fn a_random_walk_agrees_with_a_plain_model(
        steps in prop::collection::vec(prop_oneof![
            4 => (1u64..1_500).prop_map(Step::Wait),
            3 => Just(Step::Use), 2 => Just(Step::LogIn("jackie")), 1 => Just(Step::LogIn("john")),
            3 => Just(Step::Attach), 1 => Just(Step::LogOut), 1 => Just(Step::Destroy),
        ], 1..60),
        never_expire: bool,
    ) {
        let policy = Policy { never_expire, absolute_lifetime: MINUTE * 60, link_lifetime: Duration::MAX, ..policy() };
        let (mut session, mut links, mut model) = (anonymous(), Vec::new(), Model::default());
        for step in steps {
            let instant = at(Duration::from_secs(model.now));
            // Every write settles first.
            settle(&mut session, &policy, instant);
            match step {
                Step::Wait(seconds) => model.now += seconds,
                Step::Use => (session.last_seen, model.used) = (instant, model.now),
                Step::LogIn(name) => {
                    session.log_in(login(name, instant), instant);
                    if model.login.is_none_or(|(before, _)| before != name) {
                        model.links.iter_mut().for_each(|(sees, _)| *sees = false);
                    }
                    (model.login, model.used) = (Some((name, model.now)), model.now);
                }
                Step::Attach => {
                    let code = sso_core::VerificationCode::generate();
                    links.push(Link { session: session.id.clone(), epoch: session.epoch, code, at: instant, php: false });
                    model.links.push((true, false));
                }
                Step::LogOut => {
                    session.end(EndReason::LoggedOut, instant);
                    model.end();
                }
                Step::Destroy => {
                    session.destroy(EndReason::FingerprintChanged, instant);
                    model.end();
                    model.links.iter_mut().for_each(|(_, dead)| *dead = true);
                }
            }
            model.settle(never_expire);
            let now = at(Duration::from_secs(model.now));
            let seen = settled(Arc::new(session.clone()), &policy, now);
            prop_assert_eq!(seen.user().map(|user| user.username.as_str()), model.login.map(|(name, _)| name));
            for (link, (sees, dead)) in links.iter().zip(&model.links) {
                let expected = match (dead, model.login, sees) {
                    (true, ..) => LinkState::Dead,
                    (false, Some(_), false) => LinkState::Superseded,
                    _ => LinkState::Good,
                };
                prop_assert_eq!(link.state(&seen, None, &policy, now), expected);
            }
        }
    }
}
