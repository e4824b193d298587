//! Load: many visitors at once, who arrive, log in and log out, and what was acknowledged to them.
//!
//! - [`Person`] is one of them: cookies, a token at each of two brokers, and what the server said last
//! - [`Crowd`] does one thing after the other for a person; [`Run`] does it for many at once, and the server may fail meanwhile
//!
//! What was acknowledged must hold afterwards: [`Crowd::check`] asks for it by both bearer tokens and by the cookie.

mod crowd;
mod run;

use std::{fmt, sync::atomic::AtomicBool, time::Instant};

use reqwest::cookie::Jar;

pub use crowd::{BROKERS, Crowd, USERS};
pub use run::{Job, Run, Tally};

/// What a visitor knows of their login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The server acknowledged a logout, or nobody ever logged in.
    Out,
    /// It acknowledged a login.
    In,
    /// A login or logout was sent, and its answer never came: either may be.
    Unknown,
}

/// One visitor.
pub struct Person {
    /// Which one: it decides how they log in and out, and as whom.
    pub number: usize,
    /// What they know of their login.
    pub standing: Standing,
    jar: Jar,
    /// An answer to their browser never came, and may have had a new cookie in it: perhaps they cannot come back to the session that their brokers
    /// are attached to.
    may_have_lost_cookie: AtomicBool,
    /// At each broker.
    bearers: Vec<String>,
}

/// A request that was not answered as it should be.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What was asked for.
    pub what: &'static str,
    /// When it was sent.
    pub started: Instant,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The `Retry-After` of the answer.
    pub retry_after: Option<String>,
    /// The error, or the answer.
    pub text: String,
}

impl Trouble {
    /// Whether the server said that it is unavailable for now, in the words that are agreed on.
    pub fn is_told(&self) -> bool {
        self.status == Some(503) && self.retry_after.is_some()
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, status, retry_after, text, .. } = self;
        write!(f, "{what}: {status:?}, Retry-After {retry_after:?}: {text:.300}")
    }
}
