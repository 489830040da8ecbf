//! How closely supply followed demand: SPEC's elasticity metrics.
//!
//! By N. Herbst et al., "Ready for Rain? A View from SPEC Research on the Future of Cloud
//! Metrics", SPEC-RG-2016-01, section on elasticity. Secondary figures: with time to wait, fewer
//! instances than needed at a moment are no fault as long as messages start in time. It must not
//! know where either curve is from.

use std::cmp::Ordering;

/// Demand and supply at the same moments, equally far apart.
#[derive(Clone, Copy, Debug)]
pub struct Curves<'a> {
    /// The fewest instances that will do. Rounded up, since a fleet comes in whole ones.
    pub needed: &'a [f64],
    /// Instances that were there.
    pub supplied: &'a [f64],
}

/// SPEC's metrics, in parts and not in percent. All are 0 where supply equals demand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Elasticity {
    /// Accuracy, theta under: instances missing in parts of those needed, the mean over time;
    /// 0 to 1.
    pub under_share: f64,
    /// Accuracy, theta over: instances too many in parts of those needed, the mean over time;
    /// 0 or more. Where none is needed, in parts of one.
    pub over_share: f64,
    /// Timeshare, tau under: how much of the time there were fewer than needed; 0 to 1.
    pub under_time: f64,
    /// Timeshare, tau over: how much of the time there were more than needed; 0 to 1.
    pub over_time: f64,
    /// Instability, nu: how often supply moved another way than demand from one moment to the
    /// next; 0 to 1.
    pub instability: f64,
}

/// The metrics of a supply. Moments of which one curve knows nothing do not count; of no moments,
/// all are 0.
pub fn of(curves: &Curves<'_>) -> Elasticity {
    let moments: Vec<(f64, f64)> = (curves.needed.iter())
        .zip(curves.supplied)
        .map(|(needed, supplied)| (whole(*needed), *supplied))
        .collect();
    let mean = |of: fn(f64, f64) -> f64| {
        let sum: f64 = moments
            .iter()
            .map(|(needed, supplied)| of(*needed, *supplied))
            .sum();
        sum / moments.len().max(1) as f64
    };
    Elasticity {
        under_share: mean(|needed, supplied| (needed - supplied).max(0.0) / needed.max(1.0)),
        over_share: mean(|needed, supplied| (supplied - needed).max(0.0) / needed.max(1.0)),
        under_time: mean(|needed, supplied| f64::from(u8::from(supplied < needed))),
        over_time: mean(|needed, supplied| f64::from(u8::from(supplied > needed))),
        instability: instability(&moments),
    }
}

/// The share of moves, from each moment to the next, in which the curves' signs differ.
fn instability(moments: &[(f64, f64)]) -> f64 {
    let differ = |pair: &&[(f64, f64)]| {
        let (needed, supplied) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        sign(needed) != sign(supplied)
    };
    let moves = moments.windows(2);
    moves.clone().filter(differ).count() as f64 / moves.len().max(1) as f64
}

/// Whole instances that are at least so many; a trace of rounding is not one more.
fn whole(instances: f64) -> f64 {
    const ROUNDING: f64 = 1e-6;
    (instances - ROUNDING).ceil().max(0.0)
}

fn sign(change: f64) -> Option<Ordering> {
    change.partial_cmp(&0.0)
}
