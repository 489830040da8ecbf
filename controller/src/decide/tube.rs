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
/// the other, and its instances are busy all the while. A lead is left to answer a burst in any
/// case.
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
    /// The first of them is to be started in so many seconds.
    pub(super) from: f64,
    /// It is due in so many.
    pub(super) due: f64,
}

impl Tube {
    /// Messages due within `seconds` of those that are there.
    pub(super) fn known(&self, seconds: f64) -> f64 {
        let next = self.claims.partition_point(|claim| claim.within <= seconds);
        let last = next.checked_sub(1).and_then(|last| self.claims.get(last));
        last.map_or(0.0, |claim| claim.messages)
    }

    /// What is due within `seconds` if arrivals go on, and how much of it has yet to come; `None`
    /// where that is nothing: no message that comes from now on is due by then.
    pub(super) fn due_by_rate(&self, seconds: f64) -> Option<(Claim, f64)> {
        let due = |s: &Stream| s.per_second * (seconds - s.due).max(0.0);
        let to_come: f64 = self.streams.iter().map(due).sum();
        let claim = Claim {
            within: seconds,
            messages: self.known(seconds) + to_come,
        };
        // A mean that fades never ends: less than half a message is none.
        (to_come >= 0.5).then_some((claim, to_come))
    }

    /// Messages to be started within `seconds` of those to come, with what is served before them.
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
        // Ages that are read off counts alone drift. A backlog that has stood for a whole objective
        // may be due now: it is worked off, and with it the error.
        let latest = if history.service.is_from_counts()
            && history
                .waiting_since
                .is_some_and(|since| seen.at - since > patience)
        {
            worker.lead()
        } else {
            f64::INFINITY
        };
        let (mut messages, mut oldest) = (0.0, seen.at);
        let mut claims: Vec<Claim> = Vec::new();
        for cohort in curve.waiting(seen.at, counts) {
            messages += cohort.messages;
            oldest = oldest.min(cohort.arrived_at);
            let within = (cohort.arrived_at + patience - seen.at).min(latest);
            claims.push(Claim { within, messages });
        }
        let stream = Stream {
            per_second: curve.rate(),
            from: (HOVER_PART * patience)
                .min(patience - worker.lead())
                .max(0.0),
            due: patience,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::trust::QueueSeen;
    use crate::policy;

    const WORKER: Worker = Worker {
        service: 10.0,
        slots: 2.0,
        boot: 60.0,
        interval: 10.0,
    };

    /// Queues with so many messages each, which came at 0, seen at 20.
    fn tubes_of(queues: &str, waiting: &[u64]) -> Vec<Tube> {
        let text = format!(
            "version: 1\nname: t\nqueues: {queues}\nfleet: {{ auto_scaling_group: g, max: 9 }}\n\
             objective: {{ start_within: 110s }}\n"
        );
        let policy = policy::parse("test", &text).unwrap_or_else(|problems| panic!("{problems}"));
        let mut history = History::default();
        let mut seen = Seen {
            at: 20.0,
            ..Seen::default()
        };
        for (queue, visible) in policy.queues.iter().zip(waiting) {
            let counts = QueueSeen {
                visible: *visible,
                oldest_age: Some(20.0),
                ..QueueSeen::default()
            };
            history
                .curve(&queue.name)
                .observe(20.0, &counts, (10.0, 110.0));
            seen.queues.push(counts);
        }
        tubes(&policy, &seen, &WORKER, &history)
    }

    fn claims(tube: &Tube) -> Vec<(f64, f64)> {
        let pairs = tube.claims.iter().map(|c| (c.within, c.messages));
        pairs.collect()
    }

    #[test]
    fn one_queue_is_one_tube_due_a_look_before_its_objective() {
        let tubes = tubes_of("[{ name: a }]", &[50]);
        assert_eq!(tubes.len(), 1);
        // 110 s less 10 s margin less 20 s waited.
        assert_eq!(claims(&tubes[0]), [(80.0, 50.0)]);
        assert!((tubes[0].waited - 20.0).abs() < 1e-9);
    }

    #[test]
    fn arrivals_to_come_are_due_early_enough_to_be_answered() {
        let from = |queues| tubes_of(queues, &[0])[0].streams[0].from;
        let close = from("[{ name: a }]");
        assert!((close - 30.0).abs() < 1e-9, "100 s less a lead: {close}");
        let far = from("[{ name: a, objective: { start_within: 1010s } }]");
        assert!((far - 600.0).abs() < 1e-9, "six tenths of 1000 s: {far}");
    }

    #[test]
    fn each_queue_is_due_by_its_own_objective() {
        let queues = "[{ name: a }, { name: b, objective: { start_within: 50s } }]";
        let tubes = tubes_of(queues, &[50, 8]);
        assert_eq!(claims(&tubes[0]), [(20.0, 8.0), (80.0, 58.0)], "together");
    }

    #[test]
    fn a_queue_stands_behind_all_of_a_higher_priority() {
        let queues = "[{ name: a, priority: 1 }, { name: b, priority: 0 }]";
        let tubes = tubes_of(queues, &[50, 200]);
        assert_eq!(claims(&tubes[1]), [(80.0, 250.0)], "the lower one");
        assert_eq!(claims(&tubes[2]), [(80.0, 200.0)], "the higher one");
    }

    #[test]
    fn a_queue_has_its_share_of_the_slots_by_weight() {
        let queues = "[{ name: a, weight: 1 }, { name: b, weight: 3 }]";
        let tubes = tubes_of(queues, &[50, 400]);
        assert_eq!(claims(&tubes[1]), [(80.0, 200.0)], "a quarter is its own");
        let tubes = tubes_of(queues, &[50, 30]);
        assert_eq!(claims(&tubes[1]), [(80.0, 80.0)], "the other has no more");
    }
}
