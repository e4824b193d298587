//! TLS to the engines, with certificates of an authority that only their operator knows.

use std::path::Path;

use sso_engines::Engine;
use sso_server::{
    Store,
    clock::SystemClock,
    store::{RedisStore, SqlStore, StoreKeys},
};

#[tokio::test(flavor = "multi_thread")]
async fn redis_over_tls_is_believed_with_a_certificate_of_the_named_authority_alone() {
    let (redis, other) = (Engine::redis_with_tls(), Engine::redis_with_tls());
    let ping = async |url: &str| RedisStore::open(url, StoreKeys::generate(), SystemClock).unwrap().ping().await;
    let at = |host: &str, ca: &Path| format!("rediss://{host}:{}/?sslrootcert={}", redis.tls_port(), ca.display());
    assert_eq!(ping(&at("localhost", &redis.ca())).await, Ok(()));
    for refused in [
        // Another authority; those that this machine trusts; a name that is not in the certificate.
        at("localhost", &other.ca()),
        format!("rediss://localhost:{}/", redis.tls_port()),
        at("127.0.0.1", &redis.ca()),
    ] {
        let error = ping(&refused).await.unwrap_err().to_string();
        assert!(error.contains("certificate"), "{refused}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_over_tls_is_believed_with_a_certificate_of_the_named_authority_alone() {
    let (postgres, other) = (Engine::postgres_with_tls(), Engine::postgres_with_tls());
    let open = async |url: &str| SqlStore::postgres(url, StoreKeys::generate(), SystemClock).await.map(|_| ());
    let at = |host: &str, ca: &Path| {
        let url = postgres.new_store().replace("127.0.0.1", host);
        format!("{url}?sslmode=verify-full&sslrootcert={}", ca.display())
    };
    assert_eq!(open(&at("localhost", &postgres.ca())).await, Ok(()));
    for refused in [
        at("localhost", &other.ca()),
        postgres.new_store().replace("127.0.0.1", "localhost") + "?sslmode=verify-full",
        at("127.0.0.1", &postgres.ca()),
    ] {
        let error = open(&refused).await.unwrap_err().to_string();
        assert!(error.contains("certificate"), "{refused}: {error}");
    }
}
