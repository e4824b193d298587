//! The account page's form for another password, of a user in SQL.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use sso_tests::{
    Browser, Site,
    browser::ThirdPartyCookies,
    process::{free_ports, sso_bin},
};

use crate::{assert_quiet, pages::look, type_password};

/// The command and the server have the same key.
const ENVIRONMENT: [(&str, &str); 2] =
    [("SSO_STORE", "memory:"), ("SSO_STORE_KEY", "0123456789abcdef0123456789abcdef")];

/// Of `jackie123`, which is shorter than what users may choose now.
const HASH: &str = "$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK";

#[tokio::test]
async fn a_password_is_changed_and_the_other_sessions_end() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_ports(1));
    let config = dir.path().join("sso.toml");
    let directory = dir.path().join("directory.db");
    let text =
        format!("public_url = \"http://sso.localhost:{port}\"\ndirectory = \"sqlite:{}\"\n", directory.display());
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let mut add = Command::new(sso_bin())
        .args(["users", "--config", config, "add", "jackie", "--hash"])
        .envs(ENVIRONMENT)
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    add.stdin.take().unwrap().write_all(HASH.as_bytes()).unwrap();
    assert!(add.wait().unwrap().success());
    let listen = format!("127.0.0.1:{port}");
    let _server = Site::try_start(&["server", "--config", config, "--listen", &listen], &ENVIRONMENT).unwrap();

    let account = format!("http://sso.localhost:{port}/account");
    let mine = Browser::start(ThirdPartyCookies::Blocked).await;
    let other = Browser::start(ThirdPartyCookies::Blocked).await;
    for browser in [&mine, &other] {
        browser.open(&account).await;
        type_password(browser, "jackie", "jackie123").await;
        browser.wait_for("h1", "Your account").await;
    }
    look(&mine, "account-password").await;
    for (old, new, why) in [
        ("wrong", "a quite new password", "The current password is incorrect"),
        ("jackie123", "too short", "at least 15 characters"),
        ("jackie123", "passwordpassword", "easy to guess: it is a common one"),
        ("jackie123", "jackie@sso.localhost", "easy to guess: it is made of the account's own name"),
    ] {
        type_passwords(&mine, old, new).await;
        mine.wait_for("#password-error", why).await;
    }
    look(&mine, "account-password-refused").await;
    type_passwords(&mine, "jackie123", "a quite new password").await;
    mine.wait_for("[role=status]", "Your password was changed").await;
    look(&mine, "account-password-changed").await;
    other.open(&account).await;
    other.wait_for("h1", "Log in").await;
    type_password(&other, "jackie", "a quite new password").await;
    other.wait_for("h1", "Your account").await;
    assert_quiet(&mine, &[400]).await;
}

async fn type_passwords(browser: &Browser, old: &str, new: &str) {
    browser.fill("#old", old).await;
    browser.fill("#new", new).await;
    browser.fill("#again", new).await;
    browser.click("#password button").await;
}
