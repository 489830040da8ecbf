//! What the worker really is, when new capacity works, how much arrives: measured, and kept in the
//! history. The policy's guesses stand in until there is something to measure.
//!
//! Must not want anything; that is demand's affair.

use super::history::History;
use super::trust::Seen;
use crate::policy::Policy;

/// The interval between observations until it is measured: the design's period of a round.
const INTERVAL_DEFAULT: f64 = 15.0;
/// A longer pause says nothing of the usual interval.
const INTERVAL_MAX: f64 = 3600.0;
/// What the times here are at least, against division by next to nothing.
const SECONDS_MIN: f64 = 0.001;
/// Numbers of slots beyond this are no numbers of slots.
const SLOTS_MAX: f64 = 1e6;
/// A boot longer than this is capacity that does not come.
const BOOT_MAX: f64 = 7200.0;
/// One instance's slots or boot weigh so much against what is known; the first takes it over.
const PART: f64 = 0.2;
/// In-flight messages an instance has at least this part of its slots of, where all are busy.
const SATURATED: f64 = 0.8;

/// The worker as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worker {
    /// Mean seconds a job takes, on the careful side as long as little is known.
    pub(super) service: f64,
    /// Slots an instance has.
    pub(super) slots: f64,
    /// Seconds from launch to the first job.
    pub(super) boot: f64,
    /// Seconds between observations.
    pub(super) interval: f64,
}

/// What was measured this round.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) worker: Worker,
    /// Instances that work.
    pub(super) ready: u32,
    /// Messages that arrived since the last look; negative by noise.
    pub(super) arrived: f64,
    /// Seconds since the last look; 0 at the first.
    pub(super) elapsed: f64,
}

impl Worker {
    /// What the history knows, with the policy's guesses for the rest.
    pub(super) fn known(policy: &Policy, history: &History) -> Self {
        let guess = policy.worker;
        Self {
            service: history.service.careful(guess.service_time.0),
            slots: usable(history.slots, (SECONDS_MIN, SLOTS_MAX))
                .unwrap_or(f64::from(guess.slots)),
            boot: usable(history.boot_seconds, (0.0, BOOT_MAX)).unwrap_or(guess.boot_time.0),
            interval: usable(history.interval, (SECONDS_MIN, INTERVAL_MAX))
                .unwrap_or(INTERVAL_DEFAULT),
        }
    }

    /// How long a message that arrives now may wait, less a margin: what happens right after a
    /// look is seen an interval later. At most a quarter, so that a slow controller still aims at
    /// the objective.
    pub(super) fn patience(&self, objective_seconds: f64) -> f64 {
        objective_seconds - self.interval.min(objective_seconds / 4.0)
    }

    /// From the order to the capacity: the boot, and the look that misses what comes after it.
    pub(super) fn lead(&self) -> f64 {
        self.boot + self.interval
    }

    /// Messages one instance carries and starts within `seconds`: those its slots run, and one
    /// more for each slot that comes free (Little's law: slots / service time a second).
    pub(super) fn starts_within(&self, seconds: f64) -> f64 {
        self.slots * (1.0 + seconds.max(0.0) / self.service)
    }
}

/// Takes the observation in.
pub(super) fn measure(policy: &Policy, seen: &Seen, history: &mut History) -> Measured {
    let elapsed = history.last.map_or(0.0, |last| seen.at - last.at);
    learn_interval(elapsed, history);
    note_launches(seen, history);
    let ready = ready(policy, seen, history);
    learn_boots(seen, ready, history);
    learn_slots(seen, history);
    let arrived = learn_queues(policy, seen, elapsed, history);
    learn_empty(seen, history);
    Measured {
        worker: Worker::known(policy, history),
        ready,
        arrived,
        elapsed,
    }
}

fn learn_interval(elapsed: f64, history: &mut History) {
    if elapsed > 0.0 && elapsed <= INTERVAL_MAX {
        // One long pause is no new schedule: a look at most doubles the interval.
        let before = history.interval.unwrap_or(INTERVAL_DEFAULT);
        history.interval = Some(before + ((elapsed - before) / 4.0).min(before));
    }
}

/// In service by the group's word is not yet at work: of those launched lately, only the ones
/// that report are. Without reports the group's word stands.
fn ready(policy: &Policy, seen: &Seen, history: &History) -> u32 {
    let boot = Worker::known(policy, history).boot;
    let young = history.launched_since(seen.at - 2.0 * boot - INTERVAL_DEFAULT);
    let settled = seen.in_service.saturating_sub(young);
    let ready = seen.workers.reporting.map_or(seen.in_service, |reporting| {
        reporting.min(seen.in_service).max(settled)
    });
    ready.min(seen.desired)
}

/// Remembers when instances were launched, until they work.
fn note_launches(seen: &Seen, history: &mut History) {
    let before = history.last.map_or(seen.in_service, |last| last.launched);
    let launched = seen.launched();
    if launched > before {
        history.note_launch(seen.at, launched - before);
    }
}

/// The oldest launch is taken to work first. The time it took is the boot time, where the workers
/// do not report it.
fn learn_boots(seen: &Seen, ready: u32, history: &mut History) {
    let grown = history.last.is_some_and(|last| ready > last.ready);
    for launched_at in history.settle_launches(seen.launched().saturating_sub(ready)) {
        let boot = seen.at - launched_at;
        if grown && seen.workers.boot_seconds_mean.is_none() && boot <= BOOT_MAX {
            learn(&mut history.boot_seconds, boot);
        }
    }
    if let Some(boot) = usable(seen.workers.boot_seconds_mean, (0.0, BOOT_MAX)) {
        learn(&mut history.boot_seconds, boot);
    }
}

/// Slots by those who report them. Without reports, messages in flight on a fleet that leaves
/// others waiting fill its slots.
fn learn_slots(seen: &Seen, history: &mut History) {
    let settled = (seen.pending == 0).then_some(seen.in_service);
    let reported = seen.workers.slots.filter(|slots| *slots > 0);
    if let (Some(slots), Some(of)) = (reported, seen.workers.reporting.or(settled)) {
        if of > 0 {
            learn(&mut history.slots, f64::from(slots) / f64::from(of));
        }
        return;
    }
    let quiet = seen.pending == 0 && seen.terminating == 0 && seen.in_service > 0;
    if quiet && seen.visible > 0 {
        let each = seen.in_flight as f64 / f64::from(seen.in_service);
        if each >= SATURATED {
            learn(&mut history.slots, each);
        }
    }
}

/// Arrivals of each queue, and the service time.
fn learn_queues(policy: &Policy, seen: &Seen, elapsed: f64, history: &mut History) -> f64 {
    let guess = policy.worker.service_time.0;
    let service = history.service.mean(guess);
    let mut arrived = 0.0;
    for (queue, counts) in policy.queues.iter().zip(&seen.queues) {
        let span = queue.objective.start_within.0;
        let curve = history.curve(&queue.name);
        arrived += curve.observe(seen.at, counts, (service, span));
    }
    if seen.workers.service_seconds_mean.is_some() {
        history.service.learn_from_reports(seen, elapsed, guess);
    } else if counts_alone(seen) {
        history.service.learn_from_counts(seen, elapsed, guess);
    } else if elapsed > 0.0 {
        for (queue, counts) in policy.queues.iter().zip(&seen.queues) {
            if let Some(curve) = history.curves.get(&queue.name) {
                let (at, interval) = (seen.at, elapsed);
                history
                    .service
                    .learn_from_age(at, (counts, curve), (interval, guess));
            }
        }
    }
    arrived
}

/// Workers that run and do not report, on queues whose ages are unknown. Where none runs yet,
/// reports may still come, and the guess stands.
fn counts_alone(seen: &Seen) -> bool {
    let workers = &seen.workers;
    let silent = workers
        .slots
        .or(workers.busy_slots)
        .or(workers.reporting)
        .is_none();
    let ageless = seen.queues.iter().all(|queue| queue.oldest_age.is_none());
    silent && ageless && seen.in_service > 0
}

fn learn_empty(seen: &Seen, history: &mut History) {
    let empty = seen.visible == 0 && seen.in_flight == 0;
    let again = history.last.is_none_or(|last| seen.at > last.at);
    if !empty {
        history.empty_reads = 0;
    } else if again {
        history.empty_reads = history.empty_reads.saturating_add(1);
    }
    if seen.visible == 0 {
        history.waiting_since = None;
    } else if history.waiting_since.is_none_or(|since| since > seen.at) {
        history.waiting_since = Some(seen.at);
    }
}

fn learn(known: &mut Option<f64>, measured: f64) {
    if measured.is_finite() && measured >= 0.0 {
        let before = known.unwrap_or(measured);
        *known = Some(before + (measured - before) * PART);
    }
}

fn usable(number: Option<f64>, (least, most): (f64, f64)) -> Option<f64> {
    number
        .filter(|n| n.is_finite() && *n >= 0.0)
        .map(|n| n.clamp(least, most))
}
