//! Random operations on a store and on plain maps: whatever one answers, the other must.

use std::{collections::HashMap, sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*};
use sso_core::VerificationCode;
use sso_server::{
    Session, Store,
    clock::{Clock, ManualClock, SystemClock},
    session::{CookieHash, CookieValue, Link, LinkKey},
    store::{LinkOutcome, StoreError, Unlink},
};

use crate::{session_at, token_of};

const SESSIONS: usize = 4;
const COOKIES: usize = 5;
/// Three tokens of each of two brokers.
const KEYS: usize = 6;

#[derive(Clone, Debug)]
enum Op {
    Insert { session: usize, cookie: usize },
    Update { session: usize, behind: u64, cookie: usize },
    Touch { session: usize, at: u64 },
    Link { key: usize, session: usize, replaces: Option<usize> },
    UnlinkOthers { session: usize, keep: usize },
    UnlinkBroker { of: usize },
    UnlinkAll,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (s, c, k) = (0..SESSIONS, 0..COOKIES, 0..KEYS);
    let op = prop_oneof![
        4 => (s.clone(), c.clone()).prop_map(|(session, cookie)| Op::Insert { session, cookie }),
        6 => (s.clone(), prop_oneof![4 => Just(0), 1 => 1..3u64], c)
            .prop_map(|(session, behind, cookie)| Op::Update { session, behind, cookie }),
        2 => (s.clone(), 0..100u64).prop_map(|(session, at)| Op::Touch { session, at }),
        8 => (k.clone(), s.clone(), proptest::option::of(s.clone()))
            .prop_map(|(key, session, replaces)| Op::Link { key, session, replaces }),
        2 => (s, k.clone()).prop_map(|(session, keep)| Op::UnlinkOthers { session, keep }),
        1 => k.prop_map(|of| Op::UnlinkBroker { of }),
        1 => Just(Op::UnlinkAll),
    ];
    vec(op, 0..60)
}

/// The contract in its plainest form.
#[derive(Default)]
struct Model {
    sessions: HashMap<usize, Session>,
    links: HashMap<usize, (usize, VerificationCode)>,
}

/// The values that the operations' numbers stand for.
struct Names {
    sessions: Vec<Session>,
    cookies: Vec<CookieHash>,
    keys: Vec<LinkKey>,
}

impl Model {
    fn takes(&self, cookie: CookieHash, but: usize) -> bool {
        self.sessions.iter().any(|(n, session)| *n != but && session.cookie == cookie)
    }

    fn cut(&mut self, goes: impl Fn(usize, usize) -> bool) -> u64 {
        let before = self.links.len();
        self.links.retain(|key, (session, _)| !goes(*key, *session));
        (before - self.links.len()) as u64
    }
}

async fn step<S: Store>(store: &S, model: &mut Model, names: &Names, op: Op) {
    match op {
        Op::Insert { session: n, cookie } => {
            let session = Session { cookie: names.cookies[cookie], ..names.sessions[n].clone() };
            let answer = store.insert(session.clone()).await;
            if model.sessions.contains_key(&n) || model.takes(session.cookie, n) {
                assert_eq!(answer.unwrap_err(), StoreError::Conflict);
            } else {
                assert_eq!(answer.unwrap().version, session.version);
                model.sessions.insert(n, session);
            }
        }
        Op::Update { session: n, behind, cookie } => {
            let cookie = names.cookies[cookie];
            let Some(current) = model.sessions.get(&n).cloned() else {
                assert_eq!(store.update(names.sessions[n].clone()).await.unwrap_err(), StoreError::NotFound);
                return;
            };
            let version = current.version.saturating_sub(behind);
            let answer = store.update(Session { version, cookie, ..current.clone() }).await;
            if version != current.version || model.takes(cookie, n) {
                assert_eq!(answer.unwrap_err(), StoreError::Conflict);
            } else {
                assert_eq!(answer.unwrap().version, version + 1);
                model.sessions.insert(n, Session { version: version + 1, cookie, ..current });
            }
        }
        Op::Touch { session: n, at } => {
            let base = &names.sessions[n];
            let (at, keep) =
                (base.last_seen.after(Duration::from_secs(at)), base.keep_until.after(Duration::from_secs(at)));
            let answer = store.touch(&base.id, at, keep).await;
            match model.sessions.get_mut(&n) {
                Some(session) => {
                    session.last_seen = session.last_seen.max(at);
                    session.keep_until = session.keep_until.max(keep);
                    assert_eq!(answer, Ok(()));
                }
                None => assert_eq!(answer, Err(StoreError::NotFound)),
            }
        }
        Op::Link { key, session: n, replaces } => {
            let (id, code) = (names.sessions[n].id.clone(), VerificationCode::generate());
            let link = Link { session: id, code: code.clone(), at: SystemClock.now(), heals: true };
            let answer = store.link(names.keys[key].clone(), link, replaces.map(|n| &names.sessions[n].id)).await;
            if !model.sessions.contains_key(&n) {
                assert_eq!(answer.unwrap_err(), StoreError::NotFound);
                return;
            }
            let owner = model.links.get(&key).cloned();
            match (owner, answer.unwrap()) {
                // Naming the session itself moves nothing: the same token and session keep their first code.
                (Some((owner, first)), LinkOutcome::Linked(given)) if owner == n => {
                    assert_eq!(given.as_str(), first.as_str());
                }
                (Some((owner, _)), LinkOutcome::Taken(session)) if owner != n && replaces != Some(owner) => {
                    assert_eq!(session.id, names.sessions[owner].id);
                }
                (owner, LinkOutcome::Linked(given)) if owner.as_ref().is_none_or(|o| replaces == Some(o.0)) => {
                    assert_eq!(given.as_str(), code.as_str());
                    model.links.insert(key, (n, code));
                }
                (owner, answer) => panic!("{owner:?} -> {answer:?}"),
            }
        }
        Op::UnlinkOthers { session: n, keep } => {
            let which =
                Unlink::OthersAtBroker { session: names.sessions[n].id.clone(), keep: names.keys[keep].clone() };
            let cut = model.cut(|key, owner| owner == n && key % 2 == keep % 2 && key != keep);
            assert_eq!(store.unlink(&which).await, Ok(cut));
        }
        Op::UnlinkBroker { of } => {
            let cut = model.cut(|key, _| key % 2 == of % 2);
            assert_eq!(store.unlink(&Unlink::Broker(names.keys[of].broker.clone())).await, Ok(cut));
        }
        Op::UnlinkAll => assert_eq!(store.unlink(&Unlink::All).await, Ok(model.cut(|_, _| true))),
    }
}

/// Everything that can be asked is answered alike.
async fn agree<S: Store>(store: &S, model: &Model, names: &Names) {
    let view = |s: &Session| (s.id.clone(), s.version, s.cookie, s.last_seen, s.keep_until);
    for (n, session) in names.sessions.iter().enumerate() {
        let found = store.get(&session.id).await.unwrap();
        assert_eq!(found.as_deref().map(view), model.sessions.get(&n).map(view));
    }
    for cookie in &names.cookies {
        let found = store.load(cookie).await.unwrap();
        assert_eq!(found.as_deref().map(view), model.sessions.values().find(|s| s.cookie == *cookie).map(view));
    }
    for (n, key) in names.keys.iter().enumerate() {
        let found = store.resolve(key).await.unwrap();
        let found = found.map(|r| (view(&r.session), r.link.code.as_str().to_owned()));
        let wanted = model.links.get(&n).map(|(s, code)| (view(&model.sessions[s]), code.as_str().to_owned()));
        assert_eq!(found, wanted);
    }
}

pub(crate) fn compare<S: Store>(cases: u32, make: impl AsyncFn(Arc<ManualClock>) -> S) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    proptest!(ProptestConfig::with_cases(cases), |(ops in ops())| {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let store = runtime.block_on(make(clock.clone()));
        let names = Names {
            sessions: (0..SESSIONS).map(|_| session_at(clock.now())).collect(),
            cookies: (0..COOKIES).map(|_| CookieValue::generate().hash()).collect(),
            keys: (0..KEYS).map(|n| token_of(["Alice", "Greg"][n % 2])).collect(),
        };
        let mut model = Model::default();
        runtime.block_on(async {
            for op in ops {
                step(&store, &mut model, &names, op).await;
                agree(&store, &model, &names).await;
            }
        });
    });
}
