//! What the store in memory needs for a session in which somebody is logged in, with two links, and how long its calls
//! take when it is full: `cargo bench -p sso-cli --bench memory`. It reads `/proc`, so it runs on Linux.
//!
//! Times on a busy machine say little: compare two versions by turns.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use sso_core::{Token, VerificationCode, wire::User};
use sso_server::{
    MemoryStore, Session, Store,
    clock::{Clock, SystemClock},
    session::{CookieValue, Fingerprint, Link, LinkKey, Login},
};

const SESSIONS: usize = 200_000;
const CALLS: usize = 64_000;
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari";

type LoggedIn = (Session, LinkKey);

#[tokio::main(worker_threads = 2)]
async fn main() {
    let store = Arc::new(MemoryStore::new(SystemClock));
    let mut visitors = Vec::with_capacity(1_000);
    for number in 0..1_000 {
        visitors.push(log_in(&store, number).await);
    }
    let before = resident();
    for number in 1_000..SESSIONS {
        log_in(&store, number).await;
    }
    let bytes = (resident() - before) / (SESSIONS - 1_000);
    println!("{bytes} bytes for a session with two links, of {SESSIONS}");

    let visitors = Arc::new(visitors);
    for call in ["resolve and get", "attach", "touch"] {
        for callers in [1, 64] {
            let start = Instant::now();
            let tasks: Vec<_> = (0..callers)
                .map(|caller| {
                    let (store, visitors) = (store.clone(), visitors.clone());
                    tokio::spawn(async move {
                        for (session, key) in visitors.iter().cycle().skip(caller * 7).take(CALLS / callers) {
                            make(call, &store, session, key).await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            println!("{call:<16} {callers:>2} at once: {:>6} ns", start.elapsed().as_nanos() / CALLS as u128);
        }
    }
}

/// As a browser does that attaches, logs in, and comes to a second broker. The second key is the one of its link.
async fn log_in(store: &MemoryStore, number: usize) -> LoggedIn {
    let now = SystemClock.now();
    let mut session = Session::new(CookieValue::generate().hash(), now);
    session.browser = Some(BROWSER.into());
    session.fingerprint = Some(Fingerprint::new([7; 32]));
    session.keep_until = now.after(Duration::from_secs(600));
    let mut session = Session::clone(&*store.insert(session, None).await.unwrap());
    let user = User { username: format!("user{number}"), attributes: Default::default() };
    session.log_in(Login::new(user, [7; 32], now), now);
    session.replace_cookie(CookieValue::generate().hash(), now);
    (session.ends, session.keep_until) = (now.after(Duration::from_secs(1_200)), now.after(Duration::from_secs(4_800)));
    let session = Session::clone(&*store.update(session).await.unwrap());
    link(store, &session, "Alice").await;
    let key = link(store, &session, "Greg").await;
    (session, key)
}

async fn link(store: &MemoryStore, session: &Session, broker: &str) -> LinkKey {
    let key = LinkKey { broker: broker.parse().unwrap(), token: Token::generate() };
    let (code, at) = (VerificationCode::generate(), SystemClock.now());
    let link = Link { session: session.id.clone(), epoch: session.epoch, code, at, php: false };
    store.link(key.clone(), link).await.unwrap();
    key
}

async fn make(call: &str, store: &MemoryStore, session: &Session, key: &LinkKey) {
    match call {
        "attach" => drop(link(store, session, "Nora").await),
        "touch" => {
            let now = SystemClock.now();
            let (ends, keep_until) = (now.after(Duration::from_secs(1_200)), now.after(Duration::from_secs(4_800)));
            store.touch(&Session { last_seen: now, ends, keep_until, ..session.clone() }).await.unwrap();
        }
        _ => {
            let found = store.resolve(key).await.unwrap().unwrap();
            store.get(&found.session.id).await.unwrap().unwrap();
        }
    }
}

/// In bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
