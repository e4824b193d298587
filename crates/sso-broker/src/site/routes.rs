//! What the broker itself answers: the return path, and its addresses under `/sso/`.

use super::{
    ajax,
    answer::Answer,
    attach, departure, logout, popup,
    script::{ScriptAnswer, ScriptError},
    session::SsoSession,
    sso::Sso,
};

const GET: &str = "GET, HEAD";
const POST: &str = "POST";
const GET_OR_POST: &str = "GET, HEAD, POST";

const AJAX: &str = "/sso/ajax";

impl Sso {
    /// How much of a request's body is read for [`SsoSession::answer`], in bytes.
    pub const MAX_BODY: usize = 16 << 10;

    /// Whether the broker itself answers requests for this path.
    pub fn answers(&self, path: &str) -> bool {
        self.methods_of(path).is_some()
    }

    /// The methods of an address of the broker's; empty: there is nothing among the commands for scripts.
    fn methods_of(&self, path: &str) -> Option<&'static str> {
        Some(match path {
            "/sso/attach" | "/sso/login" | departure::LANDING | departure::SCRIPT | "/sso/session" => GET,
            logout::PATH => GET_OR_POST,
            "/sso/session/keepalive" | "/sso/session/logout" => POST,
            _ if path == self.broker.return_path() => GET,
            _ => match path.strip_prefix(AJAX).filter(|_| self.silent.is_some())? {
                "/info" => GET,
                "/data" => GET_OR_POST,
                "/attach" | "/verify" | "/login" | "/logout" => POST,
                rest if rest.is_empty() || rest.starts_with('/') => "",
                _ => return None,
            },
        })
    }
}

/// Whether an address answers scripts, in JSON whatever happens.
fn is_for_scripts(path: &str) -> bool {
    path.starts_with("/sso/session") || path.starts_with(AJAX)
}

impl SsoSession {
    /// Answers a request that is the broker's own: of the return path, `/sso/attach`, `/sso/login`, `/sso/logout`,
    /// `/sso/session…`, `/sso/long-page…` or `/sso/ajax/…`. `None`: it is for the application.
    ///
    /// `body` is awaited where it is needed. It is `None` if it has more than [`Sso::MAX_BODY`] bytes, or does not
    /// arrive.
    pub async fn answer(&self, body: impl Future<Output = Option<Vec<u8>>>) -> Option<Answer> {
        let (path, method) = (self.http_request().path(), self.http_request().method());
        let methods = self.sso().methods_of(path)?;
        let is_known = methods.split(", ").any(|known| known == method);
        Some(match (is_known, is_for_scripts(path)) {
            (true, true) => self.script_answer(path, body).await.unwrap_or_else(|error| error.answer()),
            (true, false) => self.page_answer(path, body).await,
            (false, true) if methods.is_empty() => ScriptError::UnknownCommand.answer(),
            (false, true) => ScriptError::WrongMethod(methods).answer(),
            (false, false) => Answer::new(405).with("allow", methods),
        })
    }

    async fn page_answer(&self, path: &str, body: impl Future<Output = Option<Vec<u8>>>) -> Answer {
        let result = match path {
            "/sso/attach" => return attach::attach(self).await,
            "/sso/login" => return attach::login(self).await,
            departure::LANDING => return departure::landed(self),
            departure::SCRIPT => return departure::script(),
            logout::PATH if self.http_request().is_read() => logout::show(self).await,
            logout::PATH => logout::log_out(self, &body.await.unwrap_or_default()).await,
            _ => return attach::come_back(self),
        };
        result.unwrap_or_else(|error| self.error_answer(&error))
    }

    async fn script_answer(&self, path: &str, body: impl Future<Output = Option<Vec<u8>>>) -> ScriptAnswer {
        let is_read = self.http_request().is_read();
        let mode = self.sso().silent;
        match (path, mode) {
            ("/sso/session", _) => popup::status(self).await,
            ("/sso/session/keepalive", _) => popup::keepalive(self, body).await,
            ("/sso/session/logout" | "/sso/ajax/logout", _) => popup::logout(self, body).await,
            ("/sso/ajax/attach", Some(mode)) => ajax::attach(self, body, mode).await,
            ("/sso/ajax/verify", _) => ajax::verify(self, body).await,
            ("/sso/ajax/info", _) => ajax::info(self).await,
            ("/sso/ajax/login", _) => ajax::login(self, body).await,
            ("/sso/ajax/data", _) if is_read => ajax::data(self).await,
            ("/sso/ajax/data", _) => ajax::set_data(self, body).await,
            _ => Err(ScriptError::UnknownCommand),
        }
    }
}
