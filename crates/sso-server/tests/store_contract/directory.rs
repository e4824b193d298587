//! Users and brokers in SQL: what is put there is found again, by its keys alone, and a change is never lost.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sqlx::{Any, Row};
use sso_core::{Encoding, Secret, Silent};
use sso_server::{
    Account, BrokerSettings, Brokers, InvalidBroker, PasswordHash, Session, SetOutcome, SqlDirectory, Store, Users,
    clock::{Clock, ManualClock, SystemClock, Timestamp},
    directory::{DirectoryError, StoredBroker, StoredUser, Unreadable},
    store::{SqlStore, StoreKeys},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use sso_engines::new_postgres_store as new_database;

use sso_store_tests::{family, link_to, log_in, session_at, token_of};

const HASH: &str = "$2y$04$NkmGAgLHXQQ8sUSW/IqGJ.FUI17yVmjx1/dlf6jCEwWUnTLcFjb4a";

/// An empty directory in each of the two databases, and what must stay as long as they do.
struct Two {
    clock: Arc<ManualClock>,
    directories: [SqlDirectory; 2],
    _file: TempDir,
}

async fn two() -> Two {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let file = TempDir::new().unwrap();
    let sqlite = SqlDirectory::sqlite(&file.path().join("a.db"), StoreKeys::generate(), clock.clone()).await.unwrap();
    let postgres = SqlDirectory::postgres(&new_database(), StoreKeys::generate(), clock.clone()).await.unwrap();
    Two { clock, directories: [sqlite, postgres], _file: file }
}

async fn account(directory: &SqlDirectory, name: &str) -> Option<Arc<Account>> {
    Users::find(directory, name).await.unwrap()
}

fn jackie() -> StoredUser {
    let mut user = StoredUser::new("jackie", HASH.parse().unwrap());
    user.attributes.insert("fullname".into(), "Jackie \"Ü\" Black".into());
    user.attributes.insert("age".into(), 38.into());
    user.groups = vec!["staff".into(), "night shift".into()];
    user
}

fn shop() -> StoredBroker {
    let mut settings = BrokerSettings::new(vec!["https://shop.example.com".into()]);
    settings.return_paths = Some(vec!["/back".into()]);
    settings.silent = Silent::Json;
    (settings.silent_start, settings.password_login) = (true, true);
    settings.audiences = vec!["https://api.example.com".into()];
    (settings.allow_users, settings.allow_groups) = (vec!["jackie".into()], vec!["staff".into()]);
    settings.attributes = Some(vec!["fullname".into()]);
    // Any bytes.
    StoredBroker::new("Shop".parse().unwrap(), settings, Secret::new(*b"\0\xffa secret to search for"))
}

#[tokio::test]
async fn a_user_comes_back_as_they_were_put() {
    let two = two().await;
    for directory in &two.directories {
        assert!(account(directory, "jackie").await.is_none());
        directory.add_user(&jackie()).await.unwrap();
        assert_eq!(directory.add_user(&jackie()).await, Err(DirectoryError::Exists));
        let found = account(directory, "jackie").await.unwrap();
        assert_eq!((&found.user.attributes, &found.groups), (&jackie().attributes, &jackie().groups));
        assert_eq!(found.password.text(), HASH);
        // To the letter, in both; and PostgreSQL would not take a NUL.
        for other in ["Jackie", "jackie ", "jacki", "", "jac\0kie", &"j".repeat(10_000)] {
            assert!(account(directory, other).await.is_none(), "{other:?}");
        }
        for bad in ["", " jackie", "a\nb", "a\0b", &"j".repeat(257), "Zoe\u{308}", "jac\u{200b}kie", "\u{202e}jackie"] {
            let refused = directory.add_user(&StoredUser::new(bad, HASH.parse().unwrap())).await;
            assert!(matches!(refused, Err(DirectoryError::Username(_))), "{bad:?} {refused:?}");
        }
        for good in ["ジャッキー 1", "Zo\u{eb}"] {
            directory.add_user(&StoredUser::new(good, HASH.parse().unwrap())).await.unwrap();
            assert!(account(directory, good).await.is_some());
        }
    }
}

#[tokio::test]
async fn who_is_disabled_or_removed_is_not_found_and_a_password_is_replaced() {
    let two = two().await;
    for directory in &two.directories {
        directory.add_user(&jackie()).await.unwrap();
        let created = directory.user("jackie").await.unwrap().unwrap();
        assert_eq!((created.created, created.changed), (two.clock.now(), two.clock.now()));
        two.clock.advance(Duration::from_secs(1));
        directory.change_user("jackie", |user| user.is_disabled = true).await.unwrap();
        assert!(account(directory, "jackie").await.is_none());
        let other: PasswordHash = "$2y$04$OIBKLwL8PMvhb0NgeiM19edlddeOZYHMDz1aoEhGA13OGONdE2cMK".parse().unwrap();
        assert!(!directory.can_set_password("jackie").await.unwrap());
        assert_eq!(directory.set_password("jackie", None, &other).await.unwrap(), SetOutcome::NoAccount);
        let disabled = directory.user("jackie").await.unwrap().unwrap();
        assert!(disabled.is_disabled && disabled.changed == two.clock.now() && disabled.created == created.created);

        directory.change_user("jackie", |user| user.is_disabled = false).await.unwrap();
        assert!(directory.can_set_password("jackie").await.unwrap());
        // Only in place of the password that it has, where one is named.
        let set = directory.set_password("jackie", Some(&other), &other).await.unwrap();
        assert_eq!(set, SetOutcome::ChangedMeanwhile);
        assert_eq!(account(directory, "jackie").await.unwrap().password.text(), HASH);
        let set = directory.set_password("jackie", Some(&created.password), &other).await.unwrap();
        assert_eq!(set, SetOutcome::Set);
        assert_eq!(account(directory, "jackie").await.unwrap().password.text(), other.text());
        directory.change_user("jackie", |user| user.password = created.password.clone()).await.unwrap();
        assert_eq!(directory.set_password("jackie", None, &other).await.unwrap(), SetOutcome::Set);
        let found = account(directory, "jackie").await.unwrap();
        assert_eq!((found.password.text(), &found.groups), (other.text(), &jackie().groups));
        assert_eq!(directory.set_password("nobody", None, &other).await.unwrap(), SetOutcome::NoAccount);

        assert!(directory.remove_user("jackie").await.unwrap());
        assert!(!directory.remove_user("jackie").await.unwrap());
        assert!(account(directory, "jackie").await.is_none());
        let gone = directory.change_user("jackie", |_| ()).await;
        assert_eq!(gone.unwrap_err(), DirectoryError::NotFound);
    }
}

#[tokio::test]
async fn an_attribute_of_a_user_is_set_and_nothing_else() {
    let two = two().await;
    for directory in &two.directories {
        directory.add_user(&jackie()).await.unwrap();
        let in_town = |town: &str| serde_json::json!({ "town": town });
        let set = async |name: &str, expected: Option<&str>, town: &str| {
            let expected = expected.map(in_town);
            Users::set_attribute(directory, name, "profile", expected.as_ref(), &in_town(town)).await.unwrap()
        };
        assert!(directory.can_set_attributes("jackie").await.unwrap());
        assert_eq!(set("jackie", Some("Leiden"), "Delft").await, SetOutcome::ChangedMeanwhile, "there is none");
        assert_eq!(set("jackie", None, "Leiden").await, SetOutcome::Set);
        // Only in place of what was there, or where nothing was.
        for expected in [None, Some("Delft")] {
            assert_eq!(set("jackie", expected, "Gouda").await, SetOutcome::ChangedMeanwhile);
        }
        assert_eq!(set("jackie", Some("Leiden"), "Delft").await, SetOutcome::Set);
        let (found, before) = (account(directory, "jackie").await.unwrap(), jackie());
        assert_eq!(found.user.attributes["profile"], in_town("Delft"));
        assert_eq!(found.user.attributes["fullname"], before.attributes["fullname"]);
        assert_eq!((found.user.attributes.len(), &found.groups), (3, &before.groups));

        directory.set_user_disabled("jackie", true).await.unwrap();
        for name in ["jackie", "nobody"] {
            assert!(!directory.can_set_attributes(name).await.unwrap());
            assert_eq!(set(name, Some("Delft"), "Gouda").await, SetOutcome::NoAccount);
        }
        directory.set_user_disabled("jackie", false).await.unwrap();
        assert_eq!(account(directory, "jackie").await.unwrap().user, found.user);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_changes_are_each_kept() {
    let two = two().await;
    for directory in &two.directories {
        directory.add_user(&jackie()).await.unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..20 {
            let directory = directory.clone();
            tasks.spawn(async move {
                directory.change_user("jackie", |user| user.groups.push(format!("g{n}"))).await.unwrap();
            });
        }
        tasks.join_all().await;
        let user = directory.user("jackie").await.unwrap().unwrap();
        assert_eq!(user.groups.iter().collect::<BTreeSet<_>>().len(), 22);
    }
}

/// Whoever shows the present password may replace it; of two who do at the same time only one did.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_racing_changes_of_one_password_one_is_made() {
    let two = two().await;
    for directory in &two.directories {
        directory.add_user(&jackie()).await.unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..20 {
            let directory = directory.clone();
            let new: PasswordHash = format!("{}{n:02}{}", &HASH[..40], &HASH[42..]).parse().unwrap();
            tasks.spawn(async move {
                let outcome = directory.set_password("jackie", Some(&jackie().password), &new).await.unwrap();
                (outcome == SetOutcome::Set).then_some(new)
            });
        }
        let set: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(set.len(), 1);
        assert_eq!(account(directory, "jackie").await.unwrap().password.text(), set[0].text());
    }
}

#[tokio::test]
async fn a_long_list_is_given_in_pages_each_user_once() {
    let two = two().await;
    for directory in &two.directories {
        for n in 0..1_100 {
            directory.add_user(&StoredUser::new(format!("u{n}"), HASH.parse().unwrap())).await.unwrap();
        }
        let (mut names, mut pages) = (Vec::new(), 0);
        loop {
            let page = directory.users_after(names.last().map_or("", String::as_str)).await.unwrap();
            if page.is_empty() {
                break;
            }
            pages += 1;
            names.extend(page.into_iter().map(|user| user.unwrap().username));
        }
        assert_eq!((pages, names.len(), names.iter().collect::<BTreeSet<_>>().len()), (3, 1_100, 1_100));
    }
}

#[tokio::test]
async fn a_broker_comes_back_as_it_was_put() {
    let two = two().await;
    let id = shop().id;
    for directory in &two.directories {
        assert!(Brokers::find(directory, &id).await.unwrap().is_none());
        directory.add_broker(&shop()).await.unwrap();
        assert_eq!(directory.add_broker(&shop()).await, Err(DirectoryError::Exists));
        let stored = directory.broker(&id).await.unwrap().unwrap();
        assert_eq!(stored.settings, shop().settings);
        assert_eq!(stored.secret.expose(), shop().secret.expose());
        let found = Brokers::find(directory, &id).await.unwrap().unwrap();
        // `Debug` leaves the secrets out.
        assert_eq!(format!("{found:?}"), format!("{:?}", shop().broker().unwrap()));

        let until = two.clock.now().after(Duration::from_secs(60));
        let change = |broker: &mut StoredBroker| {
            broker.settings.checksum = Encoding::Php;
            let old = std::mem::replace(&mut broker.secret, Secret::new("new"));
            broker.previous = Some((old, until));
        };
        directory.change_broker(&id, change).await.unwrap();
        let changed = directory.broker(&id).await.unwrap().unwrap();
        assert!(changed.settings.checksum == Encoding::Php && changed.secret.expose() == b"new");
        let (old, till) = changed.previous.unwrap();
        assert!(old.expose() == shop().secret.expose() && till == until);

        // What makes no broker is not kept.
        let refused = directory.change_broker(&id, |broker| broker.settings.origins = vec!["x/y".into()]).await;
        assert!(matches!(refused, Err(DirectoryError::Broker(InvalidBroker::Origin(_)))), "{refused:?}");
        let refused = directory.change_broker(&id, |broker| broker.secret = Secret::new("")).await;
        assert_eq!(refused.unwrap_err(), DirectoryError::Broker(InvalidBroker::EmptySecret));
        assert_eq!(directory.broker(&id).await.unwrap().unwrap().secret.expose(), b"new");

        directory.change_broker(&id, |broker| broker.is_disabled = true).await.unwrap();
        assert!(Brokers::find(directory, &id).await.unwrap().is_none());
        directory.change_broker(&id, |broker| broker.is_disabled = false).await.unwrap();
        assert!(Brokers::find(directory, &id).await.unwrap().is_some());
        assert_eq!(directory.brokers_after("").await.unwrap().len(), 1);
        assert!(directory.brokers_after("Shop").await.unwrap().is_empty());
        assert!(directory.remove_broker(&id).await.unwrap() && !directory.remove_broker(&id).await.unwrap());
        assert!(Brokers::find(directory, &id).await.unwrap().is_none());
    }
}

/// The SQL of another program, on this database.
async fn by_hand(url: &str, statements: &[&'static str]) {
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(url).await.unwrap();
    for statement in statements {
        sqlx::query::<Any>(*statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
}

#[tokio::test]
async fn another_program_may_add_users_and_a_row_that_cannot_be_read_is_an_error_and_hides_no_other() {
    let file = TempDir::new().unwrap();
    let path = file.path().join("a.db");
    let (sqlite, postgres) = (format!("sqlite:{}", path.display()), new_database());
    let keys = StoreKeys::generate();
    for (url, directory) in [
        (&sqlite, SqlDirectory::sqlite(&path, keys.clone(), SystemClock).await.unwrap()),
        (&postgres, SqlDirectory::postgres(&postgres, keys.clone(), SystemClock).await.unwrap()),
    ] {
        by_hand(
            url,
            &[
                "INSERT INTO sso_users (username, password) VALUES \
                 ('ada', '$2y$04$NkmGAgLHXQQ8sUSW/IqGJ.FUI17yVmjx1/dlf6jCEwWUnTLcFjb4a')",
                "INSERT INTO sso_users (username, password) VALUES ('bob', 'bob123')",
            ],
        )
        .await;
        assert_eq!(account(&directory, "ada").await.unwrap().password.text(), HASH);
        odd_names_of_other_programs_are_found_to_the_letter(&directory, url).await;
        let error = Users::find(&directory, "bob").await.unwrap_err().to_string();
        assert!(error.contains("the password of \"bob\" cannot be read") && !error.contains("bob123"), "{error}");
        unreadable_users_are_listed_and_mended(&directory, url).await;

        // A broker's secrets do not open under another name, and rules that nobody knows are not passed over.
        directory.add_broker(&shop()).await.unwrap();
        by_hand(url, &["UPDATE sso_brokers SET settings = '{\"origins\":[\"https://a\"],\"allow_ips\":[]}'"]).await;
        assert!(Brokers::find(&directory, &shop().id).await.is_err());
        by_hand(url, &["UPDATE sso_brokers SET settings = '{\"origins\":[\"https://a\"]}'"]).await;
        assert!(Brokers::find(&directory, &shop().id).await.unwrap().is_some());
        by_hand(url, &["UPDATE sso_brokers SET id = 'Evil'"]).await;
        let evil = "Evil".parse().unwrap();
        assert!(Brokers::find(&directory, &evil).await.is_err());
        directory.add_broker(&shop()).await.unwrap();
        let listed = directory.brokers_after("").await.unwrap();
        assert_eq!(listed[0].as_ref().unwrap_err(), &Unreadable { name: "Evil".into(), what: "secrets" });
        assert_eq!(listed[1].as_ref().unwrap().id, shop().id);
        directory.set_broker_disabled(&evil, true).await.unwrap();
        assert!(directory.remove_broker(&evil).await.unwrap());
        assert_eq!(directory.set_broker_disabled(&evil, true).await, Err(DirectoryError::NotFound));
        directory.set_broker_disabled(&shop().id, true).await.unwrap();
        assert!(Brokers::find(&directory, &shop().id).await.unwrap().is_none());
        directory.set_broker_disabled(&shop().id, false).await.unwrap();
        assert!(Brokers::find(&directory, &shop().id).await.unwrap().is_some());
    }
}

/// Names that could not be added here.
async fn odd_names_of_other_programs_are_found_to_the_letter(directory: &SqlDirectory, url: &str) {
    for odd in [" eve", "Zoe\u{308}", "e\u{200b}ve", "e\tve", &"e".repeat(257)] {
        let insert = format!("INSERT INTO sso_users (username, password) VALUES ('{odd}', '{HASH}')");
        by_hand(url, &[insert.leak()]).await;
        assert_eq!(account(directory, odd).await.unwrap().user.username, odd);
        directory.change_user(odd, |user| user.groups.push("staff".into())).await.unwrap();
        assert!(account(directory, odd.trim()).await.is_none() || odd.trim() == odd, "{odd:?}");
        assert!(directory.remove_user(odd).await.unwrap());
    }
}

/// Of `ada`, who is as she should be, and `bob`, whose password is none.
async fn unreadable_users_are_listed_and_mended(directory: &SqlDirectory, url: &str) {
    let listed = async || {
        let users = directory.users_after("").await.unwrap().into_iter();
        users.map(|user| user.map(|user| (user.username, user.is_disabled))).collect::<Vec<_>>()
    };
    let bob = |what| Err(Unreadable { name: "bob".into(), what });
    assert_eq!(listed().await, [Ok(("ada".into(), false)), bob("password")]);
    directory.set_user_disabled("bob", true).await.unwrap();
    directory.replace_password("bob", &HASH.parse().unwrap()).await.unwrap();
    assert_eq!(listed().await, [Ok(("ada".into(), false)), Ok(("bob".into(), true))]);
    assert!(account(directory, "bob").await.is_none());
    directory.set_user_disabled("bob", false).await.unwrap();
    assert_eq!(account(directory, "bob").await.unwrap().password.text(), HASH);
    for (statement, what) in [
        ("UPDATE sso_users SET attributes = '[]' WHERE username = 'bob'", "attributes"),
        ("UPDATE sso_users SET attributes = '{}', member_of = 'staff' WHERE username = 'bob'", "groups"),
    ] {
        by_hand(url, &[statement]).await;
        assert_eq!(listed().await[1], bob(what));
        assert_eq!(
            directory.user("bob").await.unwrap_err().to_string(),
            format!("the {what} of \"bob\" cannot be read")
        );
    }
    assert!(directory.remove_user("bob").await.unwrap());
    assert_eq!(listed().await, [Ok(("ada".into(), false))]);
    for gone in [
        directory.set_user_disabled("bob", true).await,
        directory.replace_password("bob", &HASH.parse().unwrap()).await,
    ] {
        assert_eq!(gone, Err(DirectoryError::NotFound));
    }
}

#[tokio::test]
async fn the_secrets_are_sealed_with_keys_that_rotate() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("a.db");
    let keys = |secrets: &[u8]| StoreKeys::new(&secrets.iter().map(|n| [*n; 32]).collect::<Vec<_>>()).unwrap();
    let directory = SqlDirectory::sqlite(&file, keys(&[1]), SystemClock).await.unwrap();
    directory.add_broker(&shop()).await.unwrap();
    for name in ["a.db", "a.db-wal"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap();
        let secret = b"a secret to search for";
        assert!(!bytes.windows(secret.len()).any(|bytes| bytes == secret), "in {name}");
    }
    let other = SqlDirectory::sqlite(&file, keys(&[3]), SystemClock).await;
    assert_eq!(other.unwrap_err(), DirectoryError::WrongKeys);
    let rotated = SqlDirectory::sqlite(&file, keys(&[2, 1]), SystemClock).await.unwrap();
    let broker = rotated.broker(&shop().id).await.unwrap().unwrap();
    assert_eq!(broker.secret.expose(), shop().secret.expose());
}

/// What stays for as long as the database does not need the keys between the first and the last one.
#[tokio::test]
async fn keys_rotate_more_than_once_and_the_one_between_can_be_given_up() {
    let file = TempDir::new().unwrap();
    let (path, postgres) = (file.path().join("a.db"), new_database());
    let keys = |secrets: &[u8]| StoreKeys::new(&secrets.iter().map(|n| [*n; 32]).collect::<Vec<_>>()).unwrap();
    for is_sqlite in [true, false] {
        let open = async |secrets: &[u8]| match is_sqlite {
            true => SqlDirectory::sqlite(&path, keys(secrets), SystemClock).await,
            false => SqlDirectory::postgres(&postgres, keys(secrets), SystemClock).await,
        };
        let mut other = shop();
        other.id = "Other".parse().unwrap();
        open(&[1]).await.unwrap().add_broker(&shop()).await.unwrap();
        let second = open(&[2, 1]).await.unwrap();
        second.add_broker(&other).await.unwrap();
        // Whoever has not opened it with the third key has left it sealed with the second one.
        assert_eq!(open(&[3, 1]).await.unwrap_err(), DirectoryError::WrongKeys);
        open(&[3, 2, 1]).await.unwrap();
        for secrets in [&[3, 1][..], &[4, 3, 1], &[4, 1]] {
            let directory = open(secrets).await.unwrap();
            for id in [&shop().id, &other.id] {
                let broker = directory.broker(id).await.unwrap().unwrap();
                assert_eq!(broker.secret.expose(), shop().secret.expose());
            }
        }
        assert_eq!(open(&[3, 1]).await.unwrap_err(), DirectoryError::WrongKeys);
    }
}

/// Both databases are made again what earlier versions made of them: version 0.1, and the first one that had tables.
#[tokio::test]
async fn a_database_of_an_earlier_version_is_upgraded_and_loses_its_sessions_and_nothing_else() {
    let to_0_1 = [
        "ALTER TABLE sso_links ADD COLUMN heals BIGINT NOT NULL DEFAULT 1",
        "DROP INDEX sso_sessions_ends",
        "ALTER TABLE sso_sessions DROP COLUMN ends",
        "DELETE FROM sso_schema WHERE version > 4",
    ];
    let to_first = [
        "ALTER TABLE sso_links DROP COLUMN made",
        "ALTER TABLE sso_links DROP COLUMN called",
        "DROP TABLE sso_users",
        "DROP TABLE sso_brokers",
        "DELETE FROM sso_schema WHERE version > 1",
    ];
    is_upgraded_from(4, &to_0_1).await;
    is_upgraded_from(1, &[&to_0_1[..], &to_first].concat()).await;
}

async fn is_upgraded_from(old: i64, back: &[&'static str]) {
    let file = TempDir::new().unwrap();
    let path = file.path().join("a.db");
    let (sqlite, postgres) = (format!("sqlite:{}", path.display()), new_database());
    let keys = StoreKeys::generate();
    for url in [&sqlite, &postgres] {
        let open = async || match url == &sqlite {
            true => SqlStore::sqlite(&path, keys.clone(), SystemClock).await,
            false => SqlStore::postgres(url, keys.clone(), SystemClock).await,
        };
        let store = open().await.unwrap();
        let mut session = session_at(SystemClock.now());
        log_in(&mut session, "jackie");
        let session = store.insert(session, None).await.unwrap();
        let (key, family) = (token_of("Alice"), family("jackie", SystemClock.now()));
        assert_eq!(store.link(key.clone(), link_to(&session)).await, Ok(()));
        store.put_family(family.clone()).await.unwrap();
        assert_eq!(store.consume("one", session.keep_until).await, Ok(true));
        let directory = SqlDirectory::beside(&store, SystemClock);
        directory.add_user(&jackie()).await.unwrap();
        directory.add_broker(&shop()).await.unwrap();
        drop((store, directory));
        let newest = version(url).await;
        by_hand(url, back).await;
        assert_eq!(version(url).await, old);

        let store = open().await.unwrap();
        assert_eq!(version(url).await, newest);
        assert!(store.get(&session.id).await.unwrap().is_none());
        assert!(store.load(&session.cookie).await.unwrap().is_none());
        assert!(store.resolve(&key).await.unwrap().is_none() && store.family(&family.id).await.unwrap().is_none());
        assert!(store.of_user("jackie").await.unwrap().is_empty());
        assert_eq!(store.consume("one", session.keep_until).await, Ok(false), "a token that was used stays so");
        let directory = SqlDirectory::beside(&store, SystemClock);
        if old == 1 {
            // It had none.
            directory.add_user(&jackie()).await.unwrap();
            directory.add_broker(&shop()).await.unwrap();
        }
        assert!(account(&directory, "jackie").await.is_some());
        assert!(directory.broker(&shop().id).await.unwrap().is_some());
        // And all that begins anew works.
        let again = store.insert(Session::clone(&session), None).await.unwrap();
        assert_eq!(store.link(key.clone(), link_to(&again)).await, Ok(()));
        assert_eq!(store.of_user("jackie").await.unwrap().len(), 1);
        drop((store, directory));

        by_hand(url, &["INSERT INTO sso_schema (version) VALUES (1000)"]).await;
        let error = open().await.unwrap_err().to_string();
        assert!(error.contains("made by a newer version") && !error.contains('\n'), "{error}");
        by_hand(url, &["DELETE FROM sso_schema WHERE version = 1000"]).await;
        let directory = SqlDirectory::beside(&open().await.unwrap(), SystemClock);
        assert!(account(&directory, "jackie").await.is_some());
    }
}

async fn version(url: &str) -> i64 {
    let pool = sqlx::AnyPool::connect(url).await.unwrap();
    let row = sqlx::query::<Any>("SELECT MAX(version) AS version FROM sso_schema").fetch_one(&pool).await.unwrap();
    pool.close().await;
    row.get("version")
}

#[tokio::test]
async fn times_come_back_to_the_millisecond() {
    let two = two().await;
    for directory in &two.directories {
        let mut broker = shop();
        broker.previous = Some((Secret::new("old"), Timestamp::NEVER));
        directory.add_broker(&broker).await.unwrap();
        let stored = directory.broker(&broker.id).await.unwrap().unwrap();
        assert_eq!((stored.created, stored.previous.unwrap().1), (two.clock.now(), Timestamp::NEVER));
    }
}
