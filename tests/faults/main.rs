//! What fails under load: a server that is killed, a store that goes away, a node that is lost. Whatever was acknowledged holds.
//!
//! - [`crash`]: the server is killed and started again, and so is its store
//! - [`lost_node`]: two servers behind nginx, one of them killed or restarted
//! - [`shared`]: what one node begins the other goes on with
//! - [`connections`]: the store is there, and the connections to it are not
//! - [`full_disk`]: nothing can be written
//! - [`recipe`]: the script that starts all of it

mod connections;
mod crash;
mod full_disk;
mod lost_node;
mod recipe;
mod shared;

use std::io::Write as _;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Load is for two at once, however many tests run.
async fn turn() -> SemaphorePermit<'static> {
    static TURNS: Semaphore = Semaphore::const_new(2);
    TURNS.acquire().await.unwrap()
}

/// Prints a line that a passing test shows too.
fn report(text: &str) {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{text}").unwrap();
}
