//! The record of a remembered browser: the family of tokens that replace one another, one of which is current.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use sso_core::{base36, random};

use super::TokenPolicy;
use crate::util::clock::{CLOCK_SKEW, Timestamp};

/// The remember-me tokens of one login. Use of a replaced token means that it was copied, and ends the family.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Its id, which is in each of its tokens.
    pub id: String,
    /// Counts its writes; an update of an older version is refused.
    pub version: u64,
    /// The remembered user.
    pub username: String,
    /// The current token's `jti`.
    pub jti: String,
    /// When the current token was made.
    pub issued: Timestamp,
    /// The previous token.
    pub old: Option<OldToken>,
    /// A keyed hash of the account's password hash: the family ends when the password changes.
    pub password: [u8; 32],
    /// The browser's name as shown to its user; see [`browser_name`].
    pub browser: String,
    /// When it began. Its total lifetime counts from here, regardless of use.
    pub created: Timestamp,
    /// When it last logged somebody in.
    pub last_used: Timestamp,
    /// When it expires. Stores keep it until then.
    pub expires: Timestamp,
}

/// The state of a token in its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The newest token.
    Current,
    /// Replaced a moment ago.
    JustReplaced,
    /// Replaced too long ago, or unknown: somebody has a copy.
    Reused,
}

impl Family {
    /// How long a replaced token still gives its successor: each of ten restored tabs sends the old token, and an
    /// answer may be lost.
    pub const GRACE: Duration = Duration::from_secs(60);
    /// The grace after the successor was seen: only requests already on their way still carry the old token.
    pub const GRACE_ONCE_SEEN: Duration = Duration::from_secs(10);

    /// A new family with its first token. `password` is the keyed hash of the account's password hash.
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

    /// The same family with a new token in place of the used one.
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

    /// The state of the token with this `jti`.
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

    /// Sets times in the future to now, and limits the end to what the policy allows: a clock that was ahead or another
    /// policy may have written them.
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
    /// When it was replaced.
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

/// A browser's name from its `User-Agent`, to show to its user: printable ASCII, at most 200 characters.
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
