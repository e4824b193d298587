//! The record of a link between a broker's token and a session, and what it may see.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sso_core::{BrokerId, Token, VerificationCode};

use super::{End, Policy, Session, SessionId};
use crate::util::clock::Timestamp;

/// The key of a link: a broker and its token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkKey {
    /// The broker.
    pub broker: BrokerId,
    /// Its token.
    pub token: Token,
}

/// The link of a broker's token to a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The session.
    pub session: SessionId,
    /// The session's [epoch](Session::epoch) when the link was made.
    pub epoch: u64,
    /// The verification code: sent to the broker once, then part of every bearer checksum.
    pub code: VerificationCode,
    /// When it was made.
    pub at: Timestamp,
    /// Whether its broker uses jasny/sso, which never attaches again by itself.
    pub php: bool,
}

/// The state of a link at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It sees the session.
    Good,
    /// A login happened after it was made: it sees nothing, and its broker attaches again.
    Superseded,
    /// It has expired, or its session was destroyed.
    Dead,
}

impl Link {
    /// Maximum links of a session at one broker, since anyone can attach any number of tokens to their own session. A
    /// browser needs one, and a few more while several tabs attach at once.
    pub const MAX_PER_BROKER: usize = 20;
    /// For jasny/sso brokers: a call with the link is stored at most this often.
    pub const CALLED_EVERY: Duration = Duration::from_secs(5 * 60);
    /// For jasny/sso brokers: a used link makes room only after this time without a call: an hour, at the precision of
    /// what is stored.
    pub const UNUSED: Duration = Duration::from_secs(60 * 60 + 5 * 60);
    /// For jasny/sso brokers: a link ends after this time without a call: two hours, at the precision of what is
    /// stored.
    pub const PHP_LIFETIME: Duration = Duration::from_secs(2 * 60 * 60 + 5 * 60);

    /// The state of the link to `session` at `now`. `called`: when its broker last called, as far as stored.
    ///
    /// A link sees no login that began after it, unless it made that login itself: a link that was planted or copied
    /// before a login is worthless in it. Links of jasny/sso brokers are exempt, and expire sooner.
    pub fn state(&self, session: &Session, called: Option<Timestamp>, policy: &Policy, now: Timestamp) -> LinkState {
        let end = match self.php {
            true => called.unwrap_or(self.at).max(self.at).after(Self::PHP_LIFETIME),
            false => self.at.after(policy.link_lifetime),
        };
        if now >= end || (!self.php && self.epoch < session.links_since) {
            return LinkState::Dead;
        }
        match &session.login {
            Some(login) if !self.sees(login.epoch, login.through.as_ref()) => LinkState::Superseded,
            _ => LinkState::Good,
        }
    }

    /// Whether it saw the login that ended: it was made before the end.
    pub fn saw(&self, end: &End) -> bool {
        self.epoch < end.epoch && self.sees(end.began, end.through.as_ref())
    }

    fn sees(&self, login_epoch: u64, through: Option<&VerificationCode>) -> bool {
        self.php || self.epoch >= login_epoch || through == Some(&self.code)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use sso_core::wire::User;

    use super::*;
    use crate::session::{CookieValue, EndReason, Login};

    const NOW: Timestamp = Timestamp::from_millis(1);

    fn login(name: &str) -> Login {
        Login::new(User { username: name.into(), attributes: Map::new() }, [7; 32], NOW)
    }

    fn link_to(session: &Session, php: bool) -> Link {
        let code = VerificationCode::generate();
        Link { session: session.id.clone(), epoch: session.epoch, code, at: NOW, php }
    }

    fn state(link: &Link, session: &Session) -> LinkState {
        link.state(session, None, &Policy::default(), NOW)
    }

    #[test]
    fn a_link_sees_no_login_that_is_younger_than_itself() {
        let mut session = Session::new(CookieValue::generate().hash(), NOW);
        let (before, php) = (link_to(&session, false), link_to(&session, true));
        session.log_in(login("jackie"), NOW);
        let during = link_to(&session, false);
        let states = |session: &Session| [&before, &during, &php].map(|link| state(link, session));
        assert_eq!(states(&session), [LinkState::Superseded, LinkState::Good, LinkState::Good]);
        session.log_in(login("jackie"), NOW);
        assert_eq!(states(&session), [LinkState::Superseded, LinkState::Good, LinkState::Good], "it is the same login");
        session.end(EndReason::Idle, NOW);
        assert_eq!(states(&session), [LinkState::Good; 3], "nobody is logged in");
        let end = session.last_end.clone().unwrap();
        assert_eq!([&before, &during, &php].map(|link| link.saw(&end)), [false, true, true]);
        assert!(!link_to(&session, false).saw(&end), "made after it");
        session.log_in(login("jackie"), NOW);
        assert_eq!(states(&session), [LinkState::Superseded, LinkState::Superseded, LinkState::Good]);
    }

    #[test]
    fn a_link_sees_the_login_that_it_made() {
        let mut session = Session::new(CookieValue::generate().hash(), NOW);
        let (maker, other) = (link_to(&session, false), link_to(&session, false));
        session.log_in(Login { through: Some(maker.code.clone()), ..login("jackie") }, NOW);
        assert_eq!([&maker, &other].map(|link| state(link, &session)), [LinkState::Good, LinkState::Superseded]);
        session.end(EndReason::LoggedOut, NOW);
        let end = session.last_end.unwrap();
        assert_eq!([&maker, &other].map(|link| link.saw(&end)), [true, false]);
    }

    #[test]
    fn links_end_with_a_destroyed_session_and_by_their_age() {
        let policy = Policy::default();
        let mut session = Session::new(CookieValue::generate().hash(), NOW);
        let (exact, php) = (link_to(&session, false), link_to(&session, true));
        let at = |link: &Link, called, after| link.state(&session, called, &policy, NOW.after(after));
        let short = Duration::from_millis(1);
        assert_eq!(at(&exact, None, policy.link_lifetime - short), LinkState::Good);
        assert_eq!(at(&exact, None, policy.link_lifetime), LinkState::Dead);
        assert_eq!(at(&php, None, Link::PHP_LIFETIME - short), LinkState::Good);
        assert_eq!(at(&php, None, Link::PHP_LIFETIME), LinkState::Dead);
        assert_eq!(at(&php, Some(NOW.after(Link::PHP_LIFETIME)), Link::PHP_LIFETIME), LinkState::Good);
        session.destroy(EndReason::FingerprintChanged, NOW);
        assert_eq!([&exact, &php].map(|link| state(link, &session)), [LinkState::Dead, LinkState::Good]);
        assert_eq!(state(&link_to(&session, false), &session), LinkState::Good);
    }
}
