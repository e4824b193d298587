//! Records as sealed bytes, for stores outside this process: the JSON of the records themselves.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{
    StoreError,
    keys::{Kind, StoreKeys},
};
use crate::session::{Family, Link, LinkKey, Session};

/// A link with its own name: what is sealed for one token is not taken for another's.
#[derive(Serialize, Deserialize)]
struct Linked<K, L> {
    key: K,
    link: L,
}

/// Sealing of whole records, each for its place in the store.
impl StoreKeys {
    pub(super) fn seal_session(&self, name: &str, session: &Session) -> Result<Vec<u8>, StoreError> {
        self.seal_text(Kind::Session, name, session)
    }

    pub(super) fn open_session(&self, name: &str, sealed: &[u8]) -> Result<Session, StoreError> {
        self.open_text(Kind::Session, name, sealed)
    }

    pub(super) fn seal_link(&self, name: &str, key: &LinkKey, link: &Link) -> Result<Vec<u8>, StoreError> {
        self.seal_text(Kind::Link, name, &Linked { key, link })
    }

    pub(super) fn open_link(&self, name: &str, sealed: &[u8]) -> Result<(LinkKey, Link), StoreError> {
        self.open_text(Kind::Link, name, sealed).map(|Linked { key, link }| (key, link))
    }

    pub(super) fn seal_family(&self, name: &str, family: &Family) -> Result<Vec<u8>, StoreError> {
        self.seal_text(Kind::Family, name, family)
    }

    pub(super) fn open_family(&self, name: &str, sealed: &[u8]) -> Result<Family, StoreError> {
        self.open_text(Kind::Family, name, sealed)
    }

    pub(crate) fn seal_text(&self, kind: Kind, name: &str, text: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        let text = serde_json::to_vec(text).map(Zeroizing::new).map_err(|_| unreadable("new"))?;
        self.seal(kind, name, &text)
    }

    pub(crate) fn open_text<T: DeserializeOwned>(
        &self,
        kind: Kind,
        name: &str,
        sealed: &[u8],
    ) -> Result<T, StoreError> {
        let text = self.open(kind, name, sealed)?;
        let mut reader = serde_json::Deserializer::from_slice(&text);
        // What it is made of was limited when it came; a record is some levels deeper, and must be readable all the same.
        reader.disable_recursion_limit();
        let read = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        // The error's own text might show what it could not read.
        read.map_err(|_| unreadable("stored"))
    }
}

fn unreadable(what: &str) -> StoreError {
    StoreError::Unavailable(format!("a {what} record cannot be read by this version of the server"))
}

#[cfg(test)]
mod tests;
