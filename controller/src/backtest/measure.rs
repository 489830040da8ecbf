//! A run's figures, and what happened when, as the outcome has them.
//!
//! Owns how looks and waits become shares, hours and series. It must not run anything.

use super::elasticity::{self, Curves, Elasticity};
use super::history::Actual;
use super::outcome::{RowSeries, ScoreShape, Series};
use crate::sim::{Load, Score};

/// What a run is measured by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Yardstick<'a> {
    /// Messages are to start within this.
    pub(super) objective_seconds: f64,
    /// The share that may start later, 0 to 1.
    pub(super) late_share_max: f64,
    /// Instance-hours of the bound that costs are told over.
    pub(super) bound_hours: f64,
    /// Of an instance-hour.
    pub(super) price_per_hour: Option<f64>,
    /// Instances the clairvoyant uses.
    pub(super) needed: Curve<'a>,
}

/// Instances over time, in steps of equal length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve<'a> {
    /// A step's length.
    pub(super) step_seconds: f64,
    /// Instances in each step.
    pub(super) instances: &'a [f64],
}

impl Curve<'_> {
    /// The mean from one moment to a later one; beyond its end nobody is needed.
    fn mean(&self, from: f64, until: f64) -> f64 {
        let (first, last) = (whole(from / self.step_seconds), until / self.step_seconds);
        let mut sum = 0.0;
        let mut step = first;
        while (step as f64) < last {
            let begin = (step as f64).max(from / self.step_seconds);
            let end = ((step + 1) as f64).min(last);
            sum += self.instances.get(step).copied().unwrap_or(0.0) * (end - begin);
            step += 1;
        }
        sum * self.step_seconds / (until - from)
    }
}

/// A run's figures.
pub(super) fn score(run: Score, by: &Yardstick<'_>) -> ScoreShape {
    let late_share = run.late_share(by.objective_seconds);
    let looks = run.looks.len().max(1) as f64;
    let waiting = run.looks.iter().map(|look| look.waiting);
    let in_service: Vec<f64> = (run.looks.iter())
        .map(|look| f64::from(look.in_service))
        .collect();
    let supplied = Curve {
        step_seconds: run.interval_seconds,
        instances: &in_service,
    };
    let elasticity = elasticity(supplied, by.needed);
    let lived_seconds = run.lived_hours * 3600.0;
    let score = ScoreShape {
        instance_hours: run.billed_hours,
        cost: by.price_per_hour.map(|price| price * run.billed_hours),
        over_bound: over(run.billed_hours, by.bound_hours),
        over_work: over(run.billed_hours, run.work_hours),
        late_share: Some(late_share),
        keeps_objective: Some(late_share <= by.late_share_max),
        backlog_max: waiting.clone().max().unwrap_or(0),
        backlog_mean: waiting.sum::<u64>() as f64 / looks,
        launches: run.launches,
        peak_instances: run.peak_instances,
        instance_life_seconds_mean: lived_seconds / f64::from(run.launches.max(1)),
        boot_hours: run.boot_hours,
        idle_hours: (run.billed_hours - run.boot_hours - run.work_hours).max(0.0),
        under_provisioned_share: elasticity.under_share,
        over_provisioned_share: elasticity.over_share,
        under_provisioned_time: elasticity.under_time,
        over_provisioned_time: elasticity.over_time,
        instability: elasticity.instability,
        ..ScoreShape::default()
    };
    let [p50, p95, p99, max] = run.into_wait_percentiles([50, 95, 99, 100]);
    ScoreShape {
        wait_p50_seconds: Some(p50),
        wait_p95_seconds: Some(p95),
        wait_p99_seconds: Some(p99),
        wait_max_seconds: Some(max),
        ..score
    }
}

/// A quotient; nothing is never its divisor.
pub(super) fn over(hours: f64, least: f64) -> Option<f64> {
    (least > 0.0).then(|| hours / least)
}

fn elasticity(supplied: Curve<'_>, needed: Curve<'_>) -> Elasticity {
    let moment = |n: usize| n as f64 * supplied.step_seconds;
    let needed: Vec<f64> = (0..supplied.instances.len())
        .map(|n| needed.mean(moment(n), moment(n + 1)))
        .collect();
    elasticity::of(&Curves {
        needed: &needed,
        supplied: supplied.instances,
    })
}

/// The figures of what really happened, as far as they are known.
pub(super) fn actual_score(actual: &Actual, by: &Yardstick<'_>) -> ScoreShape {
    let in_service: Vec<f64> = actual.in_service.iter().map(|n| n.unwrap_or(0.0)).collect();
    let supplied = Curve {
        step_seconds: actual.period_seconds,
        instances: &in_service,
    };
    let elasticity = elasticity(supplied, by.needed);
    let waits = actual.waits.as_ref();
    let percentile = |n: usize| waits.map(|waits| waits.percentiles[n]);
    let late_share = waits.map(|waits| waits.late_share);
    let idle_hours = actual.instance_hours - actual.boot_hours - actual.work_hours;
    ScoreShape {
        instance_hours: actual.instance_hours,
        cost: by.price_per_hour.map(|price| price * actual.instance_hours),
        over_bound: over(actual.instance_hours, by.bound_hours),
        over_work: over(actual.instance_hours, actual.work_hours),
        late_share,
        keeps_objective: late_share.map(|share| share <= by.late_share_max),
        wait_p50_seconds: percentile(0),
        wait_p95_seconds: percentile(1),
        wait_p99_seconds: percentile(2),
        wait_max_seconds: percentile(3),
        backlog_max: whole(actual.backlog_max) as u64,
        backlog_mean: actual.backlog_mean,
        launches: actual.launches,
        peak_instances: actual.peak_instances,
        instance_life_seconds_mean: actual.instance_hours * 3600.0
            / f64::from(actual.launches.max(1)),
        boot_hours: actual.boot_hours,
        idle_hours: idle_hours.max(0.0),
        under_provisioned_share: elasticity.under_share,
        over_provisioned_share: elasticity.over_share,
        under_provisioned_time: elasticity.under_time,
        over_provisioned_time: elasticity.over_time,
        instability: elasticity.instability,
    }
}

/// What really happened, on the charts' grid.
pub(super) fn actual_series(actual: &Actual, grid: &Series) -> RowSeries {
    let steps = grid.arrivals_per_second.len();
    let at = |step: usize| {
        let per_step = grid.step_seconds / actual.period_seconds;
        let first = whole(step as f64 * per_step);
        first..whole((step + 1) as f64 * per_step).max(first + 1)
    };
    let most = |column: &[Option<f64>], step: usize| -> Option<f64> {
        let values = at(step).filter_map(|period| column.get(period).copied().flatten());
        values.reduce(f64::max)
    };
    let mean = |column: &[Option<f64>], step: usize| {
        let values: Vec<f64> = at(step)
            .filter_map(|period| column.get(period).copied().flatten())
            .collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let longest = actual.waits.as_ref().map(|waits| waits.longest.as_slice());
    RowSeries {
        instances: (0..steps)
            .map(|step| mean(&actual.instances, step))
            .collect(),
        backlog: (0..steps)
            .map(|step| most(&actual.backlog, step).unwrap_or(0.0))
            .collect(),
        wait_seconds: (0..steps)
            .map(|step| most(longest.unwrap_or_default(), step))
            .collect(),
    }
}

/// The most steps a chart is given.
const STEPS_MAX: f64 = 2000.0;

/// Steps a person reads easily: minutes, quarters and hours.
const STEPS_SECONDS: [f64; 12] = [
    15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0,
];

/// The charts' grid for something that lasts so long, with arrivals and need on it.
pub(super) fn series(load: &Load, needed: Curve<'_>) -> Series {
    let is_enough = |step: &&f64| load.seconds / **step <= STEPS_MAX;
    let step_seconds = (STEPS_SECONDS.iter().find(is_enough).copied())
        .unwrap_or_else(|| (load.seconds / STEPS_MAX / 86_400.0).ceil() * 86_400.0);
    let steps = whole((load.seconds / step_seconds).ceil());
    let mut arrivals_per_second = vec![0.0; steps];
    for at in &load.arrivals {
        if let Some(step) = arrivals_per_second.get_mut(whole(at / step_seconds)) {
            *step += 1.0 / step_seconds;
        }
    }
    let step = |n: usize| n as f64 * step_seconds;
    Series {
        step_seconds,
        needed: (0..steps)
            .map(|n| needed.mean(step(n), step(n + 1)))
            .collect(),
        arrivals_per_second,
        rows: Vec::new(),
    }
}

/// What a run did, on the charts' grid.
pub(super) fn row_series(run: &Score, load: &Load, grid: &Series) -> RowSeries {
    let steps = grid.arrivals_per_second.len();
    let mut row = RowSeries {
        instances: vec![0.0; steps],
        backlog: vec![0.0; steps],
        wait_seconds: vec![None; steps],
    };
    let mut looks = vec![0_u32; steps];
    for (n, look) in run.looks.iter().enumerate() {
        let step = whole(n as f64 * run.interval_seconds / grid.step_seconds);
        if step < steps {
            row.instances[step] += f64::from(look.billed);
            row.backlog[step] = row.backlog[step].max(look.waiting as f64);
            looks[step] += 1;
        }
    }
    for (instances, looks) in row.instances.iter_mut().zip(looks) {
        *instances /= f64::from(looks.max(1));
    }
    for (at, wait) in load.arrivals.iter().zip(run.waits()) {
        if let Some(longest) = row.wait_seconds.get_mut(whole(at / grid.step_seconds)) {
            let wait = f64::from(*wait);
            *longest = Some(longest.map_or(wait, |longest: f64| longest.max(wait)));
        }
    }
    row
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and NaN becomes 0"
)]
fn whole(x: f64) -> usize {
    x as usize
}
