//! How long tokens live, and whether users can be remembered.

use std::time::Duration;

use super::policy::{InvalidPolicy, Setting};

/// What the server issues tokens for, and how long they live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// An access token is accepted for so long: nobody can call it back, so it is short.
    pub access_lifetime: Duration,
    /// A browser is remembered for so long after its last use.
    pub remember_lifetime: Duration,
    /// The login page offers to remember the user.
    pub remember_me: bool,
}

impl TokenPolicy {
    /// Whether the lifetimes are fit for tokens, which count in whole seconds.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let lifetimes =
            [(self.access_lifetime, Setting::AccessLifetime), (self.remember_lifetime, Setting::RememberLifetime)];
        match lifetimes.into_iter().find(|(lifetime, _)| *lifetime < Duration::from_secs(1)) {
            Some((_, setting)) => Err(InvalidPolicy { setting, rule: "must be at least one second" }),
            None => Ok(()),
        }
    }
}

impl Default for TokenPolicy {
    /// Access for 5 minutes, remembered for 30 days, offered.
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_secs(5 * 60),
            remember_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            remember_me: true,
        }
    }
}
