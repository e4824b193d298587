//! Removes what has expired, in the background, and everything when that is asked for: a little at a time. Every node does; none waits for another.

use std::time::Duration;

use sqlx::Any;

use super::{Database, Engine, TIMEOUT};
use crate::{
    clock::Clock,
    store::{Removed, StoreError},
};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(60);

/// The pause between two steps, so that others get their turn.
const PAUSE: Duration = Duration::from_millis(50);

/// Rows of one step; with a session go its two cookies and its links.
pub(super) const STEP: u32 = 500;

const TABLES: [&str; 3] = ["sso_sessions", "sso_families", "sso_used"];

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Expired sessions, families and used ids. (Cookies and links go with their session.)
    pub records: u64,
    /// In so many steps.
    pub steps: u64,
}

pub(super) async fn run(database: Database, clock: impl Clock) {
    loop {
        tokio::time::sleep(EVERY).await;
        match once(&database, &clock).await {
            Ok(Purged { records: 0, .. }) => {}
            Ok(Purged { records, .. }) => tracing::debug!(records, "expired records were removed"),
            Err(error) => tracing::warn!(%error, "expired records cannot be removed now"),
        }
    }
}

/// Removes all that has expired.
pub(super) async fn once(database: &Database, clock: &(impl Clock + ?Sized)) -> Result<Purged, sqlx::Error> {
    let now = clock.now().as_millis();
    let mut purged = Purged::default();
    for table in TABLES {
        let delete = delete_from(table, database.engine);
        loop {
            let query = sqlx::query::<Any>(sqlx::AssertSqlSafe(delete.as_str())).bind(now).bind(i64::from(STEP));
            let done = tokio::time::timeout(TIMEOUT, query.execute(&database.pool)).await;
            let rows = done.map_err(|_| sqlx::Error::PoolTimedOut)??.rows_affected();
            purged = Purged { records: purged.records + rows, steps: purged.steps + 1 };
            if rows < u64::from(STEP) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(purged)
}

/// The time is asked twice: a touch may come between the search and the deletion.
fn delete_from(table: &str, engine: Engine) -> String {
    // What another node is just removing, or somebody is just using, is left alone. SQLite has one writer anyway.
    let skip = match engine {
        Engine::Postgres => "FOR UPDATE SKIP LOCKED",
        Engine::Sqlite => "",
    };
    format!(
        "DELETE FROM {table} WHERE keep_until < $1 AND name IN \
         (SELECT name FROM {table} WHERE keep_until < $1 LIMIT $2 {skip})"
    )
}

/// Removes all families and sessions. Cookies and links go with their session.
pub(super) async fn everything(database: &Database) -> Result<Removed, StoreError> {
    // First what could begin new sessions.
    let families = emptied(database, "DELETE FROM sso_families WHERE name IN (SELECT name FROM sso_families LIMIT $1)");
    let families = families.await?;
    let sessions = emptied(database, "DELETE FROM sso_sessions WHERE name IN (SELECT name FROM sso_sessions LIMIT $1)");
    Ok(Removed { sessions: sessions.await?, families })
}

async fn emptied(database: &Database, delete: &'static str) -> Result<u64, StoreError> {
    let mut total = 0;
    loop {
        let delete = sqlx::query::<Any>(delete).bind(i64::from(STEP));
        let rows = database.write(delete.execute(&database.pool)).await?.rows_affected();
        total += rows;
        // Not until nothing is left: others go on making new ones.
        if rows < u64::from(STEP) {
            return Ok(total);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
