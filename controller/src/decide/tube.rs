//! What must have started by when, for one queue or several that share a fleet.
//!
//! Owns deadlines: a message is due its queue's patience after it came, and a tube says how many
//! must have started by each moment if all are to be in time. Capacity is demand's affair.
//!
//! Several queues on one fleet give a tube for all together (earliest deadline first: no order of
//! service does with less) and one each. A queue's own tube counts what workers serve before it:
//! all of the queues with a lower priority number, and of its equals what their share of the slots
//! (by weight) may take.

use super::history::History;
use super::measure::Worker;
use super::trust::Seen;
use crate::policy::{Policy, Queue};

/// Arrivals to come are taken to be due after this part of their patience: the backlog of a fleet
/// that keeps up comes to rest about there, with slack for a burst on one side and for a lull on
/// the other, and its instances are busy all the while.
const HOVER_PART: f64 = 0.6;

/// What must have started by when.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tube {
    /// Of the messages that are there, in the order of their deadlines.
    pub(super) claims: Vec<Claim>,
    /// Arrivals to come.
    pub(super) streams: Vec<Stream>,
    /// Arrivals a second that are served before all of it.
    pub(super) ahead_per_second: f64,
    /// How long its oldest message has waited, in seconds.
    pub(super) waited: f64,
}

/// So many messages, counted from the first, must have started by then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Claim {
    /// Seconds from now; negative where it is overdue.
    pub(super) within: f64,
    /// This deadline's messages and all before it.
    pub(super) messages: f64,
}

/// Arrivals that go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stream {
    pub(super) per_second: f64,
    /// The first of them is due in so many seconds.
    pub(super) from: f64,
}

impl Tube {
    /// Messages due within `seconds` of those that are there.
    pub(super) fn known(&self, seconds: f64) -> f64 {
        let next = self.claims.partition_point(|claim| claim.within <= seconds);
        let last = next.checked_sub(1).and_then(|last| self.claims.get(last));
        last.map_or(0.0, |claim| claim.messages)
    }

    /// Messages due within `seconds` of those to come, with what is served before them.
    pub(super) fn to_come(&self, seconds: f64) -> f64 {
        let due = |s: &Stream| s.per_second * (seconds - s.from).max(0.0);
        self.streams.iter().map(due).sum::<f64>() + self.ahead_per_second * seconds
    }
}

/// One queue, as its tube sees it.
struct Line<'a> {
    queue: &'a Queue,
    waiting: f64,
    per_second: f64,
    tube: Tube,
}

/// The tubes that capacity must keep to, all of them.
pub(super) fn tubes(policy: &Policy, seen: &Seen, worker: &Worker, history: &History) -> Vec<Tube> {
    let mut lines = Vec::with_capacity(policy.queues.len());
    for (queue, counts) in policy.queues.iter().zip(&seen.queues) {
        let patience = worker.patience(queue.objective.start_within.0);
        let Some(curve) = history.curves.get(&queue.name) else {
            continue;
        };
        let (mut messages, mut oldest) = (0.0, seen.at);
        let mut claims: Vec<Claim> = Vec::new();
        for cohort in curve.waiting(seen.at, counts) {
            messages += cohort.messages;
            oldest = oldest.min(cohort.arrived_at);
            let within = cohort.arrived_at + patience - seen.at;
            claims.push(Claim { within, messages });
        }
        let stream = Stream {
            per_second: curve.rate(),
            from: HOVER_PART * patience,
        };
        lines.push(Line {
            queue,
            waiting: messages,
            per_second: stream.per_second,
            tube: Tube {
                claims,
                streams: vec![stream],
                ahead_per_second: 0.0,
                waited: seen.at - oldest,
            },
        });
    }
    if let [_] = lines.as_slice() {
        return lines.into_iter().map(|line| line.tube).collect();
    }
    let mut tubes = vec![together(&lines)];
    tubes.extend(lines.iter().map(|line| alone(line, &lines)));
    tubes
}

/// All queues' deadlines in one order.
fn together(lines: &[Line<'_>]) -> Tube {
    let mut steps: Vec<Claim> = Vec::new();
    for line in lines {
        let mut before = 0.0;
        for claim in &line.tube.claims {
            steps.push(Claim {
                within: claim.within,
                messages: claim.messages - before,
            });
            before = claim.messages;
        }
    }
    steps.sort_by(|a, b| a.within.total_cmp(&b.within));
    let mut messages = 0.0;
    for step in &mut steps {
        messages += step.messages;
        step.messages = messages;
    }
    let streams = lines.iter().flat_map(|line| line.tube.streams.clone());
    let waited = lines.iter().map(|line| line.tube.waited);
    Tube {
        claims: steps,
        streams: streams.collect(),
        ahead_per_second: 0.0,
        waited: waited.fold(0.0, f64::max),
    }
}

/// One queue's deadlines, behind what is served before it.
fn alone(line: &Line<'_>, lines: &[Line<'_>]) -> Tube {
    let mut ahead = (0.0, 0.0);
    let mut equals = (0.0, 0.0);
    let mut weights = 0.0;
    for other in lines {
        let same = other.queue.priority == line.queue.priority;
        if same {
            weights += other.queue.weight;
        }
        let sum = match other.queue.priority.cmp(&line.queue.priority) {
            std::cmp::Ordering::Less => &mut ahead,
            std::cmp::Ordering::Equal if !std::ptr::eq(other, line) => &mut equals,
            _ => continue,
        };
        sum.0 += other.waiting;
        sum.1 += other.per_second;
    }
    let share = line.queue.weight / weights;
    let behind = |claim: &Claim| {
        let shared = claim.messages / share;
        let all = claim.messages + equals.0 + equals.1 * claim.within.max(0.0);
        Claim {
            within: claim.within,
            messages: ahead.0 + shared.min(all),
        }
    };
    Tube {
        claims: line.tube.claims.iter().map(behind).collect(),
        streams: line.tube.streams.clone(),
        ahead_per_second: ahead.1,
        waited: line.tube.waited,
    }
}
