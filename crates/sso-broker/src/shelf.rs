//! Under which keys a broker keeps a visitor's values, and how they are put there and taken out.

use std::time::Duration;

use sso_core::BrokerId;

use crate::{
    TokenStore,
    tokens::{Attached, Lifetime, Notes, Pending, State, packed},
};

/// The keys of one broker in any store. The broker's id is in all of them, so that several brokers can
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
            notes: store.get(&self.key("notes")).and_then(|text| Notes::from_text(&text)).unwrap_or_default(),
        })
    }

    pub(crate) fn set_attached(&self, store: &mut dyn TokenStore, attached: &Attached) {
        let Some(php) = &self.php else {
            return store.set(&self.key("token"), &attached.to_text(), self.lifetime);
        };
        store.set(&php.token, attached.token.as_str(), self.lifetime);
        store.set(&php.code, attached.code.as_str(), self.lifetime);
        store.set(&self.key("notes"), &attached.notes.to_text(), self.lifetime);
    }

    pub(crate) fn clear_attached(&self, store: &mut dyn TokenStore) {
        store.remove(&self.key("token"));
        if let Some(php) = &self.php {
            store.remove(&php.token);
            store.remove(&php.code);
            store.remove(&self.key("notes"));
        }
    }

    /// Whether an attach under way can hold this page.
    pub(crate) fn has_room_for(&self, store: &dyn TokenStore, wanted: &str) -> bool {
        let key = self.key("attach-").len() + NONCE_IN_KEY;
        as_sent(key, Pending::FRAME + packed(wanted).len()) <= store.room().min(Pending::MAX_LEN)
    }

    /// Keeps an attach under way; the oldest of too many make room, and of too long ones: as cookies they must not grow
    /// over what servers take.
    pub(crate) fn add_pending(&self, store: &mut dyn TokenStore, pending: &Pending) {
        let (key, text) = (self.pending_key(&pending.state), pending.to_text());
        let mut others: Vec<(i64, String, usize)> = Vec::new();
        for other_key in store.keys().into_iter().filter(|key| key.starts_with(&self.key("attach-"))) {
            let kept = store.get(&other_key).unwrap_or_default();
            match Pending::from_text(&kept) {
                Some(other) if other.state.is_younger_than(Pending::KEPT, pending.state.made) => {
                    let length = as_sent(other_key.len(), kept.len());
                    others.push((other.state.made, other_key, length));
                }
                _ => store.remove(&other_key),
            }
        }
        // The newest first, as far as there is room.
        others.sort_by(|a, b| b.cmp(a));
        let (mut count, mut length) = (1, as_sent(key.len(), text.len()));
        for (_, key, len) in others {
            (count, length) = (count + 1, length + len);
            if count > Pending::MAX || length > store.room() {
                store.remove(&key);
            }
        }
        let kept = if as_sent(key.len(), text.len()) > Pending::LONG { Pending::LONG_KEPT } else { Pending::KEPT };
        store.set(&key, &text, Lifetime::AtMost(kept));
    }

    /// Takes out the attach that a return with this state belongs to, however old.
    pub(crate) fn take_pending(&self, store: &mut dyn TokenStore, state: &State) -> Option<Pending> {
        let key = self.pending_key(state);
        let pending = Pending::from_text(&store.get(&key)?).filter(|pending| pending.state == *state)?;
        store.remove(&key);
        Some(pending)
    }

    /// What this visitor's form tokens are bound to.
    pub(crate) fn form_binding(&self, store: &dyn TokenStore) -> Option<String> {
        store.get(&self.key("form"))
    }

    pub(crate) fn set_form_binding(&self, store: &mut dyn TokenStore, binding: &str) {
        store.set(&self.key("form"), binding, self.lifetime);
    }

    /// Keeps why the last attach failed, to be shown once.
    pub(crate) fn set_failure(&self, store: &mut dyn TokenStore, message: &str, now: i64) {
        let message: String = message.chars().filter(|c| !c.is_control()).take(200).collect();
        store.set(
            &self.key("failure"),
            &format!("{now}.{message}"),
            Lifetime::AtMost(Duration::from_secs(FAILURE_KEPT.into())),
        );
    }

    pub(crate) fn take_failure(&self, store: &mut dyn TokenStore, now: i64) -> Option<String> {
        let text = store.get(&self.key("failure"))?;
        store.remove(&self.key("failure"));
        let (made, message) = text.split_once('.')?;
        let until = made.parse::<i64>().ok()?.saturating_add(i64::from(FAILURE_KEPT));
        (now < until).then(|| message.to_owned())
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

    fn pending_key(&self, state: &State) -> String {
        let start: String = state.nonce.chars().take(NONCE_IN_KEY).collect();
        self.key(&format!("attach-{start}"))
    }
}

/// In seconds.
const FAILURE_KEPT: u32 = 60;

/// So much of an attach's nonce is in its key.
const NONCE_IN_KEY: usize = 10;

/// The length of an entry as a browser sends it: `__Host-key=text; `.
fn as_sent(key: usize, text: usize) -> usize {
    key + text + "__Host-=; ".len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sso_core::{Token, VerificationCode};

    use super::*;
    use crate::tokens::{Again, Login, Purpose};

    fn shelf(share_with_php: bool) -> Shelf {
        Shelf::new(&"My__Shop".parse().unwrap(), share_with_php, Lifetime::Session)
    }

    fn state(nonce: &str, made: i64) -> State {
        State { nonce: nonce.into(), made }
    }

    fn pending(nonce: &str, made: i64) -> Pending {
        let wanted = "/a.b?c=d;e".to_owned();
        Pending {
            state: state(nonce, made),
            token: Token::generate(),
            wanted,
            purpose: Purpose { login: Some(Login { max_age: Some(u32::MAX) }), again: again(1) },
        }
    }

    fn again(lost: u8) -> Again {
        Again { lost, superseded: 3, resumed: 1 }
    }

    fn attached(notes: Notes) -> Attached {
        Attached { token: Token::generate(), code: VerificationCode::generate(), notes }
    }

    #[test]
    fn values_come_back_as_they_were() {
        for shelf in [shelf(false), shelf(true)] {
            let mut store = BTreeMap::new();
            for notes in [
                Notes::default(),
                Notes { again: again(0), made: 1_800_000_000, told: Some(0) },
                Notes { again: again(1), made: 1, told: Some(u64::MAX) },
                Notes::default(),
            ] {
                let kept = attached(notes);
                shelf.set_attached(&mut store, &kept);
                let back = shelf.attached(&store).unwrap();
                assert_eq!((back.token, back.notes), (kept.token, notes));
                assert_eq!(back.code.as_str(), kept.code.as_str());
            }
            shelf.clear_attached(&mut store);
            assert!(shelf.attached(&store).is_none() && store.is_empty());
        }
        for login in [None, Some(Login::default()), Some(Login { max_age: Some(0) })] {
            let purpose = Purpose { login, again: again(0) };
            let text = Pending { purpose, ..pending("s", 7) }.to_text();
            assert_eq!(Pending::from_text(&text).unwrap().purpose, purpose, "{text}");
        }
        let text = pending("s", 7).to_text();
        assert_eq!(Pending::from_text(&text).unwrap().to_text(), text);
        assert_eq!(Pending::from_text(&text).unwrap().wanted, "/a.b?c=d;e");
        assert_eq!(Pending::from_text(&text).unwrap().state, state("s", 7));
    }

    #[test]
    fn keys_are_our_own_or_those_of_php() {
        let mut store = BTreeMap::new();
        shelf(false).set_attached(&mut store, &attached(Notes::default()));
        shelf(true).set_attached(&mut store, &attached(Notes { made: 7, ..Notes::default() }));
        assert_eq!(
            TokenStore::keys(&store),
            ["sso-My__Shop-notes", "sso-My__Shop-token", "sso_token_my_shop", "sso_verify_my_shop"]
        );
        // A token that jasny/sso has made has no notes.
        assert_eq!(shelf(true).attached(&store).unwrap().notes.made, 7);
        store.remove("sso-My__Shop-notes");
        assert_eq!(shelf(true).attached(&store).unwrap().notes, Notes::default());
        // Half of the pair is nothing.
        store.remove("sso_verify_my_shop");
        assert!(shelf(true).attached(&store).is_none());
    }

    #[test]
    fn a_pending_attach_is_found_by_its_whole_state_only_and_once() {
        let mut store = BTreeMap::new();
        shelf(false).add_pending(&mut store, &pending("0123456789abc", 7));
        for (wrong, made) in
            [("0123456789abd", 7), ("0123456789", 7), ("0123456789abcd", 7), ("", 7), ("é", 7), ("0123456789abc", 8)]
        {
            assert!(shelf(false).take_pending(&mut store, &state(wrong, made)).is_none(), "{wrong}");
        }
        assert!(shelf(false).take_pending(&mut store, &state("0123456789abc", 7)).is_some());
        assert!(shelf(false).take_pending(&mut store, &state("0123456789abc", 7)).is_none());
    }

    #[test]
    fn a_failure_grows_old() {
        let mut store = BTreeMap::new();
        shelf(false).set_failure(&mut store, "no", 1000);
        assert_eq!(shelf(false).take_failure(&mut store, 1060), None);
        shelf(false).set_failure(&mut store, "no\r\n.", 1000);
        assert_eq!(shelf(false).take_failure(&mut store, 1059).as_deref(), Some("no."));
        assert_eq!(shelf(false).take_failure(&mut store, 1059), None);
    }

    /// A store as large as a browser's cookies.
    #[derive(Default)]
    struct Cookies(BTreeMap<String, String>);

    impl TokenStore for Cookies {
        fn get(&self, key: &str) -> Option<String> {
            TokenStore::get(&self.0, key)
        }

        fn set(&mut self, key: &str, value: &str, lifetime: Lifetime) {
            TokenStore::set(&mut self.0, key, value, lifetime);
        }

        fn remove(&mut self, key: &str) {
            TokenStore::remove(&mut self.0, key);
        }

        fn keys(&self) -> Vec<String> {
            TokenStore::keys(&self.0)
        }

        fn room(&self) -> usize {
            6 << 10
        }
    }

    impl Cookies {
        fn length(&self) -> usize {
            self.0.iter().map(|(key, text)| as_sent(key.len(), text.len())).sum()
        }
    }

    #[test]
    fn the_sixteen_newest_stay_however_close_they_are() {
        let mut store = Cookies(BTreeMap::from([("other".to_owned(), "x".to_owned())]));
        // The later, the smaller the key.
        for n in 0..20i64 {
            shelf(false).add_pending(&mut store, &pending(&format!("{:02}", 50 - n), 1_000 + n));
        }
        assert_eq!(store.0.len(), 1 + 16);
        assert!(shelf(false).take_pending(&mut store, &state("47", 1_003)).is_none());
        for n in 4..20i64 {
            assert!(shelf(false).take_pending(&mut store, &state(&format!("{:02}", 50 - n), 1_000 + n)).is_some());
        }
        // After a day they go as well.
        shelf(false).add_pending(&mut store, &pending("old", 0));
        shelf(false).add_pending(&mut store, &pending("new", 86_399_999));
        assert_eq!(store.0.len(), 1 + 2);
        shelf(false).add_pending(&mut store, &pending("newer", 86_400_000));
        assert!(shelf(false).take_pending(&mut store, &state("old", 0)).is_none());
    }

    #[test]
    fn a_long_page_makes_older_ones_leave() {
        let mut store = Cookies::default();
        let long = |nonce: &str, made| {
            let wanted = format!("/{}", "%2F".repeat(1_024));
            assert!(shelf(false).has_room_for(&Cookies::default(), &wanted));
            Pending { wanted, ..pending(nonce, made) }
        };
        for n in 0..16 {
            shelf(false).add_pending(&mut store, &pending(&format!("short{n}"), n));
        }
        let before = store.0.len();
        shelf(false).add_pending(&mut store, &long("first", 20));
        assert!(store.length() <= 6 << 10 && store.0.len() > before / 2, "{}", store.0.len());
        shelf(false).add_pending(&mut store, &long("second", 21));
        assert!(store.length() <= 6 << 10);
        assert!(shelf(false).take_pending(&mut store, &state("first", 20)).is_none());
        let back = shelf(false).take_pending(&mut store, &state("second", 21)).unwrap();
        assert_eq!(back.wanted.len(), 3_073);
    }

    #[test]
    fn three_kibibytes_have_room_in_cookies_and_less_elsewhere() {
        let page = |part: &str, len| format!("/{}", part.repeat(len / part.len()));
        let longest_id = Shelf::new(&"x".repeat(64).parse().unwrap(), false, Lifetime::Session);
        for shelf in [shelf(false), longest_id] {
            for part in ["a", "%2F", "a=b&", "a;bcd,efgh"] {
                assert!(shelf.has_room_for(&Cookies::default(), &page(part, 3 << 10)), "{part}");
            }
            assert!(!shelf.has_room_for(&Cookies::default(), &page("a", 4_000)));
            assert!(shelf.has_room_for(&BTreeMap::new(), &page("a", 1_500)));
            assert!(!shelf.has_room_for(&BTreeMap::new(), &page("a", 2_000)));
        }
    }
}
