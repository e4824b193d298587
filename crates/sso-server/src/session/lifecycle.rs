//! What a session is at an instant: one pure function of record, policy and time. Stores only keep records.
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

/// The end that the login's time has come to, if any by `now`.
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

/// Ends the login if its time is up, at the time when that was.
pub(crate) fn settle(session: &mut Session, policy: &Policy, now: Timestamp) {
    if let Some((reason, at)) = due(session, policy, now) {
        session.end(reason, at);
        session.end_is_unwritten = true;
    }
}

/// What `session` is at `now`: as it is, or with its login ended.
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

/// When the login ends if nobody uses the session any more; [`NEVER`](Timestamp::NEVER) if it does not.
pub(crate) fn idle_end(session: &Session, policy: &Policy) -> Timestamp {
    if session.login.is_none() || policy.never_expire {
        return Timestamp::NEVER;
    }
    // `last_seen` may be that old although somebody was here since.
    session.last_seen.after(policy.idle_timeout).after(policy.effective_touch_every())
}

/// When it ends whatever happens; [`NEVER`](Timestamp::NEVER) if it does not.
pub(crate) fn absolute_end(session: &Session, policy: &Policy) -> Timestamp {
    match &session.login {
        Some(login) if !policy.never_expire => login.at.after(policy.absolute_lifetime),
        _ => Timestamp::NEVER,
    }
}

/// When the login ends if nothing more happens to it; [`NEVER`](Timestamp::NEVER) without one.
pub(crate) fn ends(session: &Session, policy: &Policy) -> Timestamp {
    idle_end(session, policy).min(absolute_end(session, policy))
}

/// Until when a store must keep `session`, if nothing more happens to it.
pub(crate) fn keep_until(session: &Session, policy: &Policy) -> Timestamp {
    let used = session.last_seen.after(policy.effective_touch_every());
    if session.login.is_some() {
        return ends(session, policy).max(used).after(Policy::KEPT.max(policy.idle_timeout));
    }
    let is_unused = session.last_seen == session.created && session.last_end.is_none();
    if is_unused { session.created.after(Policy::UNUSED) } else { used.after(Policy::KEPT.max(policy.idle_timeout)) }
}

/// Whether the use at `now` is worth a write. The first one always is: by it the session stays.
pub(crate) fn needs_touch(session: &Session, policy: &Policy, now: Timestamp) -> bool {
    session.last_seen == session.created || now.since(session.last_seen) >= policy.effective_touch_every()
}

/// The last use that is noted for one at `now`: never that of the beginning.
pub(crate) fn use_at(session: &Session, now: Timestamp) -> Timestamp {
    now.max(session.created.after(Duration::from_millis(1)))
}

/// Whether a time in the record lies in the future: it was noted by a clock that was ahead and has been set right
/// since.
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

/// Whether a replaced cookie value would work longer than any does. It was dead from some time on, by a clock that was
/// ahead: it is dead now.
fn works_too_long(old: OldCookie, now: Timestamp) -> bool {
    old.works_until != Timestamp::NEVER && old.works_until > now.after(Policy::RENEWAL_GRACE).after(CLOCK_SKEW)
}

/// Makes the times in the record that lie in the future now: nothing that counts from them would end otherwise.
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

/// Whether this cookie value, which leads to the session, still does so at `now`.
pub(crate) fn accepts(session: &Session, cookie: CookieHash, now: Timestamp) -> bool {
    cookie == session.cookie || session.old_cookie.is_some_and(|old| old.hash == cookie && now < old.works_until)
}

/// What becomes of a session's cookie when its browser shows this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Nothing.
    Keep,
    /// The successor was seen for the first time: the old value has [`RENEWAL_GRACE`](Policy::RENEWAL_GRACE) left.
    Confirm,
    /// It is too old, or its successor was lost on the way: the browser gets a new one, and this one works until that
    /// is seen.
    Rotate,
    /// Rights changed while the browser could not be reached: the browser gets a new one, and this one is dead.
    Replace,
}

/// Judges the value that a browser showed. See [`accepts`] first.
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
        // Within the grace it is another tab's request, which will not be answered later than the one with the
        // successor.
        Renewal::Rotate
    } else {
        Renewal::Keep
    }
}

#[cfg(test)]
mod tests;
