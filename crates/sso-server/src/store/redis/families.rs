//! The remember-me families of the store in Redis.

use std::sync::Arc;

use super::{RedisStore, done, text};
use crate::{session::Family, store::StoreError};

impl RedisStore {
    /// Puts a new one, or the next version of the one that was `made_from` this version.
    pub(super) async fn put_family(&self, family: Family, made_from: Option<u64>) -> Result<Arc<Family>, StoreError> {
        let (name, user) = (self.keys.family(&family.id), self.keys.user(&family.username));
        let sealed = self.keys.seal_family(&name, &family)?;
        let (version, expires) = (family.version.to_string(), text(family.expires));
        let made_from = made_from.map(|version| version.to_string()).unwrap_or_default();
        let args =
            [name.as_bytes(), version.as_bytes(), &sealed, user.as_bytes(), expires.as_bytes(), made_from.as_bytes()];
        done(&self.run(&self.scripts.put_family, &args).await?)?;
        Ok(Arc::new(family))
    }

    pub(super) async fn get_family(&self, id: &str) -> Result<Option<Arc<Family>>, StoreError> {
        let name = self.keys.family(id);
        let reply = self.run(&self.scripts.family, &[name.as_bytes()]).await?;
        reply.first().map(|sealed| self.keys.open_family(&name, sealed).map(Arc::new)).transpose()
    }
}
