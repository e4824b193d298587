//! The keys of stores outside this process: what they hold is sealed, and found by names that only the keys make.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sso_core::{BrokerId, checksum::MacKey, random};
use zeroize::Zeroizing;

use super::StoreError;
use crate::session::{CookieHash, LinkKey, SessionId};

/// What the keys are made from: 256 random bits.
pub type StoreSecret = [u8; 32];

/// The form of sealed bytes: this number, the key's id, a nonce, the text, its tag.
const FORM: u8 = 1;
const KEY_ID_LEN: usize = 8;

/// The keys by which a store's contents are sealed (AES-256-GCM) and named (HMAC-SHA256).
///
/// Sealing keys rotate: the first secret seals, all of them open. Names must stay, so they come from the *last* secret:
/// a new one is put in front, and the last one stays for as long as the store. (Giving the last one up loses what is in
/// the store.)
#[derive(Clone)]
pub struct StoreKeys {
    /// Seals.
    current: SealingKey,
    /// Open what was sealed before.
    older: Vec<SealingKey>,
    /// Never rotates.
    lasting: MacKey,
    names: MacKey,
}

/// There is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a store needs at least one key")]
pub struct NoStoreKey;

/// Seals and opens. Each record has a key of its own, so that random nonces never come near their limit, and a record
/// opens at its own place only.
#[derive(Clone)]
struct SealingKey {
    id: [u8; KEY_ID_LEN],
    key: MacKey,
}

/// The kinds of records; a record of one kind never opens as another.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Session,
    Link,
    Family,
    Setting,
    BrokerSecrets,
}

impl Kind {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Link => "link",
            Self::Family => "family",
            Self::Setting => "setting",
            Self::BrokerSecrets => "broker secrets",
        }
    }
}

impl StoreKeys {
    /// The first secret seals, all open, the last one names.
    pub fn new(secrets: &[StoreSecret]) -> Result<Self, NoStoreKey> {
        let mut keys = secrets.iter().map(SealingKey::new);
        let (Some(current), Some(last)) = (keys.next(), secrets.last()) else { return Err(NoStoreKey) };
        let lasting = MacKey::new(last);
        Ok(Self { current, older: keys.collect(), names: lasting.derive("store: names"), lasting })
    }

    /// New ones, for a store that need not outlive the process.
    pub fn generate() -> Self {
        let secret = random::bytes();
        let lasting = MacKey::new(&secret);
        let names = lasting.derive("store: names");
        Self { current: SealingKey::new(&secret), older: Vec::new(), names, lasting }
    }

    /// A secret for another purpose, the same for as long as the store: what a restart must not change can be made from
    /// it.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.lasting.derive("store: derived").mac(&[purpose])
    }

    pub(super) fn session(&self, id: &SessionId) -> String {
        self.name("session", &[id.as_str()])
    }

    pub(super) fn cookie(&self, cookie: &CookieHash) -> String {
        self.name("cookie", &[&hex(cookie.as_bytes())])
    }

    pub(super) fn broker(&self, broker: &BrokerId) -> String {
        self.name("broker", &[broker.as_str()])
    }

    pub(super) fn link(&self, key: &LinkKey) -> String {
        // No id has a `-` in it.
        self.name("link", &[key.broker.as_str(), "-", key.token.as_str()])
    }

    pub(super) fn user(&self, username: &str) -> String {
        self.name("user", &[username])
    }

    pub(super) fn used(&self, id: &str) -> String {
        self.name("used", &[id])
    }

    pub(super) fn family(&self, id: &str) -> String {
        self.name("family", &[id])
    }

    /// 160 bits in hex.
    fn name(&self, kind: &str, parts: &[&str]) -> String {
        let mac = self.names.mac(&[&[kind, ":"], parts].concat());
        hex(mac.get(..20).unwrap_or_default())
    }

    /// Seals `text` for the place `name`.
    pub(super) fn seal(&self, kind: Kind, name: &str, text: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(random::bytes().get(..NONCE_LEN).unwrap_or(&[0; NONCE_LEN]));
        let mut sealed = [&[FORM][..], &self.current.id, &nonce].concat();
        let mut body = text.to_vec();
        let key = self.current.of(kind, name)?;
        let aad = Aad::from(format!("{FORM}:{}:{name}", kind.label()));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| StoreError::Unavailable("a record cannot be sealed".into()))?;
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what was sealed for the place `name`. What does not open was not written with these keys, or was moved or
    /// changed.
    pub(super) fn open(&self, kind: Kind, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.try_open(kind, name, sealed)
            .ok_or_else(|| StoreError::Unavailable(format!("a {} does not open with the store's keys", kind.label())))
    }

    /// Whether what other keys may have sealed at this place opens.
    pub(super) fn check(&self, place: &str, sealed: &[u8]) -> Result<(), StoreError> {
        let opened = self.try_open(Kind::Setting, place, sealed);
        opened.map(|_| ()).ok_or(StoreError::WrongKeys)
    }

    /// Whether the current key sealed this.
    pub(super) fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.strip_prefix(&[FORM]).is_some_and(|rest| rest.starts_with(&self.current.id))
    }

    fn try_open(&self, kind: Kind, name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (form, rest) = sealed.split_first()?;
        let (id, rest) = rest.split_at_checked(KEY_ID_LEN)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN)?;
        if *form != FORM {
            return None;
        }
        let key = std::iter::once(&self.current).chain(&self.older).find(|key| key.id == id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(format!("{FORM}:{}:{name}", kind.label()));
        let mut body = Zeroizing::new(body.to_vec());
        let length = key.of(kind, name).ok()?.open_in_place(nonce, aad, &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

impl SealingKey {
    fn new(secret: &StoreSecret) -> Self {
        let key = MacKey::new(secret);
        let mut id = [0; KEY_ID_LEN];
        for (to, from) in id.iter_mut().zip(key.mac(&["store: key id"])) {
            *to = from;
        }
        Self { id, key: key.derive("store: seal") }
    }

    fn of(&self, kind: Kind, name: &str) -> Result<LessSafeKey, StoreError> {
        let bytes = Zeroizing::new(self.key.mac(&[kind.label(), ":", name]));
        UnboundKey::new(&AES_256_GCM, &*bytes)
            .map(LessSafeKey::new)
            .map_err(|_| StoreError::Unavailable("a key cannot be made".into()))
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKeys").field("older", &self.older.len()).finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[u8]) -> StoreKeys {
        StoreKeys::new(&secrets.iter().map(|n| [*n; 32]).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_at_its_own_place_only() {
        let keys = keys(&[1]);
        let sealed = keys.seal(Kind::Session, "a", b"jackie").unwrap();
        assert_eq!(&**keys.open(Kind::Session, "a", &sealed).unwrap(), b"jackie");
        assert!(keys.open(Kind::Session, "b", &sealed).is_err());
        assert!(keys.open(Kind::Family, "a", &sealed).is_err());
        assert_ne!(sealed, keys.seal(Kind::Session, "a", b"jackie").unwrap());
        for n in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[n] ^= 1;
            assert!(keys.open(Kind::Session, "a", &changed).is_err(), "byte {n}");
            assert!(keys.open(Kind::Session, "a", &sealed[..n]).is_err(), "{n} bytes");
        }
    }

    #[test]
    fn sealing_keys_rotate_and_names_stay() {
        let (old, both, new) = (keys(&[1]), keys(&[2, 1]), keys(&[2]));
        let sealed = old.seal(Kind::Link, "a", b"x").unwrap();
        assert!(both.open(Kind::Link, "a", &sealed).is_ok() && new.open(Kind::Link, "a", &sealed).is_err());
        let sealed = both.seal(Kind::Link, "a", b"x").unwrap();
        assert!(new.open(Kind::Link, "a", &sealed).is_ok() && old.open(Kind::Link, "a", &sealed).is_err());
        assert!(old.user("jackie") == both.user("jackie") && old.user("jackie") != new.user("jackie"));
        assert!(old.derive("x") == both.derive("x") && old.derive("x") != old.derive("y"));
        // On the way from the old one to both, with several nodes: it knows the new one and does not use it yet.
        let between = keys(&[1, 2, 1]);
        assert!(between.open(Kind::Link, "a", &sealed).is_ok() && between.user("jackie") == both.user("jackie"));
        let sealed = between.seal(Kind::Link, "a", b"x").unwrap();
        assert!(both.open(Kind::Link, "a", &sealed).is_ok() && old.open(Kind::Link, "a", &sealed).is_ok());
        assert_ne!(old.user("a"), old.family("a"));
        assert_eq!(StoreKeys::new(&[]).unwrap_err(), NoStoreKey);
        assert_eq!(format!("{both:?}"), "StoreKeys { older: 1, .. }");
    }
}
