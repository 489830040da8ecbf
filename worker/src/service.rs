//! A whole worker: its tasks put together, and taken apart again in the order that loses nothing.
//!
//! It must not know where messages and records are kept, nor what a drain was caused by.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::clock::{Clock, pause};
use crate::control::Control;
use crate::drain::{DrainLimits, DrainSwitch};
use crate::execute::Floor;
use crate::flow::Share;
use crate::handler::Handler;
use crate::heartbeat::{self, Holds, Keeper};
use crate::jobs::Jobs;
use crate::lease::Idempotency;
use crate::observe::{Observed, Observer};
use crate::queue::Queue;
use crate::records::Records;
use crate::report::{self, Counts, Identity, Reporter, Reports};
use crate::retry::Backoff;
use crate::{fetch, settle};

/// How long the last calls of a leaving worker may take: what then is not yet deleted or put back
/// comes again by itself.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// A drain is never awaited longer than this: thirty years stand for ever, and fit a timer.
const LEFT_MAX_SECONDS: f64 = 1e9;

/// How a worker works. [`Settings::default`] is what the command line defaults to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Jobs at a time; where [`Settings::slots_max`] is set, to begin with.
    pub slots: u32,
    /// The worker finds out by itself how many jobs at a time do the most, up to this many.
    pub slots_max: Option<u32>,
    /// No more jobs than this are begun a second, but for a first burst of as many.
    pub starts_per_second: Option<f64>,
    /// How long a poll waits for messages, at most 20 s.
    pub poll_wait: Duration,
    /// What messages are hidden for, and how long a lease lasts; both are renewed at half of it.
    pub visibility: Duration,
    /// How long an attempt may take.
    pub job_timeout: Duration,
    /// How jobs are kept from being done twice.
    pub idempotency: Idempotency,
    /// Attempts before a job is given up.
    pub max_attempts: u32,
    /// Delays between attempts.
    pub retry: Backoff,
    /// How long a handler that was told to stop is waited for before it is dropped.
    pub cancel_grace: Duration,
    /// How long the table keeps a job's record after its last change. A duplicate that comes later
    /// is run again, so this is not to be shorter than the queue's retention.
    pub keep_records: Duration,
    /// How long running jobs may go on once the worker leaves.
    pub drain: DrainLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            slots: 4,
            slots_max: None,
            starts_per_second: None,
            poll_wait: Duration::from_secs(20),
            visibility: Duration::from_mins(1),
            job_timeout: Duration::from_mins(10),
            idempotency: Idempotency::default(),
            max_attempts: 5,
            retry: Backoff {
                base: Duration::from_secs(5),
                cap: Duration::from_mins(15),
            },
            cancel_grace: Duration::from_secs(10),
            // SQS's longest retention.
            keep_records: Duration::from_hours(14 * 24),
            drain: DrainLimits::default(),
        }
    }
}

/// What a worker is made of.
#[derive(Clone)]
pub struct Parts {
    /// Where messages come from.
    pub sources: Vec<Source>,
    /// Where job records are kept.
    pub jobs: Arc<dyn Jobs>,
    /// Where reports go.
    pub reports: Arc<dyn Reports>,
    /// Who does the work.
    pub handler: Arc<dyn Handler>,
    /// Who the worker is.
    pub identity: Identity,
    /// How it works.
    pub settings: Settings,
    /// What can be changed while it works.
    pub control: Control,
    /// The clock.
    pub clock: Clock,
    /// Who is told what happens.
    pub observer: Observer,
}

/// One of the queues that a worker serves.
#[derive(Clone)]
pub struct Source {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Its claim to the slots.
    pub share: Share,
}

/// What a worker did in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Jobs completed.
    pub completed: u64,
    /// Attempts that ended in a retry or as poison.
    pub failed: u64,
}

impl From<Arc<dyn Queue>> for Source {
    fn from(queue: Arc<dyn Queue>) -> Self {
        let share = Share::default();
        Self { queue, share }
    }
}

/// Works until `drain` is switched on and everything is finished or handed back.
pub async fn serve(mut parts: Parts, drain: DrainSwitch) -> Summary {
    let reporter = reporter(&parts, &drain);
    let counts = reporter.counts.clone();
    let observer = parts.observer.clone();
    parts.jobs = observer.jobs(parts.jobs);
    observer.begins(observed(&reporter, &parts.settings));
    let stop_keeping = CancellationToken::new();
    let stop_reporting = CancellationToken::new();
    let reporting = tokio::spawn(report::run(reporter.clone(), stop_reporting.clone()));
    let drained = Drained::default();
    let watch = tokio::spawn(watch_drain(drained.clone(), drain.clone(), parts.clock));

    let mut lines = Vec::new();
    let mut tails = Vec::new();
    for source in &parts.sources {
        let (line, tail) = line(&parts, source, (&counts, &drained), &stop_keeping);
        lines.push(line);
        tails.push(tail);
    }
    let running = TaskTracker::new();
    // It takes the lines: when every job has dropped its own, the deleters' channels close, so that
    // the end of their tasks means the end of all deletes.
    // A task of its own: the caller's thread is often outside the runtime's workers, and every end
    // of a job would have to wake it.
    let fetching = tokio::spawn(fetch::run(lines, parts.control.clone(), running.clone()));
    if let Err(died) = AbortOnDropHandle::new(fetching).await
        && let Ok(panic) = died.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
    running.close();
    running.wait().await;
    watch.abort();
    let _ = watch.await;

    let last_calls = async {
        for tail in &mut tails {
            let _ = (&mut tail.deleter).await;
            tail.holds.all_let_go().await;
        }
    };
    if tokio::time::timeout(LAST_CALLS, last_calls).await.is_err() {
        tracing::warn!("some messages could not be deleted or handed back in time");
    }
    observer.ends();
    stop_keeping.cancel();
    stop_reporting.cancel();
    for tail in tails {
        let _ = tail.keeper.await;
    }
    let _ = reporting.await;
    say_goodbye(&reporter).await;
    let tally = counts.tally();
    Summary {
        completed: tally.completed,
        failed: tally.failed,
    }
}

/// How far a drain has come.
#[derive(Clone, Debug, Default)]
struct Drained {
    /// No more jobs are begun.
    draining: CancellationToken,
    /// Running jobs are cut short.
    deadline_passed: CancellationToken,
}

/// What goes on behind one queue until everything of it is deleted or put back.
struct Tail {
    holds: Holds,
    deleter: JoinHandle<()>,
    keeper: JoinHandle<()>,
}

/// Sets up what serves one queue.
fn line(
    parts: &Parts,
    source: &Source,
    (counts, drained): (&Counts, &Drained),
    stop_keeping: &CancellationToken,
) -> (fetch::Line, Tail) {
    let holds = Holds::default();
    let (settled, to_delete) = mpsc::unbounded_channel();
    let observer = &parts.observer;
    let queue = observer.queue(Arc::clone(&source.queue), parts.clock);
    observer.keeps(queue.name(), holds.clone(), parts.clock.instant());
    let keeper = Keeper {
        holds: holds.clone(),
        queue: Arc::clone(&queue),
        jobs: Arc::clone(&parts.jobs),
        clock: parts.clock,
        visibility: parts.settings.visibility,
        observer: observer.clone(),
    };
    let tail = Tail {
        deleter: tokio::spawn(settle::run(to_delete, Arc::clone(&queue), holds.clone())),
        keeper: tokio::spawn(heartbeat::run(keeper, stop_keeping.clone())),
        holds: holds.clone(),
    };
    let floor = Floor {
        queue,
        records: Records::new(
            Arc::clone(&parts.jobs),
            &parts.identity.instance_id,
            &parts.settings,
            parts.clock,
        ),
        handler: Arc::clone(&parts.handler),
        worker: parts.identity.instance_id.clone(),
        settings: parts.settings,
        clock: parts.clock,
        holds,
        settled,
        counts: counts.clone(),
        observer: observer.clone(),
        draining: drained.draining.clone(),
        deadline_passed: drained.deadline_passed.clone(),
    };
    let line = fetch::Line {
        floor: Arc::new(floor),
        share: source.share,
    };
    (line, tail)
}

fn reporter(parts: &Parts, drain: &DrainSwitch) -> Reporter {
    Reporter {
        reports: Arc::clone(&parts.reports),
        counts: Counts::default(),
        identity: parts.identity.clone(),
        control: parts.control.clone(),
        started_at: parts.clock.unix_seconds(),
        drain: drain.clone(),
        clock: parts.clock,
    }
}

fn observed(reporter: &Reporter, settings: &Settings) -> Observed {
    Observed {
        identity: reporter.identity.clone(),
        clock: reporter.clock,
        started_at: reporter.started_at,
        polls_freely: settings.starts_per_second.is_none_or(|rate| rate >= 1.0),
        control: reporter.control.clone(),
        counts: reporter.counts.clone(),
        drain: reporter.drain.clone(),
    }
}

/// Carries the drain to the jobs: its beginning, and the deadline, which may still come nearer.
async fn watch_drain(drained: Drained, drain: DrainSwitch, clock: Clock) {
    let mut state = drain.watch();
    drain.begun().await;
    drained.draining.cancel();
    loop {
        let deadline = state.borrow_and_update().as_ref().and_then(|d| d.deadline);
        let passes = async {
            let Some(deadline) = deadline else {
                return std::future::pending().await;
            };
            let left = (deadline - clock.unix_seconds()).clamp(0.0, LEFT_MAX_SECONDS);
            pause(Duration::from_secs_f64(left)).await;
        };
        tokio::select! {
            () = passes => break,
            changed = state.changed() => if changed.is_err() { break },
        }
    }
    drained.deadline_passed.cancel();
}

/// The last report says that the worker is leaving and idle; then it is taken away, so that nobody
/// counts on it until it goes stale.
async fn say_goodbye(reporter: &Reporter) {
    let goodbye = async {
        reporter.write().await?;
        reporter.withdraw().await
    };
    match tokio::time::timeout(LAST_CALLS, goodbye).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "could not withdraw the report"),
        Err(_) => tracing::warn!("could not withdraw the report in time"),
    }
}
