//! The state of a session at an instant: one pure function of record, policy and time. Stores only keep records.
//!
//! ```text
//!               log_in                      log_in of the same user: confirmed
//!  ┌───────────┐───────────────────────────>┌───────────┐──┐
//!  │ Anonymous │                            │ Logged in │  │
//!  └───────────┘<───────────────────────────└───────────┘<─┘
//!    │ last_end    idle timeout, absolute lifetime (settle);   │
//!    │             logout, revoked, account gone, theft (end)  │ log_in of another user: an end and a login
//!    │                                                         v
//!    │ keep_until: nobody used it for an hour             Logged in
//!    v
//!   gone
//! ```
//!
//! A login's absolute lifetime counts from the login, whatever the activity; its idle timeout counts from the session's
//! last use. Under `never_expire` it has neither. The session outlives it: by then the record says [how it
//! ended](super::End). [`Session::destroy`] ends the login and all that leads to the session.
//!
//! Reads see a login whose time is up as [settled](settled()): it has ended. They write nothing; every write settles
//! first.

use std::{sync::Arc, time::Duration};

use super::{CookieHash, EndReason, OldCookie, Policy, Session};
use crate::util::clock::{CLOCK_SKEW, Timestamp};

/// The reason and time of the login's end, if it has expired by `now`.
fn due(session: &Session, policy: &Policy, now: Timestamp) -> Option<(EndReason, Timestamp)> {
    session.login.as_ref()?;
    let (idle, absolute) = (idle_end(session, policy), absolute_end(session, policy));
    if now >= absolute && absolute <= idle {
        Some((EndReason::Absolute, absolute))
    } else if now >= idle {
        Some((EndReason::Idle, idle))
    } else {
        None
    }
}

/// Ends the login if it has expired, at the time of its expiry.
pub(crate) fn settle(session: &mut Session, policy: &Policy, now: Timestamp) {
    if let Some((reason, at)) = due(session, policy, now) {
        session.end(reason, at);
        session.end_is_unwritten = true;
    }
}

/// The session at `now`: unchanged, or with its login ended.
pub(crate) fn settled(session: Arc<Session>, policy: &Policy, now: Timestamp) -> Arc<Session> {
    if due(&session, policy, now).is_none() {
        return session;
    }
    let mut settled = Session::clone(&session);
    settle(&mut settled, policy, now);
    Arc::new(settled)
}

/// Whether the session is gone, or was not written by this server.
pub(crate) fn is_gone(session: &Session, now: Timestamp) -> bool {
    session.created == Timestamp::default() || now >= session.keep_until
}

/// When the login ends without further use; [`NEVER`](Timestamp::NEVER) if it does not.
pub(crate) fn idle_end(session: &Session, policy: &Policy) -> Timestamp {
    if session.login.is_none() || policy.never_expire {
        return Timestamp::NEVER;
    }
    // `last_seen` may lag behind the last use by this much.
    session.last_seen.after(policy.idle_timeout).after(policy.effective_touch_every())
}

/// When the login ends regardless of use; [`NEVER`](Timestamp::NEVER) if it does not.
pub(crate) fn absolute_end(session: &Session, policy: &Policy) -> Timestamp {
    match &session.login {
        Some(login) if !policy.never_expire => login.at.after(policy.absolute_lifetime),
        _ => Timestamp::NEVER,
    }
}

/// When the login ends if nothing else happens; [`NEVER`](Timestamp::NEVER) without a login.
pub(crate) fn ends(session: &Session, policy: &Policy) -> Timestamp {
    idle_end(session, policy).min(absolute_end(session, policy))
}

/// Until when a store must keep `session` if nothing else happens.
pub(crate) fn keep_until(session: &Session, policy: &Policy) -> Timestamp {
    let used = session.last_seen.after(policy.effective_touch_every());
    if session.login.is_some() {
        return ends(session, policy).max(used).after(Policy::KEPT.max(policy.idle_timeout));
    }
    let is_unused = session.last_seen == session.created && session.last_end.is_none();
    if is_unused { session.created.after(Policy::UNUSED) } else { used.after(Policy::KEPT.max(policy.idle_timeout)) }
}

/// Whether the use at `now` has to be stored. The first use always is: it extends how long the session is kept.
pub(crate) fn needs_touch(session: &Session, policy: &Policy, now: Timestamp) -> bool {
    session.last_seen == session.created || now.since(session.last_seen) >= policy.effective_touch_every()
}

/// The time to store for a use at `now`, never that of the beginning.
pub(crate) fn use_at(session: &Session, now: Timestamp) -> Timestamp {
    now.max(session.created.after(Duration::from_millis(1)))
}

/// Whether a time in the record lies in the future: a clock that was ahead wrote it.
pub(crate) fn is_ahead(session: &Session, now: Timestamp) -> bool {
    let login = session.login.as_ref();
    let times = [
        Some(session.created),
        Some(session.cookie_since),
        Some(session.last_seen),
        session.last_end.as_ref().map(|end| end.at),
        login.map(|login| login.at),
        login.map(|login| login.auth_time),
    ];
    let latest = now.after(CLOCK_SKEW);
    times.into_iter().flatten().any(|time| time > latest)
        || session.old_cookie.is_some_and(|old| works_too_long(old, now))
}

/// Whether a replaced cookie value would work longer than any may: a clock that was ahead wrote its end, so the value
/// is dead.
fn works_too_long(old: OldCookie, now: Timestamp) -> bool {
    old.works_until != Timestamp::NEVER && old.works_until > now.after(Policy::RENEWAL_GRACE).after(CLOCK_SKEW)
}

/// Sets times in the future to now: what counts from them would not end otherwise.
pub(crate) fn set_right(session: &mut Session, now: Timestamp) {
    let latest = now.after(CLOCK_SKEW);
    let set = |time: &mut Timestamp| *time = if *time > latest { now } else { *time };
    set(&mut session.created);
    set(&mut session.cookie_since);
    set(&mut session.last_seen);
    if let Some(end) = &mut session.last_end {
        set(&mut end.at);
    }
    if let Some(login) = &mut session.login {
        set(&mut login.at);
        set(&mut login.auth_time);
    }
    if let Some(old) = &mut session.old_cookie
        && works_too_long(*old, now)
    {
        old.works_until = now;
    }
}

/// Whether this cookie value of the session still works at `now`.
pub(crate) fn accepts(session: &Session, cookie: CookieHash, now: Timestamp) -> bool {
    cookie == session.cookie || session.old_cookie.is_some_and(|old| old.hash == cookie && now < old.works_until)
}

/// What to do with a session's cookie when its browser sends this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Nothing.
    Keep,
    /// The successor was seen for the first time: the old value works for [`RENEWAL_GRACE`](Policy::RENEWAL_GRACE) from
    /// now.
    Confirm,
    /// The value is too old, or its successor was lost: the browser gets a new value, and this one works until that is
    /// seen.
    Rotate,
    /// Rights changed where the cookie could not be set: the browser gets a new value, and this one stops working.
    Replace,
}

/// Decides about the value that a browser sent. Check [`accepts`] first.
pub(crate) fn renewal(session: &Session, policy: &Policy, shown: CookieHash, now: Timestamp) -> Renewal {
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
        // Within the grace period it would be a request of another tab, answered no later than the one with the
        // successor.
        Renewal::Rotate
    } else {
        Renewal::Keep
    }
}

#[cfg(test)]
mod tests;
