//! Whether the server answers at all: asked before a browser is sent there.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// The last answer to the question, which serves all visitors for a moment.
#[derive(Debug, Default)]
pub(crate) struct Probe(Mutex<Option<Known>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    is_up: bool,
    since: Instant,
}

impl Known {
    /// "Up" is believed only shortly: whoever is sent to a server that went down sees the browser's error page.
    fn is_fresh(self, now: Instant) -> bool {
        let believed = Duration::from_secs(if self.is_up { 1 } else { 3 });
        now.saturating_duration_since(self.since) < believed
    }
}

impl Probe {
    /// The last answer if it is fresh, else that of `ask`; those who come meanwhile wait for the same one.
    pub(crate) async fn answer(&self, ask: impl Future<Output = bool>) -> bool {
        let mut last = self.0.lock().await;
        match *last {
            Some(known) if known.is_fresh(Instant::now()) => known.is_up,
            _ => {
                let is_up = ask.await;
                *last = Some(Known { is_up, since: Instant::now() });
                is_up
            }
        }
    }

    /// A call has just shown it. Where a probe is under way, that will tell.
    pub(crate) fn note(&self, is_up: bool) {
        if let Ok(mut last) = self.0.try_lock() {
            *last = Some(Known { is_up, since: Instant::now() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn asks_once_and_believes_the_answer() {
        let probe = Probe::default();
        assert!(!probe.answer(async { false }).await);
        assert!(!probe.answer(async { unreachable!("the answer is fresh") }).await);
        let probe = Probe::default();
        assert!(probe.answer(async { true }).await);
        probe.note(false);
        assert!(!probe.answer(async { unreachable!("the answer is fresh") }).await);
    }

    #[test]
    fn an_answer_grows_old() {
        let since = Instant::now();
        for (is_up, believed) in [(true, 1), (false, 3)] {
            let known = Known { is_up, since };
            assert!(known.is_fresh(since + Duration::from_millis(believed * 1000 - 1)));
            assert!(!known.is_fresh(since + Duration::from_secs(believed)));
        }
    }
}
