//! Removes what has expired, in the background, and everything when that is asked for: a little at a time.

use std::time::Duration;

use sqlx::{Any, AnyPool};

use super::{Database, TIMEOUT};
use crate::{
    clock::Clock,
    store::{Removed, StoreError},
};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(60);

/// The pause between two batches, so that others get their turn.
const PAUSE: Duration = Duration::from_millis(50);

/// Rows of one statement.
const BATCH: i64 = 500;

/// The time is asked twice: a touch may come between the search and the deletion. Cookies and links go with their session.
const DELETE: [&str; 3] = [
    "DELETE FROM sso_sessions WHERE keep_until < $1 AND name IN \
     (SELECT name FROM sso_sessions WHERE keep_until < $1 LIMIT $2)",
    "DELETE FROM sso_families WHERE keep_until < $1 AND name IN \
     (SELECT name FROM sso_families WHERE keep_until < $1 LIMIT $2)",
    "DELETE FROM sso_used WHERE keep_until < $1 AND name IN \
     (SELECT name FROM sso_used WHERE keep_until < $1 LIMIT $2)",
];

pub(super) async fn run(pool: AnyPool, clock: impl Clock) {
    loop {
        tokio::time::sleep(EVERY).await;
        match once(&pool, &clock).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "expired records were removed"),
            Err(error) => tracing::warn!(%error, "expired records cannot be removed now"),
        }
    }
}

/// Removes all that has expired; how many rows, without those that went with them.
pub(super) async fn once(pool: &AnyPool, clock: &impl Clock) -> Result<u64, sqlx::Error> {
    let now = clock.now().as_millis();
    let mut total = 0;
    for delete in DELETE {
        loop {
            let query = sqlx::query::<Any>(delete).bind(now).bind(BATCH);
            let done = tokio::time::timeout(TIMEOUT, query.execute(pool)).await;
            let rows = done.map_err(|_| sqlx::Error::PoolTimedOut)??.rows_affected();
            total += rows;
            if rows < u64::try_from(BATCH).unwrap_or(u64::MAX) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(total)
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
        let delete = sqlx::query::<Any>(delete).bind(BATCH);
        let rows = database.write(delete.execute(&database.pool)).await?.rows_affected();
        total += rows;
        // Not until nothing is left: others go on making new ones.
        if rows < BATCH.unsigned_abs() {
            return Ok(total);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
