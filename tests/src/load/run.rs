//! The same for many visitors at once, until they are done or told to stop.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use tokio::task::JoinSet;

use super::{Crowd, Person, Standing, Trouble};

/// How many visitors are busy at one time.
const AT_ONCE: usize = 16;

/// Before asking again what has failed.
const PAUSE: Duration = Duration::from_millis(20);

/// What a visitor is to do.
pub enum Job {
    /// A new one comes and logs in.
    Arrive(usize),
    /// One who is there logs in, unless they are.
    LogIn(Person),
    /// One who is there logs out, unless they are.
    LogOut(Person),
}

/// A run of jobs, some at a time.
pub struct Run {
    crowd: Arc<Crowd>,
    jobs: Arc<Mutex<VecDeque<Job>>>,
    workers: JoinSet<Vec<Person>>,
}

/// How many visitors were found to be what had been acknowledged to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Logged in.
    pub logged_in: usize,
    /// Logged out.
    pub logged_out: usize,
    /// Those whose last answer had been lost: either would do.
    pub unknown: usize,
}

impl Run {
    /// Starts it.
    pub fn start(crowd: &Arc<Crowd>, jobs: impl IntoIterator<Item = Job>) -> Self {
        crowd.stopped.store(false, Ordering::SeqCst);
        crowd.acknowledged.store(0, Ordering::SeqCst);
        let jobs = Arc::new(Mutex::new(jobs.into_iter().collect::<VecDeque<_>>()));
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (crowd, jobs) = (crowd.clone(), jobs.clone());
            workers.spawn(async move {
                let mut people = Vec::new();
                while !crowd.is_stopped() {
                    let Some(job) = jobs.lock().unwrap().pop_front() else { break };
                    people.extend(crowd.carry_out(job).await);
                }
                people
            });
        }
        Self { crowd: crowd.clone(), jobs, workers }
    }

    /// Waits until so many logins and logouts of this run have been acknowledged.
    pub async fn acknowledged(&self, count: usize) {
        while self.crowd.acknowledged.load(Ordering::SeqCst) < count {
            assert!(!self.is_done(), "the run ended too early");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Whether no job is left to begin.
    pub fn is_done(&self) -> bool {
        self.jobs.lock().unwrap().is_empty()
    }

    /// Stops it where it is; everybody that it was about.
    pub async fn stop(self) -> Vec<Person> {
        self.crowd.stopped.store(true, Ordering::SeqCst);
        self.finish().await
    }

    /// Waits until all is done; everybody that it was about.
    pub async fn finish(self) -> Vec<Person> {
        let busy = self.workers.join_all().await;
        let left = std::mem::take(&mut *self.jobs.lock().unwrap());
        let left = left.into_iter().filter_map(|job| match job {
            Job::LogIn(person) | Job::LogOut(person) => Some(person),
            Job::Arrive(_) => None,
        });
        busy.into_iter().flatten().chain(left).collect()
    }
}

impl Crowd {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Does it, again and again if need be, until it is done or the run is stopped.
    async fn carry_out(&self, job: Job) -> Option<Person> {
        let (mut person, goal) = match job {
            Job::Arrive(number) => (self.come_in(number).await?, Standing::In),
            Job::LogIn(person) => (person, Standing::In),
            Job::LogOut(person) => (person, Standing::Out),
        };
        while person.standing != goal {
            let done = match (person.standing, goal) {
                (Standing::Unknown, _) => self.settle(&mut person).await,
                (_, Standing::In) => self.log_in(&mut person).await,
                _ => self.log_out(&mut person).await,
            };
            if done.is_err() {
                if self.is_stopped() {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Some(person)
    }

    async fn come_in(&self, number: usize) -> Option<Person> {
        loop {
            match self.arrive(number).await {
                Ok(person) => return Some(person),
                Err(_) if self.is_stopped() => return None,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Finds out what became of a login or logout whose answer was lost. Both brokers must agree on it; what the dead one had sent to the
    /// store may still arrive between two answers. Where an answer to the browser was lost, a cookie may be lost, too: then
    /// they come anew.
    async fn settle(&self, person: &mut Person) -> Result<(), Trouble> {
        for _ in 0..50 {
            match self.look(person).await?[..] {
                [true, true, true] => person.standing = Standing::In,
                [false, false, false] => person.standing = Standing::Out,
                _ if person.may_have_lost_cookie.load(Ordering::SeqCst) => *person = self.arrive(person.number).await?,
                _ => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            }
            return Ok(());
        }
        panic!("visitor {} is logged in here and not there", person.number);
    }

    /// Asks for everybody whether what was acknowledged to them holds: at both brokers, and at the server. Panics if it does not.
    pub async fn check(self: &Arc<Self>, people: Vec<Person>) -> (Vec<Person>, Tally) {
        self.stopped.store(false, Ordering::SeqCst);
        let people = Arc::new(Mutex::new(people));
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (crowd, people) = (self.clone(), people.clone());
            workers.spawn(async move {
                let (mut checked, mut tally) = (Vec::new(), Tally::default());
                loop {
                    let Some(mut person) = people.lock().unwrap().pop() else { return (checked, tally) };
                    crowd.check_one(&mut person, &mut tally).await;
                    checked.push(person);
                }
            });
        }
        let (mut all, mut sum) = (Vec::new(), Tally::default());
        for (checked, tally) in workers.join_all().await {
            all.extend(checked);
            sum.add(tally);
        }
        (all, sum)
    }

    async fn check_one(&self, person: &mut Person, tally: &mut Tally) {
        let number = person.number;
        if person.standing == Standing::Unknown {
            tally.unknown += 1;
            return self.settle(person).await.unwrap_or_else(|trouble| panic!("visitor {number}: {trouble}"));
        }
        let seen = self.look(person).await.unwrap_or_else(|trouble| panic!("visitor {number}: {trouble}"));
        let is_in = person.standing == Standing::In;
        assert_eq!(
            seen, [is_in; 3],
            "visitor {number}, logged in acknowledged: {is_in}; found at Alice, Greg, the server"
        );
        if is_in { tally.logged_in += 1 } else { tally.logged_out += 1 }
    }
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.logged_in += other.logged_in;
        self.logged_out += other.logged_out;
        self.unknown += other.unknown;
    }
}
