//! Whether the keys are the database's; and what stays for as long as the database is sealed anew when they have
//! rotated, so that no key but the last one must be kept for it. Sessions, links and families go by themselves.

use sqlx::Any;

use super::{Database, column};
use crate::store::{StoreError, StoreKeys, keys::Kind};

/// The place of what tells whether the keys are the right ones. It is not a keyed hash, so that other keys find it and
/// fail to open it.
const PLACE: &str = "keys";

/// Brokers of one step.
const STEP: i64 = 500;

/// Whether these are the keys that the database was made with: other ones would find nothing, and log everybody out.
pub(crate) async fn check_keys(database: &Database, keys: &StoreKeys) -> Result<(), StoreError> {
    let find = "SELECT record FROM sso_settings WHERE name = $1";
    let find = || sqlx::query_scalar::<Any, Vec<u8>>(find).bind(PLACE);
    // Only what changes something is a write, which others who write would have to be waited for.
    let found = match database.read(|| find().fetch_optional(&database.pool)).await? {
        Some(found) => found,
        None => put_first(database, keys).await?,
    };
    keys.check(PLACE, &found)?;
    if !keys.is_current(&found) {
        let sealed = keys.seal(Kind::Setting, PLACE, b"sso")?;
        let update = "UPDATE sso_settings SET record = $2 WHERE name = $1";
        let update = || sqlx::query::<Any>(update).bind(PLACE).bind(sealed.as_slice());
        database.execute(update).await?;
    }
    reseal_brokers(database, keys).await
}

/// Puts the first record, unless somebody else just did; what is there.
async fn put_first(database: &Database, keys: &StoreKeys) -> Result<Vec<u8>, StoreError> {
    let sealed = keys.seal(Kind::Setting, PLACE, b"sso")?;
    let work = || async {
        sqlx::query::<Any>("INSERT INTO sso_settings (name, record) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(PLACE)
            .bind(sealed.as_slice())
            .execute(&database.pool)
            .await?;
        sqlx::query_scalar::<Any, Vec<u8>>("SELECT record FROM sso_settings WHERE name = $1")
            .bind(PLACE)
            .fetch_one(&database.pool)
            .await
    };
    database.write(work).await
}

/// Seals the brokers' secrets with the current key where another one sealed them.
async fn reseal_brokers(database: &Database, keys: &StoreKeys) -> Result<(), StoreError> {
    let mut last = String::new();
    loop {
        let page = "SELECT id, secrets FROM sso_brokers WHERE id > $1 ORDER BY id LIMIT $2";
        let page = || sqlx::query::<Any>(page).bind(&last).bind(STEP);
        let rows = database.read(|| page().fetch_all(&database.pool)).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let (id, old): (String, Vec<u8>) = (column(row, "id")?, column(row, "secrets")?);
            if !keys.is_current(&old) {
                reseal_broker(database, keys, &id, old).await?;
            }
            last = id;
        }
    }
}

async fn reseal_broker(database: &Database, keys: &StoreKeys, id: &str, old: Vec<u8>) -> Result<(), StoreError> {
    let Ok(text) = keys.open(Kind::BrokerSecrets, id, &old) else {
        // This broker is kept out, and said to be unreadable when it comes; no reason to keep out the others.
        tracing::error!(broker = id, "the secrets of a broker do not open with the store's keys");
        return Ok(());
    };
    let sealed = keys.seal(Kind::BrokerSecrets, id, &text)?;
    // Unless they were changed meanwhile, and so sealed anew.
    let update = "UPDATE sso_brokers SET secrets = $2 WHERE id = $1 AND secrets = $3";
    let update = || sqlx::query::<Any>(update).bind(id).bind(sealed.as_slice()).bind(old.as_slice());
    database.execute(update).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_that_are_known_are_checked_without_a_write() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::sqlite(&dir.path().join("sso.db")).await.unwrap();
        let [old, both, other] =
            [&[1][..], &[2, 1], &[3]].map(|n| StoreKeys::new(&n.iter().map(|n| [*n; 32]).collect::<Vec<_>>()).unwrap());
        check_keys(&database, &old).await.unwrap();

        let writer = database.begin().await.unwrap();
        assert_eq!(check_keys(&database, &old).await, Ok(()), "nobody is waited for");
        assert_eq!(check_keys(&database, &other).await, Err(StoreError::WrongKeys));
        assert!(matches!(check_keys(&database, &both).await, Err(StoreError::Unavailable(_))), "this is a write");
        writer.rollback().await.unwrap();
        assert_eq!(check_keys(&database, &both).await, Ok(()));
        let writer = database.begin().await.unwrap();
        assert_eq!(check_keys(&database, &both).await, Ok(()), "it is sealed anew by now");
        writer.rollback().await.unwrap();
    }
}
