//! Backup and restore, by the very commands of docs/operations.md: what lasts is as it was, and no logout comes back to life.

mod command;
mod place;

use std::{fs, path::Path, process::Command};

use sso_engines::{Engine, postgres_bin};

use place::Place;

/// The commands in the section with this heading, in their order.
fn commands(heading: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let text = fs::read_to_string(file).unwrap();
    let section = text.split_once(&format!("\n### {heading}\n")).expect(heading).1;
    let section = section.split_once("\n##").map_or(section, |(section, _)| section);
    section.split("\n```sh\n").skip(1).map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

fn in_sqlite() -> Place {
    let place = Place::new(None);
    place.set_up("");
    place
}

fn in_postgres() -> Place {
    let engine = Engine::postgres();
    let url: url::Url = engine.url().parse().unwrap();
    let store = url.join("/sso").unwrap();
    let mut place = Place::new(Some(engine));
    place.environment = vec![
        ("SSO_STORE", store.into()),
        ("PGHOST", url.host_str().unwrap().into()),
        ("PGPORT", url.port().unwrap().to_string()),
        ("PGUSER", url.username().into()),
    ];
    place.run("createdb sso");
    place.write_key("store.key");
    place.set_up("store_key_file = \"store.key\"");
    place
}

fn in_redis() -> Place {
    let engine = Engine::redis();
    let mut place = Place::new(None);
    let directory = engine.dir().to_str().unwrap().to_owned();
    place.environment = vec![("SSO_STORE", engine.new_store()), ("REDIS_DIR", directory)];
    place.engine = Some(engine);
    place.write_key("store.key");
    place.set_up("store_key_file = \"store.key\"\ndirectory = \"sqlite:directory.db\"");
    place
}

fn drop_database(place: &Place) -> impl FnOnce(&mut Engine) + use<> {
    let url = place.engine.as_ref().expect("a PostgreSQL").url();
    move |_: &mut Engine| {
        let mut drop = Command::new(postgres_bin("dropdb"));
        assert!(drop.args(["--maintenance-db", &url, "--force", "sso"]).status().unwrap().success());
    }
}

fn lose_redis(engine: &mut Engine) {
    engine.kill();
    fs::remove_dir_all(engine.dir().join("appendonlydir")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_sqlite_has_all_but_sessions() {
    in_sqlite().comes_back_without_sessions("SQLite", |_| ()).await;
}

/// As `sso.toml` is shipped: without `[jwt] keys`.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_sqlite_whose_keys_of_tokens_follow_from_the_stores_has_all_but_sessions() {
    let place = Place::new(None);
    place.set_up_without_keys("");
    place.comes_back_without_sessions("SQLite", |_| ()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_came_back_are_ended_before_the_start() {
    let (blocks, revoke) = (commands("SQLite"), commands("Sessions came back"));
    in_sqlite().goes_back_in_time(&blocks[2], &blocks[1], &revoke[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_postgresql_has_all_but_sessions() {
    let place = in_postgres();
    let drop = drop_database(&place);
    place.comes_back_without_sessions("PostgreSQL", drop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_an_empty_redis_all_but_sessions_is_back() {
    let lose = |engine: &mut Engine| {
        lose_redis(engine);
        engine.start();
    };
    in_redis().comes_back_without_sessions("Redis", lose).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_sqlite_has_its_sessions() {
    let blocks = commands("SQLite");
    in_sqlite().moves(&blocks[2], |_| (), &blocks[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_postgresql_has_its_sessions() {
    let (blocks, place) = (commands("PostgreSQL"), in_postgres());
    let drop = drop_database(&place);
    place.moves(&blocks[2], drop, &blocks[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_redis_has_its_sessions() {
    let blocks = commands("Redis");
    let restore = format!("{}{}", blocks[1], blocks[3]);
    in_redis().moves(&blocks[2], lose_redis, &restore).await;
}
