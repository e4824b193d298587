//! The runtime that a store's connections live on.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::OnceLock,
};

use tokio::runtime::Handle;

/// The runtime on which the store was opened: connections are opened and read there.
///
/// actix-web has one runtime per worker. A connection that a worker opened would break for all others when the worker
/// stops, which at a shutdown is before the others have sent their last answers.
pub(super) struct StoreRuntime(OnceLock<Handle>);

impl StoreRuntime {
    /// The current runtime; if there is none, that of the first call.
    pub(super) fn current() -> Self {
        Self(Handle::try_current().map_or_else(|_| OnceLock::new(), OnceLock::from))
    }

    /// Runs `call` so that everything it opens or spawns belongs to this runtime. The caller drives it.
    pub(super) async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        let runtime = match self.0.get() {
            Some(runtime) => runtime,
            None => match Handle::try_current() {
                Ok(here) => self.0.get_or_init(|| here),
                Err(_) => return call.await,
            },
        };
        let mut call = pin!(call);
        poll_fn(|context| {
            let _entered = runtime.enter();
            call.as_mut().poll(context)
        })
        .await
    }
}
