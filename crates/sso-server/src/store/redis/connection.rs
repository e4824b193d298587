//! What is asked of Redis. All of it may be asked twice.

use redis::{Client, RedisError, ScriptInvocation, TlsCertificates, Value};

use super::shared::Shared;
use crate::store::StoreError;

/// In seconds: as good as for ever.
const TEN_YEARS: u64 = 10 * 365 * 24 * 60 * 60;

pub(super) struct Connection(Shared);

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
        Ok(Self(Shared::new(client)))
    }

    pub(super) async fn run(&self, call: &ScriptInvocation<'_>) -> Result<Value, StoreError> {
        self.0.call(|mut connection| async move { call.invoke_async(&mut connection).await }).await
    }

    /// Whether it can be written to.
    pub(super) async fn ping(&self, key: &str) -> Result<(), StoreError> {
        // A replica, and a Redis whose memory or disk is full, would answer a PING.
        let mut probe = redis::cmd("SET");
        probe.arg(key).arg("1").arg("EX").arg(60);
        self.command(&probe).await
    }

    /// What is there, if it stays for nine years at least.
    pub(super) async fn lasting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("GET").arg(key).cmd("TTL").arg(key);
        let (found, seconds): (Option<Vec<u8>>, i64) = self.pipe(&pipe).await?;
        Ok(found.filter(|_| u64::try_from(seconds).is_ok_and(|seconds| seconds > TEN_YEARS / 10 * 9)))
    }

    /// Puts the value if there is none, and keeps what is there for ten years from now; what is there.
    pub(super) async fn put_first(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("SET").arg(key).arg(value).arg("NX").ignore();
        pipe.cmd("EXPIRE").arg(key).arg(TEN_YEARS).ignore().cmd("GET").arg(key);
        let (found,): (Vec<u8>,) = self.pipe(&pipe).await?;
        Ok(found)
    }

    /// Puts the value in place of what is there, for ten years.
    pub(super) async fn put(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut put = redis::cmd("SET");
        put.arg(key).arg(value).arg("EX").arg(TEN_YEARS);
        self.command(&put).await
    }

    /// One step through the names of all records that match; the cursor to go on from, 0 at the end. What is no hash is
    /// not ours.
    pub(super) async fn scan(&self, cursor: u64, pattern: &str) -> Result<(u64, Vec<String>), StoreError> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(500).arg("TYPE").arg("hash");
        self.command(&scan).await
    }

    async fn command<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, StoreError> {
        let ask = |mut connection| async move { command.query_async(&mut connection).await };
        self.0.call(ask).await
    }

    async fn pipe<T: redis::FromRedisValue>(&self, pipe: &redis::Pipeline) -> Result<T, StoreError> {
        let ask = |mut connection| async move { pipe.query_async(&mut connection).await };
        self.0.call(ask).await
    }
}
