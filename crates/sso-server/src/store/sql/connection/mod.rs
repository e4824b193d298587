//! The database: its URL, its pool, its tables, and that nobody waits for it without end. Several nodes may open it at
//! the same time.

use std::{
    fmt,
    fs::{self, OpenOptions},
    future::Future,
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Any, AnyConnection, AnyPool, Connection, Executor,
    any::{AnyPoolOptions, AnyRow},
    pool::PoolConnection,
};
use sso_core::random;
use tokio::{runtime::Handle, sync::Semaphore};

use super::{
    Engine, TIMEOUT,
    health::{Health, is_of_standby},
    unavailable,
};
use crate::store::{StoreError, runtime::StoreRuntime};

/// The steps that make the tables, in their order.
const SCHEMA: [&str; 5] = [
    include_str!("../schema_1.sql"),
    include_str!("../schema_2.sql"),
    include_str!("../schema_3.sql"),
    include_str!("../schema_4.sql"),
    include_str!("../schema_5.sql"),
];

/// `pg_advisory_xact_lock`: one node at a time makes tables.
const LOCK: &str = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7305061)) AS locked";

/// How often and how long a first start waits for others that make the same file.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(100);

/// How often a write is made that is undone each time, and how long it lets others go first, longer each time.
const WRITES: u32 = 5;
const WRITE_PAUSE: Duration = Duration::from_millis(20);

/// A database that is open, with all tables in it. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) pool: AnyPool,
    pub(crate) engine: Engine,
    /// SQLite has one writer at a time; waiting here is fair, and cheaper than asking it again and again.
    writers: Arc<Semaphore>,
    pub(super) health: Health,
    runtime: Arc<StoreRuntime>,
}

impl Database {
    /// Opens the SQLite file, which is made if it is not there, for its owner only.
    pub(crate) async fn sqlite(file: &Path) -> Result<Self, StoreError> {
        make_private(file).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let file = file.to_str().ok_or_else(|| StoreError::Unavailable("the file's name is not UTF-8".into()))?;
        let file = file.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        Self::open(Engine::Sqlite, &format!("sqlite:{file}?mode=rwc")).await
    }

    /// Opens the PostgreSQL database of this URL, which must be there.
    pub(crate) async fn postgres(url: &str) -> Result<Self, StoreError> {
        Self::open(Engine::Postgres, url).await
    }

    async fn open(engine: Engine, url: &str) -> Result<Self, StoreError> {
        let health = Health::default();
        let pool = open(engine, url, &health).await?;
        let writers = Arc::new(Semaphore::new(engine.writers()));
        Ok(Self { pool, engine, writers, health, runtime: Arc::new(StoreRuntime::current()) })
    }

    /// Begins what is done as a whole, and may write.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match Transaction::begin(&self.pool, self.engine).await {
            // Nothing has happened yet.
            Err(error) if self.health.is_of_connection(&error) => Transaction::begin(&self.pool, self.engine).await,
            begun => begun,
        }
    }

    /// A call that only reads. It is made once more if its connection was dead.
    pub(crate) async fn read<T: Send, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        self.in_time(async {
            match call().await {
                Err(error) if self.health.is_of_connection(&error) => call().await,
                answer => answer,
            }
        })
        .await
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T, sqlx::Error>> + Send) -> Result<T, StoreError> {
        match tokio::time::timeout(TIMEOUT, self.runtime.run(call)).await {
            Ok(result) => result.map_err(|error| unavailable(&error)),
            Err(_) => Err(StoreError::Unavailable("the database did not answer in time".into())),
        }
    }

    /// A call that writes: one statement, or one transaction. It is made anew when PostgreSQL undid it so that somebody
    /// else could go on, or did not begin it because it can only be read there.
    pub(crate) async fn write<T: Send, F>(&self, call: impl Fn() -> F + Send + Sync) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        self.in_time(async {
            let _turn = self.writers.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
            let mut attempt = 1;
            loop {
                match call().await {
                    Err(error) if attempt < WRITES && (is_undone(&error) || self.refuses_writes(&error)) => {}
                    answer => {
                        self.health.has_written(answer.as_ref().err());
                        return answer;
                    }
                }
                tokio::time::sleep(attempt * WRITE_PAUSE).await;
                attempt += 1;
            }
        })
        .await
    }

    /// Whether the database can only be read; connections to it are not used any more.
    fn refuses_writes(&self, error: &sqlx::Error) -> bool {
        self.health.is_of_connection(error) && is_of_standby(error)
    }

    /// The row that a query finds.
    pub(super) async fn row<'q>(
        &self,
        query: impl Fn() -> Query<'q> + Send + Sync,
    ) -> Result<Option<AnyRow>, StoreError> {
        self.read(|| query().fetch_optional(&self.pool)).await
    }

    /// All rows that it finds.
    pub(super) async fn rows<'q>(
        &self,
        query: impl Fn() -> Query<'q> + Send + Sync,
    ) -> Result<Vec<AnyRow>, StoreError> {
        self.read(|| query().fetch_all(&self.pool)).await
    }

    /// A statement that writes; how many rows it was about.
    pub(crate) async fn execute<'q>(&self, query: impl Fn() -> Query<'q> + Send + Sync) -> Result<u64, StoreError> {
        Ok(self.write(|| query().execute(&self.pool)).await?.rows_affected())
    }

    /// Whether writes work, which is tried at the start, and when one has failed until one works. A disk that is full
    /// shows in nothing else.
    pub(super) async fn prove_writes(&self) -> Result<(), StoreError> {
        if self.health.is_proven() {
            return Ok(());
        }
        let proof = "INSERT INTO sso_settings (name, record) VALUES ('proof', $1) \
                     ON CONFLICT (name) DO UPDATE SET record = excluded.record";
        // What is there already, SQLite would not write.
        let record = random::bytes().repeat(PROOF);
        self.execute(|| sqlx::query::<Any>(proof).bind(record.as_slice())).await?;
        self.health.set_proven(true);
        Ok(())
    }
}

/// More than a login writes, which would not fit where a small record does: so often 32 bytes.
const PROOF: usize = 2_048;

/// A statement with its values.
pub(super) type Query<'q> = sqlx::query::Query<'q, Any, <Any as sqlx::Database>::Arguments>;

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.engine).finish()
    }
}

/// What is done as a whole. Dropped before its end was confirmed, it is rolled back before its connection is used
/// again.
///
/// sqlx's own gives a connection back to the pool as soon as nobody waits for its `BEGIN` any more, though it is sent;
/// whatever the next ones write there is acknowledged, and never committed.
pub(crate) struct Transaction(Option<PoolConnection<Any>>);

impl Transaction {
    async fn begin(pool: &AnyPool, engine: Engine) -> Result<Self, sqlx::Error> {
        let mut begun = Self(Some(pool.acquire().await?));
        begun.connection()?.execute(sqlx::raw_sql(engine.begin())).await?;
        Ok(begun)
    }

    /// Where its statements are executed.
    pub(crate) fn connection(&mut self) -> Result<&mut AnyConnection, sqlx::Error> {
        self.0.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Commits what was done, and undoes what was refused.
    pub(super) async fn end<T>(self, done: Result<T, StoreError>) -> Result<Result<T, StoreError>, sqlx::Error> {
        if done.is_ok() {
            self.commit().await?
        } else {
            self.rollback().await?
        }
        Ok(done)
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.end_by("COMMIT").await
    }

    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.end_by("ROLLBACK").await
    }

    async fn end_by(mut self, how: &'static str) -> Result<(), sqlx::Error> {
        self.connection()?.execute(sqlx::raw_sql(how)).await?;
        // Back to the pool.
        drop(self.0.take());
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return connection.close_on_drop() };
        runtime.spawn(async move {
            let rolled_back = tokio::time::timeout(TIMEOUT, connection.execute(sqlx::raw_sql("ROLLBACK")));
            if !matches!(rolled_back.await, Ok(Ok(_))) {
                connection.close_on_drop();
            }
        });
    }
}

/// Makes the file, for its owner only, whatever the umask is: SQLite would let everybody read it. What SQLite puts
/// beside a file gets the file's mode.
fn make_private(file: &Path) -> io::Result<()> {
    // Also behind a link that leads nowhere yet.
    match OpenOptions::new().append(true).create(true).mode(0o600).open(file) {
        // Any problem with an existing file is reported when it is opened.
        Err(_) if file.exists() => {}
        made => made.map(drop)?,
    }
    // An unreadable file is reported when it is opened.
    if let Some(mode) = fs::metadata(file).ok().map(|file| file.mode() & 0o777).filter(|mode| mode & 0o077 != 0) {
        tracing::warn!(
            file = %file.display(),
            mode = %format_args!("{mode:04o}"),
            "others can read or change the database: it should have mode 0600"
        );
    }
    Ok(())
}

async fn open(engine: Engine, url: &str, health: &Health) -> Result<AnyPool, StoreError> {
    sqlx::any::install_default_drivers();
    let mut attempt = 0;
    loop {
        let result = tokio::time::timeout(2 * TIMEOUT, try_open(engine, url, health)).await;
        let Ok(result) = result else {
            return Err(StoreError::Unavailable("the database did not answer in time".into()));
        };
        match result {
            Ok(pool) => return Ok(pool),
            // Switching a file to WAL does not wait for its lock.
            Err(error) if engine == Engine::Sqlite && is_locked(&error) && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(unavailable(&error)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_open(engine: Engine, url: &str, health: &Health) -> Result<AnyPool, sqlx::Error> {
    if engine == Engine::Postgres {
        // A pool would try again until its time is over, and say nothing but that.
        AnyConnection::connect(url).await?.close().await?;
    }
    let health = health.clone();
    let pool = AnyPoolOptions::new()
        .max_connections(engine.connections())
        .acquire_timeout(TIMEOUT)
        // Testing them each time would be a round trip more.
        .test_before_acquire(false)
        .before_acquire(move |connection, about| {
            let health = health.clone();
            Box::pin(async move {
                Ok(engine == Engine::Sqlite || health.is_usable(connection, about.age, about.idle_for).await)
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                let settings = match engine {
                    // FULL: an acknowledged logout holds after a power cut, too.
                    Engine::Sqlite => {
                        "PRAGMA busy_timeout = 3000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                         PRAGMA foreign_keys = ON;"
                    }
                    // Whatever the database's default is: with a higher one mere reads are refused now and then, and
                    // nothing here needs it.
                    Engine::Postgres => "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
                };
                connection.execute(sqlx::raw_sql(settings)).await?;
                Ok(())
            })
        })
        .connect(url)
        .await?;
    let made = make_tables(engine, &pool).await;
    if made.is_err() {
        // Its locks go with its connections.
        pool.close().await;
    }
    made.map(|()| pool)
}

async fn make_tables(engine: Engine, pool: &AnyPool) -> Result<(), sqlx::Error> {
    let mut transaction = Transaction::begin(pool, engine).await?;
    if engine == Engine::Postgres {
        transaction.connection()?.execute(sqlx::raw_sql(LOCK)).await?;
    }
    transaction
        .connection()?
        .execute(sqlx::raw_sql("CREATE TABLE IF NOT EXISTS sso_schema (version BIGINT NOT NULL PRIMARY KEY)"))
        .await?;
    let made: i64 = sqlx::query_scalar::<Any, i64>("SELECT COALESCE(MAX(version), 0) FROM sso_schema")
        .fetch_one(transaction.connection()?)
        .await?;
    if usize::try_from(made).is_ok_and(|made| made > SCHEMA.len()) {
        return Err(sqlx::Error::Configuration("its tables were made by a newer version of this program".into()));
    }
    for (version, step) in (1_i64..).zip(SCHEMA).filter(|(version, _)| *version > made) {
        transaction.connection()?.execute(sqlx::raw_sql(step)).await?;
        if made > 0 && version == 5 {
            tracing::warn!("sessions and remembered browsers of version 0.1 are removed: all users log in again");
        }
        sqlx::query::<Any>("INSERT INTO sso_schema (version) VALUES ($1)")
            .bind(version)
            .execute(transaction.connection()?)
            .await?;
    }
    transaction.commit().await
}

/// PostgreSQL ended this transaction, and nothing of it happened: others waited for it as it for them, or, where its
/// isolation is set higher than by default, had changed what it saw.
fn is_undone(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "40P01" | "40001"))
}

fn is_locked(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().contains("locked"))
}

#[cfg(test)]
mod tests;
