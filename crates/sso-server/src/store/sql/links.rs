//! Links in SQL.

use std::sync::Arc;

use sqlx::{Any, any::AnyRow};

use super::{SqlStore, column, purge::emptied};
use crate::{
    session::{Link, LinkKey, SessionId},
    store::{LinkOutcome, Resolved, StoreError, Unlink, listed::Listed},
};

/// One JOIN: one round trip.
const RESOLVE: &str = "SELECT l.record AS link, s.name AS name, s.last_seen AS last_seen, s.keep_until AS keep_until, s.record AS record \
     FROM sso_links l JOIN sso_sessions s ON s.name = l.session WHERE l.name = $1";

/// Puts the link if its session is there and the token is free, or belongs to the session that is named.
const PUT: &str = "INSERT INTO sso_links (name, session, broker, heals, made, record) \
     SELECT $1, name, $3, $4, $5, $6 FROM sso_sessions WHERE name = $2 \
     ON CONFLICT (name) DO UPDATE SET session = excluded.session, broker = excluded.broker, \
     heals = excluded.heals, made = excluded.made, record = excluded.record \
     WHERE sso_links.session = $7 AND sso_links.session <> excluded.session";

/// Changes nothing, but has others who link to the session wait: so they count one after the other.
const LOCK: &str = "UPDATE sso_sessions SET version = version WHERE name = $1";

/// All links of a session at a broker but the newest ones and the one that was just made.
const CUT_OLDEST: &str = "DELETE FROM sso_links WHERE session = $1 AND broker = $2 AND name IN \
     (SELECT name FROM sso_links WHERE session = $1 AND broker = $2 AND name <> $3 \
     ORDER BY made DESC, name LIMIT 9223372036854775807 OFFSET $4)";

/// How often a link that comes and goes is looked at again.
const ATTEMPTS: usize = 20;

impl SqlStore {
    pub(super) async fn resolve_link(&self, name: &str) -> Result<Option<Resolved>, StoreError> {
        let query = || sqlx::query::<Any>(RESOLVE).bind(name);
        let row = self.database.read(|| query().fetch_optional(&self.database.pool)).await?;
        row.map(|row| {
            let (_, link) = self.keys.open_link(name, &column::<Vec<u8>>(&row, "link")?)?;
            Resolved::sealed(link, Arc::new(self.session_in(&row)?))
        })
        .transpose()
    }

    pub(super) async fn put_link(
        &self,
        key: &LinkKey,
        link: &Link,
        replaces: Option<&SessionId>,
    ) -> Result<LinkOutcome, StoreError> {
        let (name, session) = (self.keys.link(key), self.keys.session(&link.session));
        for _ in 0..ATTEMPTS {
            if self.try_put(key, link, &name, &session, replaces).await? {
                return Ok(LinkOutcome::Linked(link.code.clone()));
            }
            // Somebody has the token, or the session is gone.
            if self.session_named(&session).await?.is_none() {
                return Err(StoreError::NotFound);
            }
            match self.resolve_link(&name).await? {
                Some(found) if found.session.id == link.session => return Ok(LinkOutcome::Linked(found.link.code)),
                // Unless it was moved to the one that is named meanwhile: then once more.
                Some(found) if Some(&found.session.id) != replaces => return Ok(LinkOutcome::Taken(found.session)),
                _ => {}
            }
        }
        Err(StoreError::Unavailable("a link changes all the time".into()))
    }

    /// Whether it was put. The session's oldest links at this broker make room.
    async fn try_put(
        &self,
        key: &LinkKey,
        link: &Link,
        name: &str,
        session: &str,
        replaces: Option<&SessionId>,
    ) -> Result<bool, StoreError> {
        let broker = self.keys.broker(&key.broker);
        let sealed = self.keys.seal_link(name, key, link)?;
        let replaces = replaces.map(|id| self.keys.session(id));
        let others = i64::try_from(Link::MAX_PER_BROKER).unwrap_or(i64::MAX) - 1;
        let work = || async {
            let mut transaction = self.database.begin().await?;
            sqlx::query::<Any>(LOCK).bind(session).execute(transaction.connection()?).await?;
            let put = sqlx::query::<Any>(PUT)
                .bind(name)
                .bind(session)
                .bind(&broker)
                .bind(i64::from(link.heals))
                .bind(link.at.as_millis())
                .bind(sealed.as_slice())
                .bind(replaces.as_deref());
            if put.execute(transaction.connection()?).await?.rows_affected() == 0 {
                transaction.rollback().await?;
                return Ok(false);
            }
            let cut = sqlx::query::<Any>(CUT_OLDEST).bind(session).bind(&broker).bind(name).bind(others);
            cut.execute(transaction.connection()?).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.database.write(work).await
    }

    pub(super) async fn cut_links(&self, which: &Unlink) -> Result<u64, StoreError> {
        let (delete, names) = match which {
            Unlink::OthersAtBroker { session, keep } => (
                "DELETE FROM sso_links WHERE session = $1 AND broker = $2 AND name <> $3",
                vec![self.keys.session(session), self.keys.broker(&keep.broker), self.keys.link(keep)],
            ),
            Unlink::OthersThatHeal { session, keep } => {
                let keep = keep.as_ref().map_or_else(String::new, |keep| self.keys.link(keep));
                let delete = "DELETE FROM sso_links WHERE session = $1 AND heals = 1 AND name <> $2";
                (delete, vec![self.keys.session(session), keep])
            }
            Unlink::Broker(broker) => {
                return emptied(&self.database, "sso_links", Some(&self.keys.broker(broker))).await;
            }
            Unlink::All => return emptied(&self.database, "sso_links", None).await,
        };
        let cut = || names.iter().fold(sqlx::query::<Any>(delete), |query, name| query.bind(name));
        self.database.execute(cut).await
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
