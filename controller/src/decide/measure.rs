//! What the worker really is, how much arrives, how long the oldest waits: measured, and smoothed
//! in the history. The policy's guesses stand in until there is something to measure.
//!
//! Must not want anything; that is demand's affair.

use super::history::{Arrivals, History};
use super::trust::Seen;
use crate::policy::Policy;

/// Reports are means over minutes already: they are smoothed lightly, so that a deploy that makes
/// jobs slower is learned within minutes.
const SMOOTHING_SECONDS: f64 = 60.0;
/// The interval between observations until it is measured: the design's period of a round.
const INTERVAL_DEFAULT: f64 = 15.0;
/// A longer pause says nothing of the usual interval.
const INTERVAL_MAX: f64 = 3600.0;
/// SQS hides a message for 12 hours at most.
const SERVICE_MAX: f64 = 43_200.0;
/// What the times here are at least, against division by next to nothing.
const SECONDS_MIN: f64 = 0.001;
/// Numbers of slots beyond this are no numbers of slots.
const SLOTS_MAX: f64 = 1e6;
/// A boot longer than this is capacity that does not come.
const BOOT_MAX: f64 = 7200.0;

/// The worker as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worker {
    /// Mean seconds a job takes.
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
    /// Arrivals a second: the smaller of the short and the long mean, so that a burst that is
    /// over is not taken for a stream.
    pub(super) arrivals: f64,
    /// How long the oldest visible message has waited.
    pub(super) waited: f64,
    /// Instances that work.
    pub(super) ready: u32,
}

impl Worker {
    /// What the history knows, with the policy's guesses for the rest.
    pub(super) fn known(policy: &Policy, history: &History) -> Self {
        let guess = policy.worker;
        Self {
            service: usable(history.service_seconds, (SECONDS_MIN, SERVICE_MAX))
                .unwrap_or(guess.service_time.0),
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
    pub(super) fn patience(&self, policy: &Policy) -> f64 {
        let objective = policy.objective.start_within.0;
        objective - self.interval.min(objective / 4.0)
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
    learn_launches(policy, seen, history);
    let ready = ready(seen, history);
    learn_worker(seen, elapsed, history);
    let worker = Worker::known(policy, history);
    learn_arrivals(policy, &worker, seen, history);
    learn_waiting(seen, history);
    let arrivals = history.arrivals.short.min(history.arrivals.long).max(0.0);
    let waited = waited(seen, arrivals, history);
    Measured {
        worker,
        arrivals,
        waited,
        ready,
    }
}

fn learn_interval(elapsed: f64, history: &mut History) {
    if elapsed > 0.0 && elapsed <= INTERVAL_MAX {
        let before = history.interval.unwrap_or(elapsed);
        history.interval = Some(before + (elapsed - before) / 4.0);
    }
}

/// Remembers when instances were launched, for as long as they may boot.
fn learn_launches(policy: &Policy, seen: &Seen, history: &mut History) {
    let boot = Worker::known(policy, history).boot;
    let before = history.last.map_or(seen.in_service, |last| last.launched);
    let launched = seen.launched();
    if launched > before {
        history.note_launch(seen.at, launched - before);
    }
    history.forget_launches(seen.at - 2.0 * boot - SMOOTHING_SECONDS, launched);
}

/// In service by the group's word is not yet at work: of those launched lately, only the ones
/// that report are. Without reports the group's word stands.
fn ready(seen: &Seen, history: &History) -> u32 {
    let young = history
        .launches
        .iter()
        .fold(0_u32, |sum, (_, n)| sum.saturating_add(*n));
    let settled = seen.in_service.saturating_sub(young);
    let ready = seen.workers.reporting.map_or(seen.in_service, |reporting| {
        reporting.min(seen.in_service).max(settled)
    });
    ready.min(seen.desired)
}

fn learn_worker(seen: &Seen, elapsed: f64, history: &mut History) {
    let part = elapsed / (SMOOTHING_SECONDS + elapsed);
    let smooth = |before: Option<f64>, new: Option<f64>| match (before, new) {
        (Some(before), Some(new)) => Some(before + (new - before) * part),
        (before, new) => new.or(before),
    };
    let workers = &seen.workers;
    let service = usable(workers.service_seconds_mean, (SECONDS_MIN, SERVICE_MAX));
    history.service_seconds = smooth(history.service_seconds, service);
    let boot = usable(workers.boot_seconds_mean, (0.0, BOOT_MAX));
    history.boot_seconds = smooth(history.boot_seconds, boot);
    history.slots = smooth(history.slots, slots_each(seen, history));
}

/// Slots by those who report them. Where it is not known how many report, all in service do,
/// unless some have only just been launched.
fn slots_each(seen: &Seen, history: &History) -> Option<f64> {
    let slots = seen.workers.slots.filter(|slots| *slots > 0)?;
    let settled = history.launches.is_empty().then_some(seen.in_service);
    let of = seen.workers.reporting.or(settled).filter(|n| *n > 0)?;
    usable(
        Some(f64::from(slots) / f64::from(of)),
        (SECONDS_MIN, SLOTS_MAX),
    )
}

/// Arrivals by mass balance: what the queues gained, and what was completed meanwhile. Single
/// steps may be negative by noise; only the mean is cut at zero, or noise would add up.
fn learn_arrivals(policy: &Policy, worker: &Worker, seen: &Seen, history: &mut History) {
    let Some(last) = history.last.filter(|last| seen.at > last.at) else {
        return;
    };
    let elapsed = seen.at - last.at;
    let completed = match (last.completed_total, seen.workers.completed_total) {
        (Some(before), Some(now)) if now >= before => (now - before) as f64,
        // Unknown, or a worker left and took its count along: Little's law on what was running.
        _ => {
            let slots = f64::from(last.launched) * worker.slots;
            last.in_flight.min(slots) * elapsed / worker.service
        }
    };
    let rate = (seen.messages() - last.messages + completed) / elapsed;
    let objective = policy.objective.start_within.0;
    // The long mean spans two objectives or boots: a burst of a full objective's work weighs half
    // of what its deadline asks for. The short one forgets it before the work is done.
    let long = 2.0 * objective.max(worker.boot).max(SMOOTHING_SECONDS);
    let short = (objective / 4.0).max(2.0 * worker.interval).min(long / 4.0);
    let step = |before: f64, over: f64| before + (rate - before) * elapsed / (over + elapsed);
    history.arrivals = Arrivals {
        short: step(history.arrivals.short, short),
        long: step(history.arrivals.long, long),
    };
}

fn learn_waiting(seen: &Seen, history: &mut History) {
    let empty = seen.visible == 0 && seen.in_flight == 0;
    let again = history.last.is_none_or(|last| seen.at > last.at);
    if !empty {
        history.empty_reads = 0;
    } else if again {
        history.empty_reads = history.empty_reads.saturating_add(1);
    }
    if seen.visible == 0 {
        history.waiting_since = None;
        return;
    }
    if history.waiting_since.is_none_or(|since| since > seen.at) {
        // What is visible now came after the last look that saw nothing.
        let age = seen.oldest_age.unwrap_or(0.0);
        let unseen = history.last.map_or(age, |last| age.min(seen.at - last.at));
        history.waiting_since = Some(seen.at - unseen);
    }
}

/// The oldest message's age, by SQS's word or, without it, by Little's law; never longer than
/// messages have been visible without a break, since that age counts messages in flight too.
fn waited(seen: &Seen, arrivals: f64, history: &History) -> f64 {
    let Some(since) = history.waiting_since else {
        return 0.0;
    };
    let limit = (seen.at - since).max(0.0);
    let age = seen.oldest_age.unwrap_or_else(|| {
        if arrivals > 0.0 {
            seen.visible as f64 / arrivals
        } else {
            f64::INFINITY
        }
    });
    age.min(limit)
}

fn usable(number: Option<f64>, (least, most): (f64, f64)) -> Option<f64> {
    number
        .filter(|n| n.is_finite() && *n >= 0.0)
        .map(|n| n.clamp(least, most))
}
