//! Random operations on a store and on plain maps: whatever one answers, the other must. One after the other, and from
//! several tasks at once: then there must be an order in which the maps would have answered the same, and which nobody
//! saw contradicted.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use proptest::{collection::vec, prelude::*};
use sso_core::VerificationCode;
use sso_server::{
    Session, Store,
    clock::{Clock, ManualClock, SystemClock, Timestamp},
    session::{CookieHash, CookieValue, Link, LinkKey, SessionId},
    store::{Resolved, StoreError, Unlink},
};
use tokio::{runtime, sync::Barrier, task::JoinSet};

use crate::{log_in, log_out, session_at, token_of};

const SESSIONS: usize = 4;
const COOKIES: usize = 5;
/// Three tokens of each of two brokers.
const KEYS: usize = 6;
const TASKS: usize = 3;

/// Sessions, cookies and tokens by their numbers in [`Names`].
#[derive(Clone, Debug)]
enum Op {
    Insert {
        session: usize,
        cookie: usize,
    },
    Get {
        session: usize,
    },
    Load {
        cookie: usize,
    },
    Resolve {
        key: usize,
    },
    LinksOf {
        session: usize,
    },
    /// Made from the newest version that anyone was told of, or from one that is so many older. It may move the count:
    /// somebody logs in, or out.
    Update {
        session: usize,
        behind: u64,
        cookie: usize,
        moves: bool,
    },
    /// With the newest count that anyone was told of, or with one that is so many older.
    Touch {
        session: usize,
        behind: u64,
        at: u64,
    },
    /// Likewise.
    Link {
        key: usize,
        session: usize,
        behind: u64,
    },
    UnlinkOne {
        key: usize,
    },
    UnlinkBroker {
        of: usize,
    },
    UnlinkAll,
}

/// An operation with the values that it was made with.
#[derive(Clone, Debug)]
struct Call {
    op: Op,
    version: u64,
    /// The session's count in what it was made from.
    epoch: u64,
    code: VerificationCode,
}

/// What is compared of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct View {
    session: usize,
    version: u64,
    epoch: u64,
    is_logged_in: bool,
    cookie: usize,
    last_seen: Timestamp,
    keep_until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Session(Option<View>),
    Resolved(Option<(View, String)>),
    Links(Vec<(usize, String)>),
    Updated(View),
    Done,
    Count(u64),
    Refused(StoreError),
}

/// All operations; those that cut link by link only one after the other.
fn op(alone: bool) -> impl Strategy<Value = Op> {
    let (s, c, k) = (0..SESSIONS, 0..COOKIES, 0..KEYS);
    let behind = || prop_oneof![4 => Just(0), 1 => 1..3u64];
    prop_oneof![
        4 => (s.clone(), c.clone()).prop_map(|(session, cookie)| Op::Insert { session, cookie }),
        6 => (s.clone(), behind(), c.clone(), any::<bool>())
            .prop_map(|(session, behind, cookie, moves)| Op::Update { session, behind, cookie, moves }),
        3 => (s.clone(), behind(), 0..30u64).prop_map(|(session, behind, at)| Op::Touch { session, behind, at }),
        8 => (k.clone(), s.clone(), behind()).prop_map(|(key, session, behind)| Op::Link { key, session, behind }),
        3 => k.clone().prop_map(|key| Op::UnlinkOne { key }),
        1 => s.clone().prop_map(|session| Op::Get { session }),
        2 => c.prop_map(|cookie| Op::Load { cookie }),
        3 => k.clone().prop_map(|key| Op::Resolve { key }),
        1 => s.prop_map(|session| Op::LinksOf { session }),
        1 => k.prop_map(move |of| if alone { Op::UnlinkBroker { of } } else { Op::Resolve { key: of } }),
        1 => Just(if alone { Op::UnlinkAll } else { Op::Get { session: 0 } }),
    ]
}

/// Everything that can be asked.
fn questions() -> impl Iterator<Item = Op> {
    let sessions = (0..SESSIONS).flat_map(|session| [Op::Get { session }, Op::LinksOf { session }]);
    sessions.chain((0..COOKIES).map(|cookie| Op::Load { cookie })).chain((0..KEYS).map(|key| Op::Resolve { key }))
}

/// The values that the operations' numbers stand for.
struct Names {
    sessions: Vec<Session>,
    cookies: Vec<CookieHash>,
    keys: Vec<LinkKey>,
    /// The newest version of each session that anyone was told of, and its count.
    newest: Vec<Mutex<(u64, u64)>>,
}

impl Names {
    fn new(now: Timestamp) -> Self {
        Self {
            sessions: (0..SESSIONS).map(|_| session_at(now)).collect(),
            cookies: (0..COOKIES).map(|_| CookieValue::generate().hash()).collect(),
            keys: (0..KEYS).map(|n| token_of(["Alice", "Greg"][n % 2])).collect(),
            newest: (0..SESSIONS).map(|_| Mutex::default()).collect(),
        }
    }

    fn call(&self, op: Op) -> Call {
        let newest = |session: usize| *self.newest[session].lock();
        let (version, epoch) = match op {
            Op::Update { session, behind, .. } => {
                let (version, epoch) = newest(session);
                (version.saturating_sub(behind), epoch)
            }
            Op::Touch { session, behind, .. } | Op::Link { session, behind, .. } => {
                (0, newest(session).1.saturating_sub(behind))
            }
            _ => (0, 0),
        };
        Call { op, version, epoch, code: VerificationCode::generate() }
    }

    fn session(&self, id: &SessionId) -> usize {
        self.sessions.iter().position(|session| session.id == *id).unwrap()
    }

    fn view(&self, session: &Session) -> View {
        View {
            session: self.session(&session.id),
            version: session.version,
            epoch: session.epoch,
            is_logged_in: session.user().is_some(),
            cookie: self.cookies.iter().position(|cookie| *cookie == session.cookie).unwrap(),
            last_seen: session.last_seen,
            keep_until: session.keep_until,
        }
    }

    /// The session after so many logins and ends in turn: each odd count is that of a login.
    fn session_at(&self, session: usize, epoch: u64) -> Session {
        let mut next = self.sessions[session].clone();
        for n in 0..epoch {
            if n % 2 == 0 { log_in(&mut next, "jackie") } else { log_out(&mut next) }
        }
        assert_eq!(next.epoch, epoch);
        next
    }

    /// What the store answers.
    async fn ask<S: Store>(&self, store: &S, call: &Call) -> Answer {
        self.try_ask(store, call).await.unwrap_or_else(Answer::Refused)
    }

    async fn try_ask<S: Store>(&self, store: &S, call: &Call) -> Result<Answer, StoreError> {
        let resolved = |found: Resolved| {
            assert_eq!(found.link.session, found.session.id);
            (self.view(&found.session), found.link.code.as_str().to_owned())
        };
        Ok(match call.op {
            Op::Insert { session, cookie } => {
                let session = Session { cookie: self.cookies[cookie], ..self.sessions[session].clone() };
                Answer::Updated(self.view(&*store.insert(session, None).await?))
            }
            Op::Get { session } => {
                Answer::Session(store.get(&self.sessions[session].id).await?.map(|session| self.view(&session)))
            }
            Op::Load { cookie } => {
                Answer::Session(store.load(&self.cookies[cookie]).await?.map(|session| self.view(&session)))
            }
            Op::Resolve { key } => Answer::Resolved(store.resolve(&self.keys[key]).await?.map(resolved)),
            Op::LinksOf { session } => {
                let links = store.links_of(&self.sessions[session].id).await?.into_iter().map(|(key, link)| {
                    assert_eq!(self.session(&link.session), session);
                    let key = self.keys.iter().position(|other| *other == key).unwrap();
                    (key, link.code.as_str().to_owned())
                });
                let mut links: Vec<_> = links.collect();
                links.sort();
                Answer::Links(links)
            }
            Op::Update { session, cookie, moves, .. } => {
                let (version, cookie) = (call.version, self.cookies[cookie]);
                let next = self.session_at(session, call.epoch + u64::from(moves));
                let updated = store.update(Session { version, cookie, ..next }).await?;
                let mut newest = self.newest[session].lock();
                *newest = (updated.version, updated.epoch).max(*newest);
                Answer::Updated(self.view(&updated))
            }
            Op::Touch { session, at, .. } => {
                let [at, keep] = self.times(session, at);
                let used = Session { epoch: call.epoch, ..crate::used(&self.sessions[session], at, keep) };
                store.touch(&used).await?;
                Answer::Done
            }
            Op::Link { key, session, .. } => {
                let (session, epoch) = (self.sessions[session].id.clone(), call.epoch);
                let link = Link { session, epoch, code: call.code.clone(), at: SystemClock.now(), php: false };
                store.link(self.keys[key].clone(), link).await?;
                Answer::Done
            }
            Op::UnlinkOne { key } => Answer::Count(store.unlink(&Unlink::One(self.keys[key].clone())).await?),
            Op::UnlinkBroker { of } => {
                Answer::Count(store.unlink(&Unlink::Broker(self.keys[of].broker.clone())).await?)
            }
            Op::UnlinkAll => Answer::Count(store.unlink(&Unlink::All).await?),
        })
    }

    /// What a touch says.
    fn times(&self, session: usize, at: u64) -> [Timestamp; 2] {
        let base = &self.sessions[session];
        [base.last_seen, base.keep_until].map(|time| time.after(Duration::from_secs(at)))
    }
}

/// The contract in its plainest form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Model {
    sessions: BTreeMap<usize, View>,
    links: BTreeMap<usize, (usize, String)>,
}

impl Model {
    fn takes(&self, cookie: usize, but: usize) -> bool {
        self.sessions.values().any(|view| view.session != but && view.cookie == cookie)
    }

    fn cut(&mut self, goes: impl Fn(usize) -> bool) -> Answer {
        let before = self.links.len();
        self.links.retain(|key, _| !goes(*key));
        Answer::Count((before - self.links.len()) as u64)
    }

    /// What it answers, having done it.
    fn apply(&mut self, names: &Names, call: &Call) -> Answer {
        match call.op {
            Op::Insert { session, cookie } => {
                if self.sessions.contains_key(&session) || self.takes(cookie, session) {
                    return Answer::Refused(StoreError::Conflict);
                }
                let view = View {
                    cookie,
                    ..names.view(&Session { cookie: names.cookies[cookie], ..names.sessions[session].clone() })
                };
                self.sessions.insert(session, view.clone());
                Answer::Updated(view)
            }
            Op::Get { session } => Answer::Session(self.sessions.get(&session).cloned()),
            Op::Load { cookie } => Answer::Session(self.sessions.values().find(|view| view.cookie == cookie).cloned()),
            Op::Resolve { key } => Answer::Resolved(
                self.links.get(&key).map(|(session, code)| (self.sessions[session].clone(), code.clone())),
            ),
            Op::LinksOf { session } => {
                let links = self.links.iter().filter(|(_, (owner, _))| *owner == session);
                Answer::Links(links.map(|(key, (_, code))| (*key, code.clone())).collect())
            }
            Op::Update { session, cookie, moves, .. } => {
                let taken = self.takes(cookie, session);
                let Some(view) = self.sessions.get_mut(&session) else { return Answer::Refused(StoreError::Conflict) };
                if view.version != call.version || taken {
                    return Answer::Refused(StoreError::Conflict);
                }
                (view.version, view.cookie) = (view.version + 1, cookie);
                if moves {
                    // Another login, or none, has times of its own.
                    (view.epoch, view.is_logged_in) = (view.epoch + 1, !view.is_logged_in);
                    view.keep_until = names.sessions[session].keep_until;
                }
                Answer::Updated(view.clone())
            }
            Op::Touch { session, at, .. } => {
                let [at, keep] = names.times(session, at);
                let Some(view) = self.sessions.get_mut(&session) else { return Answer::Refused(StoreError::Conflict) };
                if view.epoch != call.epoch {
                    return Answer::Refused(StoreError::Conflict);
                }
                (view.last_seen, view.keep_until) = (view.last_seen.max(at), view.keep_until.max(keep));
                Answer::Done
            }
            Op::Link { key, session, .. } => {
                let Some(view) = self.sessions.get(&session) else { return Answer::Refused(StoreError::Conflict) };
                if view.epoch != call.epoch {
                    return Answer::Refused(StoreError::Conflict);
                }
                if self.links.contains_key(&key) {
                    return Answer::Refused(StoreError::Taken);
                }
                self.links.insert(key, (session, call.code.as_str().to_owned()));
                Answer::Done
            }
            Op::UnlinkOne { key: cut } => self.cut(|key| key == cut),
            Op::UnlinkBroker { of } => self.cut(|key| key % 2 == of % 2),
            Op::UnlinkAll => self.cut(|_| true),
        }
    }
}

pub fn compare<S: Store>(cases: u32, make: impl AsyncFn(Arc<ManualClock>) -> S) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    proptest!(ProptestConfig::with_cases(cases), |(ops in vec(op(true), 0..60))| {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let store = runtime.block_on(make(clock.clone()));
        let (names, mut model) = (Names::new(clock.now()), Model::default());
        runtime.block_on(async {
            for op in ops {
                for op in std::iter::once(op).chain(questions()) {
                    let call = names.call(op);
                    assert_eq!(names.ask(&store, &call).await, model.apply(&names, &call), "{call:?}");
                }
            }
        });
    });
}

/// A call, its answer, and when they were, by a counter that all tasks share.
#[derive(Debug)]
struct Event {
    call: Call,
    answer: Answer,
    from: u64,
    to: u64,
}

pub fn compare_at_once<S: Store>(cases: u32, make: impl AsyncFn(Arc<ManualClock>) -> S) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(TASKS).enable_all().build().unwrap();
    let before = vec(op(true), 0..8);
    let tasks = vec(vec(op(false), 1..8), TASKS);
    proptest!(ProptestConfig::with_cases(cases), |(before in before, tasks in tasks)| {
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let store = Arc::new(runtime.block_on(make(clock.clone())));
        let (names, mut model) = (Arc::new(Names::new(clock.now())), Model::default());
        let histories = runtime.block_on(async {
            for op in before {
                let call = names.call(op);
                assert_eq!(names.ask(&*store, &call).await, model.apply(&names, &call), "{call:?}");
            }
            at_once(&store, &names, tasks).await
        });
        prop_assert!(is_explained(&model, &names, &histories), "after {model:#?}\n{histories:#?}");
    });
}

/// Runs the tasks, and then asks everything.
async fn at_once<S: Store>(store: &Arc<S>, names: &Arc<Names>, tasks: Vec<Vec<Op>>) -> Vec<Vec<Event>> {
    let (counter, barrier) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(tasks.len())));
    let run = async |store: Arc<S>, names: Arc<Names>, counter: Arc<AtomicU64>, ops: Vec<Op>| {
        let mut events = Vec::new();
        for op in ops {
            let call = names.call(op);
            let from = counter.fetch_add(1, Ordering::SeqCst);
            let answer = names.ask(&*store, &call).await;
            events.push(Event { call, answer, from, to: counter.fetch_add(1, Ordering::SeqCst) });
        }
        events
    };
    let mut running = JoinSet::new();
    for ops in tasks {
        let (store, names, counter, barrier) = (store.clone(), names.clone(), counter.clone(), barrier.clone());
        running.spawn(async move {
            barrier.wait().await;
            run(store, names, counter, ops).await
        });
    }
    let mut histories = running.join_all().await;
    histories.push(run(store.clone(), names.clone(), counter, questions().collect()).await);
    histories
}

/// Whether the model gives all these answers in some order that has no call before one that had returned when it was
/// made.
fn is_explained(model: &Model, names: &Names, histories: &[Vec<Event>]) -> bool {
    let mut tried = HashSet::new();
    let mut open = vec![(model.clone(), vec![0; histories.len()])];
    while let Some((model, done)) = open.pop() {
        let next: Vec<_> = histories.iter().zip(&done).map(|(history, done)| history.get(*done)).collect();
        if next.iter().all(Option::is_none) {
            return true;
        }
        let first_end = next.iter().flatten().map(|event| event.to).min().unwrap();
        for (task, event) in next.iter().enumerate().filter_map(|(task, event)| Some((task, (*event)?))) {
            let (mut model, mut done) = (model.clone(), done.clone());
            done[task] += 1;
            if event.from < first_end
                && model.apply(names, &event.call) == event.answer
                && tried.insert((model.clone(), done.clone()))
            {
                open.push((model, done));
            }
        }
    }
    false
}

/// The judge itself: it accepts what can be put in order, and nothing else.
#[test]
fn only_what_has_an_order_is_explained() {
    let names = Names::new(SystemClock.now());
    let mut model = Model::default();
    model.apply(&names, &names.call(Op::Insert { session: 0, cookie: 0 }));
    let update = || names.call(Op::Update { session: 0, behind: 0, cookie: 1, moves: false });
    let won = model.clone().apply(&names, &update());
    let event = |call, answer: &Answer, from, to| Event { call, answer: answer.clone(), from, to };
    let refused = Answer::Refused(StoreError::Conflict);
    let both =
        |first: &Answer, second: &Answer| vec![vec![event(update(), first, 0, 2)], vec![event(update(), second, 1, 3)]];
    assert!(is_explained(&model, &names, &both(&won, &refused)) && is_explained(&model, &names, &both(&refused, &won)));
    assert!(!is_explained(&model, &names, &both(&won, &won)), "a lost update");
    assert!(!is_explained(&model, &names, &both(&refused, &refused)));
    let old = model.clone().apply(&names, &names.call(Op::Load { cookie: 0 }));
    let load = |from, to| vec![event(names.call(Op::Load { cookie: 0 }), &old, from, to)];
    let update = |from, to| vec![event(update(), &won, from, to)];
    assert!(is_explained(&model, &names, &[update(0, 2), load(1, 3)]));
    assert!(!is_explained(&model, &names, &[update(0, 1), load(2, 3)]), "a cookie that was replaced before");
}
