//! Two nodes behind nginx, which gives requests to them by turns: one is killed, then each is restarted in good order, always under load.

use std::{sync::Arc, time::Instant};

use sso_engines::Engine;
use sso_tests::{
    Visitor,
    load::{Crowd, Person, Run, Tally},
    nodes::{Nginx, Node, public_url},
    process::free_ports,
};

use crate::{crash::jobs, report};

/// How many come, and how many of the earlier ones leave, for each loss.
const EACH: usize = 150;

struct Pair {
    name: &'static str,
    ports: [u16; 2],
    nodes: [Node; 2],
    nginx: Nginx,
    url: String,
    crowd: Arc<Crowd>,
    people: Vec<Person>,
    sum: Tally,
}

impl Pair {
    async fn start(name: &'static str, store: &str) -> Self {
        let (port, first) = (free_ports(1), free_ports(2));
        let (url, ports) = (public_url(port), [first, first + 1]);
        let nodes = ports.map(|port| Node::start(port, &url, store));
        let nginx = Nginx::start(port, ports).await;
        let crowd = Arc::new(Crowd::new(&url));
        Self { name, ports, nodes, nginx, url, crowd, people: Vec::new(), sum: Tally::default() }
    }

    /// Loses a node under load, and has it back under load. Nobody is logged out, and who left stays out.
    async fn lose(&mut self, which: usize, how: Loss) {
        let first = self.people.iter().map(|person| person.number).max().unwrap_or_default() + 1;
        let (jobs, others) = jobs(std::mem::take(&mut self.people), first..first + EACH);
        let count = jobs.len();
        let run = Run::start(&self.crowd, jobs);
        run.acknowledged(count / 5).await;
        let node = &mut self.nodes[which];
        match how {
            Loss::Killed => node.kill(),
            Loss::Ended => node.terminate().await,
        }
        let lost_at = Instant::now();
        run.acknowledged(count / 2).await;
        node.start_again();
        let people = run.finish().await;
        let troubles = self.crowd.troubles();
        // What was under way on a node that is killed may fail, and nothing else.
        let logs = [self.nginx.errors(), self.nodes[0].log(), self.nodes[1].log()].join("\n");
        // On a machine that is too busy the store may be slow to answer; that a node says so is right, and no node's loss.
        let slow_store = logs.contains("did not answer in time") || logs.contains("timed out");
        let unexplained = troubles.iter().filter(|trouble| !(slow_store && trouble.is_told()));
        let other = { unexplained }.find(|trouble| how == Loss::Ended || trouble.started > lost_at);
        assert!(other.is_none(), "{}, {how:?}: {}\n{logs}", self.name, other.unwrap());
        let (people, tally) = self.crowd.check(people).await;
        let troubles_after = self.crowd.troubles();
        assert!(troubles_after.is_empty(), "{}: {}", self.name, troubles_after[0]);
        self.sum.add(tally);
        self.people = people;
        self.people.extend(others);
        report(&format!("{}: one of two nodes {how:?} under load: {} requests failed", self.name, troubles.len()));
        troubles.iter().for_each(|trouble| report(&format!("    {trouble}")));
        let (visitor, url) = (Visitor::new(), format!("{}/healthz", self.url));
        self.nginx.wait_until_used(self.ports, which, || async { drop(visitor.get(&url).await) }).await;
    }
}

impl Pair {
    /// Without any node nginx says what a node says without its store, to pages and to brokers; with them, all is as before.
    async fn lose_both(&mut self) {
        self.nodes.iter_mut().for_each(Node::kill);
        let visitor = Visitor::new();
        let page = visitor.get(&format!("{}/login", self.url)).await;
        let call = visitor.get(&format!("{}/api/info", self.url)).await;
        for answer in [&page, &call] {
            assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{answer:?}");
        }
        assert_eq!(call.json()["error"], "The server is temporarily unavailable. Try again later.");
        self.nodes.iter_mut().for_each(Node::start_again);
        for which in [0, 1] {
            let url = format!("{}/healthz", self.url);
            self.nginx.wait_until_used(self.ports, which, || async { drop(visitor.get(&url).await) }).await;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Killed,
    Ended,
}

async fn nobody_notices(name: &'static str, store: &str) {
    let mut pair = Pair::start(name, store).await;
    pair.lose(0, Loss::Killed).await;
    pair.lose(1, Loss::Ended).await;
    pair.lose(0, Loss::Ended).await;
    pair.lose(1, Loss::Killed).await;
    pair.lose_both().await;
    let (people, tally) = pair.crowd.check(pair.people).await;
    assert_eq!((tally.unknown, tally.logged_in + tally.logged_out), (0, people.len()));
    let shares = pair.nginx.shares(pair.ports);
    report(&format!(
        "{name}: {} acknowledged logins and {} acknowledged logouts hold; the nodes had {shares:?} requests",
        pair.sum.logged_in, pair.sum.logged_out
    ));
    // By turns, but for the times when one was away.
    assert!(shares.iter().all(|share| share * 4 > shares[0] + shares[1]), "{shares:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_redis() {
    let _turn = crate::turn().await;
    let engine = Engine::redis();
    nobody_notices("two nodes on Redis", &engine.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_postgresql() {
    let _turn = crate::turn().await;
    let engine = Engine::postgres();
    nobody_notices("two nodes on PostgreSQL", &engine.url()).await;
}
