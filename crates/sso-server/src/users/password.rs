//! Password hashes: argon2id for new ones; bcrypt is read, since the users of PHP systems have it.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// A stored password hash, `$argon2id$…` or `$2y$…`. `Debug` does not show it.
#[derive(Clone)]
pub struct PasswordHash(Arc<str>);

/// The text is not a hash that we can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an argon2 ($argon2id$…) or bcrypt ($2y$…) password hash; `sso hash-password` makes one")]
pub struct InvalidHash;

/// The password could not be hashed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct HashingFailed(String);

impl PasswordHash {
    /// Hashes a new password with argon2id (OWASP Password Storage: 19 MiB, 2 passes) and a random salt.
    pub fn new(password: &str) -> Result<Self, HashingFailed> {
        let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|e| HashingFailed(e.to_string()))?;
        Ok(Self(hash.to_string().into()))
    }

    /// The text to store.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Slow by design: tens of milliseconds of one core. See [`Passwords`].
    fn verify(&self, password: &str) -> bool {
        if !is_argon2(&self.0) {
            return bcrypt::verify(password, &self.0).unwrap_or(false);
        }
        let hash = phc::PasswordHash::new(&self.0);
        hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }
}

impl FromStr for PasswordHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = if is_argon2(text) {
            phc::PasswordHash::new(text).is_ok()
        } else {
            text.parse::<bcrypt::HashParts>().is_ok()
        };
        if is_one { Ok(Self(text.into())) } else { Err(InvalidHash) }
    }
}

fn is_argon2(text: &str) -> bool {
    text.starts_with("$argon2")
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Checks passwords off the async threads, and only a few at a time: each check takes a core and 19 MiB.
///
/// The threads are its own and stay the same: the memory of a check is then used again by the next one. On the runtime's pool,
/// whose threads come and go, it would be kept once for each of them.
#[derive(Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
    /// Checked for names that do not exist, so that they take as long as those that do.
    dummy: PasswordHash,
}

/// A password to be checked against a hash.
struct Job {
    hash: PasswordHash,
    password: String,
    answer: oneshot::Sender<bool>,
    /// The turn lasts as long as the work, also when the caller has gone away.
    _permit: OwnedSemaphorePermit,
}

/// The right to check one password now.
#[derive(Debug)]
pub struct Turn<'a> {
    permit: OwnedSemaphorePermit,
    passwords: &'a Passwords,
}

impl Passwords {
    const LONGEST_WAIT: Duration = Duration::from_secs(10);

    /// A checker that works on up to as many passwords at once as there are cores.
    pub fn new() -> Result<Self, HashingFailed> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for n in 0..cores {
            let queue = queue.clone();
            let work = move || {
                // Ends when the checker, which holds the sender, is dropped.
                while let Ok(job) = { queue.lock().recv() } {
                    let _nobody_waits = job.answer.send(job.hash.verify(&job.password));
                }
            };
            let named = thread::Builder::new().name(format!("password-{n}"));
            named.spawn(work).map_err(|error| HashingFailed(error.to_string()))?;
        }
        let dummy = PasswordHash::new("no account has this password")?;
        Ok(Self { turns: Arc::new(Semaphore::new(cores)), jobs, dummy })
    }

    /// Waits for a turn; `None` when it took too long.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let permit = tokio::time::timeout(Self::LONGEST_WAIT, self.turns.clone().acquire_owned()).await.ok()?.ok()?;
        Some(Turn { permit, passwords: self })
    }
}

impl Turn<'_> {
    /// Whether `password` is the one of `hash`; without a hash, the same work and `false`.
    pub async fn verify(self, hash: Option<PasswordHash>, password: &str) -> bool {
        let exists = hash.is_some();
        let (answer, verdict) = oneshot::channel();
        let hash = hash.unwrap_or_else(|| self.passwords.dummy.clone());
        let job = Job { hash, password: password.to_owned(), answer, _permit: self.permit };
        if self.passwords.jobs.send(job).is_err() {
            return false;
        }
        // Waited for in any case: a name that nobody has must not be answered sooner.
        let matches = verdict.await.unwrap_or(false);
        exists && matches
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PHP's `password_hash("jackie123", PASSWORD_BCRYPT, ["cost" => 4])`.
    const BCRYPT: &str = "$2y$04$NkmGAgLHXQQ8sUSW/IqGJ.FUI17yVmjx1/dlf6jCEwWUnTLcFjb4a";

    #[tokio::test]
    async fn argon2_and_bcrypt_accept_the_password_and_no_other() {
        let passwords = Passwords::new().unwrap();
        let argon2: PasswordHash = PasswordHash::new("jackie123").unwrap().text().parse().unwrap();
        let bcrypt: PasswordHash = BCRYPT.parse().unwrap();
        for hash in [argon2, bcrypt] {
            assert!(passwords.turn().await.unwrap().verify(Some(hash.clone()), "jackie123").await);
            assert!(!passwords.turn().await.unwrap().verify(Some(hash.clone()), "jackie124").await);
            assert!(!passwords.turn().await.unwrap().verify(Some(hash), "").await);
        }
    }

    #[tokio::test]
    async fn without_an_account_nothing_matches() {
        let passwords = Passwords::new().unwrap();
        assert!(!passwords.turn().await.unwrap().verify(None, "no account has this password").await);
    }

    #[test]
    fn other_hashes_are_refused() {
        for bad in
            ["", "jackie123", "5f4dcc3b5aa765d61d8327deb882cf99", "$1$abc$def", "$argon2id$broken", "$2y$10$short"]
        {
            assert_eq!(bad.parse::<PasswordHash>().err(), Some(InvalidHash), "{bad}");
        }
    }

    #[test]
    fn debug_gives_nothing_away() {
        assert_eq!(format!("{:?}", BCRYPT.parse::<PasswordHash>().unwrap()), "PasswordHash(…)");
    }
}
