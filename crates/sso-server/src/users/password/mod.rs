//! Password hashes: argon2id for new ones. bcrypt is accepted too, since users of PHP systems have it.

use std::{
    borrow::Cow,
    cell::RefCell,
    fmt,
    str::FromStr,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{PasswordHasher, phc},
};
use icu_normalizer::DecomposingNormalizerBorrowed;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    password_policy::{ContextWords, PasswordPolicyError, check_new},
    username::nfc,
};

/// A stored password hash, `$argon2id$…` or `$2y$…`. `Debug` does not show it.
#[derive(Clone)]
pub struct PasswordHash(Arc<str>);

/// Why a text is not a supported password hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHash {
    /// The format is unknown.
    #[error("not an argon2 ($argon2id$…) or bcrypt ($2y$…) password hash; `sso hash-password` makes one")]
    Unknown,
    /// A check would take a core for many seconds, or more than 256 MiB.
    #[error("a password hash that takes too long to check; `sso hash-password` makes a good one")]
    TooCostly,
}

/// The password could not be hashed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct HashingFailed(String);

impl PasswordHash {
    /// Hashes a new password with argon2id (OWASP Password Storage: 19 MiB, 2 passes) and a random salt. The password
    /// is hashed in Unicode's normal form NFC (NIST SP 800-63B-4 section 3.1.1.2), so the keyboard does not matter.
    pub fn new(password: &str) -> Result<Self, HashingFailed> {
        let password = nfc(password);
        let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|e| HashingFailed(e.to_string()))?;
        Ok(Self(hash.to_string().into()))
    }

    /// The text to store.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Slow by design: tens of milliseconds of one core for each form of the password. See [`Passwords`].
    fn verify(&self, password: &str) -> bool {
        forms(password).iter().any(|form| self.is_of(form))
    }

    fn is_of(&self, password: &str) -> bool {
        if !is_argon2(&self.0) {
            return bcrypt::verify(password, &self.0).unwrap_or(false);
        }
        let hash = phc::PasswordHash::new(&self.0);
        hash.is_ok_and(|hash| is_argon2_of(&hash, password).unwrap_or(false))
    }
}

impl FromStr for PasswordHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = InvalidHash::Unknown;
        let is_bounded = if is_argon2(text) {
            let hash = phc::PasswordHash::new(text).map_err(|_| unknown)?;
            let params = Params::try_from(&hash).map_err(|_| unknown)?;
            let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
            params.m_cost() <= MOST_MEMORY && work <= MOST_WORK
        } else {
            text.parse::<bcrypt::HashParts>().map_err(|_| unknown)?.get_cost() <= MOST_COST
        };
        if is_bounded { Ok(Self(text.into())) } else { Err(InvalidHash::TooCostly) }
    }
}

/// The forms in which this password may have been hashed: NFC, as now; or, by another system or an earlier version, as
/// typed or NFD. An ASCII password has one form, most others two. The number depends only on the typed text.
fn forms(password: &str) -> Vec<Cow<'_, str>> {
    let all = [nfc(password), password.into(), DecomposingNormalizerBorrowed::new_nfd().normalize(password)];
    let mut forms = Vec::with_capacity(all.len());
    for form in all {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

thread_local! {
    /// argon2's memory, reused by the thread's next check: with an allocation per check, glibc keeps hundreds of
    /// megabytes.
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Whether this is an argon2 hash of the password; `None` if it is no such hash.
fn is_argon2_of(hash: &phc::PasswordHash, password: &str) -> Option<bool> {
    let (salt, expected) = (hash.salt?, hash.hash?);
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(hash).ok()?);
    let count = argon2.params().block_count();
    let mut output = [0; phc::Output::MAX_LENGTH];
    let output = output.get_mut(..expected.len())?;
    BLOCKS.with_borrow_mut(|blocks| {
        if blocks.len() < count {
            blocks.resize(count, Block::default());
        }
        let hashed =
            argon2.hash_password_into_with_memory(password.as_bytes(), &salt, output, blocks.get_mut(..count)?);
        blocks.truncate(KEPT_MEMORY);
        blocks.shrink_to(KEPT_MEMORY);
        hashed.ok()
    })?;
    // Compared in constant time.
    Some(phc::Output::new(output).ok()? == expected)
}

/// 256 MiB, in KiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// 64 MiB, in KiB, the default of PHP's hashes: the memory that a thread keeps.
const KEPT_MEMORY: usize = 64 * 1024;
/// A hundred times the cost of a new hash, in KiB times passes.
const MOST_WORK: u64 = 100 * (Params::DEFAULT_M_COST as u64) * (Params::DEFAULT_T_COST as u64);
/// bcrypt's cost: a check takes some seconds.
const MOST_COST: u32 = 16;

fn is_argon2(text: &str) -> bool {
    text.starts_with("$argon2")
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Checks and hashes passwords off the async threads, and only a few at a time: each check takes a core and 19 MiB.
///
/// It has its own threads, which keep their memory.
#[derive(Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// New passwords are checked one at a time and outside the queue: some checks take seconds, and logins must not
    /// wait for them.
    judging: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
    /// Checked for unknown names, so that they take as long as known ones.
    dummy: PasswordHash,
}

/// A password to be checked against a hash, or to be hashed.
struct Job {
    work: Box<dyn FnOnce() + Send>,
    /// The turn lasts as long as the work, even if the caller has gone away.
    _permit: OwnedSemaphorePermit,
}

/// The right to check or hash one password now.
#[derive(Debug)]
pub struct Turn<'a> {
    permit: OwnedSemaphorePermit,
    passwords: &'a Passwords,
}

impl Passwords {
    const LONGEST_WAIT: Duration = Duration::from_secs(10);

    /// Checks as many passwords at once as there are cores.
    pub fn new() -> Result<Self, HashingFailed> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        for n in 0..cores {
            let queue = queue.clone();
            let work = move || {
                // Ends when the checker, which holds the sender, is dropped.
                while let Ok(job) = { queue.lock().recv() } {
                    (job.work)();
                }
            };
            let named = thread::Builder::new().name(format!("password-{n}"));
            named.spawn(work).map_err(|error| HashingFailed(error.to_string()))?;
        }
        let dummy = PasswordHash::new("no account has this password")?;
        Ok(Self { turns: Arc::new(Semaphore::new(cores)), judging: Arc::new(Semaphore::new(1)), jobs, dummy })
    }

    /// Checks a new password of an account; `None` if the wait was too long.
    pub async fn validate(&self, password: &str, own: ContextWords) -> Option<Result<(), PasswordPolicyError>> {
        let wait = tokio::time::timeout(Self::LONGEST_WAIT, self.judging.clone().acquire_owned());
        let permit = wait.await.ok()?.ok()?;
        let password = password.to_owned();
        let judged = tokio::task::spawn_blocking(move || {
            // As long as the work, even if the caller has gone away.
            let _permit = permit;
            check_new(&password, &own)
        });
        judged.await.ok()
    }

    /// Waits for a turn; `None` if the wait was too long.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let permit = tokio::time::timeout(Self::LONGEST_WAIT, self.turns.clone().acquire_owned()).await.ok()?.ok()?;
        Some(Turn { permit, passwords: self })
    }
}

impl Turn<'_> {
    /// Whether `password` matches `hash`; without a hash, does the same work and returns `false`.
    pub async fn verify(self, hash: Option<PasswordHash>, password: &str) -> bool {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.passwords.dummy.clone());
        let password = password.to_owned();
        // Always awaited: an unknown name must not be answered sooner.
        let matches = self.run(move || hash.verify(&password)).await.unwrap_or(false);
        exists && matches
    }

    /// Hashes a new password.
    pub async fn hash(self, password: &str) -> Result<PasswordHash, HashingFailed> {
        let password = password.to_owned();
        let hash = self.run(move || PasswordHash::new(&password)).await;
        hash.unwrap_or_else(|| Err(HashingFailed("the thread for it has ended".into())))
    }

    async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, result) = oneshot::channel();
        let work = Box::new(move || {
            let _nobody_waits = answer.send(work());
        });
        self.passwords.jobs.send(Job { work, _permit: self.permit }).ok()?;
        result.await.ok()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job(…)")
    }
}

#[cfg(test)]
mod tests;
