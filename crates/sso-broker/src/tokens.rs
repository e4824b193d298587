//! Where a visitor's token is kept: the store's trait, and the texts of what is kept.

use std::{collections::BTreeMap, time::Duration};

use sso_core::{FormKey, Token, VerificationCode, base36, random};

/// A place for a few short texts that belong to one visitor: cookies, a server-side session, or your own.
///
/// One value of this type serves one request. It must see its own changes, and must keep them for this visitor
/// alone: whoever can read or write here is that visitor.
pub trait TokenStore {
    /// The text under a key.
    fn get(&self, key: &str) -> Option<String>;
    /// Keeps a text (of any characters, up to [`room`](Self::room)) under a key (of `[A-Za-z0-9_-]`).
    ///
    /// A store that cannot forget single texts may ignore the lifetime: those that matter carry their own time.
    fn set(&mut self, key: &str, value: &str, lifetime: Lifetime);
    /// Forgets the text under a key, if there is one.
    fn remove(&mut self, key: &str);
    /// All keys, those of others too if the store is shared.
    fn keys(&self) -> Vec<String>;
    /// How many bytes all attaches under way may take here, with their keys. Each holds the page that its visitor
    /// wants; 2,000 suit a session that is kept in one cookie.
    fn room(&self) -> usize {
        2_000
    }
}

/// How long a store keeps a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the visitor's session at this site: until the browser is closed, for cookies.
    #[default]
    Session,
    /// At most this long.
    AtMost(Duration),
}

/// For tests, and for frameworks whose sessions are maps.
impl TokenStore for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<String> {
        BTreeMap::get(self, key).cloned()
    }

    fn set(&mut self, key: &str, value: &str, _: Lifetime) {
        self.insert(key.to_owned(), value.to_owned());
    }

    fn remove(&mut self, key: &str) {
        BTreeMap::remove(self, key);
    }

    fn keys(&self) -> Vec<String> {
        BTreeMap::keys(self).cloned().collect()
    }
}

/// A visitor who is attached. One text holds it all, so that no part can outlive the other.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    pub(crate) token: Token,
    pub(crate) code: VerificationCode,
    pub(crate) notes: Notes,
}

/// What is remembered beside a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// What the attach was made again for.
    pub(crate) again: Again,
    /// When it was made, in seconds since 1970.
    pub(crate) made: i64,
    /// Which end of a login the visitor was told of; see [`wire::Ended`](sso_core::wire::Ended).
    pub(crate) told: Option<u64>,
}

/// Why a visitor is attached again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The server does not honour the token.
    Lost,
    /// Somebody has logged in since, which the token's link does not see.
    Superseded,
    /// Nobody is logged in, and the browser is remembered.
    Remembered,
    /// Nobody is logged in, and the token is old.
    Old,
}

/// What an attach is made again for, and how often in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Again {
    /// Because the server did not honour the token before, without one good answer since.
    pub(crate) lost: u8,
    /// Because somebody had logged in since, likewise.
    pub(crate) superseded: u8,
    /// To log a remembered browser in: 1, until somebody is logged in.
    pub(crate) resumed: u8,
}

impl Attached {
    /// How long after an attach its token must show.
    pub(crate) const ARRIVAL: Duration = Duration::from_secs(10);

    pub(crate) fn to_text(&self) -> String {
        format!("{}.{}.{}", self.token.as_str(), self.code.as_str(), self.notes.to_text())
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next();
        let (token, code) = (next()?.parse().ok()?, next()?.parse().ok()?);
        Some(Self { token, code, notes: Notes::from_text(next()?)? })
    }
}

impl Notes {
    pub(crate) fn to_text(self) -> String {
        let told = self.told.map(|n| n.to_string()).unwrap_or_default();
        format!("{}.{}.{told}", self.again.to_text(), self.made)
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut next = || parts.next();
        Some(Self { again: Again::from_text(next()?)?, made: next()?.parse().ok()?, told: next()?.parse().ok() })
    }
}

impl Again {
    /// How often in a row for each reason, before the error is shown, or nobody.
    const MAX: Self = Self { lost: 1, superseded: 3, resumed: 1 };

    /// The same with one more; `None`: that was done as often as it may help.
    pub(crate) fn next(self, why: Why) -> Option<Self> {
        let next = match why {
            Why::Lost => Self { lost: self.lost + 1, ..self },
            Why::Superseded => Self { superseded: self.superseded + 1, ..self },
            Why::Remembered => Self { resumed: self.resumed + 1, ..self },
            Why::Old => Self { resumed: self.resumed, ..Self::default() },
        };
        let Self { lost, superseded, resumed } = Self::MAX;
        (next.lost <= lost && next.superseded <= superseded && next.resumed <= resumed).then_some(next)
    }

    /// Three digits.
    pub(crate) fn to_text(self) -> String {
        format!("{}{}{}", self.lost, self.superseded, self.resumed)
    }

    /// Also what somebody else may have written into an address: a number that is too high only shows an error sooner.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let digit = |b: u8| b.checked_sub(b'0').filter(|digit| *digit < 10);
        match *text.bytes().map(digit).collect::<Option<Vec<_>>>()? {
            [lost, superseded, resumed] => Some(Self { lost, superseded, resumed }),
            _ => None,
        }
    }
}

/// What an attach is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purpose {
    /// What the visitor is to do on the way, if anything.
    pub(crate) login: Option<Login>,
    /// What it is made again for.
    pub(crate) again: Again,
}

impl From<Login> for Purpose {
    fn from(login: Login) -> Self {
        Self { login: Some(login), ..Self::default() }
    }
}

impl From<Again> for Purpose {
    fn from(again: Again) -> Self {
        Self { again, ..Self::default() }
    }
}

/// The visitor logs in at the server on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// Also who is logged in, but authenticated so many seconds ago or longer.
    pub(crate) max_age: Option<u32>,
}

impl Login {
    /// `1`, or `1-60`.
    fn to_text(self) -> String {
        self.max_age.map_or("1".to_owned(), |seconds| format!("1-{seconds}"))
    }

    fn from_text(text: &str) -> Option<Self> {
        let seconds = text.strip_prefix('1')?;
        Some(Self { max_age: seconds.strip_prefix('-').and_then(|seconds| seconds.parse().ok()) })
    }
}

/// An attach under way: from the redirect to the server until the return.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) state: State,
    pub(crate) token: Token,
    /// The page to go on to, to be checked again before it is used.
    pub(crate) wanted: String,
    pub(crate) purpose: Purpose,
}

impl Pending {
    /// One is kept for so long: much longer than it may be finished, so that who comes back late still gets to the
    /// wanted page.
    pub(crate) const KEPT: Duration = Duration::from_secs(24 * 3600);
    /// One that is long, in bytes as sent, is kept for an hour at most: tabs that are opened at once do not know of
    /// each other's, and together they may be more than a server in front takes.
    pub(crate) const LONG: usize = 1_024;
    pub(crate) const LONG_KEPT: Duration = Duration::from_secs(3600);
    /// A browser that restores many tabs begins one attach for each of them.
    pub(crate) const MAX: usize = 16;
    /// One of them, with its key: browsers take no larger cookie.
    pub(crate) const MAX_LEN: usize = 4_096;
    /// The text without the page, at most: nonce, token, digits.
    pub(crate) const FRAME: usize = 140;

    /// Of characters that need no encoding in a cookie.
    pub(crate) fn to_text(&self) -> String {
        let Self { state: State { nonce, made }, token, wanted, purpose } = self;
        let login = purpose.login.map_or("0".to_owned(), Login::to_text);
        format!("{nonce}.{}.{}.{login}.{made}.{}", token.as_str(), purpose.again.to_text(), packed(wanted))
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, '.');
        let mut next = || parts.next();
        let (nonce, token, again, login) = (next()?, next()?, next()?, next()?);
        Some(Self {
            state: State { nonce: nonce.to_owned(), made: next()?.parse().ok()? },
            token: token.parse().ok()?,
            purpose: Purpose { login: Login::from_text(login), again: Again::from_text(again)? },
            wanted: unpacked(next()?),
        })
    }
}

/// What an attach is known by when it comes back. In the return URL it has a MAC, so that a text in an address shows by
/// itself whether, and when, an attach of this broker's began with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Random: shows that the return belongs to an attach that this browser began.
    pub(crate) nonce: String,
    /// Milliseconds since 1970.
    pub(crate) made: i64,
}

impl State {
    /// The name of the "form" that the MAC is for.
    const FORM: &str = "attach under way";

    pub(crate) fn new(now: i64) -> Self {
        Self { nonce: base36::exact(&random::bytes()), made: now }
    }

    pub(crate) fn to_text(&self, key: &FormKey) -> String {
        format!("{}.{}", self.nonce, key.token(Self::FORM, &self.nonce, self.made))
    }

    /// `None`: it is not one of this broker's.
    pub(crate) fn from_text(text: &str, key: &FormKey) -> Option<Self> {
        let (nonce, token) = text.split_once('.')?;
        let made = key.served(Self::FORM, nonce, token).ok()?;
        Some(Self { nonce: nonce.to_owned(), made })
    }

    /// Whether it was made less than `limit` ago. One of a clock that is ahead counts as made now.
    pub(crate) fn is_younger_than(&self, limit: Duration, now: i64) -> bool {
        u128::try_from(now.saturating_sub(self.made)).map_or(true, |age| age < limit.as_millis())
    }
}

/// A page without the characters that cookies cannot hold, and without `%`, which would be encoded as three: a page in
/// another script is full of it. `<` and `>` stand for them, which no page has.
pub(crate) fn packed(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for c in page.chars() {
        match c {
            '%' => text.push('<'),
            ',' => text.push_str(">c"),
            ';' => text.push_str(">s"),
            '\\' => text.push_str(">b"),
            c => text.push(c),
        }
    }
    text
}

fn unpacked(text: &str) -> String {
    text.replace(">c", ",").replace(">s", ";").replace(">b", "\\").replace('<', "%")
}
