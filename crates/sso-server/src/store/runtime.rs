//! The runtime that a store's connections live on.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::OnceLock,
};

use tokio::runtime::Handle;

/// Where connections are opened and read: on the runtime on which the store was opened.
///
/// actix-web has a runtime for each of its workers. A connection that one of them had opened would break for all others
/// when it ends, which, when the server is told to end, is before the others have given their last answers.
pub(super) struct StoreRuntime(OnceLock<Handle>);

impl StoreRuntime {
    /// The present runtime; if there is none yet, that of the first call.
    pub(super) fn current() -> Self {
        Self(Handle::try_current().map_or_else(|_| OnceLock::new(), OnceLock::from))
    }

    /// Has all that `call` opens or starts live at home. It is driven by the caller.
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
