//! Where a visitor's token is kept: the store's trait, and the values kept in it.

use std::{collections::BTreeMap, time::Duration};

use sso_core::{BrokerId, Token, VerificationCode};
use subtle::ConstantTimeEq;

/// A place for a few short texts that belong to one visitor: cookies, a server-side session, or your own.
///
/// One value of this type serves one request. It must see its own changes, and must keep them for this visitor
/// alone: whoever can read or write here is that visitor.
pub trait TokenStore {
    /// The text under a key.
    fn get(&self, key: &str) -> Option<String>;
    /// Keeps a text (of any characters, up to about 2 KiB) under a key (of `[A-Za-z0-9_-]`).
    ///
    /// A store that cannot forget single texts may ignore the lifetime: those that matter carry their own time.
    fn set(&mut self, key: &str, value: &str, lifetime: Lifetime);
    /// Forgets the text under a key, if there is one.
    fn remove(&mut self, key: &str);
    /// All keys, those of others too if the store is shared.
    fn keys(&self) -> Vec<String>;
}

/// How long a store keeps a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the visitor's session at this site: until the browser is closed, for cookies.
    #[default]
    Session,
    /// At most this long.
    AtMost(Duration),
}

/// For tests, and for frameworks whose sessions are maps.
impl TokenStore for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<String> {
        BTreeMap::get(self, key).cloned()
    }

    fn set(&mut self, key: &str, value: &str, _: Lifetime) {
        self.insert(key.to_owned(), value.to_owned());
    }

    fn remove(&mut self, key: &str) {
        BTreeMap::remove(self, key);
    }

    fn keys(&self) -> Vec<String> {
        BTreeMap::keys(self).cloned().collect()
    }
}

/// A visitor who is attached. One text holds it all, so that no part can outlive the other.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    pub(crate) token: Token,
    pub(crate) code: VerificationCode,
    /// How many attaches in a row were made to heal, without one good answer of the server since.
    pub(crate) heals: u8,
}

impl Attached {
    fn to_text(&self) -> String {
        format!("{}.{}.{}", self.token.as_str(), self.code.as_str(), self.heals)
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut next = || parts.next();
        Some(Self { token: next()?.parse().ok()?, code: next()?.parse().ok()?, heals: next()?.parse().ok()? })
    }
}

/// An attach under way: from the redirect to the server until the return.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Random, in the return URL: shows that the return belongs to an attach that this browser began.
    pub(crate) state: String,
    pub(crate) token: Token,
    /// The page to go on to, to be checked again before it is used.
    pub(crate) wanted: String,
    /// Whether the visitor was to log in on the way.
    pub(crate) login: bool,
    /// See [`Attached::heals`].
    pub(crate) heals: u8,
    /// Seconds since 1970.
    pub(crate) made: u64,
}

impl Pending {
    const LIFETIME: Duration = Duration::from_secs(600);
    /// A browser that restores many tabs begins one attach for each of them.
    const MAX: usize = 5;

    fn to_text(&self) -> String {
        let Self { state, token, wanted, login, heals, made } = self;
        format!("{state}.{}.{heals}.{}.{made}.{wanted}", token.as_str(), u8::from(*login))
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, '.');
        let mut next = || parts.next();
        Some(Self {
            state: next()?.to_owned(),
            token: next()?.parse().ok()?,
            heals: next()?.parse().ok()?,
            login: next()? == "1",
            made: next()?.parse().ok()?,
            wanted: next()?.to_owned(),
        })
    }

    fn is_alive(&self, now: u64) -> bool {
        now.saturating_sub(self.made) < Self::LIFETIME.as_secs()
    }
}

/// Why the last attach failed, to be shown once.
struct Failure;

impl Failure {
    const LIFETIME: Duration = Duration::from_secs(60);
    const MAX_CHARS: usize = 200;

    fn to_text(message: &str, now: u64) -> String {
        let message: String = message.chars().filter(|c| !c.is_control()).take(Self::MAX_CHARS).collect();
        format!("{now}.{message}")
    }

    fn from_text(text: &str, now: u64) -> Option<String> {
        let (made, message) = text.split_once('.')?;
        let age = now.saturating_sub(made.parse().ok()?);
        (age < Self::LIFETIME.as_secs()).then(|| message.to_owned())
    }
}

/// Under which keys a broker keeps these values. The broker's id is in all of them, so that several brokers can
/// share a store, as those on different ports of `localhost` share their cookies.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    /// `sso-<id>-`. An id has no `-`, so no broker's prefix is the start of another's.
    prefix: String,
    /// jasny/sso's own names for token and code, when they are shared with it.
    php: Option<PhpNames>,
    /// Of an [`Attached`].
    lifetime: Lifetime,
}

#[derive(Clone, Debug)]
struct PhpNames {
    token: String,
    code: String,
}

impl Shelf {
    pub(crate) fn new(id: &BrokerId, share_with_php: bool, lifetime: Lifetime) -> Self {
        let name = id.cookie_name();
        let php =
            share_with_php.then(|| PhpNames { token: format!("sso_token_{name}"), code: format!("sso_verify_{name}") });
        Self { prefix: format!("sso-{id}-"), php, lifetime }
    }

    pub(crate) fn attached(&self, store: &dyn TokenStore) -> Option<Attached> {
        let Some(php) = &self.php else { return Attached::from_text(&store.get(&self.key("token"))?) };
        Some(Attached {
            token: store.get(&php.token)?.parse().ok()?,
            code: store.get(&php.code)?.parse().ok()?,
            heals: store.get(&self.key("heals")).and_then(|text| text.parse().ok()).unwrap_or(0),
        })
    }

    pub(crate) fn set_attached(&self, store: &mut dyn TokenStore, attached: &Attached) {
        let Some(php) = &self.php else {
            return store.set(&self.key("token"), &attached.to_text(), self.lifetime);
        };
        store.set(&php.token, attached.token.as_str(), self.lifetime);
        store.set(&php.code, attached.code.as_str(), self.lifetime);
        match attached.heals {
            0 => store.remove(&self.key("heals")),
            heals => store.set(&self.key("heals"), &heals.to_string(), self.lifetime),
        }
    }

    pub(crate) fn clear_attached(&self, store: &mut dyn TokenStore) {
        store.remove(&self.key("token"));
        if let Some(php) = &self.php {
            store.remove(&php.token);
            store.remove(&php.code);
            store.remove(&self.key("heals"));
        }
    }

    /// Keeps an attach under way; the oldest of too many make room.
    pub(crate) fn add_pending(&self, store: &mut dyn TokenStore, pending: &Pending) {
        let mut others: Vec<(u64, String)> = Vec::new();
        for key in store.keys().into_iter().filter(|key| key.starts_with(&self.key("attach-"))) {
            match store.get(&key).and_then(|text| Pending::from_text(&text)) {
                Some(other) if other.is_alive(pending.made) => others.push((other.made, key)),
                _ => store.remove(&key),
            }
        }
        others.sort();
        let too_many = (others.len() + 1).saturating_sub(Pending::MAX);
        for (_, key) in others.into_iter().take(too_many) {
            store.remove(&key);
        }
        store.set(&self.pending_key(&pending.state), &pending.to_text(), Lifetime::AtMost(Pending::LIFETIME));
    }

    /// Takes out the attach that a return with this state belongs to.
    ///
    /// The key is made of the state's first characters only and the whole state compared in constant time, so that
    /// timing says nothing about the rest.
    pub(crate) fn take_pending(&self, store: &mut dyn TokenStore, state: &str, now: u64) -> Option<Pending> {
        let key = self.pending_key(state);
        let pending = Pending::from_text(&store.get(&key)?)?;
        if !bool::from(pending.state.as_bytes().ct_eq(state.as_bytes())) {
            return None;
        }
        store.remove(&key);
        pending.is_alive(now).then_some(pending)
    }

    pub(crate) fn set_failure(&self, store: &mut dyn TokenStore, message: &str, now: u64) {
        store.set(&self.key("failure"), &Failure::to_text(message, now), Lifetime::AtMost(Failure::LIFETIME));
    }

    pub(crate) fn take_failure(&self, store: &mut dyn TokenStore, now: u64) -> Option<String> {
        let text = store.get(&self.key("failure"))?;
        store.remove(&self.key("failure"));
        Failure::from_text(&text, now)
    }

    /// Whether the store has given anything back, so that it does keep what it is given.
    pub(crate) fn holds_anything(&self, store: &dyn TokenStore) -> bool {
        let is_php = |key: &String| self.php.as_ref().is_some_and(|php| *key == php.token || *key == php.code);
        store.keys().iter().any(|key| key.starts_with(&self.prefix) || is_php(key))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn pending_key(&self, state: &str) -> String {
        let start: String = state.chars().take(10).filter(char::is_ascii_alphanumeric).collect();
        self.key(&format!("attach-{start}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(share_with_php: bool) -> Shelf {
        Shelf::new(&"My__Shop".parse().unwrap(), share_with_php, Lifetime::Session)
    }

    fn pending(state: &str, made: u64) -> Pending {
        let wanted = "/a.b?c=d;e".to_owned();
        Pending { state: state.into(), token: Token::generate(), wanted, login: true, heals: 1, made }
    }

    fn attached(heals: u8) -> Attached {
        Attached { token: Token::generate(), code: VerificationCode::generate(), heals }
    }

    #[test]
    fn values_come_back_as_they_were() {
        for shelf in [shelf(false), shelf(true)] {
            let mut store = BTreeMap::new();
            for heals in [0, 1, 0] {
                let kept = attached(heals);
                shelf.set_attached(&mut store, &kept);
                let back = shelf.attached(&store).unwrap();
                assert_eq!((back.token, back.heals), (kept.token, heals));
                assert_eq!(back.code.as_str(), kept.code.as_str());
            }
            shelf.clear_attached(&mut store);
            assert!(shelf.attached(&store).is_none() && store.is_empty());
        }
        let text = pending("s", 7).to_text();
        assert_eq!(Pending::from_text(&text).unwrap().to_text(), text);
        assert_eq!(Pending::from_text(&text).unwrap().wanted, "/a.b?c=d;e");
    }

    #[test]
    fn keys_are_our_own_or_those_of_php() {
        let mut store = BTreeMap::new();
        shelf(false).set_attached(&mut store, &attached(0));
        shelf(true).set_attached(&mut store, &attached(0));
        assert_eq!(TokenStore::keys(&store), ["sso-My__Shop-token", "sso_token_my_shop", "sso_verify_my_shop"]);
        // Half of the pair is nothing.
        store.remove("sso_verify_my_shop");
        assert!(shelf(true).attached(&store).is_none());
    }

    #[test]
    fn a_pending_attach_is_found_by_its_whole_state_only_and_once() {
        let mut store = BTreeMap::new();
        shelf(false).add_pending(&mut store, &pending("0123456789abc", 0));
        for wrong in ["0123456789abd", "0123456789", "0123456789abcd", "", "é"] {
            assert!(shelf(false).take_pending(&mut store, wrong, 0).is_none(), "{wrong}");
        }
        assert!(shelf(false).take_pending(&mut store, "0123456789abc", 599).is_some());
        assert!(shelf(false).take_pending(&mut store, "0123456789abc", 599).is_none());
    }

    #[test]
    fn a_pending_attach_and_a_failure_grow_old() {
        let mut store = BTreeMap::new();
        shelf(false).add_pending(&mut store, &pending("state", 1000));
        assert!(shelf(false).take_pending(&mut store, "state", 1600).is_none());
        shelf(false).set_failure(&mut store, "no", 1000);
        assert_eq!(shelf(false).take_failure(&mut store, 1060), None);
        shelf(false).set_failure(&mut store, "no\r\n.", 1000);
        assert_eq!(shelf(false).take_failure(&mut store, 1059).as_deref(), Some("no."));
        assert_eq!(shelf(false).take_failure(&mut store, 1059), None);
    }

    #[test]
    fn the_five_newest_pending_attaches_stay() {
        let mut store = BTreeMap::from([("other".to_owned(), "x".to_owned())]);
        for n in 0..8u64 {
            shelf(false).add_pending(&mut store, &pending(&format!("{n}"), n));
        }
        assert_eq!(store.len(), 1 + 5);
        assert!(shelf(false).take_pending(&mut store, "2", 9).is_none());
        assert!(shelf(false).take_pending(&mut store, "3", 9).is_some());
        // Those that are too old go as well.
        shelf(false).add_pending(&mut store, &pending("new", 5000));
        assert_eq!(store.len(), 1 + 1);
    }
}
