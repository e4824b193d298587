//! The policy: lifetimes of sessions, and the number of logins per user.

use std::{num::NonZeroUsize, time::Duration};

/// Lifetimes of sessions, links and forms, and the number of logins per user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Logins never expire, and the two timeouts below do not apply. Only for internal applications in a trusted
    /// network.
    pub never_expire: bool,
    /// A login ends after this time without use (OWASP Session Management: 15 to 30 minutes for low risk).
    pub idle_timeout: Duration,
    /// A login ends after this time, regardless of use.
    pub absolute_lifetime: Duration,
    /// A page warns its user when this much of the login remains.
    pub warn_before: Duration,
    /// A form is accepted for this long after its page was served.
    pub form_timeout: Duration,
    /// Use is stored at most this often. A login may end that much late, never early.
    pub touch_every: Duration,
    /// A session cookie's value is replaced at this age.
    pub regenerate_every: Duration,
    /// Ties a session to the browser's fingerprint: a keyed hash of stable headers, without version numbers.
    pub fingerprint: bool,
    /// A link ends after this time, and its broker attaches again: no bearer token lives forever.
    pub link_lifetime: Duration,
    /// Maximum logins of a user at once. One more ends the longest unused login, and its browser is forgotten.
    /// Concurrent logins may exceed the limit for a moment.
    pub max_sessions_per_user: NonZeroUsize,
}

impl Policy {
    /// A session is kept at least this long after its last use and after the end of its login, so that its brokers can
    /// learn of the end.
    pub const KEPT: Duration = Duration::from_secs(60 * 60);
    /// A session that was never used again is kept this long: its cookie was not kept.
    pub const UNUSED: Duration = Duration::from_secs(10 * 60);
    /// The old value of a cookie that was replaced because of its age works until the new value is first seen, and this
    /// much longer: for requests on their way and lost responses.
    pub const RENEWAL_GRACE: Duration = Duration::from_secs(10);

    /// The defaults with this idle timeout. Values that must be shorter are reduced to half of it if necessary.
    pub fn with_idle_timeout(idle_timeout: Duration) -> Self {
        let default = Self::default();
        Self {
            idle_timeout,
            warn_before: default.warn_before.min(idle_timeout / 2),
            form_timeout: default.form_timeout.min(idle_timeout / 2),
            ..default
        }
    }

    /// [`touch_every`](Self::touch_every), or less if the idle timeout is short.
    pub fn effective_touch_every(&self) -> Duration {
        self.touch_every.min(self.idle_timeout / 10)
    }

    /// Checks that the lifetimes do not contradict each other.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let zero = [
            (self.idle_timeout, Setting::IdleTimeout),
            (self.regenerate_every, Setting::RegenerateEvery),
            (self.link_lifetime, Setting::LinkLifetime),
        ];
        if let Some((_, setting)) = zero.into_iter().find(|(duration, _)| *duration < Duration::from_secs(1)) {
            return Err(InvalidPolicy { setting, rule: "must be at least one second" });
        }
        if self.form_timeout.is_zero() {
            return Err(InvalidPolicy { setting: Setting::FormTimeout, rule: "must be longer than zero" });
        }
        if self.never_expire {
            return Ok(());
        }
        let rules = [
            (
                self.idle_timeout <= self.absolute_lifetime,
                Setting::IdleTimeout,
                "must not be longer than absolute_lifetime",
            ),
            (self.warn_before < self.idle_timeout, Setting::WarnBefore, "must be shorter than idle_timeout"),
            (self.form_timeout < self.idle_timeout, Setting::FormTimeout, "must be shorter than idle_timeout"),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, setting, rule)) => Err(InvalidPolicy { setting, rule }),
            None => Ok(()),
        }
    }
}

/// The settings that a rule can name, by their names in `sso.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of `Policy` and `TokenPolicy` are documented there")]
pub enum Setting {
    IdleTimeout,
    WarnBefore,
    FormTimeout,
    RegenerateEvery,
    LinkLifetime,
    AccessLifetime,
    RememberLifetime,
    RememberAbsolute,
}

/// Lifetimes that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {rule}", setting.name())]
pub struct InvalidPolicy {
    /// Which setting is wrong.
    pub setting: Setting,
    pub(super) rule: &'static str,
}

impl Setting {
    /// Its name in `sso.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::IdleTimeout => "idle_timeout",
            Self::WarnBefore => "warn_before",
            Self::FormTimeout => "form_timeout",
            Self::RegenerateEvery => "regenerate_every",
            Self::LinkLifetime => "link_lifetime",
            Self::AccessLifetime => "access_lifetime",
            Self::RememberLifetime => "remember_lifetime",
            Self::RememberAbsolute => "remember_absolute",
        }
    }
}

impl Default for Policy {
    /// Idle timeout 20 minutes, lifetime 12 hours, warning 2 minutes before, forms 10 minutes; use stored every 30
    /// seconds, cookie renewed every 15 minutes, tied to the browser; links 24 hours; 100 logins per user.
    fn default() -> Self {
        const fn minutes(n: u64) -> Duration {
            Duration::from_secs(n * 60)
        }
        Self {
            never_expire: false,
            idle_timeout: minutes(20),
            absolute_lifetime: minutes(12 * 60),
            warn_before: minutes(2),
            form_timeout: minutes(10),
            touch_every: Duration::from_secs(30),
            regenerate_every: minutes(15),
            fingerprint: true,
            link_lifetime: minutes(24 * 60),
            max_sessions_per_user: NonZeroUsize::MIN.saturating_add(99),
        }
    }
}
