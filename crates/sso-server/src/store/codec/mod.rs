//! Records as sealed bytes, for stores outside this process: the JSON of the records themselves.

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{
    StoreError,
    keys::{Kind, StoreKeys},
};

/// Sealing of whole records, each for its place in the store. A link is sealed with its own name: what is sealed for
/// one token is not taken for another's.
impl StoreKeys {
    pub(crate) fn seal_text(&self, kind: Kind, name: &str, record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        let text = serde_json::to_vec(record).map(Zeroizing::new).map_err(|_| unreadable("new"))?;
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
        // What it is made of was limited when it came; a record is some levels deeper, and must be readable all the
        // same.
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
