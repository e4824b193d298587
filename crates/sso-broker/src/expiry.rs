//! Who was logged in when last seen, and is to be told that the session has expired.
//!
//! A visitor whose session is gone is attached anew without noticing, and is nobody from then on. Who was somebody is told why, once.
//! What is remembered for that changes only when someone logs in or out, so few answers carry a cookie for it.

use crate::{Broker, TokenStore, tokens::LastSeen};

impl Broker {
    /// The server has just said whether the visitor is logged in.
    pub fn saw(&self, store: &mut dyn TokenStore, logged_in: bool) {
        let shelf = &self.0.shelf;
        match (logged_in, shelf.last_seen(store)) {
            (true, _) => shelf.set_last_seen(store, Some(LastSeen::LoggedIn)),
            // Of the session that came after the one that expired: that is still to be told.
            (false, Some(LastSeen::Expired)) => {}
            (false, _) => shelf.set_last_seen(store, None),
        }
    }

    /// Forgets a token that the server no longer honours. If the visitor was logged in, [`take_expired`](Self::take_expired) will say so.
    pub fn lose(&self, store: &mut dyn TokenStore) {
        self.0.shelf.clear_attached(store);
        if self.0.shelf.last_seen(store).is_some() {
            self.0.shelf.set_last_seen(store, Some(LastSeen::Expired));
        }
    }

    /// Whether the visitor was logged in until the session expired: once. A logout is no expiry.
    pub fn take_expired(&self, store: &mut dyn TokenStore) -> bool {
        let is_expired = self.0.shelf.last_seen(store) == Some(LastSeen::Expired);
        if is_expired {
            self.forget_login(store);
        }
        is_expired
    }

    /// Whether the visitor was logged in when last seen.
    pub fn was_logged_in(&self, store: &dyn TokenStore) -> bool {
        self.0.shelf.last_seen(store).is_some()
    }

    /// The visitor has logged out: there is nothing to be told when the session is gone.
    pub fn forget_login(&self, store: &mut dyn TokenStore) {
        self.0.shelf.set_last_seen(store, None);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{LocalPath, Secret};

    fn broker() -> Broker {
        let builder = Broker::builder("https://sso.example/attach", "Alice".parse().unwrap(), Secret::generate());
        builder.public_url("https://alice.example").build().unwrap()
    }

    #[test]
    fn who_was_logged_in_is_told_once_that_it_is_over() {
        let (broker, mut store) = (broker(), BTreeMap::new());
        broker.saw(&mut store, true);
        assert!(broker.was_logged_in(&store) && !broker.take_expired(&mut store), "not over yet");
        broker.heal(&mut store, &LocalPath::root()).unwrap();
        // Whatever another tab hears of the new session, and however often a token is lost.
        broker.saw(&mut store, false);
        broker.lose(&mut store);
        assert!(broker.take_expired(&mut store));
        assert!(!broker.take_expired(&mut store));
        assert!(!broker.was_logged_in(&store));
    }

    #[test]
    fn nobody_else_is() {
        let broker = broker();
        let after_login = |step: fn(&Broker, &mut dyn TokenStore)| {
            let mut store = BTreeMap::new();
            broker.saw(&mut store, true);
            step(&broker, &mut store);
            broker.lose(&mut store);
            broker.take_expired(&mut store)
        };
        assert!(after_login(|_, _| {}));
        assert!(!after_login(|broker, store| broker.saw(store, false)), "logged out elsewhere");
        assert!(!after_login(Broker::forget_login), "logged out here");
        assert!(!after_login(Broker::clear), "forgotten by the application");
        let mut store = BTreeMap::new();
        broker.lose(&mut store);
        assert!(!broker.take_expired(&mut store) && store.is_empty(), "never logged in");
        store = BTreeMap::from([("sso-Alice-seen".to_owned(), "x".to_owned())]);
        assert!(!broker.was_logged_in(&store) && !broker.take_expired(&mut store), "no such value");
    }

    #[test]
    fn who_is_logged_in_again_is_told_nothing() {
        let (broker, mut store) = (broker(), BTreeMap::new());
        broker.saw(&mut store, true);
        broker.lose(&mut store);
        broker.saw(&mut store, true);
        assert!(!broker.take_expired(&mut store));
        assert!(broker.was_logged_in(&store));
    }
}
