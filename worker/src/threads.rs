//! The threads of a worker's program: one as long as jobs give way on it, more while they hold it.
//!
//! Threads that wake one another for jobs of some microseconds cost more than the jobs: on two idle
//! processors a message took 46 µs on two threads and 28 µs on one. But a handler that computes, or
//! blocks, holds its thread, and neither other jobs nor heartbeats may wait for it. So the runtime has
//! a thread for each handler that can do so and one more, and all but one of them stand by until
//! handlers hold too many. It must not know what handlers do.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::clock::{Clock, pause};
use crate::handler::{Context, Handler, Job, Outcome};

/// More threads stand by for no worker: as many handlers that compute are enough for any machine, and
/// each thread takes memory.
const RESERVE_MAX: u32 = 64;

/// How often is looked what handlers hold, while they do anything.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A thread is added when handlers hold more than this part of those there are: what is left must do
/// for all else.
const HELD_MAX: f64 = 0.5;

/// How long a thread helps before it looks whether it is still needed.
const HELP: Duration = Duration::from_secs(1);

/// A runtime on one thread, and those that stand by.
#[derive(Debug)]
pub(crate) struct Threads {
    runtime: Runtime,
    held: Held,
}

impl Threads {
    /// For handlers that never hold a thread, such as those that wait for a process or a service.
    pub(crate) fn one() -> std::io::Result<Self> {
        Self::new(0, Held::default())
    }

    /// For up to `slots` handlers at a time, which `held` knows.
    pub(crate) fn for_slots(slots: u32, held: Held) -> std::io::Result<Self> {
        Self::new(slots.min(RESERVE_MAX) as usize, held)
    }

    fn new(reserve: usize, held: Held) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1 + reserve)
            .enable_all()
            .build()?;
        for _ in 0..reserve {
            runtime.spawn(stand_by(held.clone()));
        }
        Ok(Self { runtime, held })
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

impl Drop for Threads {
    /// The runtime ends only when none of its threads is blocked.
    fn drop(&mut self) {
        self.held.dismiss();
    }
}

/// Blocks the thread it runs on until it is needed, and gives it to the runtime for a while.
async fn stand_by(held: Held) {
    while held.wait_until_needed() == Needed::Yes {
        pause(HELP).await;
        // What is queued on the thread that is now blocked goes first.
        tokio::task::yield_now().await;
        held.stands_by_again();
    }
}

/// A handler whose hold on threads is known.
pub(crate) struct Watched<H> {
    inner: H,
    held: Held,
}

impl<H> Watched<H> {
    pub(crate) fn new(inner: H, held: Held) -> Self {
        Self { inner, held }
    }
}

#[async_trait]
impl<H: Handler> Handler for Watched<H> {
    async fn handle(&self, job: Job, ctx: Context) -> Outcome {
        let work = self.inner.handle(job, ctx);
        let held = &self.held;
        HeldWhilePolled { work, held }.await
    }

    async fn ready(&self) {
        self.inner.ready().await;
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

struct HeldWhilePolled<'a> {
    work: Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>,
    held: &'a Held,
}

impl Future for HeldWhilePolled<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Outcome> {
        let _holding = self.held.hold();
        self.work.as_mut().poll(cx)
    }
}

/// How much of the threads' time handlers hold. Cloned freely; the clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    /// For who looks: a handler runs again after a while, or all is over.
    changed: Condvar,
    /// Who has it looks; those behind it stand by without waking.
    turn: Mutex<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Table {
    /// Handlers on a thread at this moment.
    holding: u32,
    /// The integral of that over time, until…
    held: Duration,
    until: Option<Instant>,
    /// Since the last look a handler has run.
    stirred: bool,
    /// Who looks waits for that.
    asleep: bool,
    /// Threads that have been added.
    added: u32,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    Yes,
    /// Never again: the program ends.
    No,
}

/// A handler is on a thread as long as this lives.
struct Holding<'a>(&'a Held);

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        let now = Clock::system().instant();
        let mut table = self.0.table();
        table.pass(now);
        table.holding -= 1;
    }
}

impl Held {
    fn hold(&self) -> Holding<'_> {
        let now = Clock::system().instant();
        let mut table = self.table();
        table.pass(now);
        table.holding += 1;
        table.stirred = true;
        if table.asleep {
            table.asleep = false;
            self.shared.changed.notify_all();
        }
        Holding(self)
    }

    /// Blocks until handlers hold too many threads.
    fn wait_until_needed(&self) -> Needed {
        let turn = self.shared.turn.lock();
        let _turn = turn.unwrap_or_else(PoisonError::into_inner);
        let mut table = self.table();
        while !table.over {
            if !table.stirs() {
                table.asleep = true;
                table = self.wait_while(table, |table| table.asleep && !table.over);
                continue;
            }
            let began = Clock::system().instant();
            table.pass(began);
            let held = table.held;
            table = self.wait_a_look(table);
            let now = Clock::system().instant();
            table.pass(now);
            let shares = table
                .held
                .saturating_sub(held)
                .div_duration_f64(now - began);
            if shares > HELD_MAX * f64::from(1 + table.added) {
                table.added += 1;
                return Needed::Yes;
            }
        }
        Needed::No
    }

    fn stands_by_again(&self) {
        self.table().added -= 1;
    }

    fn dismiss(&self) {
        self.table().over = true;
        self.shared.changed.notify_all();
    }

    fn wait_while<'a>(
        &self,
        table: MutexGuard<'a, Table>,
        still: impl Fn(&Table) -> bool,
    ) -> MutexGuard<'a, Table> {
        let waited = self.shared.changed.wait_while(table, |table| still(table));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_a_look<'a>(&self, table: MutexGuard<'a, Table>) -> MutexGuard<'a, Table> {
        let changed = &self.shared.changed;
        let waited = changed.wait_timeout_while(table, LOOK_EVERY, |table| !table.over);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        let table = self.shared.table.lock();
        table.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn pass(&mut self, now: Instant) {
        if let Some(until) = self.until {
            self.held += now.saturating_duration_since(until) * self.holding;
        }
        self.until = self.until.max(Some(now));
    }

    /// Whether a handler is on a thread, or has been since this was last asked.
    fn stirs(&mut self) -> bool {
        std::mem::take(&mut self.stirred) || self.holding > 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::handler::{Stop, Terms};

    /// Long enough for a machine that is busy with everything else.
    const PATIENCE: Duration = Duration::from_mins(1);

    fn context() -> Context {
        let terms = Terms {
            attempt: 1,
            token: "t".into(),
            deadline: Clock::system().instant() + PATIENCE,
            deadline_unix_seconds: 0.0,
        };
        Context::new(terms, Stop::default())
    }

    fn job() -> Job {
        Job {
            id: "j".into(),
            body: String::new(),
            attributes: std::collections::BTreeMap::new(),
        }
    }

    /// Handlers that block their thread until something else has run on the runtime.
    #[test]
    fn handlers_that_block_in_every_slot_hold_up_nothing_else() {
        const SLOTS: u32 = 3;
        let held = Held::default();
        let threads = Threads::for_slots(SLOTS, held.clone()).unwrap();
        let (begun, all_begun) = mpsc::channel();
        let (keys, locks): (Vec<_>, Vec<_>) = (0..SLOTS).map(|_| mpsc::channel()).unzip();
        let locks = Mutex::new(locks);
        let handler = Watched::new(
            move |_job: Job, _ctx: Context| {
                let begun = begun.clone();
                let lock: mpsc::Receiver<()> = locks.lock().unwrap().pop().unwrap();
                async move {
                    begun.send(()).unwrap();
                    match lock.recv_timeout(PATIENCE) {
                        Ok(()) => Outcome::Done("released".into()),
                        Err(_) => Outcome::Done("nothing else ran".into()),
                    }
                }
            },
            held,
        );
        let handler = Arc::new(handler);
        let jobs: Vec<_> = (0..SLOTS)
            .map(|_| {
                let handler = Arc::clone(&handler);
                let job = async move { handler.handle(job(), context()).await };
                threads.runtime().spawn(job)
            })
            .collect();
        for _ in 0..SLOTS {
            all_begun.recv_timeout(PATIENCE).unwrap();
        }
        threads.runtime().spawn(async move {
            for key in keys {
                key.send(()).unwrap();
            }
        });
        for job in jobs {
            let ended = threads.runtime().block_on(job).unwrap();
            assert_eq!(ended, Outcome::Done("released".into()));
        }
    }

    #[test]
    fn time_is_held_by_handlers_on_threads_and_by_nothing_else() {
        let mut table = Table::default();
        let began = Clock::system().instant();
        let at = |millis| began + Duration::from_millis(millis);
        table.pass(at(0));
        table.holding = 2;
        table.pass(at(5));
        table.holding = 0;
        table.pass(at(10));
        table.pass(at(7));
        assert_eq!(table.held, Duration::from_millis(10));
    }

    #[test]
    fn threads_that_stand_by_do_not_keep_the_program_from_ending() {
        drop(Threads::for_slots(4, Held::default()).unwrap());
    }
}
