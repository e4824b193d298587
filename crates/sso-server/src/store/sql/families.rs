//! Remember-me families in SQL.

use std::sync::Arc;

use sqlx::{Any, any::AnyRow};

use super::{SqlStore, column, version_of};
use crate::{
    session::Family,
    store::{StoreError, listed::Listed},
};

const INSERT: &str = "INSERT INTO sso_families (name, username, version, keep_until, record) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";

const UPDATE: &str = "UPDATE sso_families SET version = version + 1, keep_until = $3, record = $4 \
     WHERE name = $1 AND version = $2";

impl SqlStore {
    pub(super) async fn put_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        let name = self.keys.family(&family.id);
        let (version, sealed) = (version_of(family.version)?, self.keys.seal_family(&name, &family)?);
        let insert = || {
            sqlx::query::<Any>(INSERT)
                .bind(&name)
                .bind(self.keys.user(&family.username))
                .bind(version)
                .bind(family.expires.as_millis())
                .bind(sealed.as_slice())
        };
        let rows = self.database.execute(insert).await?;
        if rows == 1 { Ok(Arc::new(family)) } else { Err(StoreError::Conflict) }
    }

    pub(super) async fn family_named(&self, name: &str) -> Result<Option<Arc<Family>>, StoreError> {
        let query = "SELECT name, record FROM sso_families WHERE name = $1";
        let query = || sqlx::query::<Any>(query).bind(name);
        let row = self.database.read(|| query().fetch_optional(&self.database.pool)).await?;
        row.map(|row| self.family_in(&row)).transpose()
    }

    pub(super) async fn replace_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        let name = self.keys.family(&family.id);
        let version = version_of(family.version)?;
        let next = Family { version: family.version + 1, ..family };
        let sealed = self.keys.seal_family(&name, &next)?;
        let update = || {
            let update = sqlx::query::<Any>(UPDATE).bind(&name).bind(version);
            update.bind(next.expires.as_millis()).bind(sealed.as_slice())
        };
        if self.database.execute(update).await? == 1 {
            return Ok(Arc::new(next));
        }
        let query = "SELECT version FROM sso_families WHERE name = $1";
        let query = || sqlx::query_scalar::<Any, i64>(query).bind(&name);
        match self.database.read(|| query().fetch_optional(&self.database.pool)).await? {
            Some(_) => Err(StoreError::Conflict),
            None => Err(StoreError::NotFound),
        }
    }

    pub(super) async fn delete_family(&self, name: &str) -> Result<bool, StoreError> {
        let delete = || sqlx::query::<Any>("DELETE FROM sso_families WHERE name = $1").bind(name);
        Ok(self.database.execute(delete).await? == 1)
    }

    pub(super) async fn families_of_user(&self, username: &str) -> Result<Listed<Arc<Family>>, StoreError> {
        let query = "SELECT name, record FROM sso_families WHERE username = $1";
        let query = || sqlx::query::<Any>(query).bind(username);
        let rows = self.database.read(|| query().fetch_all(&self.database.pool)).await?;
        let open = |row: &AnyRow| Ok((column(row, "name")?, self.family_in(row)));
        Ok(Listed::of("family", rows.iter().map(open).collect::<Result<Vec<_>, _>>()?))
    }

    fn family_in(&self, row: &AnyRow) -> Result<Arc<Family>, StoreError> {
        let name: String = column(row, "name")?;
        self.keys.open_family(&name, &column::<Vec<u8>>(row, "record")?).map(Arc::new)
    }
}
