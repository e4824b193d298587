use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::util::clock::ManualClock;

/// Has one user, in this group; counts how often it is asked, and may fail or be slow.
struct Source {
    clock: Arc<ManualClock>,
    group: AtomicU32,
    asked: AtomicU32,
    is_down: AtomicBool,
    takes: Duration,
}

#[async_trait]
impl Users for Arc<Source> {
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let group = self.group.load(Ordering::SeqCst).to_string();
        self.clock.advance(self.takes);
        // Others come meanwhile.
        tokio::task::yield_now().await;
        if self.is_down.load(Ordering::SeqCst) {
            return Err(UsersUnavailable("the test says so".into()));
        }
        Ok((username == "jackie").then(|| Arc::new(Account::new("jackie", hash()).group(group))))
    }

    async fn set_password(
        &self,
        _: &str,
        _: Option<&PasswordHash>,
        _: &PasswordHash,
    ) -> Result<SetOutcome, UsersUnavailable> {
        self.group.fetch_add(1, Ordering::SeqCst);
        Ok(SetOutcome::Set)
    }
}

fn hash() -> PasswordHash {
    "$2y$04$NkmGAgLHXQQ8sUSW/IqGJ.FUI17yVmjx1/dlf6jCEwWUnTLcFjb4a".parse().unwrap()
}

impl Source {
    fn asked(&self) -> u32 {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

fn cached(takes: Duration) -> (Arc<Source>, Arc<CachedUsers<Arc<Source>>>) {
    let source = Arc::new(Source {
        clock: Arc::new(ManualClock::at(Timestamp::from_millis(1))),
        group: AtomicU32::new(0),
        asked: AtomicU32::new(0),
        is_down: AtomicBool::new(false),
        takes,
    });
    let cached = Cached::users(source.clone(), source.clock.clone());
    (source, Arc::new(cached))
}

async fn group(cached: &CachedUsers<Arc<Source>>) -> Option<String> {
    cached.find("jackie").await.unwrap().map(|account| account.groups.concat())
}

#[tokio::test]
async fn what_was_asked_for_is_remembered_for_three_seconds_and_so_is_that_there_is_none() {
    let (source, cached) = cached(Duration::ZERO);
    for _ in 0..10 {
        assert_eq!(group(&cached).await.as_deref(), Some("0"));
        assert!(cached.find("john").await.unwrap().is_none());
    }
    assert_eq!(source.asked(), 2);
    source.group.store(1, Ordering::SeqCst);
    source.clock.advance(FRESH - Duration::from_millis(1));
    assert_eq!(group(&cached).await.as_deref(), Some("0"));
    source.clock.advance(Duration::from_millis(1));
    assert_eq!(group(&cached).await.as_deref(), Some("1"));
    assert!(cached.find("john").await.unwrap().is_none());
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn of_many_at_once_one_looks_it_up_for_all() {
    let (source, cached) = cached(Duration::ZERO);
    for is_down in [false, true] {
        source.is_down.store(is_down, Ordering::SeqCst);
        source.clock.advance(FRESH);
        let ask = |_| {
            let cached = cached.clone();
            tokio::spawn(async move { cached.find("jackie").await.is_err() })
        };
        for task in (0..50).map(ask).collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), is_down);
        }
        assert_eq!(source.asked(), 1);
    }
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let (source, cached) = cached(Duration::ZERO);
    source.is_down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(cached.find("jackie").await.is_err());
    }
    assert_eq!(source.asked(), 3);
    source.is_down.store(false, Ordering::SeqCst);
    assert_eq!(group(&cached).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn an_answer_that_took_long_is_as_old_as_its_question() {
    let (source, cached) = cached(Duration::from_secs(2));
    group(&cached).await;
    source.clock.advance(Duration::from_secs(1));
    source.group.store(1, Ordering::SeqCst);
    assert_eq!(group(&cached).await.as_deref(), Some("1"));
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn what_is_asked_for_now_and_what_was_changed_here_is_seen_at_once() {
    let (source, cached) = cached(Duration::ZERO);
    group(&cached).await;
    source.group.store(1, Ordering::SeqCst);
    assert_eq!(cached.find_now("jackie").await.unwrap().unwrap().groups, ["1"]);
    assert_eq!(group(&cached).await.as_deref(), Some("1"), "and remembered");
    assert_eq!(cached.set_password("jackie", None, &hash()).await.unwrap(), SetOutcome::Set);
    assert_eq!(group(&cached).await.as_deref(), Some("2"));
    assert_eq!(source.asked(), 3);
}

#[tokio::test]
async fn few_big_accounts_are_remembered_and_many_small_ones() {
    let users = |size: usize| {
        let account = Arc::new(Account::new("jackie", hash()).attribute("about", "x".repeat(size)));
        let find = move |_: &str| Some(Account::clone(&account));
        Cached::users(find, ManualClock::at(Timestamp::from_millis(1)))
    };
    for (size, all) in [(1, true), (1_000_000, false)] {
        let cached = users(size);
        for n in 0..100 {
            cached.find(&n.to_string()).await.unwrap();
        }
        cached.found.run_pending_tasks().await;
        assert_eq!(cached.found.entry_count() == 100, all, "{}", cached.found.entry_count());
        assert!(cached.found.weighted_size() <= CAPACITY);
    }
}
