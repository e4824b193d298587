//! Where a linked application keeps its sessions, and which hand-offs were used: in its memory, or in a file that
//! applications on one host share.

use std::{collections::HashMap, fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::Path};

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sso_core::{base36, checksum::MacKey, random};
use sso_handoff::{UsedIds, actix::MemorySessions};
use sso_server::clock::{Clock, SystemClock};

type State = HashMap<String, String>;

/// The store of an application's sessions. Clones are the same store.
#[derive(Clone)]
pub enum Sessions {
    /// In this process.
    Memory(MemorySessions),
    /// In a file.
    Shared(SharedSessions),
}

impl Default for Sessions {
    fn default() -> Self {
        Self::Memory(MemorySessions::default())
    }
}

/// Sessions in a SQLite file.
#[derive(Clone)]
pub struct SharedSessions {
    pool: SqlitePool,
    names: MacKey,
}

/// Why the file with the sessions cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made or read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is no such database, or cannot be made one.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

const TABLES: &str =
    "CREATE TABLE IF NOT EXISTS linked_sessions (name TEXT PRIMARY KEY, state TEXT NOT NULL, until BIGINT NOT NULL);
     CREATE TABLE IF NOT EXISTS linked_used_ids (name TEXT PRIMARY KEY, until BIGINT NOT NULL)";

impl SharedSessions {
    /// `key`: that of the application's sessions; it finds those that were made with the same one.
    pub async fn open(file: &Path, key: &[u8]) -> Result<Self, OpenError> {
        // It says who is logged in. What SQLite puts beside it has the same mode.
        OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        Ok(Self { pool, names: MacKey::new(key).derive("linked session") })
    }

    /// What the cookie holds is not in the file: who reads that can be nobody.
    fn name(&self, key: &SessionKey) -> String {
        base36::exact(&self.names.mac(&[key.as_ref()]))
    }

    async fn state(&self, key: &SessionKey) -> sqlx::Result<Option<String>> {
        let found = sqlx::query_scalar("SELECT state FROM linked_sessions WHERE name = $1 AND until > $2");
        found.bind(self.name(key)).bind(now()).fetch_optional(&self.pool).await
    }

    async fn insert(&self, key: &SessionKey, state: &str, ttl: &Duration) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM linked_sessions WHERE until <= $1").bind(now()).execute(&self.pool).await?;
        let insert = sqlx::query("INSERT INTO linked_sessions (name, state, until) VALUES ($1, $2, $3)");
        insert.bind(self.name(key)).bind(state).bind(until(ttl)).execute(&self.pool).await.map(drop)
    }

    /// A session that was ended meanwhile stays so: a request that began before a logout must not undo it.
    async fn change(&self, key: &SessionKey, state: &str, ttl: &Duration) -> sqlx::Result<()> {
        let update = sqlx::query("UPDATE linked_sessions SET state = $2, until = $3 WHERE name = $1 AND until > $4");
        update.bind(self.name(key)).bind(state).bind(until(ttl)).bind(now()).execute(&self.pool).await.map(drop)
    }

    async fn extend(&self, key: &SessionKey, ttl: &Duration) -> sqlx::Result<()> {
        let update = sqlx::query("UPDATE linked_sessions SET until = $2 WHERE name = $1 AND until > $3");
        update.bind(self.name(key)).bind(until(ttl)).bind(now()).execute(&self.pool).await.map(drop)
    }

    async fn use_first(&self, id: &str, until: i64, now: i64) -> sqlx::Result<bool> {
        sqlx::query("DELETE FROM linked_used_ids WHERE until <= $1").bind(now).execute(&self.pool).await?;
        let insert = sqlx::query("INSERT INTO linked_used_ids (name, until) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        let name = base36::exact(&self.names.mac(&["used\n", id]));
        Ok(insert.bind(name).bind(until).execute(&self.pool).await?.rows_affected() == 1)
    }

    async fn remove(&self, key: &SessionKey) -> sqlx::Result<()> {
        let delete = sqlx::query("DELETE FROM linked_sessions WHERE name = $1");
        delete.bind(self.name(key)).execute(&self.pool).await.map(drop)
    }
}

/// A hand-off that was used is used up after a restart too, and for all processes of the application.
#[async_trait]
impl UsedIds for SharedSessions {
    async fn first_use(&self, id: &str, exp: i64, now: i64) -> bool {
        self.use_first(id, exp, now).await.unwrap_or_else(|error| {
            tracing::error!(%error, "whether a hand-off was used cannot be known");
            false
        })
    }
}

/// Seconds since 1970-01-01 UTC.
fn now() -> i64 {
    SystemClock.now().as_secs()
}

fn until(ttl: &Duration) -> i64 {
    now().saturating_add(ttl.whole_seconds())
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let state = match self {
            Self::Memory(sessions) => return sessions.load(key).await,
            Self::Shared(sessions) => sessions.state(key).await.map_err(|error| LoadError::Other(error.into()))?,
        };
        let read = |json: String| serde_json::from_str(&json);
        state.map(read).transpose().map_err(|error| LoadError::Deserialization(error.into()))
    }

    async fn save(&self, state: State, ttl: &Duration) -> Result<SessionKey, SaveError> {
        let sessions = match self {
            Self::Memory(sessions) => return sessions.save(state, ttl).await,
            Self::Shared(sessions) => sessions,
        };
        let key =
            SessionKey::try_from(base36::exact(&random::bytes())).map_err(|error| SaveError::Other(error.into()))?;
        let state = serde_json::to_string(&state).map_err(|error| SaveError::Serialization(error.into()))?;
        sessions.insert(&key, &state, ttl).await.map_err(|error| SaveError::Other(error.into()))?;
        Ok(key)
    }

    async fn update(&self, key: SessionKey, state: State, ttl: &Duration) -> Result<SessionKey, UpdateError> {
        let sessions = match self {
            Self::Memory(sessions) => return sessions.update(key, state, ttl).await,
            Self::Shared(sessions) => sessions,
        };
        let state = serde_json::to_string(&state).map_err(|error| UpdateError::Serialization(error.into()))?;
        sessions.change(&key, &state, ttl).await.map_err(|error| UpdateError::Other(error.into()))?;
        Ok(key)
    }

    async fn update_ttl(&self, key: &SessionKey, ttl: &Duration) -> Result<(), anyhow::Error> {
        match self {
            Self::Memory(sessions) => sessions.update_ttl(key, ttl).await,
            Self::Shared(sessions) => Ok(sessions.extend(key, ttl).await?),
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        match self {
            Self::Memory(sessions) => sessions.delete(key).await,
            Self::Shared(sessions) => Ok(sessions.remove(key).await?),
        }
    }
}
