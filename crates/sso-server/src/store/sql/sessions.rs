//! Session records and their cookies in SQL.

use std::sync::Arc;

use sqlx::{Any, AnyConnection, any::AnyRow};

use super::{SqlStore, column, version_of};
use crate::{
    clock::Timestamp,
    session::{Link, LinkKey, Policy, Session},
    store::{
        LinkOutcome, StoreError,
        StoreError::{Conflict, NotFound},
        listed::Listed,
    },
};

const COLUMNS_BY_NAME: &str = "SELECT name, last_seen, keep_until, record FROM sso_sessions WHERE name = $1";
const COLUMNS_BY_USER: &str = "SELECT name, last_seen, keep_until, record FROM sso_sessions WHERE username = $1";
const COLUMNS_BY_END: &str =
    "SELECT name, last_seen, keep_until, record FROM sso_sessions WHERE ends <= $1 ORDER BY ends LIMIT $2";
const COLUMNS_BY_COOKIE: &str = "SELECT s.name AS name, s.last_seen AS last_seen, s.keep_until AS keep_until, s.record AS record \
     FROM sso_cookies c JOIN sso_sessions s ON s.name = c.session WHERE c.name = $1";

const INSERT: &str = "INSERT INTO sso_sessions (name, username, version, epoch, last_seen, keep_until, record, ends) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";

/// Times keep the later value, for a touch may have come between, and a last use after $8 does not count; another login, or none, has times of its own.
const UPDATE: &str = "UPDATE sso_sessions SET username = $3, version = version + 1, epoch = $4, record = $7, \
     last_seen = CASE WHEN last_seen > $5 AND last_seen <= $8 THEN last_seen ELSE $5 END, \
     keep_until = CASE WHEN epoch = $4 AND keep_until > $6 THEN keep_until ELSE $6 END, \
     ends = CASE WHEN epoch = $4 AND ends > $9 AND last_seen <= $8 THEN ends ELSE $9 END \
     WHERE name = $1 AND version = $2 RETURNING last_seen, keep_until";

/// Tells the count that is there; with another one nothing changes. Asked for afterwards, it would be that of a later instant.
const TOUCH: &str = "UPDATE sso_sessions SET \
     last_seen = CASE WHEN last_seen > $2 OR epoch <> $4 THEN last_seen ELSE $2 END, \
     keep_until = CASE WHEN keep_until > $3 OR epoch <> $4 THEN keep_until ELSE $3 END, \
     ends = CASE WHEN ends > $5 OR epoch <> $4 THEN ends ELSE $5 END \
     WHERE name = $1 RETURNING epoch";

const ADD_COOKIE: &str = "INSERT INTO sso_cookies (name, session) VALUES ($1, $2) ON CONFLICT DO NOTHING";

impl SqlStore {
    /// Without a link, `Linked` means that it is there.
    pub(super) async fn insert_session(
        &self,
        session: &Session,
        link: Option<(&LinkKey, &Link)>,
    ) -> Result<LinkOutcome, StoreError> {
        let name = self.keys.session(&session.id);
        let cookie = self.keys.cookie(&session.cookie);
        let record = self.keys.seal_session(&name, session)?;
        let (version, epoch) = (version_of(session.version)?, version_of(session.epoch)?);
        let row = link.map(|(key, link)| self.link_row(key, link)).transpose()?;
        let work = || async {
            let mut transaction = self.database.begin().await?;
            let rows = sqlx::query::<Any>(INSERT)
                .bind(&name)
                .bind(session.user().map(|user| self.keys.user(&user.username)))
                .bind(version)
                .bind(epoch)
                .bind(session.last_seen.as_millis())
                .bind(session.keep_until.as_millis())
                .bind(record.as_slice())
                .bind(session.ends.as_millis())
                .execute(transaction.connection()?)
                .await?
                .rows_affected();
            if rows == 0 || !add_cookie(transaction.connection()?, &cookie, &name).await? {
                transaction.rollback().await?;
                return Ok(Err(Conflict));
            }
            if let Some(row) = &row
                && !row.put(transaction.connection()?).await?
            {
                transaction.rollback().await?;
                return Ok(Ok(LinkOutcome::Taken));
            }
            transaction.commit().await?;
            Ok(Ok(LinkOutcome::Linked))
        };
        self.database.write(work).await?
    }

    pub(super) async fn session_named(&self, name: &str) -> Result<Option<Arc<Session>>, StoreError> {
        self.one_session(COLUMNS_BY_NAME, name).await
    }

    pub(super) async fn session_of_cookie(&self, cookie: &str) -> Result<Option<Arc<Session>>, StoreError> {
        self.one_session(COLUMNS_BY_COOKIE, cookie).await
    }

    async fn one_session(&self, query: &'static str, name: &str) -> Result<Option<Arc<Session>>, StoreError> {
        let query = || sqlx::query::<Any>(query).bind(name);
        let row = self.database.read(|| query().fetch_optional(&self.database.pool)).await?;
        row.map(|row| self.session_in(&row).map(Arc::new)).transpose()
    }

    pub(super) async fn sessions_of(&self, username: &str) -> Result<Listed<Arc<Session>>, StoreError> {
        let query = || sqlx::query::<Any>(COLUMNS_BY_USER).bind(username);
        let rows = self.database.read(|| query().fetch_all(&self.database.pool)).await?;
        let open = |row: &AnyRow| Ok((column(row, "name")?, self.session_in(row).map(Arc::new)));
        Ok(Listed::of("session", rows.iter().map(open).collect::<Result<Vec<_>, _>>()?))
    }

    /// What cannot be read is left out and not told, for this is asked every second; it takes room among `most` until
    /// its record goes.
    pub(super) async fn sessions_due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let query = || sqlx::query::<Any>(COLUMNS_BY_END).bind(by.as_millis()).bind(most);
        let rows = self.database.read(|| query().fetch_all(&self.database.pool)).await?;
        Ok(rows.iter().filter_map(|row| self.session_in(row).ok().map(Arc::new)).collect())
    }

    /// Removes a session, with its cookies and links, if it is this user's; whether it was.
    pub(super) async fn delete_session_of(&self, username: &str, name: &str) -> Result<bool, StoreError> {
        let delete = "DELETE FROM sso_sessions WHERE name = $1 AND username = $2";
        let delete = || sqlx::query::<Any>(delete).bind(name).bind(username);
        Ok(self.database.execute(delete).await? == 1)
    }

    pub(super) async fn update_session(&self, mut session: Session) -> Result<Arc<Session>, StoreError> {
        let name = self.keys.session(&session.id);
        let (version, epoch) = (version_of(session.version)?, version_of(session.epoch)?);
        session.version += 1;
        let record = self.keys.seal_session(&name, &session)?;
        let cookie = self.keys.cookie(&session.cookie);
        let old_cookie = session.old_cookie.map(|old| self.keys.cookie(&old.hash));
        let latest = self.clock.now().after(Policy::CLOCK_SKEW);
        let updated = self.database.write(|| async {
            let mut transaction = self.database.begin().await?;
            let row = sqlx::query::<Any>(UPDATE)
                .bind(&name)
                .bind(version)
                .bind(session.user().map(|user| self.keys.user(&user.username)))
                .bind(epoch)
                .bind(session.last_seen.as_millis())
                .bind(session.keep_until.as_millis())
                .bind(record.as_slice())
                .bind(latest.as_millis())
                .bind(session.ends.as_millis())
                .fetch_optional(transaction.connection()?)
                .await?;
            let Some(row) = row else {
                let there = stored_version(transaction.connection()?, &name).await?;
                transaction.rollback().await?;
                // With this very version it was inserted only after it was looked for.
                let was_there = there.is_some_and(|there| there != version);
                return Ok(Err(if was_there { Conflict } else { NotFound }));
            };
            if !add_cookie(transaction.connection()?, &cookie, &name).await? {
                transaction.rollback().await?;
                return Ok(Err(Conflict));
            }
            sqlx::query::<Any>("DELETE FROM sso_cookies WHERE session = $1 AND name <> $2 AND name <> $3")
                .bind(&name)
                .bind(&cookie)
                .bind(old_cookie.as_ref().unwrap_or(&cookie))
                .execute(transaction.connection()?)
                .await?;
            transaction.commit().await?;
            Ok(Ok(row))
        });
        let row = updated.await??;
        session.last_seen = Timestamp::from_millis(column(&row, "last_seen")?);
        session.keep_until = Timestamp::from_millis(column(&row, "keep_until")?);
        Ok(Arc::new(session))
    }

    pub(super) async fn touch_session(&self, used: &Session) -> Result<(), StoreError> {
        let (name, epoch) = (self.keys.session(&used.id), version_of(used.epoch)?);
        let touch = || sqlx::query_scalar::<Any, i64>(TOUCH).bind(&name).bind(used.last_seen.as_millis());
        let touch = || touch().bind(used.keep_until.as_millis()).bind(epoch).bind(used.ends.as_millis());
        let touch = || touch().fetch_optional(&self.database.pool);
        match self.database.write(touch).await? {
            None => Err(NotFound),
            Some(found) if found != epoch => Err(Conflict),
            Some(_) => Ok(()),
        }
    }
}

/// Whether the cookie leads to this session now: `false` if it leads to another one.
async fn add_cookie(connection: &mut AnyConnection, cookie: &str, session: &str) -> Result<bool, sqlx::Error> {
    let added = sqlx::query::<Any>(ADD_COOKIE).bind(cookie).bind(session).execute(&mut *connection).await?;
    if added.rows_affected() == 1 {
        return Ok(true);
    }
    let owner = sqlx::query_scalar::<Any, String>("SELECT session FROM sso_cookies WHERE name = $1")
        .bind(cookie)
        .fetch_optional(&mut *connection)
        .await?;
    Ok(owner.as_deref() == Some(session))
}

async fn stored_version(connection: &mut AnyConnection, name: &str) -> Result<Option<i64>, sqlx::Error> {
    let query = sqlx::query_scalar::<Any, i64>("SELECT version FROM sso_sessions WHERE name = $1").bind(name);
    query.fetch_optional(&mut *connection).await
}
