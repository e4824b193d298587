//! The contract's rules about one-time ids.

use std::time::Duration;

use sso_server::{Store, clock::Clock};
use tokio::task::JoinSet;

use crate::World;

const MINUTE: Duration = Duration::from_secs(60);

pub async fn an_id_is_used_up_once<S: Store>(world: World<S>) {
    let until = world.clock.now().after(MINUTE);
    assert_eq!(world.store.consume("one", until).await, Ok(true));
    assert_eq!(world.store.consume("one", until).await, Ok(false));
    assert_eq!(world.store.consume("two", until).await, Ok(true));
    assert_eq!(world.store.consume("one", until).await, Ok(false));
}

pub async fn of_fifty_callers_one_uses_the_id_up<S: Store>(world: World<S>) {
    let until = world.clock.now().after(MINUTE);
    for n in 0..50 {
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let store = world.store.clone();
            tasks.spawn(async move { store.consume(&format!("id {n}"), until).await.unwrap() });
        }
        let winners = tasks.join_all().await.into_iter().filter(|won| *won).count();
        assert_eq!(winners, 1);
    }
}

pub async fn an_id_is_remembered_until_its_time<S: Store>(world: World<S>) {
    let until = world.clock.now().after(MINUTE);
    assert_eq!(world.store.consume("one", until).await, Ok(true));
    world.clock.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(world.store.consume("one", until).await, Ok(false));
}
