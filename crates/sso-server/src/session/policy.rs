//! How long sessions live.

use std::time::Duration;

/// The lifetimes of sessions and links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A session ends when nobody used it for so long (OWASP Session Management: 15 to 30 minutes for low risk).
    pub idle_timeout: Duration,
    /// A login ends after so long, whatever the activity.
    pub absolute_lifetime: Duration,
    /// Use is written down at most this often; a session may end that much late, never early.
    pub touch_every: Duration,
    /// A link ends after so long, and its broker attaches anew: no bearer token lives for ever.
    pub link_lifetime: Duration,
}

impl Policy {
    /// An anonymous session that a jasny/sso broker is linked to lives at least this long.
    pub const PHP_MIN: Duration = Duration::from_secs(60 * 60);
    /// An ended session's record stays this long, so that its brokers are told that it ended.
    pub const KEEP_ENDED: Duration = Duration::from_secs(2 * 60 * 60);

    /// [`touch_every`](Self::touch_every), made finer where the idle timeout is short.
    pub fn effective_touch_every(&self) -> Duration {
        self.touch_every.min(self.idle_timeout / 10)
    }

    /// Whether the lifetimes fit together.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        if self.idle_timeout.is_zero() {
            return Err(InvalidPolicy::IdleTimeoutZero);
        }
        if self.link_lifetime.is_zero() {
            return Err(InvalidPolicy::LinkLifetimeZero);
        }
        if self.idle_timeout > self.absolute_lifetime {
            return Err(InvalidPolicy::IdleOverAbsolute);
        }
        Ok(())
    }
}

/// Lifetimes that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// Every session would be over at once.
    #[error("idle_timeout must be longer than zero")]
    IdleTimeoutZero,
    /// Every link would be over at once.
    #[error("link_lifetime must be longer than zero")]
    LinkLifetimeZero,
    /// The idle timeout could never come.
    #[error("idle_timeout must not be longer than absolute_lifetime")]
    IdleOverAbsolute,
}

impl Default for Policy {
    /// 20 minutes idle, 12 hours in all, written down every 30 seconds, links for 24 hours.
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(20 * 60),
            absolute_lifetime: Duration::from_secs(12 * 60 * 60),
            touch_every: Duration::from_secs(30),
            link_lifetime: Duration::from_secs(24 * 60 * 60),
        }
    }
}
