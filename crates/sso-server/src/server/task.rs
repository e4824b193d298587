//! One task: the calls to the store, the users and the brokers that answer one request. Both the number of waiting
//! calls and the time that a task may wait are limited.

use std::{
    future::Future,
    ops::Deref,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{
    error::Unavailable,
    server::{Context, Server},
    store::StoreError,
};

/// How long all calls of one task may wait in total. A broker waits five seconds for an answer.
const WAIT_LIMIT: Duration = Duration::from_secs(4);

/// The server's context, for one task.
pub(crate) struct Task<'a> {
    context: &'a Context,
    /// The wait time that remains; `None` if each call has the whole limit.
    remaining: Option<Mutex<Duration>>,
}

/// Why the store refused a write, where callers handle the reasons differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// Somebody else was faster, or the record is gone.
    Conflict,
    /// The token has a link.
    Taken,
    /// The session has too many links at the broker.
    NoRoom,
}

impl Server {
    /// Begins a task, whose calls share one wait limit.
    pub(crate) fn task(&self) -> Task<'_> {
        Task { context: &self.0, remaining: Some(Mutex::new(WAIT_LIMIT)) }
    }

    /// Begins a task that continues another one, with the wait time that remained.
    pub(crate) fn task_with(&self, remaining: Duration) -> Task<'_> {
        Task { context: &self.0, remaining: Some(Mutex::new(remaining)) }
    }

    /// Begins a task on many sessions: each of its calls has the whole wait limit. No page waits for it.
    pub(crate) fn long_task(&self) -> Task<'_> {
        Task { context: &self.0, remaining: None }
    }
}

impl Deref for Task<'_> {
    type Target = Context;

    fn deref(&self) -> &Context {
        self.context
    }
}

impl Task<'_> {
    /// The wait time that remains.
    pub(crate) fn remaining(&self) -> Duration {
        self.remaining.as_ref().map_or(WAIT_LIMIT, |remaining| *remaining.lock())
    }

    /// Calls the store.
    pub(crate) async fn ask<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, Unavailable> {
        self.wait(&self.store_permits, call).await?.map_err(Unavailable::because)
    }

    /// Calls the store for a write that it may refuse.
    pub(crate) async fn write<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Result<T, Unwritten>, Unavailable> {
        match self.wait(&self.store_permits, call).await? {
            Ok(written) => Ok(Ok(written)),
            Err(StoreError::Conflict) => Ok(Err(Unwritten::Conflict)),
            Err(StoreError::Taken) => Ok(Err(Unwritten::Taken)),
            Err(StoreError::NoRoom) => Ok(Err(Unwritten::NoRoom)),
            Err(error) => Err(Unavailable::because(error)),
        }
    }

    /// Looks up a user or a broker.
    pub(crate) async fn look_up<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, Unavailable>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        self.wait(&self.lookup_permits, call).await?.map_err(Unavailable::because)
    }

    async fn wait<T>(&self, places: &Semaphore, call: impl Future<Output = T>) -> Result<T, Unavailable> {
        let _place = places.try_acquire().map_err(|_| Unavailable::because("too many wait for an answer already"))?;
        let started = Instant::now();
        let answer = tokio::time::timeout(self.remaining(), call).await;
        if let Some(remaining) = &self.remaining {
            let mut remaining = remaining.lock();
            *remaining = remaining.saturating_sub(started.elapsed());
        }
        answer.map_err(|_| Unavailable::because("there was no answer in time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{brokers::BrokerList, users::UserList};

    fn server() -> Server {
        let (brokers, users) = (BrokerList::default(), UserList::default());
        Server::builder("http://localhost".parse().unwrap(), brokers, users).build().unwrap()
    }

    async fn hang() -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn slow(seconds: u64) -> Result<(), StoreError> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(())
    }

    #[tokio::test]
    async fn a_task_waits_no_longer_however_much_it_asks() {
        let (server, started) = (server(), Instant::now());
        let task = server.task();
        assert_eq!(task.ask(slow(3)).await, Ok(()));
        assert!(task.ask(hang()).await.is_err());
        assert!(task.look_up(hang()).await.is_err(), "users and brokers share the limit");
        assert_eq!(task.ask(async { Ok(1) }).await, Ok(1), "what is done at once is done");
        assert!((WAIT_LIMIT..WAIT_LIMIT + Duration::from_secs(30)).contains(&started.elapsed()));
        assert!(server.task_with(task.remaining()).ask(slow(1)).await.is_err(), "nor does one that goes on with it");
        assert_eq!(server.task().ask(slow(1)).await, Ok(()), "the next one has all of it");
        let long = server.long_task();
        for _ in 0..2 {
            assert_eq!(long.ask(slow(3)).await, Ok(()), "and so has each question of a long one");
        }
    }

    #[tokio::test]
    async fn when_too_many_wait_the_next_one_is_refused_at_once() {
        let server = server();
        let wait_for_users = || {
            let server = server.clone();
            tokio::spawn(async move { server.task().look_up(hang()).await })
        };
        let waiting: Vec<_> = (0..server.0.lookup_permits.available_permits()).map(|_| wait_for_users()).collect();
        while server.0.lookup_permits.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        assert!(server.task().look_up(async { Ok::<_, StoreError>(()) }).await.is_err());
        assert_eq!(server.task().ask(async { Ok(()) }).await, Ok(()), "the store is free");
        assert!(started.elapsed() < WAIT_LIMIT / 2);
        for task in waiting {
            assert!(task.await.unwrap().is_err());
        }
        assert_eq!(server.ready().await, Ok(()));
    }

    #[tokio::test]
    async fn the_cause_is_kept() {
        let server = server();
        let cause = StoreError::Unavailable("the disk is full".into());
        let failed = server.task().ask(async { Err::<(), _>(cause.clone()) }).await.unwrap_err();
        let source = std::error::Error::source(&failed).unwrap();
        assert_eq!(source.to_string(), cause.to_string());
        let task = server.task();
        let refusals = [
            (StoreError::Conflict, Unwritten::Conflict),
            (StoreError::Taken, Unwritten::Taken),
            (StoreError::NoRoom, Unwritten::NoRoom),
        ];
        for (error, unwritten) in refusals {
            assert_eq!(task.write(async { Err::<(), _>(error.clone()) }).await, Ok(Err(unwritten)));
            assert!(task.ask(async { Err::<(), _>(error) }).await.is_err(), "where nobody chooses by it");
        }
    }
}
