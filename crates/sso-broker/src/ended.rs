//! How a visitor's last login ended: told once.

use sso_core::wire::EndReason;

use crate::{Broker, TokenStore};

impl Broker {
    /// The reason to tell a visitor to whom nobody is logged in, if they were not told yet. `n`: which end it was, as the server says.
    pub fn take_ended(&self, store: &mut dyn TokenStore, reason: EndReason, n: u64) -> Option<EndReason> {
        let is_news = self.is_news(store, n);
        self.note(store, |notes| notes.told = Some(n));
        is_news.then_some(reason)
    }

    /// The same where the visitor knows already: the logout was their own, at this site.
    pub fn knows_of(&self, store: &mut dyn TokenStore, n: u64) {
        self.note(store, |notes| notes.told = Some(n));
    }

    /// Whether the visitor does not know of this end yet.
    pub(crate) fn is_news(&self, store: &dyn TokenStore, n: u64) -> bool {
        self.notes(store).told != Some(n)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{LocalPath, Secret};

    fn attached() -> (Broker, BTreeMap<String, String>) {
        let builder = Broker::builder("https://sso.example/attach", "Alice".parse().unwrap(), Secret::generate());
        let (broker, mut store) = (builder.public_url("https://alice.example").build().unwrap(), BTreeMap::new());
        attach(&broker, &mut store);
        (broker, store)
    }

    fn attach(broker: &Broker, store: &mut BTreeMap<String, String>) {
        let url: url::Url = broker.start_attach(store, &LocalPath::root()).parse().unwrap();
        let (_, back) = url.query_pairs().find(|(name, _)| name == "return_url").unwrap();
        broker.finish_attach(store, &format!("{}&sso_verify=c0de", back.split_once('?').unwrap().1));
    }

    #[test]
    fn each_end_is_told_once() {
        let (broker, mut store) = attached();
        let mut told = |n| broker.take_ended(&mut store, EndReason::Expired, n);
        assert_eq!(
            [told(2), told(2), told(4), told(4)],
            [Some(EndReason::Expired), None, Some(EndReason::Expired), None]
        );
    }

    #[test]
    fn ones_own_logout_is_not_told_and_the_next_end_is() {
        let (broker, mut store) = attached();
        broker.knows_of(&mut store, 2);
        assert_eq!(broker.take_ended(&mut store, EndReason::LoggedOut, 2), None);
        assert_eq!(broker.take_ended(&mut store, EndReason::Revoked, 4), Some(EndReason::Revoked));
    }

    #[test]
    fn a_new_token_may_be_of_another_session() {
        let (broker, mut store) = attached();
        assert!(broker.take_ended(&mut store, EndReason::Expired, 2).is_some());
        attach(&broker, &mut store);
        assert!(broker.take_ended(&mut store, EndReason::Expired, 2).is_some());
    }
}
