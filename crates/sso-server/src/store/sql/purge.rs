//! Removes what has expired, in the background, and everything when that is asked for: a little at a time. Every node
//! does; none waits for another.

use std::time::Duration;

use sqlx::Any;

use super::{Database, Engine};
use crate::{
    store::{Removed, StoreError},
    util::clock::Clock,
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
pub(super) async fn once(database: &Database, clock: &(impl Clock + ?Sized)) -> Result<Purged, StoreError> {
    let now = clock.now().as_millis();
    let mut purged = Purged::default();
    for table in TABLES {
        let delete = delete_from(table, database.engine);
        loop {
            let query = || sqlx::query::<Any>(sqlx::AssertSqlSafe(delete.as_str())).bind(now).bind(i64::from(STEP));
            let rows = database.execute(query).await?;
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
    let families = emptied(database, "sso_families", None).await?;
    Ok(Removed { sessions: emptied(database, "sso_sessions", None).await?, families })
}

/// Removes all rows of a table, or those of one broker, in the order of their names; how many. What is added meanwhile
/// may stay.
pub(super) async fn emptied(database: &Database, table: &str, broker: Option<&str>) -> Result<u64, StoreError> {
    // One order, so that two who do this wait for each other and do not lock each other out. SQLite has one writer
    // anyway, and its `+` keeps it from sorting all of a broker's links at each step.
    let (lock, plain) = match database.engine {
        Engine::Postgres => ("FOR UPDATE", ""),
        Engine::Sqlite => ("", "+"),
    };
    let of_broker = broker.map_or_else(String::new, |_| format!("AND {plain}broker = $3"));
    let delete = format!(
        "DELETE FROM {table} WHERE name IN \
         (SELECT name FROM {table} WHERE name > $1 {of_broker} ORDER BY name LIMIT $2 {lock}) RETURNING name"
    );
    let (mut total, mut last) = (0, String::new());
    loop {
        let names = database.write(|| step(database, &delete, &last, broker)).await?;
        // Not a step that found few: somebody else may have removed what it was about to.
        let Some(end) = names.iter().max() else { return Ok(total) };
        total += u64::try_from(names.len()).unwrap_or(u64::MAX);
        last.clone_from(end);
        tokio::time::sleep(PAUSE).await;
    }
}

/// One step after the name `last`: the names that it removed.
async fn step(database: &Database, delete: &str, last: &str, broker: Option<&str>) -> Result<Vec<String>, sqlx::Error> {
    let mut query = sqlx::query_scalar::<Any, String>(sqlx::AssertSqlSafe(delete)).bind(last).bind(i64::from(STEP));
    if let Some(broker) = broker {
        query = query.bind(broker);
    }
    query.fetch_all(&database.pool).await
}
