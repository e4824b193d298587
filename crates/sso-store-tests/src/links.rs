//! The contract's rules about links: set-if-absent, the session's count, room, cutting.

use std::time::Duration;

use sso_server::{
    Session, Store,
    clock::{Clock, Timestamp},
    session::{Link, LinkKey},
    store::{
        StoreError::{self, Conflict, NoRoom, Taken},
        Unlink,
    },
};

use crate::{World, link_to, log_in, log_out, token_of};

pub async fn a_linked_token_leads_to_its_session<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let key = token_of("Alice");
    assert!(world.store.resolve(&key).await.unwrap().is_none());
    let code = world.linked(&key, &session).await;
    let resolved = world.store.resolve(&key).await.unwrap().unwrap();
    assert_eq!(resolved.session.id, session.id);
    assert_eq!(resolved.link.code.as_str(), code.as_str());
    // The same token at another broker is another token.
    let elsewhere = LinkKey { broker: "Greg".parse().unwrap(), ..key };
    assert!(world.store.resolve(&elsewhere).await.unwrap().is_none());
}

pub async fn a_token_that_has_a_link_is_taken_for_its_own_session_too<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let key = token_of("Alice");
    let first = world.linked(&key, &session).await;
    assert_eq!(world.link(&key, &session).await, Err(Taken));
    assert_eq!(world.store.resolve(&key).await.unwrap().unwrap().link.code.as_str(), first.as_str());
    assert_eq!(world.store.links_of(&session.id).await.unwrap().len(), 1);
    let other = world.linked(&token_of("Alice"), &session).await;
    assert_ne!(first.as_str(), other.as_str());
}

pub async fn a_token_of_another_session_is_taken<S: Store>(world: World<S>) {
    let (first, second) = (world.inserted().await, world.inserted().await);
    let key = token_of("Alice");
    let code = world.linked(&key, &first).await;
    assert_eq!(world.link(&key, &second).await, Err(Taken));
    let resolved = world.store.resolve(&key).await.unwrap().unwrap();
    assert!(resolved.session.id == first.id && resolved.link.code.as_str() == code.as_str());
    assert!(world.store.links_of(&second.id).await.unwrap().is_empty());
    world.linked(&token_of("Alice"), &second).await;
}

pub async fn a_token_leads_elsewhere_when_it_was_cut<S: Store>(world: World<S>) {
    let (first, second) = (world.inserted().await, world.inserted().await);
    let key = token_of("Alice");
    let old = world.linked(&key, &first).await;
    assert_eq!(world.cut(&key).await, 1);
    let new = world.linked(&key, &second).await;
    assert_ne!(old.as_str(), new.as_str(), "the code of the first session does not open the second");
    let resolved = world.store.resolve(&key).await.unwrap().unwrap();
    assert!(resolved.session.id == second.id && resolved.link.code.as_str() == new.as_str());
    // And once more it belongs to the first session.
    assert_eq!(world.link(&key, &first).await, Err(Taken));
    assert_eq!(world.cut(&key).await, 1);
    world.linked(&key, &first).await;
    assert_eq!(world.target(&key).await.as_ref(), Some(&first.id));
}

pub async fn a_link_to_what_is_not_there_is_a_conflict<S: Store>(world: World<S>) {
    let (key, taken) = (token_of("Alice"), token_of("Alice"));
    let never = world.session();
    assert_eq!(world.store.link(key.clone(), link_to(&never)).await, Err(Conflict));
    assert_eq!(world.target(&key).await, None);
    let owner = world.inserted().await;
    world.linked(&taken, &owner).await;
    assert_eq!(world.store.link(taken.clone(), link_to(&never)).await, Err(Conflict));
    assert_eq!(world.target(&taken).await.as_ref(), Some(&owner.id));
    let there = world.store.insert(never, None).await.unwrap();
    world.linked(&key, &there).await;
}

/// Replaces the session's record by what `change` makes of it.
async fn changed<S: Store>(world: &World<S>, session: &Session, change: impl FnOnce(&mut Session)) -> Session {
    let mut next = session.clone();
    change(&mut next);
    Session::clone(&*world.store.update(next).await.unwrap())
}

pub async fn a_link_with_another_count_is_a_conflict<S: Store>(world: World<S>) {
    let before = world.inserted().await;
    let logged_in = changed(&world, &before, |session| log_in(session, "jackie")).await;
    let confirmed = changed(&world, &logged_in, |session| log_in(session, "jackie")).await;
    assert_eq!(confirmed.epoch, logged_in.epoch);
    let ended = Session { epoch: confirmed.epoch + 1, ..confirmed.clone() };
    for late in [&*before, &ended] {
        let key = token_of("Alice");
        assert_eq!(world.store.link(key.clone(), link_to(late)).await, Err(Conflict));
        assert_eq!(world.target(&key).await, None);
        // What was read before a mere confirmation is as good as before.
        world.linked(&key, &logged_in).await;
        assert_eq!(world.store.link(key.clone(), link_to(late)).await, Err(Conflict), "taken or not");
    }
    let ended = changed(&world, &confirmed, log_out).await;
    let key = token_of("Alice");
    for late in [&*before, &logged_in, &confirmed] {
        assert_eq!(world.store.link(key.clone(), link_to(late)).await, Err(Conflict));
    }
    assert_eq!(world.store.links_of(&before.id).await.unwrap().len(), 2);
    world.linked(&key, &ended).await;
    assert_eq!(world.target(&key).await.as_ref(), Some(&before.id));
}

pub async fn links_keep_the_count_at_which_they_were_made<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let (early, late) = (token_of("Alice"), token_of("Alice"));
    world.linked(&early, &session).await;
    let logged_in = changed(&world, &session, |session| log_in(session, "jackie")).await;
    world.linked(&late, &logged_in).await;
    let keep_their_counts = async |session: &Session| {
        for (key, epoch) in [(&early, 0), (&late, 1)] {
            let resolved = world.store.resolve(key).await.unwrap().unwrap();
            assert_eq!((resolved.link.epoch, &*resolved.session), (epoch, session));
        }
    };
    keep_their_counts(&logged_in).await;
    keep_their_counts(&changed(&world, &logged_in, log_out).await).await;
    assert_eq!(world.store.links_of(&session.id).await.unwrap().len(), 2);
}

pub async fn dropping_the_first_session_keeps_a_link_to_the_second<S: Store>(world: World<S>) {
    let first = world.inserted().await;
    let key = token_of("Alice");
    world.linked(&key, &first).await;
    world.clock.advance(Duration::from_secs(2 * 60 * 60));
    let second = world.inserted().await;
    // It may be gone with its session.
    let _cut_or_not = world.cut(&key).await;
    world.linked(&key, &second).await;

    // The first session's time is over; the store looks at it again, and has reason to tidy up.
    let _gone_or_not = world.store.touch(&crate::used(&first, first.last_seen, first.keep_until)).await;
    for _ in 0..1_000 {
        world.inserted().await;
    }
    assert_eq!(world.target(&key).await.as_ref(), Some(&second.id));
    assert!(world.store.get(&second.id).await.unwrap().is_some());
    assert_eq!(world.store.load(&second.cookie).await.unwrap().unwrap().keep_until, second.keep_until);
}

pub async fn one_link_is_cut_and_nothing_else<S: Store>(world: World<S>) {
    let (mine, other) = (world.inserted().await, world.inserted().await);
    let (cut, keep, foreign) = (token_of("Alice"), token_of("Alice"), token_of("Alice"));
    // The same token at another broker is another token.
    let greg = LinkKey { broker: "Greg".parse().unwrap(), ..cut.clone() };
    assert_eq!(world.cut(&cut).await, 0);
    for key in [&cut, &keep, &greg] {
        world.linked(key, &mine).await;
    }
    world.linked(&foreign, &other).await;
    assert_eq!(world.cut(&cut).await, 1);
    assert_eq!(world.target(&cut).await, None);
    for alive in [&keep, &greg] {
        assert_eq!(world.target(alive).await.as_ref(), Some(&mine.id));
    }
    assert_eq!(world.target(&foreign).await.as_ref(), Some(&other.id));
    assert_eq!(world.store.links_of(&mine.id).await.unwrap().len(), 2);
    assert_eq!(world.cut(&cut).await, 0);
}

pub async fn one_broker_can_be_cut<S: Store>(world: World<S>) {
    let (one, two) = (world.inserted().await, world.inserted().await);
    let (a, b, greg) = (token_of("Alice"), token_of("Alice"), token_of("Greg"));
    world.linked(&a, &one).await;
    world.linked(&b, &two).await;
    world.linked(&greg, &one).await;
    assert_eq!(world.store.unlink(&Unlink::Broker("Alice".parse().unwrap())).await, Ok(2));
    assert_eq!((world.target(&a).await, world.target(&b).await), (None, None));
    assert_eq!(world.target(&greg).await.as_ref(), Some(&one.id));
    assert!(world.store.get(&one.id).await.unwrap().is_some(), "sessions stay");
}

pub async fn a_great_many_links_of_a_broker_are_cut_and_no_others<S: Store>(world: World<S>) {
    let (mut alice, mut greg) = (Vec::new(), Vec::new());
    // More than go in one step.
    while alice.len() < 1_100 {
        let session = world.inserted().await;
        for _ in 0..20 {
            let key = token_of("Alice");
            world.linked(&key, &session).await;
            alice.push(key);
        }
        let key = token_of("Greg");
        world.linked(&key, &session).await;
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

pub async fn all_can_be_cut<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let keys = [token_of("Alice"), token_of("Greg"), token_of("Alice")];
    for key in &keys {
        world.linked(key, &session).await;
    }
    assert_eq!(world.store.unlink(&Unlink::All).await, Ok(3));
    for key in &keys {
        assert_eq!(world.target(key).await, None);
    }
    assert!(world.store.load(&session.cookie).await.unwrap().is_some(), "sessions stay");
    assert_eq!(world.store.unlink(&Unlink::All).await, Ok(0));
}

pub async fn a_cut_token_can_be_linked_anew<S: Store>(world: World<S>) {
    let (first, second) = (world.inserted().await, world.inserted().await);
    let cut = token_of("Alice");
    let old = world.linked(&cut, &first).await;
    world.store.unlink(&Unlink::Broker("Alice".parse().unwrap())).await.unwrap();
    let new = world.linked(&cut, &second).await;
    assert_ne!(old.as_str(), new.as_str());
    // The first session has no say over it any more: as many links make room there as it may have.
    for _ in 0..=Link::MAX_PER_BROKER {
        world.linked(&token_of("Alice"), &first).await;
    }
    assert_eq!(world.store.links_of(&first.id).await.unwrap().len(), Link::MAX_PER_BROKER);
    assert_eq!(world.target(&cut).await.as_ref(), Some(&second.id));
    assert!(world.clock.now() < second.keep_until);
}

pub async fn the_oldest_links_at_a_broker_make_room<S: Store>(world: World<S>) {
    let (session, other) = (world.inserted().await, world.inserted().await);
    let (elsewhere, of_other) = (token_of("Greg"), token_of("Alice"));
    world.linked(&elsewhere, &session).await;
    world.linked(&of_other, &other).await;
    let keys: Vec<_> = (0..Link::MAX_PER_BROKER + 5).map(|_| token_of("Alice")).collect();
    for (n, key) in keys.iter().enumerate() {
        let at = world.clock.now().after(Duration::from_secs(n as u64));
        let link = Link { at, ..link_to(&session) };
        assert_eq!(world.store.link(key.clone(), link).await, Ok(()));
        assert_eq!(world.target(key).await.as_ref(), Some(&session.id));
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(world.target(key).await.is_some(), n >= 5, "link {n}");
    }
    let links = world.store.links_of(&session.id).await.unwrap();
    assert_eq!(links.len(), Link::MAX_PER_BROKER + 1);
    assert!(world.target(&elsewhere).await.is_some() && world.target(&of_other).await.is_some());

    // One that is there is no new one. And one made by a node whose clock is behind is not the one to go.
    assert_eq!(world.link(&keys[6], &session).await, Err(Taken));
    assert!(world.target(&keys[5]).await.is_some());
    let late = token_of("Alice");
    let link = Link { at: Timestamp::from_millis(1), ..link_to(&session) };
    assert_eq!(world.store.link(late.clone(), link).await, Ok(()));
    assert!(world.target(&late).await.is_some() && world.target(&keys[5]).await.is_none());
}

/// Links this token of a broker that cannot attach anew.
async fn put<S: Store>(world: &World<S>, key: &LinkKey, session: &Session) -> Result<(), StoreError> {
    let link = Link { at: world.clock.now(), php: true, ..link_to(session) };
    world.store.link(key.clone(), link).await
}

pub async fn calls_are_noted_and_never_moved_back<S: Store>(world: World<S>) {
    let (session, other) = (world.inserted().await, world.inserted().await);
    let (key, now) = (token_of("Alice"), world.clock.now());
    let called = async |key: &LinkKey| world.store.resolve(key).await.unwrap().unwrap().called;
    assert_eq!(world.store.called(&key, now).await, Ok(()));
    assert_eq!(world.target(&key).await, None);
    world.linked(&key, &session).await;
    assert_eq!(called(&key).await, None);
    let later = now.after(Duration::from_secs(9));
    for at in [now, later, now] {
        world.store.called(&key, at).await.unwrap();
    }
    assert_eq!(called(&key).await, Some(later));
    assert_eq!(world.link(&key, &session).await, Err(Taken));
    assert_eq!(called(&key).await, Some(later), "it is the same link");
    world.cut(&key).await;
    assert_eq!(world.store.called(&key, later).await, Ok(()));
    world.linked(&key, &other).await;
    assert_eq!(called(&key).await, None, "it has made no call there");
}

pub async fn links_that_never_called_make_room_first<S: Store>(world: World<S>) {
    let session = world.inserted().await;
    let keys: Vec<_> = (0..Link::MAX_PER_BROKER).map(|_| token_of("Alice")).collect();
    for key in &keys {
        assert_eq!(put(&world, key, &session).await, Ok(()));
        world.clock.advance(Duration::from_secs(1));
    }
    // The oldest is in use, and so is one more.
    for key in [&keys[0], &keys[7]] {
        world.store.called(key, world.clock.now()).await.unwrap();
    }
    let mut foreign = Vec::new();
    for _ in 0..Link::MAX_PER_BROKER + 5 {
        let key = token_of("Alice");
        assert_eq!(put(&world, &key, &session).await, Ok(()));
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

pub async fn links_in_use_make_no_room_and_unused_ones_do<S: Store>(world: World<S>) {
    // It is still in use when its links no longer are.
    let keep_until = world.clock.now().after(2 * Link::UNUSED);
    let session = world.store.insert(Session { keep_until, ..world.session() }, None).await.unwrap();
    let keys: Vec<_> = (0..Link::MAX_PER_BROKER).map(|_| token_of("Alice")).collect();
    for key in &keys {
        put(&world, key, &session).await.unwrap();
        world.store.called(key, world.clock.now()).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
    let (late, elsewhere) = (token_of("Alice"), token_of("Greg"));
    assert_eq!(put(&world, &late, &session).await, Err(NoRoom));
    assert_eq!(world.target(&late).await, None);
    for key in &keys {
        assert_eq!(world.target(key).await.as_ref(), Some(&session.id));
    }
    assert_eq!(put(&world, &elsewhere, &session).await, Ok(()), "another broker has room of its own");
    let owner = world.inserted().await;
    world.linked(&late, &owner).await;
    assert_eq!(put(&world, &late, &session).await, Err(Taken));
    assert_eq!(world.target(&late).await.as_ref(), Some(&owner.id), "nothing was changed");

    world.clock.advance(Link::UNUSED - Duration::from_secs(Link::MAX_PER_BROKER as u64));
    world.store.called(&keys[0], world.clock.now()).await.unwrap();
    world.clock.advance(Duration::from_secs(3));
    // Of the two that were not used for so long, the one unused for longest.
    assert_eq!(put(&world, &token_of("Alice"), &session).await, Ok(()));
    assert_eq!(world.target(&keys[1]).await, None);
    for key in [&keys[0], &keys[2], &keys[3]] {
        assert!(world.target(key).await.is_some());
    }
}

pub async fn a_session_comes_with_its_first_link_or_not_at_all<S: Store>(world: World<S>) {
    let (session, key) = (world.session(), token_of("Alice"));
    let link = link_to(&session);
    let put = async |session: &Session, key: &LinkKey, link: &Link| {
        world.store.insert(session.clone(), Some((key.clone(), link.clone()))).await.map(drop)
    };
    assert_eq!(put(&session, &key, &link).await, Ok(()));
    assert_eq!(world.store.load(&session.cookie).await.unwrap().unwrap().id, session.id);
    let found = world.store.resolve(&key).await.unwrap().unwrap();
    assert_eq!((found.link, &found.session.id), (link, &session.id));
    assert_eq!(world.store.links_of(&session.id).await.unwrap().len(), 1);

    // The token has a link: nothing is kept.
    let late = world.session();
    assert_eq!(put(&late, &key, &link_to(&late)).await, Err(Taken));
    assert!(world.store.get(&late.id).await.unwrap().is_none());
    assert!(world.store.load(&late.cookie).await.unwrap().is_none());
    assert_eq!(world.target(&key).await.as_ref(), Some(&session.id));
    // So is it where the session's cookie leads elsewhere.
    let (thief, free) = (Session { cookie: session.cookie, ..world.session() }, token_of("Alice"));
    assert_eq!(put(&thief, &free, &link_to(&thief)).await, Err(Conflict));
    assert_eq!(world.target(&free).await, None);
    // The token is cut: it may come with the next one.
    world.store.unlink(&Unlink::One(key.clone())).await.unwrap();
    assert_eq!(put(&late, &key, &link_to(&late)).await, Ok(()));
    assert_eq!(world.target(&key).await.as_ref(), Some(&late.id));
}
