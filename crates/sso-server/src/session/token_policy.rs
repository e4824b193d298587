//! The policy of tokens: their lifetimes, and whether users can be remembered.

use std::time::Duration;

use super::policy::{InvalidPolicy, Setting};
use crate::util::clock::Timestamp;

/// Lifetimes of the tokens that the server issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// The lifetime of an access token. Short, since it cannot be revoked.
    pub access_lifetime: Duration,
    /// How long a browser is remembered after its last use.
    pub remember_lifetime: Duration,
    /// How long a browser is remembered in total after the login with "remember me", regardless of use.
    pub remember_absolute: Duration,
    /// Whether the login page offers "remember me".
    pub remember_me: bool,
}

impl TokenPolicy {
    /// Until when a browser is remembered that was first remembered at `created` and last used at `used`.
    pub(crate) fn remembered_until(&self, created: Timestamp, used: Timestamp) -> Timestamp {
        used.after(self.remember_lifetime).min(created.after(self.remember_absolute))
    }

    /// Checks that the lifetimes suit tokens, which count in whole seconds.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let lifetimes = [
            (self.access_lifetime, Setting::AccessLifetime),
            (self.remember_lifetime, Setting::RememberLifetime),
            (self.remember_absolute, Setting::RememberAbsolute),
        ];
        if let Some((_, setting)) = lifetimes.into_iter().find(|(lifetime, _)| *lifetime < Duration::from_secs(1)) {
            return Err(InvalidPolicy { setting, rule: "must be at least one second" });
        }
        if self.remember_lifetime > self.remember_absolute {
            let rule = "must not be longer than remember_absolute";
            return Err(InvalidPolicy { setting: Setting::RememberLifetime, rule });
        }
        Ok(())
    }
}

impl Default for TokenPolicy {
    /// Access tokens 5 minutes; remembered 30 days, 180 in total; offered.
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_secs(5 * 60),
            remember_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            remember_absolute: Duration::from_secs(180 * 24 * 60 * 60),
            remember_me: true,
        }
    }
}
