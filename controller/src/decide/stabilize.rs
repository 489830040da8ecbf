//! Is it too early to let capacity go?
//!
//! Owns the hold: spare capacity is kept for as long as starting it again would cost (ski
//! rental), booting instances are not cancelled, and zero takes a second look. It never raises
//! above what there is, and never stops growth.

use super::history::History;
use super::measure::{Measured, Worker};
use super::trust::Seen;
use crate::model::{Instances, Stage, Step};
use crate::policy::{Hold, Policy};
use crate::reason::Steadiness;

/// EC2 bills a minute at least.
const HOLD_MIN: f64 = 60.0;

/// What stabilize is asked.
pub(super) struct Asked<'a> {
    pub(super) policy: &'a Policy,
    pub(super) seen: &'a Seen,
    pub(super) measured: &'a Measured,
    pub(super) wanted: u32,
}

/// The size that is wanted once what may not go yet is kept.
pub(super) fn stabilize(asked: &Asked<'_>, history: &mut History, trail: &mut Vec<Step>) -> u32 {
    let Asked {
        policy,
        seen,
        measured,
        wanted,
    } = *asked;
    let hold = hold(policy, &measured.worker);
    watch(
        seen,
        hold.max(4.0 * measured.worker.interval).max(HOLD_MIN),
        history,
    );
    history.note_demand(seen.at, wanted);
    let present = seen.desired;
    if wanted >= present {
        return wanted;
    }
    let mut say = |reason: Steadiness| {
        trail.push(Step {
            step: Stage::Stabilize,
            reason: reason.into(),
        });
    };
    let mut allowed = wanted;
    let watched = history.watched_since.map_or(0.0, |since| seen.at - since);
    let recent = history.demand_max(seen.at, hold);
    if watched < hold {
        allowed = present;
        say(Steadiness::HoldYoung {
            wanted: Instances(wanted),
            allowed: Instances(allowed),
            for_seconds: watched,
            hold_seconds: hold,
        });
    } else if let Some((at, most)) = recent.filter(|(_, most)| *most > wanted) {
        allowed = most.min(present);
        say(Steadiness::HoldRecent {
            wanted: Instances(wanted),
            allowed: Instances(allowed),
            seconds_ago: seen.at - at,
            hold_seconds: hold,
        });
    }
    let booting = seen.pending.min(present);
    if booting > allowed {
        say(Steadiness::BootingKept {
            wanted: Instances(allowed),
            allowed: Instances(booting),
        });
        allowed = booting;
    }
    if allowed == 0 && !history.is_surely_empty() {
        say(Steadiness::ZeroUnconfirmed {
            wanted: Instances(0),
            allowed: Instances(1),
        });
        allowed = 1;
    }
    allowed
}

/// How long spare capacity is kept. What a restart costs is its billed boot; it must also outlast
/// the boot and the look after it, or a decision could cancel the capacity an earlier one ordered.
fn hold(policy: &Policy, worker: &Worker) -> f64 {
    match policy.hold {
        Hold::For(hold) => hold.0,
        Hold::Auto => worker.lead().max(HOLD_MIN),
    }
}

/// After a gap, as with a history that has just begun, nothing is known of the hold.
fn watch(seen: &Seen, gap_max: f64, history: &mut History) {
    let gap = history.last.map_or(f64::INFINITY, |last| seen.at - last.at);
    if gap > gap_max || history.watched_since.is_none_or(|since| since > seen.at) {
        history.watched_since = Some(seen.at);
        history.demands.clear();
    }
}
