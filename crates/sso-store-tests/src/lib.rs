//! The [contract](sso_server::store) of [`Store`], as one suite for every store: rules, races, and random operations
//! beside a plain model, one after the other and from several tasks at once.
//!
//! A store's tests name it once; `examples/json_store.rs` is a whole store that does:
//!
//! ```ignore
//! async fn open(clock: std::sync::Arc<sso_server::clock::ManualClock>) -> MyStore {
//!     MyStore::open("an empty place", clock)
//! }
//!
//! sso_store_tests::contract!(my_store, crate::open, 64);
//! ```

#[doc(hidden)]
pub mod everything;
#[doc(hidden)]
pub mod families;
#[doc(hidden)]
pub mod links;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod races;
#[doc(hidden)]
pub mod sessions;
#[doc(hidden)]
pub mod used_ids;
#[doc(hidden)]
pub mod users;

use std::{sync::Arc, time::Duration};

use sso_core::{Token, VerificationCode, wire::User};
use sso_server::{
    Session, Store,
    clock::{Clock, ManualClock, SystemClock, Timestamp},
    session::{CookieValue, EndReason, Link, LinkKey, Login, SessionId},
    store::{StoreError, Unlink},
};

pub use families::family;

/// Makes a module of this name with a test for every rule. The function opens an empty store that goes by the clock it
/// is given; its name begins with `crate::`. The number is of the random cases that the store is compared with the
/// model in.
#[macro_export]
macro_rules! contract {
    ($store:ident, $make:expr, $cases:expr) => {
        mod $store {
            $crate::contract!(@rules $make, sessions: [
                insert_never_overwrites_an_id,
                insert_never_overwrites_a_cookie,
                a_session_is_found_by_id_and_by_cookie,
                update_replaces_the_version_it_was_made_from,
                update_of_an_older_version_is_a_conflict,
                update_of_what_is_not_there_is_a_conflict,
                update_swaps_the_cookie_in_the_same_write,
                update_to_a_taken_cookie_changes_nothing,
                update_never_moves_times_back,
                a_last_use_in_the_future_does_not_count_nor_what_follows_from_it,
                logins_are_found_by_their_end,
                touch_moves_times_forward_and_nothing_else,
                a_touch_with_another_count_is_a_conflict,
                a_login_and_its_end_have_times_of_their_own,
                touch_of_what_is_not_there_is_a_conflict,
                the_store_answers_a_ping,
            ]);
            $crate::contract!(@rules $make, links: [
                a_linked_token_leads_to_its_session,
                a_token_that_has_a_link_is_taken_for_its_own_session_too,
                a_token_of_another_session_is_taken,
                a_token_leads_elsewhere_when_it_was_cut,
                a_link_to_what_is_not_there_is_a_conflict,
                a_link_with_another_count_is_a_conflict,
                links_keep_the_count_at_which_they_were_made,
                dropping_the_first_session_keeps_a_link_to_the_second,
                one_link_is_cut_and_nothing_else,
                one_broker_can_be_cut,
                all_can_be_cut,
                a_great_many_links_of_a_broker_are_cut_and_no_others,
                a_cut_token_can_be_linked_anew,
                the_oldest_links_at_a_broker_make_room,
                calls_are_noted_and_never_moved_back,
                links_that_never_called_make_room_first,
                links_in_use_make_no_room_and_unused_ones_do,
                a_session_comes_with_its_first_link_or_not_at_all,
            ]);
            $crate::contract!(@rules $make, users: [
                a_user_has_the_sessions_they_are_logged_in_to,
                a_session_changes_hands,
                what_is_dropped_is_nobodys,
                the_links_of_a_session_are_listed,
            ]);
            $crate::contract!(@rules $make, families: [
                a_family_is_found_by_id_and_by_user,
                a_new_family_never_overwrites_another,
                only_the_newest_version_of_a_family_is_replaced,
                a_removed_family_is_gone,
                an_expired_family_may_go,
                of_fifty_uses_of_a_token_one_replaces_it,
                a_removed_family_does_not_come_back,
            ]);
            $crate::contract!(@rules $make, used_ids: [
                an_id_is_used_up_once,
                of_fifty_callers_one_uses_the_id_up,
                an_id_is_remembered_until_its_time,
            ]);
            $crate::contract!(@rules $make, everything: [
                everything_is_removed_but_used_ids,
                what_was_there_is_gone_however_busy_it_was,
                two_who_remove_everything_at_once_each_finish,
            ]);
            $crate::contract!(@rules $make, races: [
                racing_updates_are_each_counted_once,
                of_fifty_sessions_one_gets_the_token,
                of_fifty_updates_one_gets_the_cookie,
                a_logout_is_not_undone_by_racing_writes,
                touches_and_updates_do_not_lose_each_other,
                the_index_by_user_follows_racing_logins,
                links_that_are_made_at_once_stay_few,
                what_is_just_inserted_is_there_or_not,
                links_that_make_room_are_no_other_sessions,
            ]);

            #[test]
            fn random_operations_do_what_a_plain_model_does() {
                $crate::model::compare($cases, async |clock| $make(clock).await);
            }

            #[test]
            fn random_operations_at_once_do_what_a_plain_model_does_in_some_order() {
                $crate::model::compare_at_once($cases, async |clock| $make(clock).await);
            }
        }
    };
    (@rules $make:expr, $module:ident: [$($rule:ident,)*]) => {
        $(
            #[test]
            fn $rule() {
                $crate::check(async |clock| $make(clock).await, $crate::$module::$rule);
            }
        )*
    };
}

/// Checks one rule.
#[doc(hidden)]
pub fn check<S: Store>(make: impl AsyncFnOnce(Arc<ManualClock>) -> S, rule: impl AsyncFnOnce(World<S>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async { rule(World::of(make).await).await });
}

/// A store and its clock.
pub struct World<S> {
    /// The store, which is empty at first.
    pub store: Arc<S>,
    /// The store's clock.
    pub clock: Arc<ManualClock>,
}

impl<S: Store> World<S> {
    /// The store that is made so, and a clock that stands at the present.
    pub async fn of(make: impl AsyncFnOnce(Arc<ManualClock>) -> S) -> Self {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        Self { store: Arc::new(make(clock.clone()).await), clock }
    }

    /// A session that is kept for an hour, not yet in the store.
    pub fn session(&self) -> Session {
        session_at(self.clock.now())
    }

    /// One that is in the store.
    pub async fn inserted(&self) -> Arc<Session> {
        self.store.insert(self.session(), None).await.unwrap()
    }

    /// Links a token that has no link.
    pub async fn linked(&self, key: &LinkKey, session: &Session) -> VerificationCode {
        let link = link_to(session);
        let code = link.code.clone();
        assert_eq!(self.store.link(key.clone(), link).await, Ok(()));
        code
    }

    /// Links a token, if it has none.
    pub async fn link(&self, key: &LinkKey, session: &Session) -> Result<(), StoreError> {
        self.store.link(key.clone(), link_to(session)).await
    }

    /// Cuts a token's link; how many there were.
    pub async fn cut(&self, key: &LinkKey) -> u64 {
        self.store.unlink(&Unlink::One(key.clone())).await.unwrap()
    }

    /// To which session a token leads.
    pub async fn target(&self, key: &LinkKey) -> Option<SessionId> {
        let resolved = self.store.resolve(key).await.unwrap()?;
        assert_eq!(resolved.link.session, resolved.session.id);
        Some(resolved.session.id.clone())
    }
}

/// The session with these times, as a touch says them.
pub fn used(session: &Session, last_seen: Timestamp, keep_until: Timestamp) -> Session {
    Session { last_seen, keep_until, ..session.clone() }
}

/// A session that is kept for an hour.
pub fn session_at(now: Timestamp) -> Session {
    let session = Session::new(CookieValue::generate().hash(), now);
    Session { keep_until: now.after(Duration::from_secs(60 * 60)), ..session }
}

/// A link that is made now, to the session as it is.
pub fn link_to(session: &Session) -> Link {
    let code = VerificationCode::generate();
    Link { session: session.id.clone(), epoch: session.epoch, code, at: SystemClock.now(), php: false }
}

/// A new token of this broker.
pub fn token_of(broker: &str) -> LinkKey {
    LinkKey { broker: broker.parse().unwrap(), token: Token::generate() }
}

/// What a login remembers of the password.
pub const CREDENTIAL: [u8; 32] = [7; 32];

/// Logs this user in.
pub fn log_in(session: &mut Session, name: &str) {
    let now = session.last_seen;
    session.log_in(Login::new(user(name), CREDENTIAL, now), now);
}

/// Logs the session's user out.
pub fn log_out(session: &mut Session) {
    session.end(EndReason::LoggedOut, session.last_seen);
}

/// A user of this name.
pub fn user(name: &str) -> User {
    User { username: name.into(), attributes: Default::default() }
}
