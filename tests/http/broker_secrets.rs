//! `sso brokers rotate-secret`: no secret that is in use is lost unasked, and none that may have become valid is unknown.

use std::process::Command;

use sso_engines::{new_postgres_store, postgres_bin};

use crate::{
    admin::refused,
    directory::{Nodes, SHOP, attaches, secret_in},
    frozen::Lock,
    peer::until,
};

const ROTATE: [&str; 3] = ["brokers", "rotate-secret", "Shop"];

#[tokio::test]
async fn a_secret_that_is_still_accepted_is_not_dropped_unasked() {
    let nodes = Nodes::start("sqlite:FILE.db", None);
    let peer = |secret: &str| nodes.peers("Shop", secret, SHOP)[0].clone();
    let first = peer(&secret_in(&nodes.sso(&["brokers", "add", "Shop", SHOP], "")));
    let second = peer(&secret_in(&nodes.sso(&ROTATE, "")));
    refused(&nodes.run(&ROTATE, ""), 1, "broker Shop may still use the secret before this one until 20");
    assert!(attaches(&first).await, "the old one stays");
    until("the new secret is known", async || attaches(&second).await).await;

    let printed = nodes.sso(&[&ROTATE[..], &["--replace-previous"]].concat(), "");
    let third = peer(&secret_in(&printed));
    until("the third secret is known", async || attaches(&third).await).await;
    assert_eq!((attaches(&second).await, attaches(&first).await), (true, false));

    let fourth = peer(&secret_in(&nodes.sso(&[&ROTATE[..], &["--keep-old", "0s"]].concat(), "")));
    until("the fourth secret is known", async || attaches(&fourth).await).await;
    assert_eq!((attaches(&third).await, attaches(&second).await), (false, false));
    // Nothing is in the way any more; a time beyond all calendars is told as the last one.
    let printed = nodes.sso(&[&ROTATE[..], &["--keep-old", "9000y"]].concat(), "");
    assert!(printed.contains("accepted until 9999-12-31T23:59:59Z"), "{printed}");
    secret_in(&printed);
    assert_eq!(nodes.json(&["brokers", "show", "Shop"])["previous_secret_until"], "9999-12-31T23:59:59Z");
}

#[tokio::test]
async fn a_new_secret_is_told_also_if_nobody_knows_whether_it_counts() {
    let store = new_postgres_store();
    let nodes = Nodes::start(&store, None);
    let old = secret_in(&nodes.sso(&["brokers", "add", "Shop", SHOP], ""));
    // Nobody else changes the broker meanwhile.
    let mut psql = Command::new(postgres_bin("psql"));
    let lock = Lock::of(psql.args(["-qXAt", &store]), "BEGIN; SELECT 'locked' FROM sso_brokers FOR UPDATE;\n");
    let said = nodes.run(&ROTATE, "");
    assert!(said.status == 1 && said.err.starts_with("sso: the directory is unavailable"), "{said:?}");
    assert!(said.out.contains("if the change was made all the same"), "{said:?}");
    let new = secret_in(&said.out);
    assert!(!said.err.contains(&new) && new != old);
    // PostgreSQL goes on waiting for whoever has gone, and then makes the change.
    drop(lock);
    let peer = nodes.peers("Shop", &new, SHOP)[0].clone();
    until("the new secret counts", async || attaches(&peer).await).await;
}
