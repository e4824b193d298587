//! Who is logged in to the application's own session.

use actix_session::Session;

use super::now;
use crate::{Limits, Login};

/// Where the login stands in the session.
const LOGIN: &str = "sso_linked_login";

/// The login in the application's own session, judged at this very request: one that has ended takes with it all that
/// is in the session.
pub fn login_of(session: &Session) -> Option<Login> {
    let kept: Login = session.get(LOGIN).ok().flatten()?;
    let Some(login) = kept.clone().used_at(now()) else {
        tracing::info!(username = %kept.username(), "a login has ended by its time");
        // Not `purge`, after which nobody could log in within this request.
        session.clear();
        return None;
    };
    if login != kept {
        keep(session, &login);
    }
    Some(login)
}

/// Who is logged in to the application's own session.
pub fn user_of(session: &Session) -> Option<String> {
    login_of(session).map(|login| login.username().to_owned())
}

/// Logs a user in to the application's own session, within these limits. Its cookie gets a new value, and nothing of
/// another user, or of nobody, stays in it.
pub fn sign_in(session: &Session, username: &str, limits: &Limits) {
    if user_of(session).as_deref() != Some(username) {
        session.clear();
    }
    session.renew();
    keep(session, &Login::begin(username, limits, now()));
}

/// Logs out, and ends the session. With a store at the application, such as [`MemorySessions`](super::MemorySessions),
/// a copy of its cookie is worth nothing from then on; with one in the cookie itself, it would go on to the login's
/// end.
pub fn sign_out(session: &Session) {
    session.purge();
}

fn keep(session: &Session, login: &Login) {
    if let Err(error) = session.insert(LOGIN, login) {
        tracing::error!(%error, "a login cannot be kept in the session");
    }
}

#[cfg(test)]
mod tests {
    use actix_session::SessionMiddleware;
    use actix_web::{
        App,
        cookie::{Cookie, Key},
        test::{self, TestRequest},
        web,
    };

    use super::*;
    use crate::actix::MemorySessions;

    /// Logs in as of so many seconds ago, and then asks with the cookie: who is there, and what the session has
    /// besides.
    async fn after(seconds: i64, limits: Limits) -> String {
        let begin = move |session: Session| async move {
            keep(&session, &Login::begin("jackie", &limits, super::now() - seconds));
            session.insert("cart", 7).unwrap();
            ""
        };
        let who = async |session: Session| {
            let user = user_of(&session);
            format!("{user:?} {:?}", session.get::<i64>("cart").unwrap())
        };
        let again = move |session: Session| async move {
            let before = user_of(&session);
            sign_in(&session, "jackie", &limits);
            format!("{before:?} {:?}", user_of(&session))
        };
        let sessions = SessionMiddleware::new(MemorySessions::default(), Key::generate());
        let routes = (web::to(begin), web::to(who), web::to(again));
        let app = App::new().wrap(sessions).route("/in", routes.0).route("/", routes.1).route("/again", routes.2);
        let app = test::init_service(app).await;
        let response = test::call_service(&app, TestRequest::with_uri("/in").to_request()).await;
        let cookie: Cookie<'static> = response.response().cookies().next().unwrap().into_owned();
        let ask = |uri: &str| TestRequest::with_uri(uri).cookie(cookie.clone()).to_request();
        let body =
            async |uri: &str| String::from_utf8(test::call_and_read_body(&app, ask(uri)).await.to_vec()).unwrap();
        let first = body("/").await;
        assert_eq!(body("/").await, first, "it stays so");
        if !first.starts_with("Some") {
            assert_eq!(
                body("/again").await,
                "None Some(\"jackie\")",
                "a login in the request that finds the old one over"
            );
        }
        first
    }

    #[actix_web::test]
    async fn a_login_is_judged_at_every_request_and_takes_what_is_in_the_session_with_it() {
        let (there, gone) = ("Some(\"jackie\") Some(7)", "None None");
        let limits = Limits::default();
        assert_eq!(after(0, limits).await, there);
        assert_eq!(after(20 * 60 - 5, limits).await, there);
        assert_eq!(after(20 * 60, limits).await, gone, "idle");
        let limits = Limits { idle: limits.absolute * 2, ..limits };
        assert_eq!(after(12 * 60 * 60 - 5, limits).await, there);
        assert_eq!(after(12 * 60 * 60, limits).await, gone, "absolute");
    }
}
