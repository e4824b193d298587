//! Writing the ends of logins whose time is up. Reads know them without; this removes their data and logs each once.

use std::{sync::Arc, time::Duration};

use crate::{
    error::Unavailable,
    server::{Server, task::Task},
    session::Session,
};

impl Server {
    /// Writes, once a second, the ends of logins whose time is up. It never returns: spawn it once on every node.
    /// Errors are logged, and the write is retried.
    pub async fn settle_forever(self) {
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        every_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every_second.tick().await;
            while self.settle_due().await.is_ok_and(|settled| settled > 0) {}
        }
    }

    /// One step of [`settle_forever`](Self::settle_forever): returns how many logins had ended, at most 500. An error
    /// at one session does not stop the others.
    pub async fn settle_due(&self) -> Result<usize, Unavailable> {
        const AT_ONCE: usize = 500;
        let task = self.long_task();
        let due = task.ask(task.store.due(task.now(), AT_ONCE)).await?;
        let mut outcome = Ok(due.len());
        for session in &due {
            if let Err(error) = task.settle(session).await {
                outcome = Err(error);
            }
        }
        outcome
    }
}

impl Task<'_> {
    /// Writes the end of a login whose time is up, as every write to its session would.
    async fn settle(&self, session: &Arc<Session>) -> Result<(), Unavailable> {
        if self.change(session, |session| session.login.is_none()).await?.is_none() {
            // It was used meanwhile, or its end was computed under another policy: store the correct one.
            let _gone_or_changed = self.write(self.store.touch(&self.dated(Session::clone(session)))).await?;
        }
        Ok(())
    }
}
