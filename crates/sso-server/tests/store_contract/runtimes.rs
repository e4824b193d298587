//! A store is used from several runtimes, as actix-web has one for each worker, and outlives all but the one on which
//! it was opened.

use std::{sync::Arc, thread};

use sso_server::{
    Store,
    clock::{Clock, ManualClock, SystemClock},
};

use sso_store_tests::World;

/// Uses it on a runtime that then ends, and goes on at once.
async fn goes_on_when_another_runtime_ends<S: Store>(open: impl AsyncFnOnce(Arc<ManualClock>) -> S) {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let world = World { store: Arc::new(open(clock.clone()).await), clock };
    for _ in 0..3 {
        let used = world.store.clone();
        let other = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // As many at once as a busy worker has, so that they need connections of their own.
            let calls = (0..8).map(|_| {
                let used = used.clone();
                runtime.spawn(async move { used.ping().await })
            });
            let calls: Vec<_> = calls.collect();
            runtime.block_on(async {
                for call in calls {
                    call.await.unwrap().unwrap();
                }
            });
        });
        tokio::task::spawn_blocking(|| other.join().unwrap()).await.unwrap();
        for _ in 0..16 {
            world.store.ping().await.unwrap();
        }
        world.inserted().await;
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn redis_goes_on_when_another_runtime_ends() {
    goes_on_when_another_runtime_ends(crate::redis::empty_store).await;
}

#[cfg(feature = "sql")]
#[tokio::test]
async fn postgresql_goes_on_when_another_runtime_ends() {
    goes_on_when_another_runtime_ends(crate::sql::postgres).await;
}

#[cfg(feature = "sql")]
#[tokio::test]
async fn sqlite_goes_on_when_another_runtime_ends() {
    goes_on_when_another_runtime_ends(crate::sql::sqlite).await;
}
