//! A worker over memory, for the tests of its behaviour.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub(crate) mod hostile;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use weir_protocol::{JobRecord, JobState};
use weir_worker::clock::{Clock, pause};
use weir_worker::control::Control;
use weir_worker::drain::{DrainCause, DrainSwitch};
use weir_worker::jobs::Jobs;
use weir_worker::memory::{MemoryJobs, MemoryQueue, MemoryReports};
use weir_worker::observe::Observer;
use weir_worker::payload::ClaimCheck;
use weir_worker::queue::{Attribute, JOB_ID_ATTRIBUTE, Outgoing, Queue};
use weir_worker::report::Identity;
use weir_worker::retry::Backoff;
use weir_worker::service::{Parts, Source, serve};
use weir_worker::{Context, Handler, Job, Outcome, Settings, Summary};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Everything a worker touches.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) jobs: Arc<MemoryJobs>,
    pub(crate) reports: Arc<MemoryReports>,
    pub(crate) settings: Settings,
    pub(crate) observer: Observer,
    pub(crate) claim_check: Option<ClaimCheck>,
}

/// A worker at work.
pub(crate) struct Working {
    pub(crate) drain: DrainSwitch,
    pub(crate) control: Control,
    clock: Clock,
    served: JoinHandle<Summary>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Clock::starting_at(1_700_000_000.0);
        Self {
            clock,
            queue: Arc::new(MemoryQueue::new("jobs", clock)),
            jobs: Arc::new(MemoryJobs::new()),
            reports: Arc::new(MemoryReports::new()),
            settings: Settings {
                retry: Backoff {
                    base: SECOND,
                    cap: 10 * SECOND,
                },
                ..Settings::default()
            },
            observer: Observer::default(),
            claim_check: None,
        }
    }

    pub(crate) async fn send(&self, job_ids: impl IntoIterator<Item = impl Into<String>>) {
        for id in job_ids {
            let id = id.into();
            let name = JOB_ID_ATTRIBUTE.to_owned();
            let message = Outgoing {
                attributes: BTreeMap::from([(name, Attribute::string(id.clone()))]),
                ..Outgoing::new(format!("body of {id}"))
            };
            self.queue.send(&[message]).await.expect("sent");
        }
    }

    pub(crate) fn start(&self, handler: impl Handler) -> Working {
        let (queue, jobs) = (self.queue.clone(), self.jobs.clone());
        self.start_with(handler, "i-1", queue, jobs)
    }

    /// The queue as a worker with the claim check sees it.
    pub(crate) fn checked_queue(&self) -> Arc<dyn Queue> {
        let queue: Arc<dyn Queue> = self.queue.clone();
        let idle = |_: Job, _: Context| async { Outcome::Done(String::new()) };
        let parts = self.parts(vec![queue.into()], idle, "i-1");
        let check = self.claim_check.as_ref().expect("a claim check");
        let source = check.around(parts).sources.remove(0);
        source.queue
    }

    pub(crate) fn start_with(
        &self,
        handler: impl Handler,
        worker: &str,
        queue: Arc<dyn Queue>,
        jobs: Arc<dyn Jobs>,
    ) -> Working {
        let parts = Parts {
            jobs,
            ..self.parts(vec![queue.into()], handler, worker)
        };
        self.serve(parts)
    }

    pub(crate) fn start_on(&self, sources: Vec<Source>, handler: impl Handler) -> Working {
        self.serve(self.parts(sources, handler, "i-1"))
    }

    fn parts(&self, sources: Vec<Source>, handler: impl Handler, worker: &str) -> Parts {
        Parts {
            sources,
            control: Control::new(self.settings.slots),
            jobs: self.jobs.clone(),
            reports: self.reports.clone(),
            handler: Arc::new(handler),
            identity: Identity {
                instance_id: worker.into(),
                fleet: "fleet".into(),
            },
            settings: self.settings,
            clock: self.clock,
            observer: self.observer.clone(),
        }
    }

    fn serve(&self, parts: Parts) -> Working {
        let drain = DrainSwitch::new(self.settings.drain);
        let parts = match &self.claim_check {
            Some(check) => check.around(parts),
            None => parts,
        };
        Working {
            control: parts.control.clone(),
            served: tokio::spawn(serve(parts, drain.clone())),
            clock: self.clock,
            drain,
        }
    }

    pub(crate) fn record(&self, job_id: &str) -> Option<JobRecord> {
        self.jobs.records().get(job_id).cloned()
    }

    pub(crate) fn state(&self, job_id: &str) -> Option<JobState> {
        self.record(job_id).map(|record| record.state)
    }

    /// Waits, at most a day of the paused clock.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = self.clock.instant();
        while !holds(self) {
            let waited = self.clock.instant() - began;
            assert!(waited < 86_400 * SECOND, "never: {what}");
            pause(SECOND / 20).await;
        }
    }

    pub(crate) async fn until_empty(&self) {
        self.until("the queue is empty", |world| world.queue.is_empty())
            .await;
    }
}

impl Working {
    pub(crate) fn leave(&self) {
        let now = self.clock.unix_seconds();
        self.drain.notice(DrainCause::Signal, now);
    }

    pub(crate) async fn end(self) -> Summary {
        self.leave();
        self.ended().await
    }

    pub(crate) async fn ended(self) -> Summary {
        let limit = 86_400 * SECOND;
        let ended = tokio::time::timeout(limit, self.served).await;
        ended.expect("the worker never ended").expect("no panic")
    }
}

#[allow(
    clippy::unused_async,
    reason = "a handler is async, whatever it does; some test programs use another"
)]
pub(crate) async fn no_op(_job: Job, _ctx: Context) -> Outcome {
    Outcome::Done("done".into())
}

/// A handler that takes this long.
pub(crate) fn taking(time: Duration) -> impl weir_worker::Handler {
    move |job: Job, _ctx: Context| async move {
        pause(time).await;
        Outcome::Done(job.id)
    }
}

pub(crate) fn retry(reason: &str) -> Outcome {
    Outcome::Retry {
        after: None,
        reason: reason.into(),
    }
}

pub(crate) fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("job-{n}")).collect()
}

/// Has retries wait for long enough to be seen, whatever the jitter.
pub(crate) fn seen_waiting(world: &mut World) {
    world.settings.retry.base = 1000 * SECOND;
    world.settings.retry.cap = 1000 * SECOND;
}
