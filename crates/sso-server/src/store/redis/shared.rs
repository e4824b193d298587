//! The one connection that all calls share: opened when first needed, replaced when anything is wrong with it, and
//! never waited for long.

use std::{
    future::Future,
    io,
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection};
use tokio::sync::Mutex;

use crate::store::{StoreError, runtime::StoreRuntime};

const CONNECT: Duration = Duration::from_millis(500);
/// For the first answer. The second one may take what is left of the limit: where all of the machine is slow, another
/// connection is no faster.
const ANSWER: Duration = Duration::from_millis(600);
/// Between two attempts to reach Redis.
const PAUSE: Duration = Duration::from_millis(100);
/// For one call, all attempts together.
const LIMIT: Duration = Duration::from_millis(1_900);

/// What a Redis says that will be there soon.
const STARTS: [&str; 2] = ["LOADING", "MASTERDOWN"];
/// What one says to which another connection may not lead: it was the primary, or has lost its replicas.
const REFUSALS: [&str; 4] = ["READONLY", "NOREPLICAS", "MISCONF", "NOAUTH"];

/// Why an attempt failed.
#[derive(Debug)]
enum Failure {
    /// Nobody was there, but somebody may be in a moment.
    Unreached(RedisError),
    /// The connection is of no use any more.
    Broken(RedisError),
    /// A new connection would change nothing.
    Final(RedisError),
}

pub(super) struct Shared {
    client: Client,
    config: AsyncConnectionConfig,
    /// Locked while a connection is being opened, for which all others wait.
    slot: Mutex<Current>,
    runtime: StoreRuntime,
}

#[derive(Default)]
struct Current {
    live: Option<Live>,
    /// How many connections were opened.
    opened: u64,
    /// When the last attempt to open one failed, and why.
    failed: Option<(Instant, RedisError)>,
}

#[derive(Clone)]
struct Live {
    number: u64,
    handle: MultiplexedConnection,
}

impl Shared {
    /// Does not wait for Redis to be there.
    pub(super) fn new(client: Client) -> Self {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(LIMIT));
        Self { client, config, slot: Mutex::default(), runtime: StoreRuntime::current() }
    }

    /// Makes a call, which may be made twice. While nobody is there it is tried again, as long as `LIMIT` allows. After
    /// no answer, or one that is about Redis and not about the call, it is tried once more, on a new connection.
    pub(super) async fn call<T, F>(
        &self,
        ask: impl Fn(MultiplexedConnection) -> F + Send + Sync,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisError>> + Send,
    {
        let mut last = None;
        let attempts = async {
            let mut is_repeated = false;
            loop {
                match self.attempt(&ask, if is_repeated { LIMIT } else { ANSWER }).await {
                    Ok(answer) => return Ok(answer),
                    Err(Failure::Unreached(error)) => {
                        last = Some(error);
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(Failure::Broken(_)) if !is_repeated => is_repeated = true,
                    Err(Failure::Broken(error) | Failure::Final(error)) => return Err(error),
                }
            }
        };
        let answer = tokio::time::timeout(LIMIT, self.runtime.run(attempts)).await;
        let why = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => last.map_or_else(|| "Redis did not answer in time".into(), |error| error.to_string()),
        };
        Err(StoreError::Unavailable(why))
    }

    async fn attempt<T, F>(&self, ask: impl Fn(MultiplexedConnection) -> F, limit: Duration) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let live = self.live().await?;
        let answer = tokio::time::timeout(limit, ask(live.handle)).await;
        match answer.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into())).map_err(of_answer) {
            Err(failure @ (Failure::Unreached(_) | Failure::Broken(_))) => {
                self.give_up(live.number).await;
                Err(failure)
            }
            answer => answer,
        }
    }

    /// The connection; a new one if there is none.
    async fn live(&self) -> Result<Live, Failure> {
        let since = Instant::now();
        let mut slot = self.slot.lock().await;
        if let Some(live) = &slot.live {
            return Ok(live.clone());
        }
        // An attempt that failed while this call waited for it is as good as its own.
        if let Some((_, error)) = slot.failed.as_ref().filter(|(at, _)| *at >= since) {
            return Err(of_opening(error.clone()));
        }
        match self.client.get_multiplexed_async_connection_with_config(&self.config).await {
            Ok(handle) => {
                slot.opened += 1;
                let live = Live { number: slot.opened, handle };
                slot.live = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                slot.failed = Some((Instant::now(), error.clone()));
                Err(of_opening(error))
            }
        }
    }

    /// Has the next call open another connection, unless one did already. Calls under way on the old one go on.
    async fn give_up(&self, number: u64) {
        let mut slot = self.slot.lock().await;
        if slot.live.as_ref().is_some_and(|live| live.number == number) {
            slot.live = None;
        }
    }
}

/// What an error says of the connection that it prevented.
fn of_opening(error: RedisError) -> Failure {
    if error.is_io_error() || says(&error, &STARTS) { Failure::Unreached(error) } else { Failure::Final(error) }
}

/// What an error says of the connection that it came from.
fn of_answer(error: RedisError) -> Failure {
    if says(&error, &STARTS) {
        Failure::Unreached(error)
    } else if error.code().is_some() && error.to_string().contains("script") && !says(&error, &REFUSALS) {
        // The script's own.
        Failure::Final(error)
    } else {
        Failure::Broken(error)
    }
}

/// Whether an error has one of these codes. Redis before version 7 puts that of a command in a script into its message.
fn says(error: &RedisError, codes: &[&str]) -> bool {
    let text = error.detail().unwrap_or_default();
    codes.iter().any(|code| error.code() == Some(*code) || text.contains(&format!("-{code} ")))
}

#[cfg(test)]
mod tests {
    use redis::make_extension_error;

    use super::*;

    /// What an answer with this code and text says of its connection.
    fn of(code: &str, text: &str) -> Failure {
        of_answer(make_extension_error(code.into(), Some(text.into())))
    }

    #[test]
    fn only_a_scripts_own_error_keeps_the_connection() {
        let at = "script: 1f, on @user_script:3.";
        let own = of("WRONGTYPE", &format!("Operation against a key holding the wrong kind of value {at}"));
        assert!(matches!(own, Failure::Final(_)), "{own:?}");
        let own = of("OOM", &format!("command not allowed when used memory > 'maxmemory'. {at}"));
        assert!(matches!(own, Failure::Final(_)), "{own:?}");
        let before_7 =
            "Error running script (call to f_1f): @user_script:9: @user_script: 9: -READONLY You can't write";
        for (code, text) in [
            ("READONLY", &*format!("You can't write against a read only replica. {at}")),
            ("ERR", before_7),
            ("NOREPLICAS", "Not enough good replicas to write."),
            ("ERR", "no upstream host"),
        ] {
            let broken = of(code, text);
            assert!(matches!(broken, Failure::Broken(_)), "{broken:?}");
        }
        let closed = of_answer(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
        assert!(matches!(closed, Failure::Broken(_)), "{closed:?}");
        let starts = of("LOADING", "Redis is loading the dataset in memory");
        assert!(matches!(starts, Failure::Unreached(_)), "{starts:?}");
    }
}
