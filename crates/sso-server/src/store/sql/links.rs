//! Links in SQL.

use std::sync::Arc;

use sqlx::{Any, AnyConnection, Row, any::AnyRow};

use super::{SqlStore, column, purge::emptied, version_of};
use crate::{
    clock::Timestamp,
    session::{Link, LinkKey},
    store::{
        LinkOutcome, Resolved, StoreError, Unlink,
        listed::Listed,
        room::{self, Other, noted},
    },
};

/// One JOIN: one round trip.
const RESOLVE: &str = "SELECT l.record AS link, l.called AS called, s.name AS name, s.last_seen AS last_seen, s.keep_until AS keep_until, s.record AS record \
     FROM sso_links l JOIN sso_sessions s ON s.name = l.session WHERE l.name = $1";

/// Changes nothing, but has others who write the session or link to it wait: so its count stays as it is told here, and its
/// links are counted one after the other.
const LOCK: &str = "UPDATE sso_sessions SET version = version WHERE name = $1 RETURNING epoch";

/// Puts the link if the token is free.
const PUT: &str = "INSERT INTO sso_links (name, session, broker, made, record) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING";

/// The other links of a session at a broker than the one that was just made.
const OTHERS: &str = "SELECT name, made, called FROM sso_links WHERE session = $1 AND broker = $2 AND name <> $3";

const CALLED: &str = "UPDATE sso_links SET called = CASE WHEN called > $2 THEN called ELSE $2 END WHERE name = $1";

fn other(row: &AnyRow) -> Result<Other<String>, sqlx::Error> {
    let made = Timestamp::from_millis(row.try_get("made")?);
    Ok(Other { key: row.try_get("name")?, made, called: noted(row.try_get("called")?) })
}

pub(super) struct LinkRow {
    name: String,
    session: String,
    broker: String,
    made: i64,
    sealed: Vec<u8>,
}

impl LinkRow {
    /// Whether the token was free, and is linked now.
    pub(super) async fn put(&self, connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
        let put = sqlx::query::<Any>(PUT).bind(&self.name).bind(&self.session).bind(&self.broker);
        let put = put.bind(self.made).bind(self.sealed.as_slice());
        Ok(put.execute(connection).await?.rows_affected() == 1)
    }
}

impl SqlStore {
    pub(super) async fn resolve_link(&self, name: &str) -> Result<Option<Resolved>, StoreError> {
        let query = || sqlx::query::<Any>(RESOLVE).bind(name);
        let row = self.database.read(|| query().fetch_optional(&self.database.pool)).await?;
        row.map(|row| {
            let (_, link) = self.keys.open_link(name, &column::<Vec<u8>>(&row, "link")?)?;
            Resolved::sealed(link, Arc::new(self.session_in(&row)?), noted(column(&row, "called")?))
        })
        .transpose()
    }

    /// What the table has of a link.
    pub(super) fn link_row(&self, key: &LinkKey, link: &Link) -> Result<LinkRow, StoreError> {
        let name = self.keys.link(key);
        let sealed = self.keys.seal_link(&name, key, link)?;
        let (session, broker) = (self.keys.session(&link.session), self.keys.broker(&key.broker));
        Ok(LinkRow { name, session, broker, made: link.at.as_millis(), sealed })
    }

    /// Puts it, and has the session's other links at this broker make room.
    pub(super) async fn put_link(&self, key: &LinkKey, link: &Link) -> Result<LinkOutcome, StoreError> {
        let (row, epoch) = (self.link_row(key, link)?, version_of(link.epoch)?);
        let LinkRow { name, session, broker, .. } = &row;
        let work = || async {
            let mut transaction = self.database.begin().await?;
            let found = sqlx::query_scalar::<Any, i64>(LOCK).bind(session);
            let found = found.fetch_optional(transaction.connection()?).await?;
            if found != Some(epoch) {
                transaction.rollback().await?;
                return Ok(Err(if found.is_some() { StoreError::Conflict } else { StoreError::NotFound }));
            }
            if !row.put(transaction.connection()?).await? {
                transaction.rollback().await?;
                return Ok(Ok(LinkOutcome::Taken));
            }
            let others = sqlx::query::<Any>(OTHERS).bind(session).bind(broker).bind(name);
            let others = others.fetch_all(transaction.connection()?).await?;
            let others = others.iter().map(other).collect::<Result<_, _>>()?;
            let Some(going) = room::made_for(link, others) else {
                transaction.rollback().await?;
                return Ok(Ok(LinkOutcome::NoRoom));
            };
            for name in &going {
                // Its token may have been linked to another session meanwhile.
                let cut = sqlx::query::<Any>("DELETE FROM sso_links WHERE name = $1 AND session = $2");
                cut.bind(name).bind(session).execute(transaction.connection()?).await?;
            }
            transaction.commit().await?;
            Ok(Ok(LinkOutcome::Linked))
        };
        self.database.write(work).await?
    }

    pub(super) async fn note_call(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        let note = || sqlx::query::<Any>(CALLED).bind(name).bind(at.as_millis());
        if self.database.execute(note).await? == 1 { Ok(()) } else { Err(StoreError::NotFound) }
    }

    pub(super) async fn cut_links(&self, which: &Unlink) -> Result<u64, StoreError> {
        match which {
            Unlink::One(key) => {
                let cut = || sqlx::query::<Any>("DELETE FROM sso_links WHERE name = $1").bind(self.keys.link(key));
                self.database.execute(cut).await
            }
            Unlink::Broker(broker) => emptied(&self.database, "sso_links", Some(&self.keys.broker(broker))).await,
            Unlink::All => emptied(&self.database, "sso_links", None).await,
        }
    }

    pub(super) async fn links_of_session(&self, session: &str) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        let query = "SELECT name, record FROM sso_links WHERE session = $1";
        let query = || sqlx::query::<Any>(query).bind(session);
        let rows = self.database.read(|| query().fetch_all(&self.database.pool)).await?;
        let open = |row: &AnyRow| {
            let name: String = column(row, "name")?;
            let link = self.keys.open_link(&name, &column::<Vec<u8>>(row, "record")?);
            Ok((name, link))
        };
        Ok(Listed::of("link", rows.iter().map(open).collect::<Result<Vec<_>, _>>()?).readable)
    }
}
