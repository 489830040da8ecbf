//! The metrics: their names, labels and buckets, and the text that Prometheus scrapes.
//!
//! Every name here is in the table of docs/worker.md; a test compares the two. It must not keep a
//! label whose values have no bound, such as a job's id.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{Observed, Shared, emf};

/// Upper bounds of service and wait times, seconds: from what a lookup takes to SQS's longest
/// visibility, three a decade where jobs mostly are.
const SECONDS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
    3600.0, 43_200.0,
];

/// What became of a message's job in this worker's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its completion was committed.
    Done,
    /// It will be tried again.
    Retried,
    /// It was given up: poison, or out of attempts.
    Poison,
    /// It had ended before, and its message was only removed.
    Duplicate,
    /// Another attempt took it over while this one ran.
    Fenced,
    /// It went back to the queue because the worker leaves.
    HandedBack,
    /// Another attempt of it was running; its message waits for that one's end.
    Elsewhere,
}

impl Fate {
    pub(super) const ALL: [Self; 7] = [
        Self::Done,
        Self::Retried,
        Self::Poison,
        Self::Duplicate,
        Self::Fenced,
        Self::HandedBack,
        Self::Elsewhere,
    ];

    /// The label's value.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Poison => "poison",
            Self::Duplicate => "duplicate",
            Self::Fenced => "fenced",
            Self::HandedBack => "handed_back",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// One queue's counts.
#[derive(Debug)]
pub(crate) struct QueueMetrics {
    pub(crate) name: Arc<str>,
    fates: [Counter; Fate::ALL.len()],
    service: Histogram,
    wait: Histogram,
    pub(crate) received: Counter,
    /// The last poll was answered.
    pub(crate) reached: AtomicBool,
    /// What was kept since it was last taken, if somebody takes it.
    minute: Mutex<Option<emf::Minute>>,
}

impl QueueMetrics {
    pub(crate) fn ends(&self, fate: Fate) {
        self.fates[fate as usize].inc();
    }

    /// How many jobs had this fate.
    pub(crate) fn count(&self, fate: Fate) -> u64 {
        self.fates[fate as usize].get()
    }

    /// A completion was committed for which the handler took so long.
    pub(crate) fn served(&self, took: Duration) {
        self.service.observe(took.as_secs_f64());
        if let Some(minute) = &mut *self.minute() {
            minute.served(took);
        }
    }

    /// A job's first attempt began so long after its message was sent.
    pub(crate) fn waited(&self, seconds: f64) {
        self.wait.observe(seconds);
        if let Some(minute) = &mut *self.minute() {
            minute.waited(seconds);
        }
    }

    /// What was kept since this was last asked; `None` if nobody had asked for them before.
    pub(super) fn take_minute(&self) -> Option<emf::Minute> {
        self.minute().replace(emf::Minute::default())
    }

    fn minute(&self) -> MutexGuard<'_, Option<emf::Minute>> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfQueue {
    queue: Arc<str>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfJob {
    queue: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfCall {
    operation: &'static str,
    outcome: &'static str,
}

type Times = Family<OfQueue, Histogram, fn() -> Histogram>;

/// All metrics of a worker.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    jobs: Family<OfJob, Counter>,
    service: Times,
    wait: Times,
    received: Family<OfQueue, Counter>,
    calls: Family<OfCall, Counter>,
    entries: Family<OfCall, Counter>,
    queues: RwLock<BTreeMap<Arc<str>, Arc<QueueMetrics>>>,
    /// The last call on the table of job records was answered.
    table_reached: AtomicBool,
    keeps_minutes: AtomicBool,
}

impl Default for Metrics {
    fn default() -> Self {
        let times: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::default(),
            jobs: Family::default(),
            service: Family::new_with_constructor(times),
            wait: Family::new_with_constructor(times),
            received: Family::default(),
            calls: Family::default(),
            entries: Family::default(),
            queues: RwLock::default(),
            table_reached: AtomicBool::new(true),
            keeps_minutes: AtomicBool::new(false),
        };
        metrics.register();
        metrics.begin_at_zero();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "weir_worker_jobs",
            "Jobs that left the worker, by what became of them",
            self.jobs.clone(),
        );
        registry.register(
            "weir_worker_service_seconds",
            "Time that handlers took for jobs whose completion was committed",
            self.service.clone(),
        );
        registry.register(
            "weir_worker_wait_seconds",
            "Time from the sending of a message to the start of its job's first attempt",
            self.wait.clone(),
        );
        registry.register(
            "weir_worker_messages_received",
            "Messages that polls brought",
            self.received.clone(),
        );
        registry.register(
            "weir_worker_calls",
            "Calls to the queue and the job records, by operation and outcome",
            self.calls.clone(),
        );
        registry.register(
            "weir_worker_failed_entries",
            "Entries of batch calls that failed though the call was answered",
            self.entries.clone(),
        );
    }

    /// The first failure is an increase only if the series was there before it.
    fn begin_at_zero(&self) {
        for operation in ["delete", "change_visibility", "send"] {
            for outcome in ["gone", "refused", "unavailable"] {
                let labels = OfCall { operation, outcome };
                drop(self.entries.get_or_create(&labels));
            }
        }
        for operation in [
            "receive",
            "delete",
            "change_visibility",
            "claim",
            "extend",
            "finish",
        ] {
            for outcome in ["ok", "refused", "unavailable"] {
                drop(self.calls.get_or_create(&OfCall { operation, outcome }));
            }
        }
    }

    pub(crate) fn of_queue(&self, name: &str) -> Arc<QueueMetrics> {
        let known = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(metrics) = known.get(name) {
            return Arc::clone(metrics);
        }
        drop(known);
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        let name: Arc<str> = name.into();
        let of_this = queues.entry(Arc::clone(&name));
        Arc::clone(of_this.or_insert_with(|| Arc::new(self.new_queue(name))))
    }

    fn new_queue(&self, name: Arc<str>) -> QueueMetrics {
        let keep = self.keeps_minutes.load(Ordering::Relaxed);
        let labels = OfQueue {
            queue: Arc::clone(&name),
        };
        QueueMetrics {
            fates: Fate::ALL.map(|fate| {
                self.jobs.get_or_create_owned(&OfJob {
                    queue: Arc::clone(&name),
                    outcome: fate.label(),
                })
            }),
            service: self.service.get_or_create_owned(&labels),
            wait: self.wait.get_or_create_owned(&labels),
            received: self.received.get_or_create_owned(&labels),
            reached: AtomicBool::new(true),
            minute: Mutex::new(keep.then(emf::Minute::default)),
            name,
        }
    }

    /// From now on times are kept until they are taken.
    pub(super) fn keep_minutes(&self) {
        self.keeps_minutes.store(true, Ordering::Relaxed);
        for queue in self.queues() {
            queue.take_minute();
        }
    }

    /// Every queue that is known, by name.
    pub(super) fn queues(&self) -> Vec<Arc<QueueMetrics>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.values().cloned().collect()
    }

    /// A call was answered, or not.
    pub(crate) fn called(&self, operation: &'static str, outcome: &'static str) {
        let labels = OfCall { operation, outcome };
        self.calls.get_or_create(&labels).inc();
    }

    /// An entry of a batch failed.
    pub(crate) fn entry_failed(&self, operation: &'static str, outcome: &'static str) {
        let labels = OfCall { operation, outcome };
        self.entries.get_or_create(&labels).inc();
    }

    pub(crate) fn table_reached(&self, reached: bool) {
        self.table_reached.store(reached, Ordering::Relaxed);
    }

    /// What could not be reached at the last call.
    pub(crate) fn unreached(&self) -> Vec<String> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let mut reasons: Vec<String> = queues
            .values()
            .filter(|queue| !queue.reached.load(Ordering::Relaxed))
            .map(|queue| format!("the last poll of queue {} failed", queue.name))
            .collect();
        if !self.table_reached.load(Ordering::Relaxed) {
            reasons.push("the last call on the job records failed".into());
        }
        reasons
    }

    /// The text format: what is counted, and what is looked up at this moment.
    pub(crate) fn text(&self, shared: &Shared) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)
            .expect("invariant: a String takes all that is written");
        if let Some(worker) = shared.worker.get() {
            prometheus_text::encode(&mut text, &moment(worker, shared))
                .expect("invariant: a String takes all that is written");
        }
        text
    }
}

/// The gauges of this moment.
fn moment(worker: &Observed, shared: &Shared) -> Registry {
    let now = worker.clock.instant();
    let mut registry = Registry::with_prefix("weir_worker");
    registry.register(
        "build",
        "The worker's version, fleet and id",
        Info::new(vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("fleet", worker.identity.fleet.clone()),
            ("instance_id", worker.identity.instance_id.clone()),
        ]),
    );
    let busy_seconds = ConstCounter::new(shared.running.busy_seconds(now));
    registry.register(
        "busy_slot_seconds",
        "Time that slots were busy, summed over the slots",
        busy_seconds,
    );
    let oldest = shared.running.oldest(now).unwrap_or_default().as_secs_f64();
    let draining = worker.drain.current().is_some();
    let gauges = [
        ("slots", "Jobs at a time", f64::from(worker.control.slots())),
        (
            "busy_slots",
            "Attempts under way",
            shared.running.count() as f64,
        ),
        (
            "held_messages",
            "Messages received and neither deleted nor put back",
            shared.held_messages() as f64,
        ),
        (
            "oldest_job_seconds",
            "How long the oldest attempt has been under way",
            oldest,
        ),
        (
            "draining",
            "1 while the worker leaves",
            f64::from(u8::from(draining)),
        ),
        (
            "paused",
            "1 while the worker is told to begin no jobs",
            f64::from(u8::from(worker.control.is_paused())),
        ),
        (
            "start_time_seconds",
            "When the worker began, Unix seconds",
            worker.started_at,
        ),
    ];
    for (name, help, value) in gauges {
        registry.register(name, help, ConstGauge::new(value));
    }
    registry
}
