//! The database's health: when a connection was last found dead, and whether a write has worked since one failed.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{AnyConnection, Connection, error::ErrorKind};

/// A connection that was used within this time is not tested before it is used again.
const FRESH: Duration = Duration::from_secs(1);
/// How long the test may take. The other side may be gone without a word.
const ANSWER: Duration = Duration::from_millis(500);

/// Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<HealthState>);

#[derive(Default)]
struct HealthState {
    found_dead: Mutex<Option<Instant>>,
    is_proven: AtomicBool,
}

impl Health {
    /// Whether a connection of the pool can be used, which is of this age, and which nobody has used for so long. What
    /// ends one of them, such as a restart of the database, has most likely ended all older ones, so these are not even
    /// tested. One that leads to a standby by now would pass the test.
    pub(super) async fn is_usable(&self, connection: &mut AnyConnection, age: Duration, idle_for: Duration) -> bool {
        if self.found_dead().is_some_and(|at| at.elapsed() <= age) {
            return false;
        }
        if idle_for < FRESH {
            return true;
        }
        let is_alive = matches!(tokio::time::timeout(ANSWER, connection.ping()).await, Ok(Ok(())));
        if !is_alive {
            self.set_dead();
        }
        is_alive
    }

    /// Takes note of an error; whether it says that its connection is of no use, and another one may be.
    pub(super) fn is_of_connection(&self, error: &sqlx::Error) -> bool {
        let is_dead = is_dead(error);
        if is_dead {
            self.set_dead();
        }
        is_dead
    }

    /// Takes note of how a write ended.
    pub(super) fn has_written(&self, error: Option<&sqlx::Error>) {
        // That something is there already says nothing of the database.
        let is_sound = error.is_none_or(|error| {
            error.as_database_error().is_some_and(|error| !matches!(error.kind(), ErrorKind::Other))
        });
        if !is_sound {
            self.set_proven(false);
        }
    }

    /// Whether no write has failed since one that was made as a proof.
    pub(super) fn is_proven(&self) -> bool {
        self.0.is_proven.load(Ordering::Relaxed)
    }

    pub(super) fn set_proven(&self, is_proven: bool) {
        self.0.is_proven.store(is_proven, Ordering::Relaxed);
    }

    fn found_dead(&self) -> Option<Instant> {
        *self.0.found_dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_dead(&self) {
        *self.0.found_dead.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Whether nothing happened, because the database can only be read: a standby that was the primary when the
/// connection was made.
pub(super) fn is_of_standby(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("25006")
}

fn is_dead(error: &sqlx::Error) -> bool {
    let is_ended =
        |code: &str| code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03");
    matches!(error, sqlx::Error::Io(_)) || is_of_standby(error) || code(error).is_some_and(|code| is_ended(&code))
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}
