//! The contract's rules about links: set-if-absent, moving a token, cutting.

use std::time::Duration;

use sso_server::{
    Store,
    clock::{Clock, Timestamp},
    session::{Link, LinkKey, SessionId},
    store::{
        LinkOutcome::{self, Linked, Taken},
        StoreError::NotFound,
        Unlink,
    },
};

use crate::{World, link_to, token_of};

pub(crate) async fn a_linked_token_leads_to_its_session<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let key = token_of("Alice");
    assert!(world.store.resolve(&key).await.unwrap().is_none());
    let code = world.linked(&key, &session.id).await;
    let resolved = world.store.resolve(&key).await.unwrap().unwrap();
    assert_eq!(resolved.session.id, session.id);
    assert_eq!(resolved.link.code.as_str(), code.as_str());
    // The same token at another broker is another token.
    let elsewhere = sso_server::session::LinkKey { broker: "Greg".parse().unwrap(), ..key };
    assert!(world.store.resolve(&elsewhere).await.unwrap().is_none());
}

pub(crate) async fn a_token_and_its_session_keep_their_first_code<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let key = token_of("Alice");
    let first = world.linked(&key, &session.id).await;
    let again = world.linked(&key, &session.id).await;
    assert_eq!(first.as_str(), again.as_str());
    assert_eq!(world.store.resolve(&key).await.unwrap().unwrap().link.code.as_str(), first.as_str());
    let other = world.linked(&token_of("Alice"), &session.id).await;
    assert_ne!(first.as_str(), other.as_str());
}

pub(crate) async fn a_token_of_another_session_is_taken<S: Store>(world: World<S>) {
    let (first, second, third) = (world.inserted().await, world.inserted().await, world.inserted().await);
    let key = token_of("Alice");
    world.linked(&key, &first.id).await;
    for replaces in [None, Some(&second.id), Some(&third.id)] {
        let Taken(owner) = world.link(&key, &second.id, replaces).await else { panic!("the token was moved") };
        assert_eq!(owner.id, first.id);
        assert_eq!(world.target(&key).await.as_ref(), Some(&first.id));
    }
}

pub(crate) async fn a_token_may_be_moved_from_the_session_that_is_named<S: Store>(world: World<S>) {
    let (first, second) = (world.inserted().await, world.inserted().await);
    let key = token_of("Alice");
    let old = world.linked(&key, &first.id).await;
    let Linked(new) = world.link(&key, &second.id, Some(&first.id)).await else { panic!("the token is taken") };
    assert_ne!(old.as_str(), new.as_str(), "the code of the first session does not open the second");
    let resolved = world.store.resolve(&key).await.unwrap().unwrap();
    assert_eq!(resolved.session.id, second.id);
    assert_eq!(resolved.link.code.as_str(), new.as_str());
}

pub(crate) async fn a_link_to_what_is_not_there_is_not_found<S: Store>(world: World<S>) {
    let key = token_of("Alice");
    let never = world.session();
    assert_eq!(world.store.link(key.clone(), link_to(&never.id), None).await.unwrap_err(), NotFound);
    assert_eq!(world.target(&key).await, None);
    let owner = world.inserted().await;
    world.linked(&key, &owner.id).await;
    let moved = world.store.link(key.clone(), link_to(&never.id), Some(&owner.id)).await;
    assert_eq!(moved.unwrap_err(), NotFound);
    assert_eq!(world.target(&key).await.as_ref(), Some(&owner.id));
}

pub(crate) async fn dropping_the_first_session_keeps_a_moved_link<S: Store>(world: World<S>) {
    let first = world.inserted().await;
    let key = token_of("Alice");
    world.linked(&key, &first.id).await;
    world.clock.advance(Duration::from_secs(2 * 60 * 60));
    let second = world.inserted().await;
    assert!(matches!(world.link(&key, &second.id, Some(&first.id)).await, Linked(_)));

    // The first session's time is over; the store looks at it again, and has reason to tidy up.
    let _gone_or_not = world.store.touch(&first.id, first.last_seen, first.keep_until).await;
    for _ in 0..1_000 {
        world.inserted().await;
    }
    assert_eq!(world.target(&key).await.as_ref(), Some(&second.id));
    assert!(world.store.get(&second.id).await.unwrap().is_some());
    assert_eq!(world.store.load(&second.cookie).await.unwrap().unwrap().keep_until, second.keep_until);
}

pub(crate) async fn unlinking_the_first_session_keeps_a_moved_link<S: Store>(world: World<S>) {
    let (first, second) = (world.inserted().await, world.inserted().await);
    let (moved, keep) = (token_of("Alice"), token_of("Alice"));
    world.linked(&moved, &first.id).await;
    world.linked(&keep, &first.id).await;
    assert!(matches!(world.link(&moved, &second.id, Some(&first.id)).await, Linked(_)));
    let others = Unlink::OthersAtBroker { session: first.id.clone(), keep: keep.clone() };
    assert_eq!(world.store.unlink(&others).await, Ok(0));
    assert_eq!(world.target(&moved).await.as_ref(), Some(&second.id));
    // And once more it belongs to the first session, which may now cut it.
    assert!(matches!(world.link(&moved, &first.id, Some(&second.id)).await, Linked(_)));
    assert_eq!(world.store.unlink(&others).await, Ok(1));
    assert_eq!(world.target(&moved).await, None);
}

pub(crate) async fn others_at_the_broker_are_cut_and_nothing_else<S: Store>(world: World<S>) {
    let (mine, other) = (world.inserted().await, world.inserted().await);
    let (keep, old, older) = (token_of("Alice"), token_of("Alice"), token_of("Alice"));
    let (greg, foreign) = (token_of("Greg"), token_of("Alice"));
    for key in [&keep, &old, &older, &greg] {
        world.linked(key, &mine.id).await;
    }
    world.linked(&foreign, &other.id).await;
    let others = Unlink::OthersAtBroker { session: mine.id.clone(), keep: keep.clone() };
    assert_eq!(world.store.unlink(&others).await, Ok(2));
    for dead in [&old, &older] {
        assert_eq!(world.target(dead).await, None);
    }
    for alive in [&keep, &greg] {
        assert_eq!(world.target(alive).await.as_ref(), Some(&mine.id));
    }
    assert_eq!(world.target(&foreign).await.as_ref(), Some(&other.id));
    assert_eq!(world.store.unlink(&others).await, Ok(0));
}

pub(crate) async fn one_broker_can_be_cut<S: Store>(world: World<S>) {
    let (one, two) = (world.inserted().await, world.inserted().await);
    let (a, b, greg) = (token_of("Alice"), token_of("Alice"), token_of("Greg"));
    world.linked(&a, &one.id).await;
    world.linked(&b, &two.id).await;
    world.linked(&greg, &one.id).await;
    assert_eq!(world.store.unlink(&Unlink::Broker("Alice".parse().unwrap())).await, Ok(2));
    assert_eq!((world.target(&a).await, world.target(&b).await), (None, None));
    assert_eq!(world.target(&greg).await.as_ref(), Some(&one.id));
    assert!(world.store.get(&one.id).await.unwrap().is_some(), "sessions stay");
}

pub(crate) async fn a_great_many_links_of_a_broker_are_cut_and_no_others<S: Store>(world: World<S>) {
    let (mut alice, mut greg) = (Vec::new(), Vec::new());
    // More than go in one step.
    while alice.len() < 1_100 {
        let session = world.inserted().await;
        for _ in 0..20 {
            let key = token_of("Alice");
            world.linked(&key, &session.id).await;
            alice.push(key);
        }
        let key = token_of("Greg");
        world.linked(&key, &session.id).await;
        greg.push((key, session.id.clone()));
    }
    assert_eq!(world.store.unlink(&Unlink::Broker("Alice".parse().unwrap())).await, Ok(1_100));
    for key in &alice {
        assert_eq!(world.target(key).await, None);
    }
    for (key, session) in &greg {
        assert_eq!(world.target(key).await.as_ref(), Some(session));
    }
    assert_eq!(world.store.unlink(&Unlink::All).await, Ok(55));
    assert_eq!(world.target(&greg[0].0).await, None);
}

pub(crate) async fn all_can_be_cut<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let keys = [token_of("Alice"), token_of("Greg"), token_of("Alice")];
    for key in &keys {
        world.linked(key, &session.id).await;
    }
    assert_eq!(world.store.unlink(&Unlink::All).await, Ok(3));
    for key in &keys {
        assert_eq!(world.target(key).await, None);
    }
    assert!(world.store.load(&session.cookie).await.unwrap().is_some(), "sessions stay");
    assert_eq!(world.store.unlink(&Unlink::All).await, Ok(0));
}

pub(crate) async fn a_cut_token_can_be_linked_anew<S: Store>(world: World<S>) {
    let (first, second) = (world.inserted().await, world.inserted().await);
    let (cut, keep) = (token_of("Alice"), token_of("Alice"));
    let old = world.linked(&cut, &first.id).await;
    world.store.unlink(&Unlink::Broker("Alice".parse().unwrap())).await.unwrap();
    let new = world.linked(&cut, &second.id).await;
    assert_ne!(old.as_str(), new.as_str());
    // The first session has no say over it any more.
    world.linked(&keep, &first.id).await;
    let others = Unlink::OthersAtBroker { session: first.id.clone(), keep };
    assert_eq!(world.store.unlink(&others).await, Ok(0));
    assert_eq!(world.target(&cut).await.as_ref(), Some(&second.id));
    assert!(world.clock.now() < second.keep_until);
}

pub(crate) async fn the_oldest_links_at_a_broker_make_room<S: Store>(world: World<S>) {
    let (session, other) = (world.inserted().await, world.inserted().await);
    let (elsewhere, of_other) = (token_of("Greg"), token_of("Alice"));
    world.linked(&elsewhere, &session.id).await;
    world.linked(&of_other, &other.id).await;
    let keys: Vec<_> = (0..Link::MAX_PER_BROKER + 5).map(|_| token_of("Alice")).collect();
    for (n, key) in keys.iter().enumerate() {
        let at = world.clock.now().after(Duration::from_secs(n as u64));
        let link = Link { at, ..link_to(&session.id) };
        assert!(matches!(world.store.link(key.clone(), link, None).await.unwrap(), Linked(_)));
        assert_eq!(world.target(key).await.as_ref(), Some(&session.id));
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(world.target(key).await.is_some(), n >= 5, "link {n}");
    }
    let links = world.store.links_of(&session.id).await.unwrap();
    assert_eq!(links.len(), Link::MAX_PER_BROKER + 1);
    assert!(world.target(&elsewhere).await.is_some() && world.target(&of_other).await.is_some());

    // One that stays is linked once more: that is no new one. And one made by a node whose clock is behind is not the one to go.
    world.linked(&keys[5], &session.id).await;
    assert!(world.target(&keys[6]).await.is_some());
    let late = token_of("Alice");
    let link = Link { at: Timestamp::from_millis(1), ..link_to(&session.id) };
    world.store.link(late.clone(), link, None).await.unwrap();
    assert!(world.target(&late).await.is_some() && world.target(&keys[5]).await.is_none());
}

/// Links this token of a broker that cannot attach anew.
async fn put<S: Store>(world: &World<S>, key: &LinkKey, session: &SessionId) -> LinkOutcome {
    let link = Link { at: world.clock.now(), heals: false, ..link_to(session) };
    world.store.link(key.clone(), link, None).await.unwrap()
}

pub(crate) async fn calls_are_noted_and_never_moved_back<S: Store>(world: World<S>) {
    let (session, other) = (world.inserted().await, world.inserted().await);
    let (key, now) = (token_of("Alice"), world.clock.now());
    let called = async |key: &LinkKey| world.store.resolve(key).await.unwrap().unwrap().called;
    assert_eq!(world.store.called(&key, now).await, Err(NotFound));
    world.linked(&key, &session.id).await;
    assert_eq!(called(&key).await, None);
    let later = now.after(Duration::from_secs(9));
    for at in [now, later, now] {
        world.store.called(&key, at).await.unwrap();
    }
    assert_eq!(called(&key).await, Some(later));
    world.linked(&key, &session.id).await;
    assert_eq!(called(&key).await, Some(later), "it is the same link");
    assert!(matches!(world.link(&key, &other.id, Some(&session.id)).await, Linked(_)));
    assert_eq!(called(&key).await, None, "it has made no call there");
}

pub(crate) async fn links_that_never_called_make_room_first<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let keys: Vec<_> = (0..Link::MAX_PER_BROKER).map(|_| token_of("Alice")).collect();
    for key in &keys {
        assert!(matches!(put(&world, key, &session.id).await, Linked(_)));
        world.clock.advance(Duration::from_secs(1));
    }
    // The oldest is in use, and so is one more.
    for key in [&keys[0], &keys[7]] {
        world.store.called(key, world.clock.now()).await.unwrap();
    }
    let mut foreign = Vec::new();
    for _ in 0..Link::MAX_PER_BROKER + 5 {
        let key = token_of("Alice");
        assert!(matches!(put(&world, &key, &session.id).await, Linked(_)));
        world.clock.advance(Duration::from_secs(1));
        foreign.push(key);
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(world.target(key).await.is_some(), n == 0 || n == 7, "link {n}");
    }
    for (n, key) in foreign.iter().enumerate() {
        assert_eq!(world.target(key).await.is_some(), n >= 7, "foreign link {n}");
    }
    assert_eq!(world.store.links_of(&session.id).await.unwrap().len(), Link::MAX_PER_BROKER);
}

pub(crate) async fn links_in_use_make_no_room_and_unused_ones_do<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let keys: Vec<_> = (0..Link::MAX_PER_BROKER).map(|_| token_of("Alice")).collect();
    for key in &keys {
        put(&world, key, &session.id).await;
        world.store.called(key, world.clock.now()).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
    let (late, elsewhere) = (token_of("Alice"), token_of("Greg"));
    assert!(matches!(put(&world, &late, &session.id).await, LinkOutcome::NoRoom));
    assert_eq!(world.target(&late).await, None);
    for key in &keys {
        assert_eq!(world.target(key).await.as_ref(), Some(&session.id));
    }
    assert!(matches!(put(&world, &elsewhere, &session.id).await, Linked(_)), "another broker has room of its own");
    let moved = world.inserted().await;
    world.linked(&late, &moved.id).await;
    let replaces = Link { at: world.clock.now(), heals: false, ..link_to(&session.id) };
    let refused = world.store.link(late.clone(), replaces, Some(&moved.id)).await.unwrap();
    assert!(matches!(refused, LinkOutcome::NoRoom));
    assert_eq!(world.target(&late).await.as_ref(), Some(&moved.id), "nothing was changed");

    world.clock.advance(Link::UNUSED - Duration::from_secs(Link::MAX_PER_BROKER as u64));
    world.store.called(&keys[0], world.clock.now()).await.unwrap();
    world.clock.advance(Duration::from_secs(3));
    // Of the two that were not used for so long, the one unused for longest.
    assert!(matches!(put(&world, &token_of("Alice"), &session.id).await, Linked(_)));
    assert_eq!(world.target(&keys[1]).await, None);
    for key in [&keys[0], &keys[2], &keys[3]] {
        assert!(world.target(key).await.is_some());
    }
}
