//! The broker: how a visitor is attached, comes back, and is attached again when that is lost.

use std::{sync::Arc, time::Duration};

use sso_core::{
    BearerToken, BrokerId, ChecksumKey, FormKey, Secret, Token, VerificationCode, base36, form::Forged, random, wire,
};
use url::{Url, form_urlencoded};

use crate::{
    BrokerBuilder, Client, ConfigError, LocalPath, TokenStore,
    shelf::Shelf,
    time,
    tokens::{Attached, Login, Notes, Pending, Purpose, State, Why},
};

/// A broker: one web site that shares its visitors' sessions. Clones share everything.
///
/// Its methods are plain functions over a visitor's [`TokenStore`]; only the [`client`](Self::client) does I/O.
///
/// ```
/// use std::collections::BTreeMap;
/// use sso_broker::{AttachOutcome, Broker, LocalPath, Secret};
///
/// let broker = Broker::builder("https://sso.example/attach", "Alice".parse()?, Secret::generate())
///     .public_url("https://alice.example")
///     .build()?;
/// let mut visitor = BTreeMap::new(); // their cookies or session
///
/// // The visitor asks for a page and is sent to this URL:
/// let wanted = broker.local_path("/page").unwrap_or_else(LocalPath::root);
/// let url: url::Url = broker.start_attach(&mut visitor, &wanted).parse()?;
///
/// // The server sends them to the return URL in it, with a code:
/// let (_, return_url) = url.query_pairs().find(|(name, _)| name == "return_url").unwrap();
/// let query = format!("{}&sso_verify=c0de", return_url.split_once('?').unwrap().1);
/// assert_eq!(broker.finish_attach(&mut visitor, &query), AttachOutcome::Attached { wanted });
///
/// // From now on the server can be asked: broker.client().info(&bearer).await
/// assert!(broker.bearer(&visitor).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Broker(pub(crate) Arc<Parts>);

/// What a broker is made of; [`BrokerBuilder`] puts it together.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) id: BrokerId,
    pub(crate) key: ChecksumKey,
    pub(crate) form_key: FormKey,
    /// The server's attach URL as browsers see it.
    pub(crate) attach_url: Url,
    /// This site's origin as browsers see it.
    pub(crate) public_url: Url,
    pub(crate) return_path: String,
    /// An attach that takes longer is begun again.
    pub(crate) attach_limit: Duration,
    pub(crate) shelf: Shelf,
    pub(crate) client: Client,
}

/// What came of an attach by redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachOutcome {
    /// The visitor is attached; go on to the page that was wanted.
    Attached {
        /// That page.
        wanted: LocalPath,
    },
    /// The server refused. Go on to the page all the same; [`Broker::take_failure`] says why, once.
    Failed {
        /// That page.
        wanted: LocalPath,
    },
    /// The token was attached to another session, or this came back too late; go to the server with a new one.
    TryAgain {
        /// The new attach URL.
        url: String,
    },
    /// This broker has just begun this attach and had the browser keep something for it, and it gave nothing back: say
    /// so.
    CookiesOff,
    /// Not the end of an attach that is under way here, or nobody can know. Nothing was changed; go on to the first
    /// page.
    Stray,
}

/// A silent attach that the visitor's page is to carry out.
#[derive(Clone, Debug)]
pub struct SilentAttach {
    /// Where to ask for the verification code. For JSONP, the page adds its `callback`.
    pub url: String,
    /// To be handed back with the code.
    pub state: String,
}

/// A silent attach could not be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No attach under way has this state.
    #[error("This attach was not begun here, or is too old")]
    UnknownState,
    /// The text is not a verification code.
    #[error("This is not a verification code")]
    InvalidCode,
}

impl Broker {
    /// Begins the configuration. `server_attach_url` is the server's full attach URL as browsers see it.
    pub fn builder(server_attach_url: &str, id: BrokerId, secret: Secret) -> BrokerBuilder {
        BrokerBuilder::new(server_attach_url, id, secret)
    }

    /// The same from the environment: `SSO_SERVER` (the attach URL), `SSO_BROKER_ID`, `SSO_BROKER_SECRET`, and, where
    /// the server is called at another origin, `SSO_SERVER_BACKCHANNEL`.
    pub fn from_env() -> Result<BrokerBuilder, ConfigError> {
        BrokerBuilder::from_env()
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Begins an attach. Returns the URL to redirect the browser to; it comes back to the return path, then to
    /// `wanted`, or to the first page where `wanted` is [too long](Self::keeps).
    pub fn start_attach(&self, store: &mut dyn TokenStore, wanted: &LocalPath) -> String {
        self.start(store, wanted, Purpose::default())
    }

    /// The same, and the visitor logs in at the server on the way. It is a new token that becomes the logged-in one.
    ///
    /// jasny/sso's server has no login page and takes it for a plain attach.
    pub fn start_login(&self, store: &mut dyn TokenStore, wanted: &LocalPath) -> String {
        self.start(store, wanted, Login::default().into())
    }

    /// The same, and whoever typed the password `max_age` ago, or longer, types it again: before what is sensitive.
    /// Zero asks in any case. Counted in whole seconds; a remembered login counts from when the password was typed.
    ///
    /// Only a request: the visitor, or a link of a stranger's, can leave it out of the URL. Look at
    /// [`auth_time`](wire::SessionStatus::auth_time) of [`Client::session`] before what it is for.
    pub fn start_login_again(&self, store: &mut dyn TokenStore, wanted: &LocalPath, max_age: Duration) -> String {
        let seconds = u32::try_from(max_age.as_secs()).unwrap_or(u32::MAX);
        self.start(store, wanted, Login { max_age: Some(seconds) }.into())
    }

    /// Ends an attach, given the query of the request to the return path.
    ///
    /// Only the state that [`start_attach`](Self::start_attach) put into the return URL and into this visitor's
    /// store opens it, for the good end as for the bad one.
    pub fn finish_attach(&self, store: &mut dyn TokenStore, query: &str) -> AttachOutcome {
        let now = time::millis();
        let param = |wanted: &str| {
            let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == wanted);
            let value = values.next().map(|(_, value)| value.into_owned());
            value.filter(|_| values.next().is_none())
        };
        let state = param("state").and_then(|text| State::from_text(&text, &self.0.form_key));
        let Some(state) = state else { return AttachOutcome::Stray };
        let is_in_time = state.is_younger_than(self.0.attach_limit, now);
        let Some(pending) = self.0.shelf.take_pending(store, &state) else {
            // Later the browser may have dropped it, and whoever gave something back does keep cookies.
            let is_known = is_in_time && !self.0.shelf.holds_anything(store);
            return if is_known { AttachOutcome::CookiesOff } else { AttachOutcome::Stray };
        };
        let wanted = self.local_path(&pending.wanted).unwrap_or_else(LocalPath::root);
        if !is_in_time {
            tracing::info!(broker = %self.0.id, "an attach came back late and is begun again");
            return AttachOutcome::TryAgain { url: self.start(store, &wanted, pending.purpose) };
        }

        let result = match (param(wire::ERROR_PARAM), param(wire::VERIFY_PARAM)) {
            (Some(error), _) => Err(error),
            (None, code) => code.unwrap_or_default().parse().map_err(|_| VerifyError::InvalidCode.to_string()),
        };
        match result {
            Ok(code) => {
                self.attach(store, pending, code);
                self.0.shelf.set_arrived(store);
                AttachOutcome::Attached { wanted }
            }
            Err(error) => {
                let again = pending.purpose.again.next(Why::Lost).filter(|_| error == wire::ALREADY_ATTACHED);
                if let Some(again) = again {
                    let purpose = Purpose { again, ..pending.purpose };
                    return AttachOutcome::TryAgain { url: self.start(store, &wanted, purpose) };
                }
                tracing::warn!(broker = %self.0.id, ?error, "attach failed");
                self.0.shelf.set_failure(store, &error, time::seconds());
                AttachOutcome::Failed { wanted }
            }
        }
    }

    /// Begins an attach that the visitor's page carries out by itself, with JSON or JSONP.
    pub fn start_silent_attach(&self, store: &mut dyn TokenStore) -> SilentAttach {
        let pending = self.add_pending(store, &LocalPath::root(), Purpose::default());
        SilentAttach { url: self.attach_url(&pending.token).into(), state: pending.state.to_text(&self.0.form_key) }
    }

    /// Ends it, given the code that the page got.
    pub fn verify(&self, store: &mut dyn TokenStore, state: &str, code: &str) -> Result<(), VerifyError> {
        let code = code.parse().map_err(|_| VerifyError::InvalidCode)?;
        let state = State::from_text(state, &self.0.form_key)
            .filter(|state| state.is_younger_than(self.0.attach_limit, time::millis()))
            .ok_or(VerifyError::UnknownState)?;
        let pending = self.0.shelf.take_pending(store, &state).ok_or(VerifyError::UnknownState)?;
        self.attach(store, pending, code);
        Ok(())
    }

    /// Whether the visitor has a token and its code. The server may still have forgotten them.
    pub fn is_attached(&self, store: &dyn TokenStore) -> bool {
        self.0.shelf.attached(store).is_some()
    }

    /// Forgets token and code.
    pub fn clear(&self, store: &mut dyn TokenStore) {
        self.0.shelf.clear_attached(store);
    }

    /// What to show the server in this visitor's name. `None`: not attached.
    pub fn bearer(&self, store: &dyn TokenStore) -> Option<BearerToken> {
        let Attached { token, code, .. } = self.0.shelf.attached(store)?;
        Some(BearerToken::new(self.0.id.clone(), token, &code, &self.0.key))
    }

    /// Whether a token was put away a moment ago: once. If it is not there now, the store (the browser) has not kept
    /// it, and another attach would end in the same way.
    pub fn take_arrived(&self, store: &mut dyn TokenStore) -> bool {
        self.0.shelf.take_arrived(store)
    }

    /// Why the last attach failed, in the server's words: once, and within a minute.
    pub fn take_failure(&self, store: &mut dyn TokenStore) -> Option<String> {
        self.0.shelf.take_failure(store, time::seconds())
    }

    /// Whether an attach can keep this page while the visitor is away. In cookies 3 KiB have room; how much in other
    /// stores, their [`room`](TokenStore::room) says.
    pub fn keeps(&self, store: &dyn TokenStore, wanted: &LocalPath) -> bool {
        self.0.shelf.has_room_for(store, wanted.as_str())
    }

    /// The CSRF token of the form named `form`, on a page for `user`, or for nobody. It stays good for as long as the
    /// browser keeps the store's text, through new attaches, as tabs do that were opened before.
    pub fn form_token(&self, store: &mut dyn TokenStore, form: &str, user: Option<&str>) -> String {
        let binding = bound_to(&self.form_binding(store), user);
        let token = self.0.form_key.token(form, &binding, time::millis());
        user.map_or(token.clone(), |user| format!("{token}.{user}"))
    }

    /// Whose page the form named `form` was on that comes with this token; `None` is nobody's. Carry a user's form out
    /// only while that user is logged in.
    pub fn form_user<'a>(&self, store: &dyn TokenStore, form: &str, token: &'a str) -> Result<Option<&'a str>, Forged> {
        let binding = self.0.shelf.form_binding(store).ok_or(Forged)?;
        let mut parts = token.splitn(3, '.');
        let (served, mac) = (parts.next().ok_or(Forged)?, parts.next().ok_or(Forged)?);
        let user = parts.next();
        self.0.form_key.served(form, &bound_to(&binding, user), &format!("{served}.{mac}"))?;
        Ok(user)
    }

    /// Whether this visitor has been given what form tokens are bound to.
    pub(crate) fn has_served_forms(&self, store: &dyn TokenStore) -> bool {
        self.0.shelf.form_binding(store).is_some()
    }

    /// What this visitor's form tokens are bound to.
    fn form_binding(&self, store: &mut dyn TokenStore) -> String {
        self.0.shelf.form_binding(store).unwrap_or_else(|| {
            let binding = base36::exact(&random::bytes());
            self.0.shelf.set_form_binding(store, &binding);
            binding
        })
    }

    /// Reads a page of this site. `None`: it is not one.
    pub fn local_path(&self, text: &str) -> Option<LocalPath> {
        LocalPath::parse(text, &self.0.public_url)
    }

    /// The calls to the server.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// This broker's id.
    pub fn id(&self) -> &BrokerId {
        &self.0.id
    }

    /// This site's origin as browsers see it.
    pub fn public_url(&self) -> &Url {
        &self.0.public_url
    }

    /// The server's origin as browsers see it: what a page's CSP must allow for silent attach.
    pub fn server_origin(&self) -> String {
        self.0.attach_url.origin().ascii_serialization()
    }

    /// Where the server sends visitors back to.
    pub fn return_path(&self) -> &str {
        &self.0.return_path
    }

    /// The beginning of every attach by redirect.
    pub(crate) fn start(&self, store: &mut dyn TokenStore, wanted: &LocalPath, purpose: Purpose) -> String {
        // Now, and not by the pages that follow: tabs that are opened at once would each make one, and only the last
        // would count.
        self.form_binding(store);
        let pending = self.add_pending(store, wanted, purpose);
        let mut back = self.0.public_url.clone();
        back.set_path(&self.0.return_path);
        back.query_pairs_mut().append_pair("state", &pending.state.to_text(&self.0.form_key));
        let mut url = self.attach_url(&pending.token);
        url.query_pairs_mut().append_pair("return_url", back.as_str());
        if let Some(Login { max_age }) = purpose.login {
            url.query_pairs_mut().append_pair("prompt", "login");
            if let Some(seconds) = max_age {
                url.query_pairs_mut().append_pair("max_age", &seconds.to_string());
            }
        }
        url.into()
    }

    fn attach_url(&self, token: &Token) -> Url {
        let mut url = self.0.attach_url.clone();
        url.query_pairs_mut()
            .append_pair("broker", self.0.id.as_str())
            .append_pair("token", token.as_str())
            .append_pair("checksum", self.0.key.attach(token).as_str());
        url
    }

    fn add_pending(&self, store: &mut dyn TokenStore, wanted: &LocalPath, purpose: Purpose) -> Pending {
        let wanted = if self.keeps(store, wanted) { wanted.as_str() } else { "/" };
        let (state, token) = (State::new(time::millis()), Token::generate());
        let pending = Pending { state, token, wanted: wanted.into(), purpose };
        self.0.shelf.add_pending(store, &pending);
        pending
    }

    fn attach(&self, store: &mut dyn TokenStore, pending: Pending, code: VerificationCode) {
        let notes = Notes { again: pending.purpose.again, made: time::seconds(), told: None };
        let attached = Attached { token: pending.token, code, notes };
        self.0.shelf.set_attached(store, &attached);
        tracing::info!(broker = %self.0.id, "a visitor is attached");
    }
}

/// What a form token is bound to: what this browser holds, in which there is no space, and the user whose page it is
/// on.
fn bound_to(browser: &str, user: Option<&str>) -> String {
    user.map_or(browser.to_owned(), |user| format!("{browser} {user}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_form_token_says_whose_page_it_was_on_and_nobody_can_change_that() {
        let builder = Broker::builder("https://sso.example/attach", "Alice".parse().unwrap(), Secret::generate());
        let broker = builder.public_url("https://alice.example").build().unwrap();
        let (mut store, none) = (BTreeMap::new(), BTreeMap::new());
        for user in [None, Some("jackie"), Some("a.b c")] {
            let token = broker.form_token(&mut store, "theme", user);
            assert_eq!(broker.form_user(&store, "theme", &token), Ok(user));
            assert_eq!(broker.form_user(&store, "logout", &token), Err(Forged));
            assert_eq!(broker.form_user(&none, "theme", &token), Err(Forged));
            let nobodys = token.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
            for other in [format!("{nobodys}.john"), format!("{nobodys}."), format!("{token}x"), String::new()] {
                assert_eq!(broker.form_user(&store, "theme", &other), Err(Forged), "{other}");
            }
            assert_eq!(broker.form_user(&store, "theme", &nobodys).is_ok(), user.is_none());
        }
    }
}
