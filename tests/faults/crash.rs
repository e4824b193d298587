//! A server that is killed under load, and a store that is: every login and every logout that was acknowledged holds, at every broker and at the
//! server.

use std::{ops::Range, sync::Arc};

use sso_engines::Engine;
use sso_tests::{
    Visitor,
    load::{Crowd, Job, Person, Run, Standing, Tally},
    nodes::{Node, public_url},
};
use tempfile::TempDir;

use crate::report;

/// How often the server is killed.
const KILLS: usize = 5;
/// How many begin to come before each of them; as many of the earlier ones begin to leave.
const EACH: usize = 360;
/// The same while the store is restarted.
const MEANWHILE: usize = 120;

/// Those who are logged in leave while others come, in turns; and those who stay as they are.
pub(crate) fn jobs(people: Vec<Person>, new: Range<usize>) -> (Vec<Job>, Vec<Person>) {
    let (leaving, others): (Vec<_>, Vec<_>) = people.into_iter().partition(|person| person.standing == Standing::In);
    let mut leaving = leaving.into_iter().map(Job::LogOut);
    let mut coming = new.map(Job::Arrive);
    let mut jobs = Vec::new();
    loop {
        let pair = [coming.next(), leaving.next()];
        if pair.iter().all(Option::is_none) {
            return (jobs, others);
        }
        jobs.extend(pair.into_iter().flatten());
    }
}

/// A server and its visitors.
struct World {
    name: &'static str,
    server: Node,
    crowd: Arc<Crowd>,
    people: Vec<Person>,
}

impl World {
    fn start(name: &'static str, store: &str) -> Self {
        let server = Node::alone(store);
        let crowd = Arc::new(Crowd::new(&public_url(server.port)));
        Self { name, server, crowd, people: Vec::new() }
    }

    /// Checks whom the run was about, and puts the others back.
    async fn check(&mut self, people: Vec<Person>, others: Vec<Person>) -> Tally {
        let (people, tally) = self.crowd.check(people).await;
        self.people = people;
        self.people.extend(others);
        tally
    }

    async fn kill_the_server(&mut self) {
        let mut sum = Tally::default();
        for kill in 0..KILLS {
            let (jobs, others) = jobs(std::mem::take(&mut self.people), kill * EACH..(kill + 1) * EACH);
            let most = jobs.len() * 4 / 5 + 7 * kill;
            let run = Run::start(&self.crowd, jobs);
            run.acknowledged(most).await;
            self.server.kill();
            let people = run.stop().await;
            // Those that were under way, and no other.
            let troubles = self.crowd.troubles();
            let answered = troubles.iter().find(|trouble| trouble.status.is_some());
            assert!(answered.is_none(), "{}: {}", self.name, answered.unwrap());
            self.server.start_again();
            sum.add(self.check(people, others).await);
        }
        report(&format!(
            "{}: {KILLS} kills of the server: {} acknowledged logins and {} acknowledged logouts hold; {} answers were lost",
            self.name, sum.logged_in, sum.logged_out, sum.unknown
        ));
        assert!(sum.logged_in >= 1_000 && sum.logged_out >= 1_000, "too few: {sum:?}");
        let troubles = self.crowd.troubles();
        assert!(troubles.is_empty(), "{}: {}", self.name, troubles[0]);
    }

    /// The server goes on meanwhile, and says that it cannot serve.
    async fn restart_the_store(&mut self, engine: &mut Engine, how: &str, end: fn(&mut Engine)) {
        let first = self.people.iter().map(|person| person.number).max().unwrap_or_default() + 1;
        let (jobs, others) = jobs(std::mem::take(&mut self.people), first..first + MEANWHILE);
        let before = jobs.len() / 4;
        let run = Run::start(&self.crowd, jobs);
        run.acknowledged(before).await;
        end(engine);
        self.crowd.wait_for_trouble().await;
        let ready = format!("{}/readyz", public_url(self.server.port));
        let away = Visitor::new().get(&ready).await;
        assert_eq!((away.status, away.header("retry-after")), (503, "5"), "{how}");
        engine.start();
        // Everybody is served at last, by the same process.
        let people = run.finish().await;
        let troubles = self.crowd.troubles();
        let other = troubles.iter().find(|trouble| !trouble.is_told());
        assert!(other.is_none(), "{}, {how}: {}", self.name, other.unwrap());
        let tally = self.check(people, others).await;
        assert_eq!(tally.unknown, 0);
        let (troubles_after, ready) = (self.crowd.troubles(), Visitor::new().get(&ready).await);
        assert!(
            troubles_after.is_empty() && ready.status == 200,
            "{}, {how}: {ready:?}, {troubles_after:?}",
            self.name
        );
        report(&format!(
            "{}: {how} under load: {} answers of 503 with Retry-After, no other error; then {} are logged in and {} logged out, as acknowledged",
            self.name,
            troubles.len(),
            tally.logged_in,
            tally.logged_out
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    let _turn = crate::turn().await;
    let dir = TempDir::new().unwrap();
    let store = format!("sqlite:{}", dir.path().join("sso.db").display());
    World::start("sqlite", &store).kill_the_server().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis() {
    let _turn = crate::turn().await;
    let mut engine = Engine::redis();
    let mut world = World::start("redis", &engine.url());
    world.kill_the_server().await;
    world.restart_the_store(&mut engine, "Redis killed", Engine::kill).await;
    world.restart_the_store(&mut engine, "Redis restarted", Engine::stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    let _turn = crate::turn().await;
    let mut engine = Engine::postgres();
    let mut world = World::start("postgres", &engine.url());
    world.kill_the_server().await;
    world.restart_the_store(&mut engine, "PostgreSQL killed", Engine::kill).await;
    world.restart_the_store(&mut engine, "PostgreSQL restarted", Engine::stop).await;
}
