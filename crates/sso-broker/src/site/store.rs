//! Where visitors' tokens are kept, and the store of the visitor who sends a request.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    cookies::{CookieJar, Entries},
    request::Request,
};
use crate::TokenStore;

/// Makes the store of the visitor who sends a request.
type MakeStore = dyn Fn(&Request) -> Box<dyn TokenStore + Send> + Send + Sync;

/// Where visitors' tokens are kept.
#[derive(Clone)]
pub(crate) enum Storage {
    Cookies,
    /// In the framework's session, whose entries the adapter hands in and writes back.
    #[cfg_attr(not(feature = "actix"), allow(dead_code))]
    Session,
    Custom(Arc<MakeStore>),
}

/// The store of one visitor, during one request.
pub(super) enum Store {
    Cookies(CookieJar),
    Session(Entries),
    Custom(Box<dyn TokenStore + Send>),
}

impl Store {
    /// In the framework's session, which has these entries.
    pub(super) fn of_entries(entries: BTreeMap<String, String>) -> Self {
        Self::Session(Entries::new(entries))
    }

    pub(super) fn new(storage: &Storage, request: &Request, is_https: bool) -> Self {
        match storage {
            Storage::Cookies => Self::Cookies(CookieJar::read(request.header_values("Cookie"), is_https)),
            Storage::Session => Self::Session(Entries::default()),
            Storage::Custom(make) => Self::Custom(make(request)),
        }
    }

    pub(super) fn tokens(&mut self) -> &mut dyn TokenStore {
        match self {
            Self::Cookies(jar) => jar,
            Self::Session(entries) => entries,
            Self::Custom(store) => store.as_mut(),
        }
    }

    pub(super) fn set_cookies(&self) -> Vec<String> {
        match self {
            Self::Cookies(jar) => jar.set_cookies().collect(),
            _ => Vec::new(),
        }
    }

    #[cfg(feature = "actix")]
    pub(super) fn entry_changes(&self) -> Vec<(String, Option<String>)> {
        let Self::Session(entries) = self else { return Vec::new() };
        let changes = entries.changes().iter();
        changes.map(|(key, change)| (key.clone(), change.as_ref().map(|(value, _)| value.clone()))).collect()
    }
}
