//! Sessions of an application in its own memory: what their cookies name can be ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time;
use sso_core::{base36, random};

type State = HashMap<String, String>;

/// A store for actix-session in the memory of one process, for all its workers: make one, and give each a clone.
///
/// The cookie holds a random key and nothing else. So a session that was ended (at the logout, or by a new login) is
/// gone, for whoever copied its cookie too; with actix-session's own `CookieSessionStore` it would not be. The sessions
/// end with the process. Several processes need a store that all of them reach.
///
/// ```
/// use actix_session::SessionMiddleware;
/// use actix_web::{App, cookie::Key};
/// use sso_handoff::actix::MemorySessions;
///
/// let (sessions, key) = (MemorySessions::default(), Key::generate());
/// let app = move || App::new().wrap(SessionMiddleware::new(sessions.clone(), key.clone()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemorySessions(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<String, (State, Instant)>,
    swept: Option<Instant>,
}

impl Kept {
    const SWEEP_EVERY: Duration = Duration::from_secs(60);

    /// Removes what is over, now and then.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_none_or(|swept| now.duration_since(swept) >= Self::SWEEP_EVERY) {
            self.sessions.retain(|_, (_, end)| now < *end);
            self.swept = Some(now);
        }
    }

    /// The session, if it is there and not over.
    fn live(&mut self, key: &SessionKey) -> Option<&mut (State, Instant)> {
        self.sessions.get_mut(key.as_ref()).filter(|(_, end)| Instant::now() < *end)
    }
}

impl MemorySessions {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a session that is kept for so long from now is over.
fn end(ttl: &time::Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(ttl.unsigned_abs()).unwrap_or(now)
}

impl SessionStore for MemorySessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        Ok(self.kept().live(key).map(|(state, _)| state.clone()))
    }

    async fn save(&self, state: State, ttl: &time::Duration) -> Result<SessionKey, SaveError> {
        let text = base36::exact(&random::bytes());
        let key = SessionKey::try_from(text.clone()).map_err(|error| SaveError::Other(error.into()))?;
        let mut kept = self.kept();
        kept.sweep(Instant::now());
        kept.sessions.insert(text, (state, end(ttl)));
        Ok(key)
    }

    /// A session that was ended meanwhile stays so: a request that began before a logout must not undo it.
    async fn update(&self, key: SessionKey, state: State, ttl: &time::Duration) -> Result<SessionKey, UpdateError> {
        if let Some(session) = self.kept().live(&key) {
            *session = (state, end(ttl));
        }
        Ok(key)
    }

    async fn update_ttl(&self, key: &SessionKey, ttl: &time::Duration) -> Result<(), anyhow::Error> {
        if let Some((_, until)) = self.kept().live(key) {
            *until = end(ttl);
        }
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        self.kept().sessions.remove(key.as_ref());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: time::Duration = time::Duration::hours(1);

    fn state(value: &str) -> State {
        State::from([("key".to_owned(), value.to_owned())])
    }

    fn copy(key: &SessionKey) -> SessionKey {
        key.as_ref().to_owned().try_into().unwrap()
    }

    #[actix_web::test]
    async fn a_session_is_kept_changed_and_ended_for_all_clones() {
        let (store, clone) = (MemorySessions::default(), MemorySessions::default());
        let other = store.clone();
        let key = store.save(state("a"), &HOUR).await.unwrap();
        assert_eq!(other.load(&key).await.unwrap(), Some(state("a")));
        assert_eq!(clone.load(&key).await.unwrap(), None, "another store");
        assert_eq!(store.update(copy(&key), state("b"), &HOUR).await.unwrap(), key);
        assert_eq!(other.load(&key).await.unwrap(), Some(state("b")));
        other.delete(&key).await.unwrap();
        assert_eq!(store.load(&key).await.unwrap(), None);
    }

    #[actix_web::test]
    async fn what_was_ended_does_not_come_back_by_a_late_request() {
        let store = MemorySessions::default();
        let key = store.save(state("a"), &HOUR).await.unwrap();
        store.delete(&key).await.unwrap();
        store.update(copy(&key), state("a"), &HOUR).await.unwrap();
        store.update_ttl(&key, &HOUR).await.unwrap();
        assert_eq!(store.load(&key).await.unwrap(), None);
    }

    #[actix_web::test]
    async fn what_is_over_is_gone() {
        let store = MemorySessions::default();
        let key = store.save(state("a"), &time::Duration::ZERO).await.unwrap();
        assert_eq!(store.load(&key).await.unwrap(), None);
        store.update(copy(&key), state("a"), &HOUR).await.unwrap();
        assert_eq!(store.load(&key).await.unwrap(), None);
        store.kept().sweep(Instant::now() + Kept::SWEEP_EVERY);
        assert!(store.kept().sessions.is_empty());
    }
}
