//! Brokers in SQL.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::{Any, any::AnyRow};
use sso_core::{BrokerId, Secret};

use super::{
    ATTEMPTS, DirectoryError, PAGE, SqlDirectory, Unreadable, changes_all_the_time, from_json, number, one, text,
};
use crate::{
    brokers::{Broker, BrokerSettings, Brokers, BrokersUnavailable, InvalidBroker},
    store::{StoreKeys, keys::Kind, sql::column},
    util::clock::Timestamp,
};

const COLUMNS: &str =
    "SELECT id, settings, secrets, disabled, created, changed, version FROM sso_brokers WHERE id = $1";

const LIST: &str = "SELECT id, settings, secrets, disabled, created, changed, version FROM sso_brokers \
     WHERE id > $1 ORDER BY id LIMIT $2";

const INSERT: &str = "INSERT INTO sso_brokers (id, settings, secrets, disabled, created, changed) \
     VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING";

const UPDATE: &str = "UPDATE sso_brokers \
     SET settings = $3, secrets = $4, disabled = $5, changed = $6, version = version + 1 \
     WHERE id = $1 AND version = $2";

const SET_DISABLED: &str = "UPDATE sso_brokers SET disabled = $2, changed = $3, version = version + 1 WHERE id = $1";

/// A broker in the directory.
#[derive(Clone, Debug)]
pub struct StoredBroker {
    /// Its id.
    pub id: BrokerId,
    /// Its settings.
    pub settings: BrokerSettings,
    /// Its secret.
    pub secret: Secret,
    /// The previous secret, and when it stops being accepted.
    pub previous: Option<(Secret, Timestamp)>,
    /// Whether it is disabled.
    pub is_disabled: bool,
    /// When it was added.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
    version: i64,
}

/// The sealed form of the secrets.
#[derive(Serialize, Deserialize)]
struct SecretsText {
    secret: Vec<u8>,
    previous: Option<(Vec<u8>, i64)>,
}

impl StoredBroker {
    /// A new, enabled broker.
    pub fn new(id: BrokerId, settings: BrokerSettings, secret: Secret) -> Self {
        let never = Timestamp::default();
        Self { id, settings, secret, previous: None, is_disabled: false, created: never, changed: never, version: 0 }
    }

    /// Checks the settings and makes the broker.
    pub fn broker(&self) -> Result<Broker, InvalidBroker> {
        let broker = self.settings.broker(self.id.clone(), &self.secret)?;
        Ok(match &self.previous {
            Some((secret, until)) => broker.previous_secret(secret, Some(*until)),
            None => broker,
        })
    }

    fn settings_text(&self) -> Result<String, DirectoryError> {
        serde_json::to_string(&self.settings).map_err(|error| DirectoryError::Unavailable(error.to_string()))
    }

    fn sealed(&self, keys: &StoreKeys) -> Result<Vec<u8>, DirectoryError> {
        let previous = self.previous.as_ref().map(|(secret, until)| (secret.expose().to_vec(), until.as_millis()));
        let text = SecretsText { secret: self.secret.expose().to_vec(), previous };
        Ok(keys.seal_text(Kind::BrokerSecrets, self.id.as_str(), &text)?)
    }

    /// Without a readable id there is no entry to report.
    fn in_row(row: &AnyRow, keys: &StoreKeys) -> Result<Result<Self, Unreadable>, DirectoryError> {
        let id: String = column(row, "id")?;
        let read = || {
            let sealed: Vec<u8> = column(row, "secrets").map_err(|_| "secrets")?;
            let secrets: SecretsText = keys.open_text(Kind::BrokerSecrets, &id, &sealed).map_err(|_| "secrets")?;
            Ok(Self {
                settings: text(row, "settings").and_then(|json| from_json(&json)).ok_or("settings")?,
                secret: Secret::new(secrets.secret),
                previous: secrets.previous.map(|(secret, until)| (Secret::new(secret), Timestamp::from_millis(until))),
                is_disabled: number(row, "disabled").ok_or("state")? != 0,
                created: Timestamp::from_millis(number(row, "created").ok_or("times")?),
                changed: Timestamp::from_millis(number(row, "changed").ok_or("times")?),
                version: number(row, "version").ok_or("version")?,
                id: id.parse().map_err(|_| "id")?,
            })
        };
        Ok(read().map_err(|what| Unreadable { name: id.clone(), what }))
    }
}

impl SqlDirectory {
    /// Adds a broker, whose settings are checked. [`Exists`](DirectoryError::Exists) if the id is taken.
    pub async fn add_broker(&self, broker: &StoredBroker) -> Result<(), DirectoryError> {
        broker.broker()?;
        let (settings, secrets) = (broker.settings_text()?, broker.sealed(&self.keys)?);
        let insert = || {
            sqlx::query::<Any>(INSERT)
                .bind(broker.id.as_str())
                .bind(&settings)
                .bind(secrets.as_slice())
                .bind(i64::from(broker.is_disabled))
                .bind(self.now().as_millis())
        };
        let rows = self.database.execute(insert).await?;
        if rows == 1 { Ok(()) } else { Err(DirectoryError::Exists) }
    }

    /// The broker with this id, even if disabled.
    pub async fn broker(&self, id: &BrokerId) -> Result<Option<StoredBroker>, DirectoryError> {
        let query = || sqlx::query::<Any>(COLUMNS).bind(id.as_str());
        let row = self.database.read(|| query().fetch_optional(&self.database.pool)).await?;
        Ok(row.map(|row| StoredBroker::in_row(&row, &self.keys)).transpose()?.transpose()?)
    }

    /// A page of brokers in the order of their ids, starting after `after`; empty at the end. An unreadable broker does
    /// not hide the others.
    pub async fn brokers_after(&self, after: &str) -> Result<Vec<Result<StoredBroker, Unreadable>>, DirectoryError> {
        let query = || sqlx::query::<Any>(LIST).bind(after).bind(PAGE);
        let rows = self.database.read(|| query().fetch_all(&self.database.pool)).await?;
        rows.iter().map(|row| StoredBroker::in_row(row, &self.keys)).collect()
    }

    /// Changes a broker; `change` sees the newest record and may be called several times. Checks the new settings.
    /// Returns the changed broker.
    pub async fn change_broker(
        &self,
        id: &BrokerId,
        mut change: impl FnMut(&mut StoredBroker) + Send,
    ) -> Result<StoredBroker, DirectoryError> {
        for _ in 0..ATTEMPTS {
            let mut broker = self.broker(id).await?.ok_or(DirectoryError::NotFound)?;
            change(&mut broker);
            broker.broker()?;
            broker.changed = self.now();
            let (settings, secrets) = (broker.settings_text()?, broker.sealed(&self.keys)?);
            let update = || {
                sqlx::query::<Any>(UPDATE)
                    .bind(id.as_str())
                    .bind(broker.version)
                    .bind(&settings)
                    .bind(secrets.as_slice())
                    .bind(i64::from(broker.is_disabled))
                    .bind(broker.changed.as_millis())
            };
            if self.database.execute(update).await? == 1 {
                broker.version += 1;
                return Ok(broker);
            }
        }
        Err(changes_all_the_time())
    }

    /// Disables or enables a broker, even an unreadable one.
    pub async fn set_broker_disabled(&self, id: &BrokerId, is_disabled: bool) -> Result<(), DirectoryError> {
        let (is_disabled, now) = (i64::from(is_disabled), self.now().as_millis());
        one(self
            .database
            .execute(|| sqlx::query::<Any>(SET_DISABLED).bind(id.as_str()).bind(is_disabled).bind(now))
            .await?)
    }

    /// Removes a broker. Returns whether it existed.
    pub async fn remove_broker(&self, id: &BrokerId) -> Result<bool, DirectoryError> {
        let delete = || sqlx::query::<Any>("DELETE FROM sso_brokers WHERE id = $1").bind(id.as_str());
        Ok(self.database.execute(delete).await? == 1)
    }
}

#[async_trait]
impl Brokers for SqlDirectory {
    async fn find(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, BrokersUnavailable> {
        let find = async {
            let Some(broker) = self.broker(id).await?.filter(|broker| !broker.is_disabled) else { return Ok(None) };
            Ok(Some(Arc::new(broker.broker()?)))
        };
        find.await.map_err(|error: DirectoryError| BrokersUnavailable(error.to_string()))
    }
}
