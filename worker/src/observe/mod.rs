//! The worker seen from outside: what its tasks tell about themselves, and who may ask for it.
//!
//! The tasks tell an [`Observer`] what happens, at the cost of an atomic or a short lock; everything
//! else here only reads it. It must not decide anything about a job, nor be able to fail one.

mod calls;
mod emf;
mod health;
mod http;
mod metrics;
#[cfg(feature = "otel")]
pub mod otel;
mod outside;
mod running;
pub(crate) mod span;
mod status;
mod systemd;
pub mod trace;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::Instant;

use self::health::{HandlerAwaited, Pulse, PulseNow};
use self::metrics::Metrics;
pub(crate) use self::metrics::{Fate, QueueMetrics};
pub(crate) use self::outside::Outside;
pub use self::outside::{EmfTo, Views};
use self::running::Running;
pub(crate) use self::running::{Begun, RunningJob};
pub use self::status::{Draining, JobStatus, Status};
pub use self::trace::Trace;
use crate::clock::Clock;
use crate::control::Control;
use crate::drain::DrainSwitch;
use crate::heartbeat::Holds;
use crate::jobs::Jobs;
use crate::queue::Queue;
use crate::report::{Counts, Identity};

/// What a worker's tasks tell, and what is known of them. Cloned freely; the clones are one.
#[derive(Clone, Debug, Default)]
pub struct Observer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    metrics: Metrics,
    running: Running,
    pulse: Pulse,
    holds: RwLock<Vec<Holds>>,
    worker: OnceLock<Observed>,
    begun: Notify,
}

/// The worker's own state, which is only looked at.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
    pub(crate) started_at: f64,
    /// Polls are not held back by a rate that is slower than one a second.
    pub(crate) polls_freely: bool,
    pub(crate) control: Control,
    pub(crate) counts: Counts,
    pub(crate) drain: DrainSwitch,
}

impl Observer {
    /// The worker works from now on.
    pub(crate) fn begins(&self, worker: Observed) {
        self.shared.pulse.begins(worker.clock.instant());
        // A second worker with the same observer would be a mistake of the caller's; the first
        // stays the one that is shown.
        let _ = self.shared.worker.set(worker);
        self.shared.begun.notify_waiters();
    }

    /// Waits until the worker works.
    pub(crate) async fn begun(&self) -> &Observed {
        loop {
            let begun = self.shared.begun.notified();
            if let Some(worker) = self.shared.worker.get() {
                return worker;
            }
            begun.await;
        }
    }

    /// The worker's loops have ended as they should: they are late no more.
    pub(crate) fn ends(&self) {
        self.shared.pulse.ends();
    }

    /// The counts of one queue's jobs.
    pub(crate) fn of_queue(&self, name: &str) -> Arc<QueueMetrics> {
        self.shared.metrics.of_queue(name)
    }

    /// An attempt begins; it runs until what is returned is dropped.
    pub(crate) fn runs(&self, job: RunningJob) -> Begun {
        self.shared.running.begin(job)
    }

    /// These messages of a queue are kept from now on.
    pub(crate) fn keeps(&self, queue: &str, holds: Holds, now: Instant) {
        self.shared.pulse.heartbeat_passed(queue, now);
        let all = self.shared.holds.write();
        all.unwrap_or_else(PoisonError::into_inner).push(holds);
    }

    /// The keeper of a queue's messages has looked at all of them, and its calls are answered.
    pub(crate) fn heartbeat_passed(&self, queue: &str, now: Instant) {
        self.shared.pulse.heartbeat_passed(queue, now);
    }

    /// A poll waits until the handler can work, as long as what is returned lives.
    pub(crate) fn waits_for_handler(&self) -> HandlerAwaited<'_> {
        self.shared.pulse.waits_for_handler()
    }

    /// The queue, with its calls counted.
    pub(crate) fn queue(&self, queue: Arc<dyn Queue>, clock: Clock) -> Arc<dyn Queue> {
        Arc::new(calls::ObservedQueue::new(queue, self.clone(), clock))
    }

    /// The records, with their calls counted.
    pub(crate) fn jobs(&self, jobs: Arc<dyn Jobs>) -> Arc<dyn Jobs> {
        Arc::new(calls::ObservedJobs::new(jobs, self.clone()))
    }

    /// What keeps the worker from being alive: nothing, as long as its loops make progress. A hung
    /// loop is named with how long it hangs.
    pub fn hung(&self) -> Vec<String> {
        let Some(worker) = self.shared.worker.get() else {
            return Vec::new();
        };
        let state = PulseNow {
            now: worker.clock.instant(),
            expects_polls: worker.polls_freely
                && worker.drain.current().is_none()
                && self.shared.held_messages() < worker.control.slots() as usize
                && !worker.control.is_paused(),
        };
        self.shared.pulse.hung(state)
    }

    /// What keeps the worker from being ready for jobs: nothing, once it has begun, reaches its
    /// queue and its table, and does not leave.
    pub fn unready(&self) -> Vec<String> {
        let Some(worker) = self.shared.worker.get() else {
            return vec!["starting: queue and tables are not yet checked".into()];
        };
        let mut reasons = self.shared.metrics.unreached();
        if let Some(drain) = worker.drain.current() {
            reasons.push(format!("draining after {}", drain.cause));
        }
        reasons
    }

    /// Everything about the worker now; `None` until it has begun.
    pub fn status(&self) -> Option<Status> {
        let worker = self.shared.worker.get()?;
        Some(status::of(worker, &self.shared))
    }

    /// How long the worker has worked.
    pub(crate) fn seconds(&self) -> f64 {
        let worker = self.shared.worker.get();
        worker.map_or(0.0, |worker| {
            (worker.clock.unix_seconds() - worker.started_at).max(0.0)
        })
    }

    /// What became of the jobs, in words: `12 done, 1 retried`.
    pub(crate) fn fates(&self) -> String {
        let queues = self.shared.metrics.queues();
        let words = Fate::ALL.iter().filter_map(|fate| {
            let count: u64 = queues.iter().map(|queue| queue.count(*fate)).sum();
            (count > 0).then(|| format!("{count} {}", fate.label()))
        });
        let words: Vec<String> = words.collect();
        if words.is_empty() {
            "none".into()
        } else {
            words.join(", ")
        }
    }

    /// The metrics in Prometheus's text format.
    pub fn prometheus(&self) -> String {
        self.shared.metrics.text(&self.shared)
    }
}

impl Shared {
    /// Messages received and neither deleted nor put back.
    fn held_messages(&self) -> usize {
        let holds = self.holds.read().unwrap_or_else(PoisonError::into_inner);
        holds.iter().map(Holds::count).sum()
    }
}
