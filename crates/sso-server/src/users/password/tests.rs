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

/// Of other systems, and one after the other, so that each finds the memory that the one before has left.
#[test]
fn argon2_hashes_of_every_kind_are_checked() {
    for (algorithm, version, (memory, passes, lanes), length) in [
        (Algorithm::Argon2id, Version::V0x13, (64, 1, 1), 16),
        (Algorithm::Argon2i, Version::V0x10, (256, 3, 2), 24),
        (Algorithm::Argon2d, Version::V0x13, (32, 2, 4), 64),
        (Algorithm::Argon2id, Version::V0x13, (128, 1, 1), 32),
    ] {
        let params = Params::new(memory, passes, lanes, Some(length)).unwrap();
        let hash = Argon2::new(algorithm, version, params).hash_password(b"jackie123").unwrap().to_string();
        let hash: PasswordHash = hash.parse().unwrap();
        assert!(hash.verify("jackie123") && !hash.verify("jackie124") && !hash.verify(""), "{}", hash.text());
    }
    let no_output: PasswordHash = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ".parse().unwrap();
    assert!(!no_output.verify("jackie123") && !no_output.verify(""));
}

#[tokio::test]
async fn a_new_password_is_hashed_and_then_accepted() {
    let passwords = Passwords::new().unwrap();
    assert_eq!(passwords.validate("correct horse battery", ContextWords::default()).await, Some(Ok(())));
    let hash = passwords.turn().await.unwrap().hash("correct horse battery").await.unwrap();
    assert!(hash.text().starts_with("$argon2id$"));
    assert!(passwords.turn().await.unwrap().verify(Some(hash), "correct horse battery").await);
}

/// What the same keys give on two systems.
const NFC: &str = "stra\u{df}e \u{fc}ber k\u{f6}ln";
const NFD: &str = "stra\u{df}e u\u{308}ber ko\u{308}ln";

#[test]
fn a_password_is_the_same_in_each_form() {
    let mixed = "stra\u{df}e \u{fc}ber ko\u{308}ln";
    let argon2 =
        |typed: &str| PasswordHash(Argon2::default().hash_password(typed.as_bytes()).unwrap().to_string().into());
    let bcrypt = |typed: &str| PasswordHash(bcrypt::hash(typed, 4).unwrap().into());
    // Hashed now, and as it was typed before.
    for hash in
        [PasswordHash::new(NFC).unwrap(), PasswordHash::new(NFD).unwrap(), argon2(NFC), argon2(NFD), bcrypt(NFD)]
    {
        assert!(hash.verify(NFC) && hash.verify(NFD) && hash.verify(mixed), "{}", hash.text());
        assert!(!hash.verify("strasse uber koln") && !hash.verify(&NFC.to_uppercase()));
    }
    assert!(argon2(mixed).verify(mixed), "as ever");
    // A new one is kept in one form.
    assert!(PasswordHash::new(NFD).unwrap().is_of(NFC) && !PasswordHash::new(NFD).unwrap().is_of(NFD));
}

/// How much work a guess makes says nothing of the account.
#[test]
fn a_guess_is_checked_once_unless_it_can_be_written_in_several_ways() {
    for (typed, count) in
        [("jackie123", 1), ("", 1), (NFC, 2), (NFD, 2), ("\u{fc}o\u{308}", 3), ("パス", 2), ("犬も", 1)]
    {
        assert_eq!(forms(typed).len(), count, "{typed}");
    }
}

#[tokio::test]
async fn without_an_account_nothing_matches() {
    let passwords = Passwords::new().unwrap();
    assert!(!passwords.turn().await.unwrap().verify(None, "no account has this password").await);
}

#[test]
fn other_hashes_are_refused() {
    for bad in ["", "jackie123", "5f4dcc3b5aa765d61d8327deb882cf99", "$1$abc$def", "$argon2id$broken", "$2y$10$short"] {
        assert_eq!(bad.parse::<PasswordHash>().err(), Some(InvalidHash::Unknown), "{bad}");
    }
}

#[test]
fn hashes_that_would_keep_a_core_busy_are_refused() {
    let argon2 = |params: &str| format!("$argon2id$v=19${params}$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA");
    let bcrypt = |cost: u32| BCRYPT.replace("$04$", &format!("${cost:02}$"));
    for good in [argon2("m=262144,t=10,p=1"), argon2("m=19456,t=200,p=1"), bcrypt(16)] {
        assert!(good.parse::<PasswordHash>().is_ok(), "{good}");
    }
    for bad in [argon2("m=262145,t=1,p=1"), argon2("m=19456,t=201,p=1"), bcrypt(17), bcrypt(31)] {
        assert_eq!(bad.parse::<PasswordHash>().err(), Some(InvalidHash::TooCostly), "{bad}");
    }
}

#[test]
fn debug_gives_nothing_away() {
    assert_eq!(format!("{:?}", BCRYPT.parse::<PasswordHash>().unwrap()), "PasswordHash(…)");
}
