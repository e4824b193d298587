//! Under which keys a broker keeps a visitor's values, and how they are put there and taken out.

use sso_core::BrokerId;
use subtle::ConstantTimeEq;

use crate::{
    TokenStore,
    tokens::{Attached, Failure, LastSeen, Lifetime, Pending},
};

/// The keys of one broker in any store. The broker's id is in all of them, so that several brokers can
/// share a store, as those on different ports of `localhost` share their cookies.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    /// `sso-<id>-`. An id has no `-`, so no broker's prefix is the start of another's.
    prefix: String,
    /// jasny/sso's own names for token and code, when they are shared with it.
    php: Option<PhpNames>,
    /// Of an [`Attached`], and a [`LastSeen`].
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

    pub(crate) fn last_seen(&self, store: &dyn TokenStore) -> Option<LastSeen> {
        LastSeen::from_text(&store.get(&self.key("seen"))?)
    }

    /// Changes nothing where it is so already: each change is a cookie.
    pub(crate) fn set_last_seen(&self, store: &mut dyn TokenStore, seen: Option<LastSeen>) {
        match seen {
            now if now == self.last_seen(store) => {}
            Some(now) => store.set(&self.key("seen"), now.to_text(), self.lifetime),
            None => store.remove(&self.key("seen")),
        }
    }

    /// Keeps an attach under way; the oldest of too many make room, and of too long ones: as cookies they must not grow over what
    /// servers take.
    pub(crate) fn add_pending(&self, store: &mut dyn TokenStore, pending: &Pending) {
        let text = pending.to_text();
        let mut others: Vec<(u64, String, usize)> = Vec::new();
        for key in store.keys().into_iter().filter(|key| key.starts_with(&self.key("attach-"))) {
            let kept = store.get(&key).unwrap_or_default();
            match Pending::from_text(&kept) {
                Some(other) if other.is_alive(pending.made) => others.push((other.made, key, kept.len())),
                _ => store.remove(&key),
            }
        }
        // The newest first, as far as there is room.
        others.sort_by(|a, b| b.cmp(a));
        let (mut count, mut length) = (1, text.len());
        for (_, key, len) in others {
            (count, length) = (count + 1, length + len);
            if count > Pending::MAX || length > Pending::MAX_TOTAL {
                store.remove(&key);
            }
        }
        store.set(&self.pending_key(&pending.state), &text, Lifetime::AtMost(Pending::LIFETIME));
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

    /// Notes that a token was put away just now.
    pub(crate) fn set_arrived(&self, store: &mut dyn TokenStore) {
        store.set(&self.key("arrived"), "1", Lifetime::AtMost(Attached::ARRIVAL));
    }

    /// Whether that was noted; once.
    pub(crate) fn take_arrived(&self, store: &mut dyn TokenStore) -> bool {
        let arrived = store.get(&self.key("arrived")).is_some();
        if arrived {
            store.remove(&self.key("arrived"));
        }
        arrived
    }

    /// Whether the store has given anything back, so that it does keep what it is given.
    pub(crate) fn holds_anything(&self, store: &dyn TokenStore) -> bool {
        store.keys().iter().any(|key| self.is_ours(key))
    }

    /// Whether a key is one of this broker's.
    pub(crate) fn is_ours(&self, key: &str) -> bool {
        let is_php = self.php.as_ref().is_some_and(|php| *key == php.token || *key == php.code);
        key.starts_with(&self.prefix) || is_php
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
    use std::collections::BTreeMap;

    use sso_core::{Token, VerificationCode};

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
