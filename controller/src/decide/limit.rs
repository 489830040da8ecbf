//! What do the policy's limits allow?
//!
//! Owns schedule, bounds, budget, shortage and step, in this order: what may be bought, then what
//! can be had; the step comes last, so that no other limit can make the fleet jump. Each leaves a
//! reason only when it bites.

use jiff::Timestamp;

use super::history::History;
use super::measure::Worker;
use super::shortage;
use super::trust::Seen;
use crate::model::{Instances, Stage, Step};
use crate::policy::{Policy, Scheduled, StepLimit};
use crate::reason::Limit;

/// Seconds in one of the budget's buckets. What is left of the budget must also last so long at
/// the size that is allowed: the fleet lands softly, and a round that comes late overdraws nothing.
const BUCKET: f64 = 900.0;
/// Buckets of 24 hours, and the one that is being filled.
const BUCKETS: i64 = 97;

/// What limit is asked.
pub(super) struct Asked<'a> {
    pub(super) policy: &'a Policy,
    pub(super) seen: &'a Seen,
    pub(super) worker: Worker,
    pub(super) wanted: u32,
}

/// The size that all limits allow.
pub(super) fn limit(asked: &Asked<'_>, history: &mut History, trail: &mut Vec<Step>) -> u32 {
    let Asked {
        policy,
        seen,
        wanted,
        ..
    } = *asked;
    let size = floor(policy, Some(seen.at), wanted, trail);
    let size = ceiling(policy, size, trail);
    let size = budget(policy, seen.at, size, history, trail);
    let size = available(asked, size, history, trail);
    step(policy, seen.desired, size, trail)
}

/// For an observation in doubt: minima still hold, nothing shrinks.
pub(super) fn raise_only(
    policy: &Policy,
    present: u32,
    at: Option<f64>,
    trail: &mut Vec<Step>,
) -> u32 {
    let size = floor(policy, at, present, trail);
    step(policy, present, size, trail)
}

/// The highest minimum of the moment above `size`, and the window it is of, if it is not the
/// fleet's own. Clocks are only asked about windows that could matter.
fn minimum(policy: &Policy, at: Option<f64>, size: u32) -> Option<(u32, Option<&Scheduled>)> {
    let min = policy.fleet.min.0;
    let mut most = (size < min).then_some((min, None));
    for window in &policy.schedule {
        let min = window.min.min(policy.fleet.max).0;
        let above = min > most.map_or(size, |(most, _)| most);
        if above && at.is_some_and(|at| is_open(window, at)) {
            most = Some((min, Some(window)));
        }
    }
    most
}

fn floor(policy: &Policy, at: Option<f64>, wanted: u32, trail: &mut Vec<Step>) -> u32 {
    let Some((min, window)) = minimum(policy, at, wanted) else {
        return wanted;
    };
    let (wanted, allowed) = (Instances(wanted), Instances(min));
    let reason = match window {
        Some(window) => Limit::ScheduleMin {
            wanted,
            allowed,
            cron: window.cron.as_str().to_owned(),
        },
        None => Limit::FleetMin { wanted, allowed },
    };
    say(trail, reason);
    min
}

fn ceiling(policy: &Policy, size: u32, trail: &mut Vec<Step>) -> u32 {
    let max = policy.fleet.max.0;
    if size > max {
        say(
            trail,
            Limit::FleetMax {
                wanted: Instances(size),
                allowed: Instances(max),
            },
        );
    }
    size.min(max)
}

/// No more than can be had: growth stops where capacity does not come. No shortage stops a minimum
/// from being asked for.
fn available(asked: &Asked<'_>, size: u32, history: &mut History, trail: &mut Vec<Step>) -> u32 {
    let seen = asked.seen;
    let look = shortage::Asked {
        at: seen.at,
        present: seen.desired,
        running: seen.in_service,
        wanted: size,
        boot: asked.worker.boot,
        interval: asked.worker.interval,
    };
    let Some(short) = shortage::breaker(&look, &mut history.shortage) else {
        return size;
    };
    let least = minimum(asked.policy, Some(seen.at), short.allowed).map_or(0, |(min, _)| min);
    if least >= size {
        return size;
    }
    let allowed = short.allowed.max(least);
    say(trail, short.reason(size, allowed));
    allowed
}

/// Open from a firing until the window's length has passed; the window's own time zone decides,
/// through daylight-saving changes. A time outside the calendar opens nothing.
fn is_open(window: &Scheduled, at: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
    let Ok(now) = Timestamp::from_millisecond((at * 1000.0) as i64) else {
        return false;
    };
    let now = now.to_zoned(window.timezone.clone());
    window
        .cron
        .find_previous_occurrence(&now, true)
        .is_ok_and(|fired| {
            now.timestamp()
                .duration_since(fired.timestamp())
                .as_secs_f64()
                < window.open_for.0
        })
}

/// What is left of the budget for the last 24 hours carries so many for a quarter of an hour. The
/// fleet's min is inside the budget by the policy's word.
fn budget(policy: &Policy, at: f64, size: u32, history: &History, trail: &mut Vec<Step>) -> u32 {
    let Some(budget_hours) = policy.instance_hours_per_day else {
        return size;
    };
    let used_hours = used_hours(at, history);
    let carried = (budget_hours - used_hours).max(0.0) * 3600.0 / BUCKET;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and NaN becomes 0"
    )]
    let allowed = (carried.floor() as u32).max(policy.fleet.min.0);
    if allowed >= size {
        return size;
    }
    say(
        trail,
        Limit::BudgetLimited {
            wanted: Instances(size),
            allowed: Instances(allowed),
            used_hours,
            budget_hours,
        },
    );
    allowed
}

/// Instance-hours booked for the last 24 hours.
pub(super) fn used_hours(at: f64, history: &History) -> f64 {
    let oldest = bucket(at).saturating_sub(BUCKETS);
    let young = history.used.iter().filter(|(when, _)| *when > oldest);
    young.map(|(_, hours)| hours).sum()
}

/// Books what was paid for since the last look, budget or none: what a day costs is always told.
pub(super) fn book(seen: &Seen, history: &mut History) {
    let Some(last) = history.last else {
        return;
    };
    let elapsed = (seen.at - last.at).clamp(0.0, 86_400.0);
    let hours = f64::from(last.billed) * elapsed / 3600.0;
    let now = bucket(seen.at);
    match history.used.back_mut() {
        Some((when, booked)) if *when == now => *booked += hours,
        _ if hours > 0.0 => history.used.push_back((now, hours)),
        _ => {} // an idle fleet's history stays as small as it is
    }
    let oldest = now.saturating_sub(BUCKETS);
    history
        .used
        .retain(|(when, hours)| *when > oldest && *when <= now && hours.is_finite());
}

fn bucket(at: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
    let index = (at / BUCKET).floor() as i64;
    index
}

fn step(policy: &Policy, present: u32, size: u32, trail: &mut Vec<Step>) -> u32 {
    let up = most(policy.scale_out, present);
    let down = most(policy.scale_in, present);
    let allowed = size.clamp(present.saturating_sub(down), present.saturating_add(up));
    if allowed != size {
        say(
            trail,
            Limit::StepLimited {
                wanted: Instances(size),
                allowed: Instances(allowed),
            },
        );
    }
    allowed
}

/// Instances one round may add or take. A percentage is of the present size, rounded down, and 1
/// at least.
fn most(limit: StepLimit, present: u32) -> u32 {
    match limit {
        StepLimit::Unlimited => u32::MAX,
        StepLimit::Count(count) => count.0,
        StepLimit::Percent(percent) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "float casts saturate"
            )]
            let part = (f64::from(present) * percent / 100.0).floor() as u32;
            part.max(1)
        }
    }
}

fn say(trail: &mut Vec<Step>, reason: Limit) {
    trail.push(Step {
        step: Stage::Limit,
        reason: reason.into(),
    });
}
