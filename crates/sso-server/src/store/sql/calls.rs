//! The calls of the contract.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Any;

use super::{
    Engine, SqlStore, column,
    purge::{self, emptied},
    rows::{listed, number, with_times},
};
use crate::{
    session::{CookieHash, Family, Link, LinkKey, Session, SessionId},
    store::{
        Removed, Resolved, Store,
        StoreError::{self, Conflict, NoRoom, Taken, Unavailable},
        Unlink,
        keys::Kind,
        partial_list::PartialList,
        room_for,
        rules::noted,
    },
    util::clock::{CLOCK_SKEW, Timestamp},
};

const INSERT: &str = "INSERT INTO sso_sessions (name, username, version, epoch, last_seen, keep_until, ends, record) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";

/// Times as [`updated`](crate::store::updated) says; `$9` is the latest last use that counts.
const UPDATE: &str = "UPDATE sso_sessions SET username = $2, version = $3, epoch = $4, record = $8, \
     last_seen = CASE WHEN last_seen <= $9 AND last_seen > $5 THEN last_seen ELSE $5 END, \
     keep_until = CASE WHEN last_seen <= $9 AND epoch = $4 AND keep_until > $6 THEN keep_until ELSE $6 END, \
     ends = CASE WHEN last_seen <= $9 AND epoch = $4 AND ends > $7 THEN ends ELSE $7 END \
     WHERE name = $1 AND version = $3 - 1 RETURNING last_seen, keep_until";

const TOUCH: &str = "UPDATE sso_sessions SET \
     last_seen = CASE WHEN last_seen > $3 THEN last_seen ELSE $3 END, \
     keep_until = CASE WHEN keep_until > $4 THEN keep_until ELSE $4 END, \
     ends = CASE WHEN ends > $5 THEN ends ELSE $5 END \
     WHERE name = $1 AND epoch = $2";

/// Changes nothing, but has others who write the session or link to it wait: so its count stays, and its links are
/// counted one after the other.
const LOCK: &str = "UPDATE sso_sessions SET version = version WHERE name = $1 AND epoch = $2";

const BY_ID: &str = "SELECT name, last_seen, keep_until, record FROM sso_sessions WHERE name = $1";
const BY_USER: &str = "SELECT name, last_seen, keep_until, record FROM sso_sessions WHERE username = $1";
const BY_COOKIE: &str = "SELECT s.name AS name, s.last_seen AS last_seen, s.keep_until AS keep_until, \
     s.record AS record \
     FROM sso_cookies c JOIN sso_sessions s ON s.name = c.session WHERE c.name = $1";
const BY_END: &str =
    "SELECT name, last_seen, keep_until, record FROM sso_sessions WHERE ends <= $1 ORDER BY ends LIMIT $2";

/// What cannot be read would be found again and again, and leave no room for others.
const HIDE: &str = "UPDATE sso_sessions SET ends = $1 WHERE name = $2 AND ends <= $3";

/// Session and link: one round trip.
const BY_LINK: &str = "SELECT l.record AS link, l.called AS called, \
     s.name AS name, s.last_seen AS last_seen, s.keep_until AS keep_until, s.record AS record \
     FROM sso_links l JOIN sso_sessions s ON s.name = l.session WHERE l.name = $1";

const CALLED: &str = "UPDATE sso_links SET called = CASE WHEN called > $2 THEN called ELSE $2 END WHERE name = $1";

const INSERT_FAMILY: &str = "INSERT INTO sso_families (name, username, version, keep_until, record) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const UPDATE_FAMILY: &str = "UPDATE sso_families SET username = $2, version = $3, keep_until = $4, record = $5 \
     WHERE name = $1 AND version = $3 - 1";

#[async_trait]
impl Store for SqlStore {
    async fn insert(&self, session: Session, first: Option<(LinkKey, Link)>) -> Result<Arc<Session>, StoreError> {
        let row = self.session_row(&session)?;
        let link = first.map(|(key, link)| self.link_row(&key, &link)).transpose()?;
        let work = || async {
            let mut transaction = self.database.begin().await?;
            let connection = transaction.connection()?;
            let inserted = row.query(INSERT).execute(&mut *connection).await?;
            let done = if inserted.rows_affected() == 0 || !row.put_cookie(connection).await? {
                Err(Conflict)
            } else if let Some(link) = &link
                && !link.put(connection).await?
            {
                Err(Taken)
            } else {
                Ok(())
            };
            transaction.end(done).await
        };
        self.database.write(work).await?.map(|()| Arc::new(session))
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        self.found(BY_ID, &self.keys.session(id)).await
    }

    async fn load(&self, cookie: &CookieHash) -> Result<Option<Arc<Session>>, StoreError> {
        self.found(BY_COOKIE, &self.keys.cookie(cookie)).await
    }

    async fn resolve(&self, key: &LinkKey) -> Result<Option<Resolved>, StoreError> {
        let name = self.keys.link(key);
        let row = self.database.row(|| sqlx::query::<Any>(BY_LINK).bind(&name)).await?;
        row.map(|row| {
            let (_, link): (LinkKey, _) = self.keys.open_text(Kind::Link, &name, &column::<Vec<u8>>(&row, "link")?)?;
            Resolved::sealed(link, self.session_in(&row)?, noted(column(&row, "called")?))
        })
        .transpose()
    }

    async fn update(&self, session: Session) -> Result<Arc<Session>, StoreError> {
        let session = Session { version: session.version + 1, ..session };
        let row = self.session_row(&session)?;
        let latest = self.clock.now().after(CLOCK_SKEW).as_millis();
        let work = || async {
            let mut transaction = self.database.begin().await?;
            let connection = transaction.connection()?;
            let times = row.query(UPDATE).bind(latest).fetch_optional(&mut *connection).await?;
            let done = match times {
                Some(times) if row.put_cookie(connection).await? => {
                    row.drop_other_cookies(connection).await?;
                    Ok(times)
                }
                _ => Err(Conflict),
            };
            transaction.end(done).await
        };
        let times = self.database.write(work).await??;
        with_times(session, &times)
    }

    async fn touch(&self, used: &Session) -> Result<(), StoreError> {
        let (name, epoch) = (self.keys.session(&used.id), number(used.epoch)?);
        let [seen, keep, ends] = [used.last_seen, used.keep_until, used.ends].map(Timestamp::as_millis);
        let touch = || sqlx::query::<Any>(TOUCH).bind(&name).bind(epoch).bind(seen).bind(keep).bind(ends);
        if self.database.execute(touch).await? == 1 { Ok(()) } else { Err(Conflict) }
    }

    async fn due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let (by, most) = (by.as_millis(), i64::try_from(most).unwrap_or(i64::MAX));
        loop {
            let rows = self.database.rows(|| sqlx::query::<Any>(BY_END).bind(by).bind(most)).await?;
            let due = listed(Kind::Session, &rows, |row| self.session_in(row))?;
            if due.unreadable.is_empty() {
                return Ok(due.readable);
            }
            let hide = || async {
                let mut transaction = self.database.begin().await?;
                for name in &due.unreadable {
                    let hide = sqlx::query::<Any>(HIDE).bind(Timestamp::NEVER.as_millis()).bind(name).bind(by);
                    hide.execute(transaction.connection()?).await?;
                }
                transaction.commit().await
            };
            self.database.write(hide).await?;
        }
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<(), StoreError> {
        let (row, epoch) = (self.link_row(&key, &link)?, number(link.epoch)?);
        let work = || async {
            let mut transaction = self.database.begin().await?;
            let connection = transaction.connection()?;
            let locked = sqlx::query::<Any>(LOCK).bind(&row.session).bind(epoch).execute(&mut *connection).await?;
            let done = if locked.rows_affected() == 0 {
                Err(Conflict)
            } else if !row.put(connection).await? {
                Err(Taken)
            } else {
                room_for(&link, row.others(connection).await?).ok_or(NoRoom)
            };
            for name in done.iter().flatten() {
                // Its token may have been linked to another session meanwhile.
                let cut = sqlx::query::<Any>("DELETE FROM sso_links WHERE name = $1 AND session = $2");
                cut.bind(name).bind(&row.session).execute(&mut *connection).await?;
            }
            transaction.end(done.map(drop)).await
        };
        self.database.write(work).await?
    }

    async fn called(&self, key: &LinkKey, at: Timestamp) -> Result<(), StoreError> {
        let called = || sqlx::query::<Any>(CALLED).bind(self.keys.link(key)).bind(at.as_millis());
        self.database.execute(called).await.map(drop)
    }

    async fn unlink(&self, which: &Unlink) -> Result<u64, StoreError> {
        match which {
            Unlink::One(key) => {
                let cut = || sqlx::query::<Any>("DELETE FROM sso_links WHERE name = $1").bind(self.keys.link(key));
                self.database.execute(cut).await
            }
            Unlink::Broker(broker) => emptied(&self.database, "sso_links", Some(&self.keys.broker(broker))).await,
            Unlink::All => emptied(&self.database, "sso_links", None).await,
        }
    }

    async fn links_of(&self, id: &SessionId) -> Result<Vec<(LinkKey, Link)>, StoreError> {
        let (links, session) = ("SELECT name, record FROM sso_links WHERE session = $1", self.keys.session(id));
        let rows = self.database.rows(|| sqlx::query::<Any>(links).bind(&session)).await?;
        Ok(listed(Kind::Link, &rows, |row| self.link_in(row))?.readable)
    }

    async fn of_user(&self, username: &str) -> Result<Vec<Arc<Session>>, StoreError> {
        Ok(self.sessions_of(&self.keys.user(username)).await?.of_user(username))
    }

    async fn consume(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let insert = "INSERT INTO sso_used (name, keep_until) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let insert = || sqlx::query::<Any>(insert).bind(self.keys.used(id)).bind(until.as_millis());
        Ok(self.database.execute(insert).await? == 1)
    }

    async fn put_family(&self, family: Family) -> Result<Arc<Family>, StoreError> {
        let statement = if family.version == 0 { INSERT_FAMILY } else { UPDATE_FAMILY };
        let family = Family { version: family.version + 1, ..family };
        let (name, user) = (self.keys.family(&family.id), self.keys.user(&family.username));
        let (version, sealed) = (number(family.version)?, self.keys.seal_text(Kind::Family, &name, &family)?);
        let put = || {
            let put = sqlx::query::<Any>(statement).bind(&name).bind(&user).bind(version);
            put.bind(family.expires.as_millis()).bind(sealed.as_slice())
        };
        if self.database.execute(put).await? == 1 { Ok(Arc::new(family)) } else { Err(Conflict) }
    }

    async fn family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        let (family, name) = ("SELECT name, record FROM sso_families WHERE name = $1", self.keys.family(id));
        let row = self.database.row(|| sqlx::query::<Any>(family).bind(&name)).await?;
        row.map(|row| self.family_in(&row)).transpose()
    }

    async fn remove_family(&self, id: &str) -> Result<bool, StoreError> {
        self.removed("DELETE FROM sso_families WHERE name = $1", &self.keys.family(id)).await
    }

    async fn families_of(&self, username: &str) -> Result<Vec<Arc<Family>>, StoreError> {
        Ok(self.remembered(&self.keys.user(username)).await?.of_user(username))
    }

    async fn remove_unreadable(&self, username: &str) -> Result<Removed, StoreError> {
        let (user, mut removed) = (self.keys.user(username), Removed::default());
        // First what could begin new sessions.
        for name in self.remembered(&user).await?.unreadable {
            let is_removed = self.removed("DELETE FROM sso_families WHERE name = $1", &name).await?;
            removed.families += u64::from(is_removed);
        }
        for name in self.sessions_of(&user).await?.unreadable {
            let is_removed = self.removed("DELETE FROM sso_sessions WHERE name = $1", &name).await?;
            removed.sessions += u64::from(is_removed);
        }
        Ok(removed)
    }

    async fn remove_all(&self) -> Result<Removed, StoreError> {
        purge::everything(&self.database).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // A replica, and a file that somebody has locked, would answer any SELECT. Anybody may ask this, so it writes
        // nothing as long as writes work.
        let is_writable = || async {
            match self.database.engine {
                Engine::Sqlite => self.database.begin().await?.rollback().await.map(|()| true),
                Engine::Postgres => {
                    let setting = sqlx::query_scalar::<Any, String>("SELECT current_setting('transaction_read_only')");
                    Ok(setting.fetch_one(&self.database.pool).await? == "off")
                }
            }
        };
        if !self.database.write(is_writable).await? {
            return Err(Unavailable("the database can only be read".into()));
        }
        self.database.prove_writes().await
    }
}

/// What several calls do. Names are keyed hashes.
impl SqlStore {
    async fn found(&self, query: &'static str, name: &str) -> Result<Option<Arc<Session>>, StoreError> {
        let row = self.database.row(|| sqlx::query::<Any>(query).bind(name)).await?;
        row.map(|row| self.session_in(&row)).transpose()
    }

    async fn sessions_of(&self, user: &str) -> Result<PartialList<Arc<Session>>, StoreError> {
        let rows = self.database.rows(|| sqlx::query::<Any>(BY_USER).bind(user)).await?;
        listed(Kind::Session, &rows, |row| self.session_in(row))
    }

    async fn remembered(&self, user: &str) -> Result<PartialList<Arc<Family>>, StoreError> {
        let families = "SELECT name, record FROM sso_families WHERE username = $1";
        let rows = self.database.rows(|| sqlx::query::<Any>(families).bind(user)).await?;
        listed(Kind::Family, &rows, |row| self.family_in(row))
    }

    async fn removed(&self, delete: &'static str, name: &str) -> Result<bool, StoreError> {
        Ok(self.database.execute(|| sqlx::query::<Any>(delete).bind(name)).await? == 1)
    }
}
