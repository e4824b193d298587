//! What is remembered beside a visitor's token: when and why it is replaced, and which end of a login was told.

use sso_core::wire::EndReason;

use crate::{
    Broker, LocalPath, TokenStore,
    tokens::{Again, Notes, Why},
};

impl Broker {
    /// Begins an attach in place of one that does not serve the visitor any more. `None`: that was done already and did
    /// not help.
    pub fn attach_again(&self, store: &mut dyn TokenStore, wanted: &LocalPath, why: Why) -> Option<String> {
        let again = self.give_up(store, why)?;
        Some(self.start(store, wanted, again.into()))
    }

    /// The first half of it: forgets the token, so that no way to the server leads past the attach, and counts. One
    /// that still shows that nobody is logged in stays where nothing better is to come.
    pub(crate) fn give_up(&self, store: &mut dyn TokenStore, why: Why) -> Option<Again> {
        let next = self.notes(store).again.next(why);
        if next.is_some() || why != Why::Remembered {
            self.clear(store);
            tracing::info!(broker = %self.id(), ?why, ?next, "a visitor's token serves no more");
        }
        next
    }

    /// The server has honoured the token: the next failure may be made good again.
    pub fn honoured(&self, store: &mut dyn TokenStore) {
        self.note(store, |notes| (notes.again.lost, notes.again.superseded) = (0, 0));
    }

    /// Whether a new attach was not tried yet to log a remembered browser in.
    pub(crate) fn may_resume(&self, store: &dyn TokenStore) -> bool {
        self.notes(store).again.next(Why::Remembered).is_some()
    }

    /// Whether a visitor to whom nobody is logged in is to be attached again: perhaps the browser has got another
    /// session since its token was made, an hour ago or longer.
    pub(crate) fn is_old(&self, store: &dyn TokenStore) -> bool {
        // One of jasny/sso's own making has no notes.
        let made = Some(self.notes(store).made).filter(|made| *made > 0);
        made.is_some_and(|made| crate::time::seconds().saturating_sub(made) >= 60 * 60)
    }

    /// Changes nothing where it is so already: each change is a cookie.
    pub(crate) fn note(&self, store: &mut dyn TokenStore, change: impl FnOnce(&mut Notes)) {
        if let Some(mut attached) = self.0.shelf.attached(store) {
            let before = attached.notes;
            change(&mut attached.notes);
            if attached.notes != before {
                self.0.shelf.set_attached(store, &attached);
            }
        }
    }

    /// What is noted beside the visitor's token.
    pub(crate) fn notes(&self, store: &dyn TokenStore) -> Notes {
        self.0.shelf.attached(store).map(|attached| attached.notes).unwrap_or_default()
    }

    /// The reason to tell a visitor to whom nobody is logged in, if they were not told yet. `n`: which end it was, as
    /// the server says.
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
    use crate::Secret;

    fn attached() -> (Broker, BTreeMap<String, String>) {
        let builder = Broker::builder("https://sso.example/attach", "Alice".parse().unwrap(), Secret::generate());
        let (broker, mut store) = (builder.public_url("https://alice.example").build().unwrap(), BTreeMap::new());
        attach(&broker, &mut store, Again::default());
        (broker, store)
    }

    /// Begins and ends an attach that is made for this.
    fn attach(broker: &Broker, store: &mut BTreeMap<String, String>, again: Again) {
        let url: url::Url = broker.start(store, &LocalPath::root(), again.into()).parse().unwrap();
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
        attach(&broker, &mut store, Again::default());
        assert!(broker.take_ended(&mut store, EndReason::Expired, 2).is_some());
    }

    #[test]
    fn a_token_is_made_again_for_each_reason_as_often_as_that_may_help() {
        for (why, times) in [(Why::Lost, 1), (Why::Superseded, 3), (Why::Remembered, 1), (Why::Old, 9)] {
            let (broker, mut store) = attached();
            for _ in 0..times {
                let again = broker.give_up(&mut store, why).unwrap();
                assert!(!broker.is_attached(&store), "{why:?}");
                attach(&broker, &mut store, again);
            }
            if why != Why::Old {
                assert_eq!(broker.give_up(&mut store, why), None, "{why:?}");
                // It still shows that nobody is logged in.
                assert_eq!(broker.is_attached(&store), why == Why::Remembered);
            }
        }
    }
}
