//! How long tokens live, and whether users can be remembered.

use std::time::Duration;

use super::policy::{InvalidPolicy, Setting};
use crate::util::clock::Timestamp;

/// What the server issues tokens for, and how long they live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// An access token is accepted for so long: nobody can call it back, so it is short.
    pub access_lifetime: Duration,
    /// A browser is remembered for so long after its last use.
    pub remember_lifetime: Duration,
    /// A browser is forgotten so long after the login with the box ticked, however much it is used.
    pub remember_absolute: Duration,
    /// The login page offers to remember the user.
    pub remember_me: bool,
}

impl TokenPolicy {
    /// Until when a browser is remembered that has been since `created`, and was used last at `used`.
    pub(crate) fn remembered_until(&self, created: Timestamp, used: Timestamp) -> Timestamp {
        used.after(self.remember_lifetime).min(created.after(self.remember_absolute))
    }

    /// Whether the lifetimes are fit for tokens, which count in whole seconds.
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
    /// Access for 5 minutes, remembered for 30 days and for 180 in all, offered.
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_secs(5 * 60),
            remember_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            remember_absolute: Duration::from_secs(180 * 24 * 60 * 60),
            remember_me: true,
        }
    }
}
