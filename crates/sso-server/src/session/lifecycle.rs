//! What a session is at an instant: one pure function of record, policy and time. Stores only keep records.
//!
//! ```text
//!                 sign_in                     idle timeout, absolute lifetime
//!   ┌───────────┐────────────>┌───────────┐──────────────────────────────────┐
//!   │ Anonymous │             │ LoggedIn  │                                  v
//!   └───────────┘<────────────└───────────┘                            ┌───────────┐   keep_until
//!     │       ^    sign_out                                            │   Ended   │──────────────> gone
//!     │       └────────────────────────────────────────────────────────└───────────┘
//!     │            a login through a jasny/sso broker (revive)               ^
//!     └──────────────────────────────────────────────────────────────────────┘
//!                  idle timeout (at least 1 h with a jasny/sso broker)
//! ```

use std::time::Duration;

use super::{Policy, Session};
use crate::clock::Timestamp;

/// What a session is at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody is logged in.
    Anonymous,
    /// Someone is.
    LoggedIn,
    /// It is over; its record only tells brokers so.
    Ended(EndReason),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Nobody used it.
    IdleTimeout,
    /// The login was too long ago.
    AbsoluteLifetime,
}

/// What `session` is at `now`.
pub fn state(session: &Session, policy: &Policy, now: Timestamp) -> State {
    if now >= absolute_end(session, policy) {
        State::Ended(EndReason::AbsoluteLifetime)
    } else if now >= idle_end(session, policy) {
        State::Ended(EndReason::IdleTimeout)
    } else if session.signed_in.is_some() {
        State::LoggedIn
    } else {
        State::Anonymous
    }
}

/// Whether `session` is over at `now`.
pub fn is_ended(session: &Session, policy: &Policy, now: Timestamp) -> bool {
    matches!(state(session, policy, now), State::Ended(_))
}

/// Until when a store must keep `session`, if nothing more happens to it.
pub fn keep_until(session: &Session, policy: &Policy) -> Timestamp {
    idle_end(session, policy).min(absolute_end(session, policy)).after(Policy::KEEP_ENDED)
}

/// Whether the use at `now` is worth a write.
pub fn needs_touch(session: &Session, policy: &Policy, now: Timestamp) -> bool {
    now.since(session.last_seen) >= policy.effective_touch_every()
}

/// Makes an ended session a fresh anonymous one, for the broker that cannot attach anew.
pub fn revive(session: &mut Session, now: Timestamp) {
    session.sign_out();
    session.last_seen = now;
}

fn idle_end(session: &Session, policy: &Policy) -> Timestamp {
    let at_least = if session.serves_php && session.signed_in.is_none() { Policy::PHP_MIN } else { Duration::ZERO };
    // `last_seen` may be that old although somebody was here since.
    session.last_seen.after(policy.idle_timeout.max(at_least)).after(policy.effective_touch_every())
}

fn absolute_end(session: &Session, policy: &Policy) -> Timestamp {
    session.signed_in.as_ref().map_or(Timestamp::NEVER, |signed_in| signed_in.at.after(policy.absolute_lifetime))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use sso_core::wire::User;

    use super::*;
    use crate::session::CookieValue;

    const MINUTE: Duration = Duration::from_secs(60);

    fn policy() -> Policy {
        Policy { touch_every: Duration::ZERO, ..Policy::default() }
    }

    fn anonymous() -> Session {
        Session::new(CookieValue::generate().hash(), Timestamp::from_millis(0))
    }

    fn logged_in() -> Session {
        let mut session = anonymous();
        session.sign_in(User { username: "jackie".into(), attributes: Map::new() }, Timestamp::from_millis(0));
        session
    }

    fn at(duration: Duration) -> Timestamp {
        Timestamp::from_millis(0).after(duration)
    }

    #[test]
    fn idle_sessions_end_to_the_millisecond() {
        for (session, alive) in [(anonymous(), State::Anonymous), (logged_in(), State::LoggedIn)] {
            assert_eq!(state(&session, &policy(), at(MINUTE * 20 - Duration::from_millis(1))), alive);
            assert_eq!(state(&session, &policy(), at(MINUTE * 20)), State::Ended(EndReason::IdleTimeout));
        }
    }

    #[test]
    fn use_moves_the_idle_end_but_not_the_absolute_one() {
        let mut session = logged_in();
        session.last_seen = at(MINUTE * 60 * 12 - MINUTE);
        assert_eq!(state(&session, &policy(), at(MINUTE * 60 * 12 - MINUTE / 2)), State::LoggedIn);
        assert_eq!(state(&session, &policy(), at(MINUTE * 60 * 12)), State::Ended(EndReason::AbsoluteLifetime));
    }

    #[test]
    fn php_brokers_keep_an_anonymous_session_for_an_hour() {
        let mut session = anonymous();
        session.serves_php = true;
        assert_eq!(state(&session, &policy(), at(MINUTE * 59)), State::Anonymous);
        assert_eq!(state(&session, &policy(), at(MINUTE * 60)), State::Ended(EndReason::IdleTimeout));
        let mut session = logged_in();
        session.serves_php = true;
        assert_eq!(state(&session, &policy(), at(MINUTE * 20)), State::Ended(EndReason::IdleTimeout));
        revive(&mut session, at(MINUTE * 30));
        assert_eq!(state(&session, &policy(), at(MINUTE * 30)), State::Anonymous);
    }

    #[test]
    fn records_outlive_their_session_by_two_hours() {
        assert_eq!(keep_until(&anonymous(), &policy()), at(MINUTE * 20 + MINUTE * 120));
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
}
