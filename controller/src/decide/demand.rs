//! How many instances does the backlog ask for?
//!
//! Two questions. *Grow*: what must the fleet be, once new instances work, to start in time what
//! is known by now? Arrivals that may come are left out as far as there is time to answer them when
//! they have come: what is ordered for them before is idle whenever they do not. An objective
//! shorter than a lead and the recovery after it leaves no such time; of arrivals at the present
//! rate, those due by then count, unless they are forecast. *Stay*: what may not be let go, with arrivals going on as they do? So a
//! backlog is worked off well inside its objective and no sooner, and few instances idle.
//!
//! It knows no limits and holds nothing back.

use super::forecast::ahead_of;
use super::history::History;
use super::measure::Measured;
use super::trust::Seen;
use super::tube::{Tube, tubes};
use super::whole_instances;
use crate::model::{Instances, Messages, Stage};
use crate::policy::Policy;
use crate::reason::{Backlog, Need, Reason};

/// Arrivals scatter about their mean: half a standard deviation of a Poisson count is kept as
/// safety. More buys next to nothing where the objective is minutes (theory of square-root
/// staffing: the share that waits longer falls off within a service time).
const SAFETY: f64 = 0.5;
/// New capacity is given this part of the objective to work in at least, and as long as it boots
/// where that is shorter than the objective, so that a backlog that is late already, or all but, is
/// recovered from without a spike.
const RECOVERY_PART: f64 = 0.25;
/// Arrivals to come are taken at the present rate and this much more, so that a fleet that just
/// keeps up is not cut into.
const STAY_MARGIN: f64 = 1.05;
/// Stay looks ahead two objectives beyond the lead: what is let go now can be back by then.
const STAY_OBJECTIVES: f64 = 2.0;

/// A wish and its reason.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub(super) wanted: u32,
    pub(super) stage: Stage,
    pub(super) reason: Reason,
}

impl Demand {
    fn new(wanted: u32, reason: impl Into<Reason>) -> Self {
        Self {
            wanted,
            stage: Stage::Demand,
            reason: reason.into(),
        }
    }
}

/// The least capacity that starts the backlog in time, or else of what there is the part that may
/// not go.
pub(super) fn demand(
    policy: &Policy,
    seen: &Seen,
    measured: &Measured,
    history: &History,
) -> Demand {
    // Twice seen empty is the end of a stream, whatever its mean still says: it is not
    // grown for either, else an emptied fleet would come and go round after round.
    if history.is_surely_empty() {
        return nothing(seen);
    }
    let tubes = tubes(policy, seen, &measured.worker, history);
    let capacity = Capacity::of(seen, measured, history);
    let grow = tubes
        .iter()
        .map(|tube| grow(policy, tube, &capacity, measured))
        .max_by(|a, b| a.instances.total_cmp(&b.instances))
        .unwrap_or_default();
    let wanted = whole_instances(grow.instances);
    if wanted > seen.desired {
        return Demand::new(wanted, due(wanted, &grow, (seen, measured, &capacity)));
    }
    let stay = tubes
        .iter()
        .map(|tube| stay(policy, tube, seen, measured))
        .max_by(|a, b| a.instances.total_cmp(&b.instances))
        .unwrap_or_default();
    let stays = whole_instances(stay.instances).min(seen.desired);
    let stays = wanted.max(stays);
    match occupied(seen, measured) {
        Some(demand) if demand.wanted > stays => demand,
        _ => enough(stays, &stay, seen, measured),
    }
}

/// Jobs longer than the lead keep the instances they occupy: those cannot be had back in time by
/// letting them finish. What runs shorter is gone before it matters.
fn occupied(seen: &Seen, measured: &Measured) -> Option<Demand> {
    let worker = &measured.worker;
    let needed = whole_instances(seen.in_flight as f64 / worker.slots).min(measured.ready);
    (worker.service >= worker.lead()).then(|| {
        let reason = Need::Occupied {
            wanted: Instances(needed),
            in_flight: Messages(seen.in_flight),
            slots: worker.slots,
            service_seconds: worker.service,
        };
        Demand::new(needed, reason)
    })
}

/// Where the tube is tightest: so many instances, for so many messages within so many seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Tightest {
    instances: f64,
    messages: f64,
    /// Of them, those that have yet to come.
    to_come: f64,
    within: f64,
    /// The time that new capacity has for them.
    useful: f64,
    /// How long the oldest message has waited.
    waited: f64,
}

impl Tightest {
    fn or(self, other: Self) -> Self {
        if other.instances > self.instances {
            other
        } else {
            self
        }
    }
}

/// What running and booting capacity starts until new instances could work.
struct Capacity {
    /// All of it, in instances.
    instances: f64,
    /// Messages started by then.
    started: f64,
    lead: f64,
}

impl Capacity {
    /// Running instances fill their free slots at once, booting ones all of theirs after the rest
    /// of their boot; one not yet launched has its whole boot before it.
    fn of(seen: &Seen, measured: &Measured, history: &History) -> Self {
        let worker = &measured.worker;
        let lead = worker.lead();
        let ready = f64::from(measured.ready);
        let free = (ready * worker.slots - seen.in_flight as f64).max(0.0);
        let mut started = free + ready * worker.slots * lead / worker.service;
        let mut left = seen.desired.saturating_sub(measured.ready);
        for (at, launched) in history.launches.iter().rev() {
            let n = (*launched).min(left);
            left -= n;
            let age = (seen.at - at).max(0.0);
            // An overdue one is taken to need as long again.
            let rest = (worker.boot - age).max(age - worker.boot).min(worker.boot);
            started += f64::from(n) * worker.starts_within(lead - rest);
        }
        started += f64::from(left) * worker.starts_within(lead - worker.boot);
        Self {
            instances: f64::from(seen.desired.max(measured.ready)),
            started,
            lead,
        }
    }
}

/// The size that starts in time what is known, and what can only be answered by being there, if new
/// instances join after the lead.
fn grow(policy: &Policy, tube: &Tube, capacity: &Capacity, measured: &Measured) -> Tightest {
    let worker = &measured.worker;
    let shortest = shortest_objective(policy);
    let spread = (RECOVERY_PART * shortest)
        .max(worker.boot.min(shortest))
        .max(worker.interval);
    let over = capacity.lead + spread;
    // Where a forecast is made, that is its affair.
    let last = match ahead_of(policy, worker) {
        Some(_) => None,
        None => tube.due_by_rate(over),
    };
    let known = tube.claims.iter().map(|claim| (*claim, 0.0));
    let mut tightest = Tightest::default();
    for (claim, to_come) in known.chain(last) {
        let useful = (claim.within - capacity.lead).max(spread);
        let ahead = tube.ahead_per_second * (capacity.lead + useful);
        let messages = safe(claim.messages) + ahead;
        // What there is goes on working; what is new fills its slots first.
        let missing = messages - capacity.started + capacity.instances * worker.slots;
        tightest = tightest.or(Tightest {
            instances: missing / worker.starts_within(useful),
            messages: claim.messages,
            to_come,
            within: claim.within,
            useful,
            waited: tube.waited,
        });
    }
    tightest
}

/// The size that starts what is known and what goes on arriving in time, from now on.
fn stay(policy: &Policy, tube: &Tube, seen: &Seen, measured: &Measured) -> Tightest {
    let worker = &measured.worker;
    let longest = policy
        .queues
        .iter()
        .map(|queue| queue.objective.start_within.0)
        .fold(0.0, f64::max);
    let horizon = STAY_OBJECTIVES * longest + worker.lead();
    let moments = tube
        .claims
        .iter()
        .map(|claim| claim.within)
        .chain(tube.streams.iter().map(|stream| stream.from))
        .chain([horizon]);
    let in_flight = seen.in_flight as f64;
    let mut tightest = Tightest::default();
    for within in moments.map(|within| within.max(worker.interval)) {
        let messages = tube.known(within) + STAY_MARGIN * tube.to_come(within);
        // A mean that fades never ends: less than half a message is none.
        if messages < 0.5 {
            continue;
        }
        let due = safe(messages);
        // Instances with all slots busy start one message for each that ends; those with slots
        // free fill them first. The smaller size is the one that applies.
        let busy = due * worker.service / (worker.slots * within);
        let filling = (due + in_flight) / worker.starts_within(within);
        tightest = tightest.or(Tightest {
            instances: busy.min(filling),
            messages,
            to_come: tube.to_come(within),
            within,
            useful: within,
            waited: tube.waited,
        });
    }
    tightest
}

fn safe(messages: f64) -> f64 {
    messages + SAFETY * messages.max(0.0).sqrt()
}

fn shortest_objective(policy: &Policy) -> f64 {
    let objectives = policy.queues.iter().map(|q| q.objective.start_within.0);
    objectives.fold(f64::INFINITY, f64::min)
}

fn due(
    wanted: u32,
    grow: &Tightest,
    (seen, measured, capacity): (&Seen, &Measured, &Capacity),
) -> Reason {
    let due = messages(grow.messages.ceil());
    let reason = if grow.within <= 0.0 {
        Backlog::Late {
            wanted: Instances(wanted),
            due,
            waited_seconds: grow.waited,
            within_seconds: grow.useful,
        }
    } else {
        let slots = capacity.instances * measured.worker.slots;
        let after = (grow.within - capacity.lead).max(0.0);
        let started = capacity.started + slots * after / measured.worker.service;
        Backlog::Due {
            wanted: Instances(wanted),
            due,
            to_come: messages(grow.to_come),
            within_seconds: grow.within,
            running: Instances(measured.ready),
            booting: Instances(seen.desired.saturating_sub(measured.ready)),
            started_by_then: messages(started).min(due),
        }
    };
    reason.into()
}

/// What there is suffices.
fn enough(wanted: u32, stay: &Tightest, seen: &Seen, measured: &Measured) -> Demand {
    let backlog = seen.visible.saturating_add(seen.in_flight);
    if backlog == 0 && wanted == 0 {
        return nothing(seen);
    }
    // What runs is in somebody's hands: the last instance stays with it.
    let least = u32::from(backlog > 0 && (seen.desired > 0 || seen.visible > 0));
    let wanted = wanted.max(least);
    Demand::new(
        wanted,
        Backlog::Covered {
            wanted: Instances(wanted),
            backlog: Messages(backlog),
            due: messages(stay.messages.ceil()),
            within_seconds: stay.within,
            each: measured.worker.starts_within(stay.within),
        },
    )
}

/// Nothing waits and nothing runs. A delayed message keeps the last instance: it is due within
/// 15 minutes at most (SQS, `DelaySeconds`).
fn nothing(seen: &Seen) -> Demand {
    if seen.delayed > 0 && seen.desired > 0 {
        let delayed = Messages(seen.delayed);
        return Demand::new(
            1,
            Need::DelayedSoon {
                wanted: Instances(1),
                delayed,
            },
        );
    }
    Demand::new(
        0,
        Need::QueueEmpty {
            wanted: Instances(0),
        },
    )
}

fn messages(x: f64) -> Messages {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and NaN becomes 0"
    )]
    let n = x as u64;
    Messages(n)
}
