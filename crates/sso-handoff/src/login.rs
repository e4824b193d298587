//! The login that an application keeps in its own session: whose it is, and when it ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sso_core::{base36, random};

/// How long a login lasts at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Unused for this long, it ends (default: 20 minutes).
    pub idle: Duration,
    /// It ends this long after it began, whatever the activity (default: 12 hours). Its user is then judged again, at
    /// the next hand-off or by the application's own login.
    pub absolute: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(20 * 60), absolute: Duration::from_secs(12 * 60 * 60) }
    }
}

/// A login, as it stands in the session. It carries its own limits, so that it is judged the same wherever it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    username: String,
    id: String,
    idle: i64,
    absolute: i64,
    /// When it began, and when it was last used: coarse by [`touch_every`](Self::touch_every). Seconds since 1970-01-01
    /// UTC.
    began: i64,
    used: i64,
}

impl Login {
    /// Use is written down at most this often, in seconds: a login may end that much late.
    const TOUCH_EVERY: i64 = 30;

    /// A login that begins at `now`, in seconds since 1970-01-01 UTC.
    pub fn begin(username: &str, limits: &Limits, now: i64) -> Self {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Self {
            username: username.to_owned(),
            id: base36::exact(&random::bytes()),
            idle: seconds(limits.idle),
            absolute: seconds(limits.absolute),
            began: now,
            used: now,
        }
    }

    /// Whose it is.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Its own random name: no other login has it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The login as it is after a use at `now`; `None` if it was over by then. What a clock that ran ahead wrote counts
    /// as now.
    #[must_use]
    pub fn used_at(self, now: i64) -> Option<Self> {
        let (began, used) = (self.began.min(now), self.used.min(now));
        let (age, unused) = (now.saturating_sub(began), now.saturating_sub(used));
        if age >= self.absolute || unused >= self.idle {
            return None;
        }
        let is_due = used != self.used || unused >= self.touch_every();
        Some(Self { began, used: if is_due { now } else { used }, ..self })
    }

    fn touch_every(&self) -> i64 {
        Self::TOUCH_EVERY.min(self.idle / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn login() -> Login {
        Login::begin("jackie", &Limits::default(), NOW)
    }

    #[test]
    fn a_login_ends_when_it_was_not_used_for_the_idle_time() {
        let minutes = |minutes: i64| NOW + 60 * minutes;
        assert_eq!(login().used_at(minutes(20)), None);
        let used = login().used_at(minutes(20) - 1).unwrap();
        assert_eq!(used.username(), "jackie");
        assert_eq!(used.clone().used_at(minutes(40) - 1), None);
        assert!(used.used_at(minutes(40) - 2).is_some());
    }

    #[test]
    fn a_login_ends_after_the_absolute_time_however_much_it_is_used() {
        let mut login = login();
        for minute in 1..12 * 60 {
            login = login.used_at(NOW + 60 * minute).unwrap();
        }
        assert_eq!(login.used_at(NOW + 12 * 60 * 60), None);
    }

    #[test]
    fn use_is_written_down_at_most_every_half_minute() {
        let login = login();
        assert_eq!(login.clone().used_at(NOW + 29), Some(login.clone()), "nothing to write");
        assert_ne!(login.clone().used_at(NOW + 30), Some(login));
        let short = Login::begin("jackie", &Limits { idle: Duration::from_secs(60), ..Limits::default() }, NOW);
        assert_ne!(short.clone().used_at(NOW + 6), Some(short), "a tenth of a short one");
    }

    #[test]
    fn a_clock_that_was_ahead_makes_no_login_without_end() {
        let ahead = Login::begin("jackie", &Limits::default(), NOW + 365 * 24 * 60 * 60);
        let set_right = ahead.used_at(NOW).unwrap();
        assert_eq!(set_right.clone().used_at(NOW + 20 * 60), None);
        assert_eq!((set_right.began, set_right.used), (NOW, NOW));
    }
}
