//! How many instances does the backlog ask for?
//!
//! Counts what is running and what boots as the capacity it is, and asks only for what is missing
//! once new instances can work. It knows no limits and holds nothing back.

use super::history::History;
use super::measure::Measured;
use super::trust::Seen;
use super::whole_instances;
use crate::model::{Instances, Messages, Stage};
use crate::policy::Policy;
use crate::reason::{Backlog, Need, Reason};

/// A new instance that has less than this part of the objective left to work in does not save a
/// deadline; capacity is then sized as if the recovery were spread.
const USEFUL_PART: f64 = 1.0 / 8.0;

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

/// The least capacity that starts the backlog in time, keeps up with arrivals and carries what
/// runs; of these the largest.
pub(super) fn demand(
    policy: &Policy,
    seen: &Seen,
    measured: &Measured,
    history: &History,
) -> Demand {
    let mut demand = backlog(policy, seen, measured, history);
    for other in [arrivals(seen, measured), occupied(seen, measured)]
        .into_iter()
        .flatten()
    {
        if other.wanted > demand.wanted {
            demand = other;
        }
    }
    demand
}

/// By when the work is due, and how long a new instance can work on it.
#[derive(Clone, Copy)]
struct Horizon {
    due: f64,
    useful: f64,
    late: bool,
}

/// The backlog is taken to be as old as its oldest message. Where a new instance comes too late
/// for that, the recovery is spread over the boot time (at most the objective, at least a quarter
/// of it): no spike without bound, and running, booting and new capacity are measured alike, so
/// that an instance counts no less after its boot than before.
fn horizon(policy: &Policy, measured: &Measured) -> Horizon {
    let patience = measured.worker.patience(policy);
    let objective = policy.objective.start_within.0;
    let due = (patience - measured.waited).max(0.0);
    let useful = due - measured.worker.boot;
    if useful >= objective * USEFUL_PART {
        return Horizon {
            due,
            useful,
            late: false,
        };
    }
    let spread = due
        .max(objective / 4.0)
        .max(measured.worker.boot.min(patience));
    Horizon {
        due: spread,
        useful: spread,
        late: measured.waited > objective,
    }
}

fn backlog(policy: &Policy, seen: &Seen, measured: &Measured, history: &History) -> Demand {
    // With no instance at all, what is in flight is in nobody's hands that could start more.
    let in_flight = if seen.desired > 0 { seen.in_flight } else { 0 };
    let backlog = seen.visible.saturating_add(in_flight);
    if backlog == 0 {
        return nothing(seen);
    }
    let worker = &measured.worker;
    let horizon = horizon(policy, measured);
    let each = worker.starts_within(horizon.due);
    let enough = whole_instances(backlog as f64 / each);
    if enough <= measured.ready {
        let reason = Backlog::Covered {
            wanted: Instances(enough),
            backlog: Messages(backlog),
            within_seconds: horizon.due,
            each,
        };
        return Demand::new(enough, reason);
    }
    let running = f64::from(measured.ready) * each;
    let booting = seen.desired.saturating_sub(measured.ready);
    let mut coming = Coming {
        needed: 0,
        starts: 0.0,
    };
    coming.count(backlog as f64 - running, (seen, measured, history), horizon);
    let missing = backlog as f64 - running - coming.starts;
    let more = whole_instances((missing / worker.starts_within(horizon.useful)).max(0.0));
    let wanted = measured
        .ready
        .saturating_add(coming.needed)
        .saturating_add(more);
    let by_then = messages(running + coming.starts);
    let reason = if horizon.late {
        Backlog::Late {
            wanted: Instances(wanted),
            due: Messages(seen.visible),
            waited_seconds: measured.waited,
            within_seconds: horizon.due,
        }
    } else if more == 0 {
        Backlog::Coming {
            wanted: Instances(wanted),
            due: Messages(backlog),
            within_seconds: horizon.due,
            running: Instances(measured.ready),
            booting: Instances(booting),
        }
    } else {
        Backlog::Due {
            wanted: Instances(wanted),
            due: Messages(backlog),
            within_seconds: horizon.due,
            running: Instances(measured.ready),
            booting: Instances(booting),
            started_by_then: by_then,
        }
    };
    Demand::new(wanted, reason)
}

/// Capacity on its way that the backlog needs.
struct Coming {
    needed: u32,
    starts: f64,
}

impl Coming {
    /// Counts booting instances, soonest first, until `missing` messages are covered. One not yet
    /// launched has its whole boot before it.
    fn count(
        &mut self,
        missing: f64,
        (seen, measured, history): (&Seen, &Measured, &History),
        horizon: Horizon,
    ) {
        let worker = &measured.worker;
        let mut left = seen.desired.saturating_sub(measured.ready);
        let unlaunched = seen.desired.saturating_sub(seen.launched());
        let mut launched = left.saturating_sub(unlaunched);
        let mut take = |n: u32, boots_for: f64| {
            let useful = (horizon.due - boots_for).max(horizon.useful);
            let each = worker.starts_within(useful);
            let n = n
                .min(left)
                .min(whole_instances(((missing - self.starts) / each).max(0.0)));
            self.needed = self.needed.saturating_add(n);
            self.starts += f64::from(n) * each;
            left -= n;
        };
        // The latest launches are the ones that still boot; of them the earliest is ready first.
        let mut young: Vec<(f64, u32)> = Vec::new();
        for (at, n) in history.launches.iter().rev() {
            let n = (*n).min(launched);
            launched -= n;
            young.push((*at, n));
        }
        for (at, n) in young.into_iter().rev() {
            take(n, (worker.boot - (seen.at - at)).max(0.0));
        }
        take(u32::MAX, worker.boot);
    }
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

/// Little's law: arrivals keep `rate × service time` slots busy. Less than one instance's worth is
/// left to the backlog, or a mean that fades would keep the last instance for ever.
fn arrivals(seen: &Seen, measured: &Measured) -> Option<Demand> {
    let worker = &measured.worker;
    let busy = measured.arrivals * worker.service / worker.slots;
    if busy <= 1.0 {
        return None;
    }
    let wanted = sticky(busy, seen.desired);
    let reason = Need::ArrivalRate {
        wanted: Instances(wanted),
        arrivals_per_second: measured.arrivals,
        service_seconds: worker.service,
        slots: worker.slots,
    };
    Some(Demand::new(wanted, reason))
}

/// What runs keeps its instances; it never asks for more than work.
fn occupied(seen: &Seen, measured: &Measured) -> Option<Demand> {
    let needed = sticky(seen.in_flight as f64 / measured.worker.slots, seen.desired);
    let wanted = needed.min(measured.ready);
    let reason = Need::Occupied {
        wanted: Instances(wanted),
        in_flight: Messages(seen.in_flight),
        slots: measured.worker.slots,
    };
    (wanted > 0).then(|| Demand::new(wanted, reason))
}

/// Whole instances for a load, where the present size is left only for one that is clear of the
/// load: a load that hovers about a whole number would start and end an instance for ever.
fn sticky(load: f64, present: u32) -> u32 {
    const CLEAR: f64 = 0.25;
    let least = whole_instances(load);
    if least == 0 {
        return 0;
    }
    least.max(whole_instances(load + CLEAR).min(present))
}

fn messages(x: f64) -> Messages {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and NaN becomes 0"
    )]
    let n = x.floor() as u64;
    Messages(n)
}
