//! Ports between a worker and its world at which everything goes wrong that can, drawn from a seed.
//!
//! Calls fail with and without effect, fail by halves, take long, and never return to a worker that
//! was killed or stopped meanwhile. Each worker has ports of its own; the queue and the records
//! behind them are shared and whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;
use weir_protocol::JobRecord;
use weir_worker::aws::CallError;
use weir_worker::clock::{Clock, pause};
use weir_worker::jobs::{Jobs, JobsError};
use weir_worker::lease::{Claim, Claimed, Finish, Held, Reopen, Reopened};
use weir_worker::memory::{MemoryJobs, MemoryQueue};
use weir_worker::queue::{Buried, Entries, EntryError, Message, Outgoing, Queue, Visibility};

use super::SECOND;

/// How often each fault was injected.
pub(crate) type Counts = BTreeMap<&'static str, u64>;

/// The chance of one run, shared by all its ports.
#[derive(Clone)]
pub(crate) struct Dice {
    shared: Arc<Mutex<(StdRng, Counts, Odds)>>,
    clock: Clock,
}

/// The shares of calls that go wrong, drawn themselves, so that runs differ in kind.
#[derive(Clone, Copy, Debug)]
struct Odds {
    unavailable: f64,
    answer_lost: f64,
    slow: f64,
    entry_failed: f64,
    hung: f64,
    /// The tables and the queue are away during these times.
    tables_away: (Instant, Instant),
    queue_away: (Instant, Instant),
}

impl Dice {
    pub(crate) fn new(seed: u64, clock: Clock) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut share = |most: f64| rng.random_range(0.0..most);
        let mut odds = Odds {
            unavailable: share(0.2),
            answer_lost: share(0.15),
            slow: share(0.15),
            entry_failed: share(0.3),
            hung: share(0.04),
            tables_away: (clock.instant(), clock.instant()),
            queue_away: (clock.instant(), clock.instant()),
        };
        let mut away = || {
            let from = clock.instant() + SECOND * rng.random_range(0..60);
            let lasts = rng.random_range(0..2) * rng.random_range(0..60);
            (from, from + SECOND * lasts)
        };
        odds.tables_away = away();
        odds.queue_away = away();
        Self {
            shared: Arc::new(Mutex::new((rng, Counts::new(), odds))),
            clock,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.shared.lock().expect("no panic").1.clone()
    }

    /// Uniform in the range.
    pub(crate) fn range(&self, range: std::ops::Range<u32>) -> u32 {
        self.shared.lock().expect("no panic").0.random_range(range)
    }

    pub(crate) fn happened(&self, fault: &'static str) {
        let mut shared = self.shared.lock().expect("no panic");
        *shared.1.entry(fault).or_default() += 1;
    }

    fn hits(&self, fault: &'static str, share: impl Fn(&Odds) -> f64) -> bool {
        let mut shared = self.shared.lock().expect("no panic");
        let share = share(&shared.2);
        let hit = shared.0.random_bool(share);
        if hit {
            *shared.1.entry(fault).or_default() += 1;
        }
        hit
    }

    fn is_away(&self, window: impl Fn(&Odds) -> (Instant, Instant)) -> bool {
        let (from, to) = window(&self.shared.lock().expect("no panic").2);
        let away = (from..to).contains(&self.clock.instant());
        if away {
            self.happened("away");
        }
        away
    }

    fn shuffle<T>(&self, things: &mut [T]) {
        if things.len() > 1 {
            things.shuffle(&mut self.shared.lock().expect("no panic").0);
            self.happened("reordered");
        }
    }
}

/// The process that a worker runs in: it may be killed, or stand still for a while.
#[derive(Default)]
pub(crate) struct Process {
    state: Mutex<(bool, Option<Instant>)>,
}

impl Process {
    pub(crate) fn kill(&self) {
        self.state.lock().expect("no panic").0 = true;
    }

    /// SIGSTOP, and SIGCONT at `until`.
    pub(crate) fn stand_still(&self, until: Instant) {
        self.state.lock().expect("no panic").1 = Some(until);
    }

    /// Returns when the process goes on; never, if it is dead.
    async fn goes_on(&self) {
        loop {
            let (dead, still_until) = *self.state.lock().expect("no panic");
            if dead {
                std::future::pending::<()>().await;
            }
            match still_until {
                Some(until) if until > now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the paused clock")]
fn now() -> Instant {
    Instant::now()
}

/// One worker's ports.
#[derive(Clone)]
pub(crate) struct Hostile {
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) jobs: Arc<MemoryJobs>,
    pub(crate) dice: Dice,
    pub(crate) process: Arc<Process>,
}

/// A call of the queue, or of the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Queue,
    Tables,
}

impl Hostile {
    /// Makes a call, or what becomes of it.
    async fn call<T, E: From<CallError>>(
        &self,
        to: To,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.process.goes_on().await;
        self.dawdle().await;
        let away = match to {
            To::Queue => self.dice.is_away(|odds| odds.queue_away),
            To::Tables => self.dice.is_away(|odds| odds.tables_away),
        };
        if away || self.dice.hits("unavailable", |odds| odds.unavailable) {
            return Err(unavailable("no answer").into());
        }
        // What was on its way when a process stopped or died takes effect.
        let answer = work.await;
        self.process.goes_on().await;
        self.dawdle().await;
        if self.dice.hits("answer lost", |odds| odds.answer_lost) {
            return Err(unavailable("the answer was lost").into());
        }
        answer
    }

    /// Some calls take longer than a lease.
    async fn dawdle(&self) {
        if self.dice.hits("slow", |odds| odds.slow) {
            pause(Duration::from_millis(self.dice.range(0..15_000).into())).await;
        }
    }

    /// Which entries of a batch get through.
    fn chosen(&self, count: usize) -> Vec<bool> {
        let through = |_| !self.dice.hits("entry failed", |odds| odds.entry_failed);
        (0..count).map(through).collect()
    }

    /// Makes a batch call for the entries that get through.
    async fn batch<A: Clone, T, F>(
        &self,
        asked: &[A],
        work: impl FnOnce(Vec<A>) -> F,
    ) -> Result<Entries<T>, CallError>
    where
        F: Future<Output = Result<Entries<T>, CallError>>,
    {
        let chosen = self.chosen(asked.len());
        let through = asked.iter().zip(&chosen).filter(|(_, through)| **through);
        let through: Vec<A> = through.map(|(entry, _)| entry.clone()).collect();
        let mut answers = self.call(To::Queue, work(through)).await?.into_iter();
        let answer = |through| {
            if through {
                return answers.next().expect("an answer each");
            }
            let detail = "the entry failed".into();
            Err(EntryError::Unavailable { detail })
        };
        Ok(chosen.into_iter().map(answer).collect())
    }
}

fn unavailable(what: &str) -> CallError {
    CallError::Unavailable { what: what.into() }
}

#[async_trait]
impl Queue for Hostile {
    fn name(&self) -> &str {
        self.queue.name()
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        if self.dice.hits("hung", |odds| odds.hung) {
            // The port bounds it; what it took stays hidden.
            let _taken = self.queue.receive(max, Duration::ZERO, visibility).await;
            pause(wait + 10 * SECOND).await;
            self.process.goes_on().await;
            return Err(unavailable("no answer in time"));
        }
        let receive = self.queue.receive(max, wait, visibility);
        let mut messages = self.call(To::Queue, receive).await?;
        self.dice.shuffle(&mut messages);
        Ok(messages)
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        let delete = async |through: Vec<String>| self.queue.delete(&through).await;
        self.batch(receipts, delete).await
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        let change = async |through: Vec<Visibility>| self.queue.change_visibility(&through).await;
        self.batch(changes, change).await
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        let send = async |through: Vec<Outgoing>| self.queue.send(&through).await;
        self.batch(messages, send).await
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        self.call(To::Queue, self.queue.bury(message)).await
    }
}

#[async_trait]
impl Jobs for Hostile {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError> {
        self.call(To::Tables, self.jobs.claim(claim)).await
    }

    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError> {
        let extend = self.jobs.extend(job_id, token, lease_until);
        self.call(To::Tables, extend).await
    }

    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        self.call(To::Tables, self.jobs.finish(finish, writes))
            .await
    }

    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError> {
        self.call(To::Tables, self.jobs.reopen(reopen)).await
    }

    async fn write(&self, token: &str, writes: &[TransactWriteItem]) -> Result<(), JobsError> {
        self.call(To::Tables, self.jobs.write(token, writes)).await
    }

    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError> {
        self.call(To::Tables, self.jobs.get(job_id)).await
    }
}
