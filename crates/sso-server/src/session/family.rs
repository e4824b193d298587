//! What is kept of a browser that is remembered: the family of tokens that replace one another, of which one is
//! current.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use sso_core::{base36, random};

use super::TokenPolicy;
use crate::util::clock::{CLOCK_SKEW, Timestamp};

/// The remember-me tokens of one login with the box ticked. Whoever uses a replaced one has copied it, and the whole
/// family goes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Its name, in every token of it.
    pub id: String,
    /// Counts its writes; an update of an older version is refused.
    pub version: u64,
    /// Who is remembered.
    pub username: String,
    /// The current token's `jti`.
    pub jti: String,
    /// When the current token was made.
    pub issued: Timestamp,
    /// The token before it.
    pub old: Option<OldToken>,
    /// A keyed hash of the account's password hash: with another password the family is worth nothing.
    pub password: [u8; 32],
    /// The browser, as its user is shown it; see [`browser_name`].
    pub browser: String,
    /// When it began. It ends so long after that, however much it is used.
    pub created: Timestamp,
    /// When it last logged somebody in.
    pub last_used: Timestamp,
    /// Until when it works, and a store keeps it.
    pub expires: Timestamp,
}

/// What a token is in its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The newest one.
    Current,
    /// Replaced a moment ago.
    JustReplaced,
    /// Replaced too long ago, or never known: somebody has a copy.
    Reused,
}

impl Family {
    /// A replaced token gives its successor for so long: of ten restored tabs each one sends the old token, and an
    /// answer may be lost.
    pub const GRACE: Duration = Duration::from_secs(60);
    /// Once the successor was seen, the browser has it: only what was on its way still comes with the old one.
    pub const GRACE_ONCE_SEEN: Duration = Duration::from_secs(10);

    /// A new family with its first token. `password`: what is kept of the account's.
    pub fn new(username: &str, password: [u8; 32], browser: String, now: Timestamp, tokens: &TokenPolicy) -> Self {
        Self {
            id: base36::exact(&random::bytes()),
            version: 0,
            username: username.to_owned(),
            jti: base36::exact(&random::bytes()),
            issued: now,
            old: None,
            password,
            browser,
            created: now,
            last_used: now,
            expires: tokens.remembered_until(now, now),
        }
    }

    /// The same with a new token in place of the current one, which was used.
    #[must_use]
    pub fn renewed(&self, now: Timestamp, tokens: &TokenPolicy) -> Self {
        Self {
            jti: base36::exact(&random::bytes()),
            issued: now,
            old: Some(OldToken { jti: self.jti.clone(), replaced: now, successor_seen: None }),
            last_used: now,
            expires: tokens.remembered_until(self.created, now),
            ..self.clone()
        }
    }

    /// What the token of this `jti` is.
    pub fn state(&self, jti: &str, now: Timestamp) -> TokenState {
        match &self.old {
            _ if jti == self.jti => TokenState::Current,
            Some(old) if jti == old.jti => {
                let end = old.replaced.after(Self::GRACE);
                let end = old.successor_seen.map_or(end, |seen| end.min(seen.after(Self::GRACE_ONCE_SEEN)));
                if now < end { TokenState::JustReplaced } else { TokenState::Reused }
            }
            _ => TokenState::Reused,
        }
    }

    /// Makes times that lie in the future now, and has the family end no later than the policy allows: it may have been
    /// written by a clock that was ahead, or under another policy.
    pub fn set_right(&mut self, now: Timestamp, tokens: &TokenPolicy) {
        let latest = now.after(CLOCK_SKEW);
        let set = |time: &mut Timestamp| *time = if *time > latest { now } else { *time };
        set(&mut self.created);
        set(&mut self.issued);
        set(&mut self.last_used);
        if let Some(old) = &mut self.old {
            set(&mut old.replaced);
            old.successor_seen.iter_mut().for_each(set);
        }
        self.expires = self.expires.min(tokens.remembered_until(self.created, self.last_used));
    }
}

/// A token that was replaced.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldToken {
    /// Its `jti`.
    pub jti: String,
    /// When.
    pub replaced: Timestamp,
    /// When its successor was first seen, if it was.
    pub successor_seen: Option<Timestamp>,
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("version", &self.version)
            .field("username", &self.username)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OldToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldToken").field("replaced", &self.replaced).finish_non_exhaustive()
    }
}

/// What a browser calls itself in its `User-Agent`, to be shown to its user: printable ASCII, 200 characters at most.
pub fn browser_name(user_agent: &str) -> Option<String> {
    let name: String = user_agent.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(200).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_printable() {
        assert_eq!(browser_name("Mozilla/5.0 (X11)").as_deref(), Some("Mozilla/5.0 (X11)"));
        assert_eq!(browser_name("a\u{202e}b\n\tc\u{7f}").as_deref(), Some("abc"));
        assert_eq!(browser_name(&"x".repeat(999)).map(|name| name.len()), Some(200));
        assert_eq!(browser_name(" \u{200b} "), None);
    }

    #[test]
    fn debug_shows_no_token() {
        let now = Timestamp::from_millis(1);
        let old = OldToken { jti: "secret-old".into(), replaced: now, successor_seen: None };
        let family = Family {
            id: "secret-id".into(),
            version: 0,
            username: "jackie".into(),
            jti: "secret-jti".into(),
            issued: now,
            old: Some(old.clone()),
            password: [7; 32],
            browser: String::new(),
            created: now,
            last_used: now,
            expires: now,
        };
        let text = format!("{family:?} {old:?}");
        assert!(text.contains("jackie") && !text.contains("secret"), "{text}");
    }
}
