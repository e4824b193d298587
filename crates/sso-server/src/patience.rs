//! Waiting for something that may not answer: few at once, and nobody without end.

use std::{future::Future, time::Duration};

use tokio::sync::Semaphore;

/// So many may wait for one thing; who comes then is refused at once, so that something that hangs does not fill the memory with those who wait.
pub(crate) const MAX_WAITING: usize = 1_000;

/// The places where to wait for one thing.
pub(crate) struct Places(Semaphore);

/// Why there is no answer; the text is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Overdue {
    #[error("too many wait for it already")]
    NoPlace,
    #[error("it did not answer in time")]
    TooLate,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(MAX_WAITING))
    }

    /// Waits for the answer at one of the places, and no longer than `patience`.
    pub(crate) async fn wait<T>(&self, patience: Duration, answer: impl Future<Output = T>) -> Result<T, Overdue> {
        let _place = self.0.try_acquire().map_err(|_| Overdue::NoPlace)?;
        tokio::time::timeout(patience, answer).await.map_err(|_| Overdue::TooLate)
    }

    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.0.available_permits()
    }
}
