//! Records as the tables have them: sealed, and beside them what is searched or counted.

use std::sync::Arc;

use sqlx::{Any, AnyConnection, Row, any::AnyRow};

use super::{SqlStore, column, connection::Query};
use crate::{
    session::{Family, Link, LinkKey, Session},
    store::{OtherLink, StoreError, keys::Kind, partial_list::PartialList, rules::noted},
    util::clock::Timestamp,
};

/// Whether the cookie is free, or this session's already; it is this session's then.
const PUT_COOKIE: &str = "INSERT INTO sso_cookies (name, session) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET session = excluded.session WHERE sso_cookies.session = excluded.session";

/// Puts the link if the token is free.
const PUT_LINK: &str = "INSERT INTO sso_links (name, session, broker, made, record) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING";

/// The other links of a session at a broker than the one that was just made.
const OTHERS: &str = "SELECT name, made, called FROM sso_links WHERE session = $1 AND broker = $2 AND name <> $3";

pub(super) struct SessionRow {
    name: String,
    user: Option<String>,
    version: i64,
    epoch: i64,
    last_seen: i64,
    keep_until: i64,
    ends: i64,
    sealed: Vec<u8>,
    cookie: String,
    old_cookie: Option<String>,
}

impl SessionRow {
    /// A statement with the row's values as `$1` to `$8`.
    pub(super) fn query(&self, statement: &'static str) -> Query<'_> {
        sqlx::query::<Any>(statement)
            .bind(&self.name)
            .bind(self.user.as_deref())
            .bind(self.version)
            .bind(self.epoch)
            .bind(self.last_seen)
            .bind(self.keep_until)
            .bind(self.ends)
            .bind(self.sealed.as_slice())
    }

    /// Whether the cookie leads to this session now: `false` if it leads to another one.
    pub(super) async fn put_cookie(&self, connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
        let put = sqlx::query::<Any>(PUT_COOKIE).bind(&self.cookie).bind(&self.name);
        Ok(put.execute(connection).await?.rows_affected() == 1)
    }

    /// Removes the cookies that are not the session's any more.
    pub(super) async fn drop_other_cookies(&self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let drop_others = "DELETE FROM sso_cookies WHERE session = $1 AND name <> $2 AND name <> $3";
        let drop_others = sqlx::query::<Any>(drop_others).bind(&self.name).bind(&self.cookie);
        drop_others.bind(self.old_cookie.as_ref().unwrap_or(&self.cookie)).execute(connection).await.map(drop)
    }
}

pub(super) struct LinkRow {
    name: String,
    pub(super) session: String,
    broker: String,
    made: i64,
    sealed: Vec<u8>,
}

impl LinkRow {
    /// Whether the token was free, and is linked now.
    pub(super) async fn put(&self, connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
        let put = sqlx::query::<Any>(PUT_LINK).bind(&self.name).bind(&self.session).bind(&self.broker);
        let put = put.bind(self.made).bind(self.sealed.as_slice());
        Ok(put.execute(connection).await?.rows_affected() == 1)
    }

    /// The session's other links at this broker.
    pub(super) async fn others(&self, connection: &mut AnyConnection) -> Result<Vec<OtherLink<String>>, sqlx::Error> {
        let others = sqlx::query::<Any>(OTHERS).bind(&self.session).bind(&self.broker).bind(&self.name);
        let other = |row: &AnyRow| {
            let made = Timestamp::from_millis(row.try_get("made")?);
            Ok(OtherLink { key: row.try_get("name")?, made, called: noted(row.try_get("called")?) })
        };
        others.fetch_all(connection).await?.iter().map(other).collect()
    }
}

impl SqlStore {
    pub(super) fn session_row(&self, session: &Session) -> Result<SessionRow, StoreError> {
        let name = self.keys.session(&session.id);
        Ok(SessionRow {
            user: session.user().map(|user| self.keys.user(&user.username)),
            version: number(session.version)?,
            epoch: number(session.epoch)?,
            sealed: self.keys.seal_text(Kind::Session, &name, session)?,
            cookie: self.keys.cookie(&session.cookie),
            old_cookie: session.old_cookie.map(|old| self.keys.cookie(&old.hash)),
            last_seen: session.last_seen.as_millis(),
            keep_until: session.keep_until.as_millis(),
            ends: session.ends.as_millis(),
            name,
        })
    }

    pub(super) fn link_row(&self, key: &LinkKey, link: &Link) -> Result<LinkRow, StoreError> {
        let name = self.keys.link(key);
        let sealed = self.keys.seal_text(Kind::Link, &name, &(key, link))?;
        let (session, broker) = (self.keys.session(&link.session), self.keys.broker(&key.broker));
        Ok(LinkRow { name, session, broker, made: link.at.as_millis(), sealed })
    }

    pub(super) fn session_in(&self, row: &AnyRow) -> Result<Arc<Session>, StoreError> {
        let (name, sealed) = sealed(row)?;
        with_times(self.keys.open_text(Kind::Session, &name, &sealed)?, row)
    }

    pub(super) fn link_in(&self, row: &AnyRow) -> Result<(LinkKey, Link), StoreError> {
        let (name, sealed) = sealed(row)?;
        self.keys.open_text(Kind::Link, &name, &sealed)
    }

    pub(super) fn family_in(&self, row: &AnyRow) -> Result<Arc<Family>, StoreError> {
        let (name, sealed) = sealed(row)?;
        self.keys.open_text(Kind::Family, &name, &sealed).map(Arc::new)
    }
}

/// What is in each row.
pub(super) fn listed<T>(
    kind: Kind,
    rows: &[AnyRow],
    read: impl Fn(&AnyRow) -> Result<T, StoreError>,
) -> Result<PartialList<T>, StoreError> {
    let records = rows.iter().map(|row| Ok((column(row, "name")?, read(row)))).collect::<Result<Vec<_>, _>>()?;
    Ok(PartialList::of(kind, records))
}

fn sealed(row: &AnyRow) -> Result<(String, Vec<u8>), StoreError> {
    Ok((column(row, "name")?, column(row, "record")?))
}

/// The session with the times of its row, for a touch moves these alone.
pub(super) fn with_times(mut session: Session, row: &AnyRow) -> Result<Arc<Session>, StoreError> {
    session.last_seen = Timestamp::from_millis(column(row, "last_seen")?);
    session.keep_until = Timestamp::from_millis(column(row, "keep_until")?);
    Ok(Arc::new(session))
}

/// A version or a count as both databases have it.
pub(super) fn number(count: u64) -> Result<i64, StoreError> {
    i64::try_from(count).map_err(|_| StoreError::Conflict)
}
