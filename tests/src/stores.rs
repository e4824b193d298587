//! Where the servers under test keep their sessions: `SSO_TEST_STORE` says it for the whole run.

use std::sync::OnceLock;

/// One of the four stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestStore {
    /// Gone with the process.
    Memory,
    /// A file in the directory of the server.
    Sqlite,
    /// A database of its own in the PostgreSQL of this test program.
    Postgres,
    /// A namespace of its own in the Redis of this test program.
    Redis,
}

impl TestStore {
    /// The one that `SSO_TEST_STORE` names; without it, `memory`.
    pub fn of_this_run() -> Self {
        static CHOSEN: OnceLock<TestStore> = OnceLock::new();
        *CHOSEN.get_or_init(|| match std::env::var("SSO_TEST_STORE").as_deref() {
            Err(std::env::VarError::NotPresent) | Ok("memory") => Self::Memory,
            Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok("redis") => Self::Redis,
            other => panic!("SSO_TEST_STORE: expected memory, sqlite, postgres or redis, and not {other:?}"),
        })
    }

    /// The environment of a server that has an empty store of this kind to itself.
    pub fn environment(self) -> Vec<(&'static str, String)> {
        let url = match self {
            Self::Memory => "memory:".to_owned(),
            // Its key is beside it.
            Self::Sqlite => return vec![("SSO_STORE", "sqlite:sso.db".to_owned())],
            Self::Postgres => sso_engines::new_postgres_store(),
            Self::Redis => sso_engines::new_redis_store(),
        };
        vec![("SSO_STORE", url), ("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef".to_owned())]
    }
}
