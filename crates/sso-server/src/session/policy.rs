//! How long sessions live, and how many logins a user may have.

use std::{num::NonZeroUsize, time::Duration};

/// The lifetimes of sessions, links and forms, and how many logins a user may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Logins never end by themselves. For internal applications in a trusted network only; the two
    /// timeouts below do not count then.
    pub never_expire: bool,
    /// A login ends when nobody used it for so long (OWASP Session Management: 15 to 30 minutes for low risk).
    pub idle_timeout: Duration,
    /// A login ends after so long, whatever the activity.
    pub absolute_lifetime: Duration,
    /// A page warns its user when so much of the login is left.
    pub warn_before: Duration,
    /// A form is accepted for so long after its page was served.
    pub form_timeout: Duration,
    /// Use is written down at most this often; a login may end that much late, never early.
    pub touch_every: Duration,
    /// The value of a session cookie is replaced when it is older than this.
    pub regenerate_every: Duration,
    /// A session is tied to the browser's fingerprint: a keyed hash of headers that stay the same, without version
    /// numbers.
    pub fingerprint: bool,
    /// A link ends after so long, and its broker attaches anew: no bearer token lives for ever.
    pub link_lifetime: Duration,
    /// A user has at most so many logins at once: one more ends the longest unused of them, and its browser is not
    /// remembered any more. For a moment they may be more, where several begin at once.
    pub max_sessions_per_user: NonZeroUsize,
}

impl Policy {
    /// A session stays at least this long after its last use, and after the end of its login, so that its brokers are
    /// told of that.
    pub const KEPT: Duration = Duration::from_secs(60 * 60);
    /// One that was never used again after it began stays this long: its cookie was not kept, and nobody misses it.
    pub const UNUSED: Duration = Duration::from_secs(10 * 60);
    /// The old value of a cookie that was replaced because of its age works until the new one is first seen, and so
    /// much longer: requests that were on their way, or a response that was lost, must not log anyone out.
    pub const RENEWAL_GRACE: Duration = Duration::from_secs(10);

    /// The default lifetimes, but this idle timeout. What must be shorter than it is: half of it, where the default
    /// would not be.
    pub fn with_idle_timeout(idle_timeout: Duration) -> Self {
        let default = Self::default();
        Self {
            idle_timeout,
            warn_before: default.warn_before.min(idle_timeout / 2),
            form_timeout: default.form_timeout.min(idle_timeout / 2),
            ..default
        }
    }

    /// [`touch_every`](Self::touch_every), made finer where the idle timeout is short.
    pub fn effective_touch_every(&self) -> Duration {
        self.touch_every.min(self.idle_timeout / 10)
    }

    /// Whether the lifetimes fit together.
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

/// The settings that a rule can be about, by the names that they have in `sso.toml`.
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
    /// 20 minutes idle, 12 hours in all, a warning 2 minutes before, 10 minutes for a form; written down every 30
    /// seconds, the cookie renewed every 15 minutes, tied to the browser; links for 24 hours; 100 logins of a user.
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
