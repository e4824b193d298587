//! What belongs to a user or a session in Redis, as lists; and what of a user's cannot be read is removed.

use std::sync::Arc;

use super::{RedisStore, number, text, unexpected};
use crate::{
    clock::Timestamp,
    session::{Family, Link, LinkKey, Session},
    store::{Removed, StoreError, listed::Listed},
};

impl RedisStore {
    pub(super) async fn sessions_of(&self, user: &str) -> Result<Listed<Arc<Session>>, StoreError> {
        let reply = self.run(&self.scripts.of_user, &[user.as_bytes()]).await?;
        let open = |name: &str, rest: &[Vec<u8>]| match rest {
            [sealed, seen, keep] => self.session(name.as_bytes(), sealed, seen, keep),
            _ => Err(unexpected()),
        };
        Ok(listed("session", &reply, 4, open))
    }

    /// What cannot be read is left out and not told, for this is asked every second.
    pub(super) async fn sessions_due(&self, by: Timestamp, most: usize) -> Result<Vec<Arc<Session>>, StoreError> {
        let (by, most) = (text(by), most.to_string());
        let reply = self.run(&self.scripts.due, &[by.as_bytes(), most.as_bytes()]).await?;
        let open = |record: &[Vec<u8>]| match record {
            [name, sealed, seen, keep] => self.session(name, sealed, seen, keep).ok(),
            _ => None,
        };
        Ok(reply.chunks(4).filter_map(open).collect())
    }

    pub(super) async fn families_of_user(&self, user: &str) -> Result<Listed<Arc<Family>>, StoreError> {
        let reply = self.run(&self.scripts.families_of, &[user.as_bytes()]).await?;
        let open = |name: &str, rest: &[Vec<u8>]| match rest {
            [sealed] => self.keys.open_family(name, sealed).map(Arc::new),
            _ => Err(unexpected()),
        };
        Ok(listed("family", &reply, 2, open))
    }

    pub(super) async fn links_of_session(&self, session: &str) -> Result<Listed<(LinkKey, Link)>, StoreError> {
        let reply = self.run(&self.scripts.links_of, &[session.as_bytes()]).await?;
        let open = |full: &str, rest: &[Vec<u8>]| match (full.split_once(':'), rest) {
            (Some((_, name)), [sealed]) => self.keys.open_link(name, sealed),
            _ => Err(unexpected()),
        };
        Ok(listed("link", &reply, 2, open))
    }

    pub(super) async fn remove_unreadable_of(&self, user: &str) -> Result<Removed, StoreError> {
        let mut removed = Removed::default();
        // First what could begin new sessions.
        for name in self.families_of_user(user).await?.unreadable {
            removed.families += number(&self.run(&self.scripts.remove_families, &[name.as_bytes()]).await?)?;
        }
        for name in self.sessions_of(user).await?.unreadable {
            let args = [user.as_bytes(), name.as_bytes()];
            removed.sessions += number(&self.run(&self.scripts.remove_session_of, &args).await?)?;
        }
        Ok(removed)
    }
}

/// A list from an answer that has so many texts for each record, its name first.
fn listed<T>(
    kind: &str,
    reply: &[Vec<u8>],
    texts: usize,
    open: impl Fn(&str, &[Vec<u8>]) -> Result<T, StoreError>,
) -> Listed<T> {
    let records = reply.chunks(texts).filter_map(|record| {
        let (name, rest) = record.split_first()?;
        let name = String::from_utf8_lossy(name).into_owned();
        let record = open(&name, rest);
        Some((name, record))
    });
    Listed::of(kind, records)
}
