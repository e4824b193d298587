//! What a session is at an instant: one pure function of record, policy and time. Stores only keep records.
//!
//! ```text
//!              sign_in                 warn_before is left
//!  ┌───────────┐─────────>┌──────────┐──────────────────────>┌────────┐
//!  │ Anonymous │          │ LoggedIn │<──────────────────────│ Warned │
//!  └───────────┘<─────────└──────────┘   use, keepalive      └────────┘
//!    │   ^   ^    sign_out                 (sign_out from here, too)  │
//!    │   │   │                                                        │ idle timeout, absolute lifetime
//!    │   │   └── a login through a jasny/sso broker (revive) ──┐      v
//!    │   │                                                ┌──────────────┐
//!    └───┼── idle timeout (1 h with a jasny/sso broker) ─>│   Expired    │──┐
//!        │                                                └──────────────┘  │ keep_until
//!  any of these ── fingerprint, no expiry, never begun ──>┌──────────────┐  v
//!                                                         │  Destroyed   │──> gone
//!                                                         └──────────────┘
//! ```
//!
//! The absolute lifetime counts from the login, so it ends a session whatever the activity; the idle timeout counts from the last use. Under
//! `never_expire` a logged-in session has neither.

use super::{CookieHash, CookieValue, OldCookie, Policy, Session, record::DestroyReason};
use crate::clock::Timestamp;

/// What a session is at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody is logged in.
    Anonymous,
    /// Someone is.
    LoggedIn,
    /// Someone is, and has to be warned that it will end.
    Warned,
    /// Its time was up; the record only tells brokers so.
    Expired(Expiry),
    /// It was ended before its time; likewise.
    Destroyed(DestroyReason),
}

impl State {
    /// Whether it is over.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Expired(_) | Self::Destroyed(_))
    }
}

/// Which time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Nobody used it.
    Idle,
    /// The login was too long ago.
    Absolute,
}

/// What `session` is at `now`.
pub fn state(session: &Session, policy: &Policy, now: Timestamp) -> State {
    let unset = Timestamp::default();
    let (idle, absolute) = (idle_end(session, policy), absolute_end(session, policy));
    if let Some((reason, _)) = session.destroyed {
        State::Destroyed(reason)
    } else if session.created == unset {
        State::Destroyed(DestroyReason::NeverInitiated)
    } else if session.keep_until == unset {
        State::Destroyed(DestroyReason::NoExpiry)
    } else if now >= absolute {
        State::Expired(Expiry::Absolute)
    } else if now >= idle {
        State::Expired(Expiry::Idle)
    } else if session.signed_in.is_none() {
        State::Anonymous
    } else if idle.min(absolute).since(now) <= policy.warn_before {
        State::Warned
    } else {
        State::LoggedIn
    }
}

/// Whether `session` is over at `now`.
pub fn is_ended(session: &Session, policy: &Policy, now: Timestamp) -> bool {
    state(session, policy, now).is_ended()
}

/// When `session` ends if nobody uses it any more; [`NEVER`](Timestamp::NEVER) if it does not.
pub fn idle_end(session: &Session, policy: &Policy) -> Timestamp {
    let timeout = match (&session.signed_in, session.serves_php) {
        (Some(_), _) if policy.never_expire => return Timestamp::NEVER,
        (None, true) => policy.idle_timeout.max(Policy::PHP_MIN),
        _ => policy.idle_timeout,
    };
    // `last_seen` may be that old although somebody was here since.
    session.last_seen.after(timeout).after(policy.effective_touch_every())
}

/// When it ends whatever happens; [`NEVER`](Timestamp::NEVER) if it does not.
pub fn absolute_end(session: &Session, policy: &Policy) -> Timestamp {
    match &session.signed_in {
        Some(signed_in) if !policy.never_expire => signed_in.at.after(policy.absolute_lifetime),
        _ => Timestamp::NEVER,
    }
}

/// Until when a store must keep `session`, if nothing more happens to it. One that nobody ever logged in to goes when it ends: its brokers attach
/// anew whatever they are told, and anyone can begin such sessions.
pub fn keep_until(session: &Session, policy: &Policy) -> Timestamp {
    let end = idle_end(session, policy).min(absolute_end(session, policy));
    let end = session.destroyed.map_or(end, |(_, at)| at.min(end));
    let is_missed = session.last_user.is_some() || session.serves_php;
    if is_missed { end.after(Policy::KEEP_ENDED) } else { end }
}

/// Whether the use at `now` is worth a write.
pub fn needs_touch(session: &Session, policy: &Policy, now: Timestamp) -> bool {
    now.since(session.last_seen) >= policy.effective_touch_every()
}

/// Whether a time in the record lies in the future: it was noted by a clock that was ahead and has been set right since.
pub fn is_ahead(session: &Session, now: Timestamp) -> bool {
    let login = session.signed_in.as_ref();
    let times = [
        Some(session.created),
        Some(session.cookie_since),
        Some(session.last_seen),
        session.destroyed.map(|(_, at)| at),
        login.map(|login| login.at),
        login.and_then(|login| login.password_at),
    ];
    let latest = now.after(Policy::CLOCK_SKEW);
    times.into_iter().flatten().any(|time| time > latest)
        || session.old_cookie.is_some_and(|old| works_too_long(old, now))
}

/// Whether a replaced cookie value would work longer than any does. It was dead from some time on, by a clock that was ahead: it is dead now.
fn works_too_long(old: OldCookie, now: Timestamp) -> bool {
    old.works_until != Timestamp::NEVER && old.works_until > now.after(Policy::RENEWAL_GRACE).after(Policy::CLOCK_SKEW)
}

/// Makes the times in the record that lie in the future now: nothing that counts from them would end otherwise.
pub fn set_right(session: &mut Session, now: Timestamp) {
    let latest = now.after(Policy::CLOCK_SKEW);
    let set = |time: &mut Timestamp| *time = if *time > latest { now } else { *time };
    set(&mut session.created);
    set(&mut session.cookie_since);
    set(&mut session.last_seen);
    if let Some((_, at)) = &mut session.destroyed {
        set(at);
    }
    if let Some(login) = &mut session.signed_in {
        set(&mut login.at);
        login.password_at.iter_mut().for_each(set);
    }
    if let Some(old) = &mut session.old_cookie
        && works_too_long(*old, now)
    {
        old.works_until = now;
    }
}

/// Makes an ended session a fresh anonymous one, for the broker that cannot attach anew. Where it was destroyed, its cookie may be in the
/// wrong hands: that never leads here again.
pub fn revive(session: &mut Session, now: Timestamp) {
    session.sign_out();
    if session.destroyed.take().is_some() {
        session.replace_cookie(CookieValue::generate().hash(), now);
        session.old_cookie = None;
        session.fingerprint = None;
    }
    session.last_seen = now;
}

/// Whether this cookie value, which leads to the session, still does so at `now`.
pub fn accepts(session: &Session, cookie: CookieHash, now: Timestamp) -> bool {
    cookie == session.cookie || session.old_cookie.is_some_and(|old| old.hash == cookie && now < old.works_until)
}

/// What becomes of a session's cookie when its browser shows this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing.
    Keep,
    /// The successor was seen for the first time: the old value has [`RENEWAL_GRACE`](Policy::RENEWAL_GRACE) left.
    Confirm,
    /// It is too old, or its successor was lost on the way: the browser gets a new one, and this one works until that is seen.
    Rotate,
    /// Rights changed while the browser could not be reached: the browser gets a new one, and this one is dead.
    Replace,
}

/// Judges the value that a browser showed. See [`accepts`] first.
pub fn renewal(session: &Session, policy: &Policy, shown: CookieHash, now: Timestamp) -> Renewal {
    let is_current = shown == session.cookie;
    let successor_unseen = session.old_cookie.is_some_and(|old| old.works_until == Timestamp::NEVER);
    let age = now.since(session.cookie_since);
    if session.renew_cookie || session.begun_silently {
        Renewal::Replace
    } else if is_current && age >= policy.regenerate_every {
        Renewal::Rotate
    } else if is_current && successor_unseen {
        Renewal::Confirm
    } else if !is_current && successor_unseen && age >= Policy::RENEWAL_GRACE {
        // Within the grace it is another tab's request, which will not be answered later than the one with the successor.
        Renewal::Rotate
    } else {
        Renewal::Keep
    }
}

#[cfg(test)]
mod tests;
