//! What must be there before the work that will come is known?
//!
//! Owns the decision to look ahead. Only an objective that is shorter than the reaction time needs
//! it: with more time than that, work is answered when it has come, and capacity ordered ahead is
//! idle whenever it does not. A forecast may raise capacity, never lower it.

use super::demand::Demand;
use super::history::History;
use super::measure::{Measured, Worker};
use super::rehearse::{Choice, Look};
use super::trust::Seen;
use crate::model::{Instances, Stage};
use crate::policy::{Forecast, Policy};
use crate::reason::Foresight;

/// The look that sees, the look that misses, and half a look's doubt: an objective of the boot and
/// so many looks can be kept by answering alone.
const LOOKS: f64 = 2.5;

/// The demand, or the size that the followed rule calls for where that is more.
pub(super) fn forecast(
    policy: &Policy,
    seen: &Seen,
    measured: &Measured,
    history: &mut History,
    demand: Demand,
) -> Demand {
    let worker = &measured.worker;
    let Some((objective, late_max)) = ahead_of(policy, worker) else {
        return demand;
    };
    let look = Look {
        at: seen.at,
        elapsed: measured.elapsed,
        arrived: measured.arrived,
        visible: seen.visible as f64,
        objective,
        service: worker.service,
        slots: worker.slots,
        boot: worker.boot,
        lead: worker.lead(),
        max: policy.fleet.max.0,
    };
    let rehearsal = history.rehearsal.get_or_insert_default();
    match rehearsal.advance(&look, late_max) {
        Some(choice) if choice.wanted > demand.wanted => ahead(&choice, worker),
        _ => demand,
    }
}

/// The shortest objective that answering alone cannot keep, in seconds, and the share that may be
/// late; `None` where nothing is done ahead.
pub(super) fn ahead_of(policy: &Policy, worker: &Worker) -> Option<(f64, f64)> {
    if policy.forecast == Forecast::Off {
        return None;
    }
    let reaction = worker.boot + LOOKS * worker.interval;
    policy
        .queues
        .iter()
        .map(|queue| queue.objective)
        .filter(|objective| objective.start_within.0 < reaction)
        .map(|objective| (objective.start_within.0, 1.0 - objective.percentile / 100.0))
        .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))
}

fn ahead(choice: &Choice, worker: &Worker) -> Demand {
    Demand {
        wanted: choice.wanted,
        stage: Stage::Forecast,
        reason: Foresight::Ahead {
            wanted: Instances(choice.wanted),
            arrivals_per_second: choice.per_second,
            method: choice.method,
            mean_over_seconds: choice.span,
            headroom: choice.rule.headroom,
            kept_seconds: choice.keep,
            boot_seconds: worker.boot,
            late_share: choice.late_share,
        }
        .into(),
    }
}
