//! Users in SQL.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx::{Any, any::AnyRow};

use super::{
    ATTEMPTS, DirectoryError, PAGE, SqlDirectory, Unreadable, changes_all_the_time, from_json, number, one, text,
};
use crate::{
    store::sql::column,
    users::{Account, PasswordHash, SetOutcome, Users, UsersUnavailable, username::check_username},
    util::clock::Timestamp,
};

const COLUMNS: &str = "SELECT username, password, attributes, member_of, disabled, created, changed, version \
     FROM sso_users WHERE username = $1";

const LIST: &str = "SELECT username, password, attributes, member_of, disabled, created, changed, version \
     FROM sso_users WHERE username > $1 ORDER BY username LIMIT $2";

const INSERT: &str = "INSERT INTO sso_users (username, password, attributes, member_of, disabled, created, changed) \
     VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING";

const UPDATE: &str = "UPDATE sso_users \
     SET password = $3, attributes = $4, member_of = $5, disabled = $6, changed = $7, version = version + 1 \
     WHERE username = $1 AND version = $2";

const SET_DISABLED: &str =
    "UPDATE sso_users SET disabled = $2, changed = $3, version = version + 1 WHERE username = $1";

const SET_PASSWORD: &str =
    "UPDATE sso_users SET password = $2, changed = $3, version = version + 1 WHERE username = $1";

/// A user in the directory.
#[derive(Clone, Debug)]
pub struct StoredUser {
    /// The exact name.
    pub username: String,
    /// The password's hash.
    pub password: PasswordHash,
    /// Attributes that brokers may see.
    pub attributes: Map<String, Value>,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// Whether the user is disabled.
    pub is_disabled: bool,
    /// When the user was added.
    pub created: Timestamp,
    /// When the user was last changed.
    pub changed: Timestamp,
    version: i64,
}

impl StoredUser {
    /// A new, enabled user without attributes and groups.
    pub fn new(username: impl Into<String>, password: PasswordHash) -> Self {
        Self {
            username: username.into(),
            password,
            attributes: Map::new(),
            groups: Vec::new(),
            is_disabled: false,
            created: Timestamp::default(),
            changed: Timestamp::default(),
            version: 0,
        }
    }

    fn account(self) -> Account {
        let mut account = Account::new(self.username, self.password);
        account.user.attributes = self.attributes;
        account.groups = self.groups;
        account
    }

    /// Without a readable name there is no entry to report.
    fn in_row(row: &AnyRow) -> Result<Result<Self, Unreadable>, DirectoryError> {
        let username: String = column(row, "username")?;
        let read = || {
            Ok(Self {
                password: text(row, "password").and_then(|hash| hash.parse().ok()).ok_or("password")?,
                attributes: text(row, "attributes").and_then(|json| from_json(&json)).ok_or("attributes")?,
                groups: text(row, "member_of").and_then(|json| from_json(&json)).ok_or("groups")?,
                is_disabled: number(row, "disabled").ok_or("state")? != 0,
                created: Timestamp::from_millis(number(row, "created").ok_or("times")?),
                changed: Timestamp::from_millis(number(row, "changed").ok_or("times")?),
                version: number(row, "version").ok_or("version")?,
                username: username.clone(),
            })
        };
        Ok(read().map_err(|what| Unreadable { name: username.clone(), what }))
    }
}

impl SqlDirectory {
    /// Adds a user. [`Exists`](DirectoryError::Exists) if the name is taken.
    pub async fn add_user(&self, user: &StoredUser) -> Result<(), DirectoryError> {
        check_username(&user.username)?;
        let insert = || {
            sqlx::query::<Any>(INSERT)
                .bind(&user.username)
                .bind(user.password.text())
                .bind(json(&user.attributes))
                .bind(json(&user.groups))
                .bind(i64::from(user.is_disabled))
                .bind(self.now().as_millis())
        };
        let rows = self.database.execute(insert).await?;
        if rows == 1 { Ok(()) } else { Err(DirectoryError::Exists) }
    }

    /// The user of this name, even if disabled.
    pub async fn user(&self, username: &str) -> Result<Option<StoredUser>, DirectoryError> {
        // PostgreSQL rejects NUL characters.
        if username.contains('\0') {
            return Ok(None);
        }
        let query = || sqlx::query::<Any>(COLUMNS).bind(username);
        let row = self.database.read(|| query().fetch_optional(&self.database.pool)).await?;
        Ok(row.as_ref().map(StoredUser::in_row).transpose()?.transpose()?)
    }

    /// A page of users in the order of their names, starting after `after`; empty at the end. An unreadable user does
    /// not hide the others.
    pub async fn users_after(&self, after: &str) -> Result<Vec<Result<StoredUser, Unreadable>>, DirectoryError> {
        let query = || sqlx::query::<Any>(LIST).bind(after).bind(PAGE);
        let rows = self.database.read(|| query().fetch_all(&self.database.pool)).await?;
        rows.iter().map(StoredUser::in_row).collect()
    }

    /// Changes a user; `change` sees the newest record and may be called several times. Returns the changed user.
    pub async fn change_user(
        &self,
        username: &str,
        mut change: impl FnMut(&mut StoredUser) + Send,
    ) -> Result<StoredUser, DirectoryError> {
        let change = |user: &mut StoredUser| {
            change(user);
            true
        };
        // `change` never gives up, so the user was changed or does not exist.
        self.change_user_if(username, change).await?.ok_or(DirectoryError::NotFound)
    }

    /// The same, but `change` may return `false` to give up: then nothing changes, and the result is `None`.
    async fn change_user_if(
        &self,
        username: &str,
        mut change: impl FnMut(&mut StoredUser) -> bool + Send,
    ) -> Result<Option<StoredUser>, DirectoryError> {
        for _ in 0..ATTEMPTS {
            let mut user = self.user(username).await?.ok_or(DirectoryError::NotFound)?;
            if !change(&mut user) {
                return Ok(None);
            }
            user.changed = self.now();
            let update = || {
                sqlx::query::<Any>(UPDATE)
                    .bind(username)
                    .bind(user.version)
                    .bind(user.password.text())
                    .bind(json(&user.attributes))
                    .bind(json(&user.groups))
                    .bind(i64::from(user.is_disabled))
                    .bind(user.changed.as_millis())
            };
            if self.database.execute(update).await? == 1 {
                user.version += 1;
                return Ok(Some(user));
            }
        }
        Err(changes_all_the_time())
    }

    /// Changes an enabled account if `change` finds what it expects.
    async fn set_where(
        &self,
        username: &str,
        change: impl Fn(&mut StoredUser) -> bool + Send + Sync,
    ) -> Result<SetOutcome, UsersUnavailable> {
        let mut refusal = SetOutcome::NoAccount;
        let change = |user: &mut StoredUser| {
            refusal = if user.is_disabled { SetOutcome::NoAccount } else { SetOutcome::ChangedMeanwhile };
            !user.is_disabled && change(user)
        };
        match self.change_user_if(username, change).await {
            Ok(Some(_)) => Ok(SetOutcome::Set),
            Ok(None) => Ok(refusal),
            Err(DirectoryError::NotFound) => Ok(SetOutcome::NoAccount),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Disables or enables a user, even an unreadable one.
    pub async fn set_user_disabled(&self, username: &str, is_disabled: bool) -> Result<(), DirectoryError> {
        let (is_disabled, now) = (i64::from(is_disabled), self.now().as_millis());
        one(self
            .database
            .execute(|| sqlx::query::<Any>(SET_DISABLED).bind(username).bind(is_disabled).bind(now))
            .await?)
    }

    /// Sets a user's password, even if the present one is unreadable.
    pub async fn replace_password(&self, username: &str, password: &PasswordHash) -> Result<(), DirectoryError> {
        let now = self.now().as_millis();
        one(self
            .database
            .execute(|| sqlx::query::<Any>(SET_PASSWORD).bind(username).bind(password.text()).bind(now))
            .await?)
    }

    /// Removes a user. Returns whether it existed.
    pub async fn remove_user(&self, username: &str) -> Result<bool, DirectoryError> {
        let delete = || sqlx::query::<Any>("DELETE FROM sso_users WHERE username = $1").bind(username);
        Ok(self.database.execute(delete).await? == 1)
    }
}

#[async_trait]
impl Users for SqlDirectory {
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        let user = self.user(username).await.map_err(unavailable)?;
        Ok(user.filter(|user| !user.is_disabled).map(|user| Arc::new(user.account())))
    }

    async fn ping(&self) -> Result<(), UsersUnavailable> {
        let query = || sqlx::query::<Any>("SELECT version FROM sso_schema LIMIT 1");
        let answer = self.database.read(|| query().fetch_optional(&self.database.pool)).await;
        answer.map(drop).map_err(|error| unavailable(error.into()))
    }

    async fn can_set_password(&self, username: &str) -> Result<bool, UsersUnavailable> {
        Ok(Users::find(self, username).await?.is_some())
    }

    async fn set_password(
        &self,
        username: &str,
        expected: Option<&PasswordHash>,
        new: &PasswordHash,
    ) -> Result<SetOutcome, UsersUnavailable> {
        self.set_where(username, |user| {
            let is_expected = expected.is_none_or(|expected| expected.text() == user.password.text());
            user.password = new.clone();
            is_expected
        })
        .await
    }

    async fn can_set_attributes(&self, username: &str) -> Result<bool, UsersUnavailable> {
        self.can_set_password(username).await
    }

    async fn set_attribute(
        &self,
        username: &str,
        name: &str,
        expected: Option<&Value>,
        value: &Value,
    ) -> Result<SetOutcome, UsersUnavailable> {
        self.set_where(username, |user| {
            let before = user.attributes.insert(name.to_owned(), value.clone());
            before.as_ref() == expected
        })
        .await
    }
}

fn unavailable(error: DirectoryError) -> UsersUnavailable {
    UsersUnavailable(error.to_string())
}

fn json(value: &impl serde::Serialize) -> String {
    // Maps of texts and values always convert to JSON.
    serde_json::to_string(value).unwrap_or_default()
}
