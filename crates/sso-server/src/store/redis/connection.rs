//! The connection: opened when it is first needed, again when it breaks, and never waited for long.

use std::{future::Future, sync::OnceLock, time::Duration};

use redis::{
    Client, RedisError, Script, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use crate::store::{StoreError, home::Home};

const CONNECT: Duration = Duration::from_millis(500);
const ANSWER: Duration = Duration::from_millis(700);
const RETRY_DELAY: Duration = Duration::from_millis(200);
const RETRIES: usize = 2;
/// For all of it together, whatever happens.
const LIMIT: Duration = Duration::from_millis(1_500);

/// In seconds: as good as for ever.
const TEN_YEARS: u64 = 10 * 365 * 24 * 60 * 60;

/// What a script answers: texts, none where there is nothing.
pub(super) type Reply = Vec<Vec<u8>>;

pub(super) struct Connection {
    client: Client,
    /// Made at the first call, for that is sure to be on a runtime.
    manager: OnceLock<ConnectionManager>,
    home: Home,
}

impl Connection {
    /// Does not wait for Redis to be there.
    pub(super) fn open(url: &str, root_cert: Option<Vec<u8>>) -> Result<Self, RedisError> {
        if url.starts_with("rediss:") {
            // An error says that the process has chosen already.
            let _chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let client = match root_cert {
            Some(_) => Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert })?,
            None => Client::open(url)?,
        };
        Ok(Self { client, manager: OnceLock::new(), home: Home::here() })
    }

    fn manager(&self) -> Result<ConnectionManager, StoreError> {
        if let Some(manager) = self.manager.get() {
            return Ok(manager.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(RETRIES)
            .set_max_delay(RETRY_DELAY);
        let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(self.manager.get_or_init(|| manager).clone())
    }

    pub(super) async fn run(&self, script: &Script, args: &[&[u8]]) -> Result<Reply, StoreError> {
        let mut invocation = script.prepare_invoke();
        for arg in args {
            invocation.arg(*arg);
        }
        let mut connection = self.manager()?;
        self.in_time(invocation.invoke_async(&mut connection)).await
    }

    /// Whether it can be written to.
    pub(super) async fn ping(&self, key: &str) -> Result<(), StoreError> {
        let mut connection = self.manager()?;
        // A replica, and a Redis whose memory or disk is full, would answer a PING.
        let mut probe = redis::cmd("SET");
        probe.arg(key).arg("1").arg("EX").arg(60);
        self.in_time(probe.query_async(&mut connection)).await
    }

    /// What is there, if it stays for nine years at least.
    pub(super) async fn lasting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut connection = self.manager()?;
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("GET").arg(key).cmd("TTL").arg(key);
        let (found, seconds) = self.in_time(pipe.query_async::<(Option<Vec<u8>>, i64)>(&mut connection)).await?;
        Ok(found.filter(|_| u64::try_from(seconds).is_ok_and(|seconds| seconds > TEN_YEARS / 10 * 9)))
    }

    /// Puts the value if there is none, and keeps what is there for ten years from now; what is there.
    pub(super) async fn put_first(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut connection = self.manager()?;
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("SET").arg(key).arg(value).arg("NX").ignore();
        pipe.cmd("EXPIRE").arg(key).arg(TEN_YEARS).ignore().cmd("GET").arg(key);
        let (found,) = self.in_time(pipe.query_async::<(Vec<u8>,)>(&mut connection)).await?;
        Ok(found)
    }

    /// Puts the value in place of what is there, for ten years.
    pub(super) async fn put(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut connection = self.manager()?;
        let mut put = redis::cmd("SET");
        put.arg(key).arg(value).arg("EX").arg(TEN_YEARS);
        self.in_time(put.query_async(&mut connection)).await
    }

    /// One step through the names of all records that match; the cursor to go on from, 0 at the end. What is no hash is not ours.
    pub(super) async fn scan(&self, cursor: u64, pattern: &str) -> Result<(u64, Vec<String>), StoreError> {
        let mut connection = self.manager()?;
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(500).arg("TYPE").arg("hash");
        self.in_time(scan.query_async(&mut connection)).await
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, StoreError> {
        match tokio::time::timeout(LIMIT, self.home.run(answer)).await {
            Ok(answer) => answer.map_err(|error| StoreError::Unavailable(error.to_string())),
            Err(_) => Err(StoreError::Unavailable("Redis did not answer in time".into())),
        }
    }
}
