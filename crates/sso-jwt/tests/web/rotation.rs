//! Keys that rotate while tokens are verified: no good token is refused, and no retired key is accepted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::rt::{spawn, time::sleep};
use sso_jwt::InvalidToken;

use crate::publisher::{Publisher, keys, now, token};

#[actix_web::test]
async fn under_load_every_good_token_passes_and_those_of_the_retired_key_do_not() {
    let publisher = Publisher::start(&keys());
    let verifier = publisher.verifier(Duration::from_millis(300), Duration::from_millis(100));
    let first = publisher.keys.current().keys()[0].kid().to_owned();
    // Its own time is longer than its key's.
    let old = token(&publisher.keys.current());

    let done = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (publisher, verifier, done) = (publisher.clone(), verifier.clone(), done.clone());
            spawn(async move {
                let mut passed = 0;
                while !done.load(Ordering::SeqCst) {
                    let token = token(&publisher.keys.current());
                    assert!(verifier.verify(&token).await.is_ok(), "a good token was refused");
                    passed += 1;
                    sleep(Duration::from_millis(2)).await;
                }
                passed
            })
        })
        .collect();

    sleep(Duration::from_millis(200)).await;
    let mut rotated = (*publisher.keys.current()).clone();
    rotated.rotate(now(), Duration::from_secs(1), Duration::from_secs(1)).unwrap();
    publisher.keys.replace(rotated);
    assert!(verifier.verify(&old).await.is_ok(), "the old key goes on while the new one is only published");
    // A second until the new one signs, another until the old one retires, and one for the seconds' edges.
    sleep(Duration::from_millis(3_300)).await;
    assert_ne!(publisher.keys.current().signing(now()).unwrap().kid(), first);
    assert_eq!(verifier.verify(&old).await, Err(InvalidToken), "the retired key");
    done.store(true, Ordering::SeqCst);
    for task in load {
        assert!(task.await.unwrap() > 10);
    }
}
