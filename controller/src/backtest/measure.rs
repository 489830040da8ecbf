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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::history::Waits;
    use crate::model::Observation;
    use crate::sim::testing::setup;
    use crate::sim::{Scaler, Setup, run};

    /// Two instances at all times.
    struct Two;

    impl Scaler for Two {
        fn size(&mut self, _: &Observation) -> u32 {
            2
        }
    }

    /// Five messages at once, each a job of ten minutes, and nothing for the rest of an hour.
    fn burst() -> (Setup, Load, Score) {
        let load = Load {
            seconds: 3600.0,
            arrivals: vec![300.0; 5],
            service_seconds: vec![600.0; 5],
        };
        let score = run(&setup(), &load, &mut Two);
        (setup(), load, score)
    }

    /// One instance needed in the first half hour, none in the second.
    const NEEDED: Curve<'_> = Curve {
        step_seconds: 1800.0,
        instances: &[1.0, 0.0],
    };

    fn yardstick() -> Yardstick<'static> {
        Yardstick {
            objective_seconds: 60.0,
            late_share_max: 0.01,
            bound_hours: 0.5,
            price_per_hour: Some(2.0),
            needed: NEEDED,
        }
    }

    #[test]
    fn a_run_is_measured_in_hours_shares_and_waits() {
        let (_, _, run) = burst();
        let score = score(run, &yardstick());
        // Two instances for an hour; four jobs run at once, the fifth waits ten minutes for a slot.
        assert!((score.instance_hours - 2.0).abs() < 1e-9, "{score:?}");
        assert_eq!(score.cost, Some(4.0));
        assert_eq!(score.over_bound, Some(4.0));
        assert_eq!(score.late_share, Some(0.2));
        assert_eq!(score.keeps_objective, Some(false));
        assert_eq!(score.wait_p50_seconds, Some(0.0));
        assert_eq!(score.wait_max_seconds, Some(600.0));
        assert_eq!((score.backlog_max, score.launches), (1, 2));
        // Two boots of two minutes; fifty minutes of jobs in slots of half an instance.
        let (boot, work) = (4.0 / 60.0, 25.0 / 60.0);
        assert!((score.boot_hours - boot).abs() < 1e-9);
        assert!(
            (score.idle_hours - (2.0 - boot - work)).abs() < 1e-6,
            "{score:?}"
        );
        // Two where one is needed for half of the time and none for the other, but for the boot.
        assert!(score.under_provisioned_time > 0.0 && score.under_provisioned_time < 0.05);
        assert!(score.over_provisioned_time > 0.95, "{score:?}");
    }

    #[test]
    fn charts_show_each_step_as_it_was() {
        let (_, load, run) = burst();
        let grid = series(&load, NEEDED);
        let step = |minute: f64| whole(minute * 60.0 / grid.step_seconds);
        let row = row_series(&run, &load, &grid);
        assert!((grid.needed[step(29.0)] - 1.0).abs() < 1e-9);
        assert!(grid.needed[step(31.0)].abs() < 1e-9);
        let arrived: f64 = grid.arrivals_per_second.iter().sum::<f64>() * grid.step_seconds;
        assert!((arrived - 5.0).abs() < 1e-9);
        assert_eq!(row.instances[step(30.0)].to_bits(), 2.0_f64.to_bits());
        assert_eq!(row.backlog[step(10.0)].to_bits(), 1.0_f64.to_bits());
        assert_eq!(row.backlog[step(20.0)].to_bits(), 0.0_f64.to_bits());
        assert_eq!(row.wait_seconds[step(5.0)], Some(600.0));
        assert_eq!(row.wait_seconds[step(6.0)], None);
    }

    #[test]
    fn what_happened_is_measured_alike_and_unknown_waits_stay_unknown() {
        let mut actual = Actual {
            period_seconds: 60.0,
            instances: vec![Some(3.0); 60],
            in_service: vec![Some(2.0); 60],
            backlog: vec![Some(7.0); 60],
            instance_hours: 3.0,
            boot_hours: 0.25,
            work_hours: 1.0,
            launches: 4,
            peak_instances: 3,
            backlog_max: 7.0,
            backlog_mean: 7.0,
            waits: None,
            oldest_age_seconds_max: None,
        };
        let score = actual_score(&actual, &yardstick());
        assert_eq!((score.over_bound, score.over_work), (Some(6.0), Some(3.0)));
        assert_eq!((score.late_share, score.keeps_objective), (None, None));
        assert!((score.idle_hours - 1.75).abs() < 1e-9);
        actual.waits = Some(Waits {
            late_share: 0.005,
            late_share_range: [0.0, 0.01],
            percentiles: [1.0, 2.0, 3.0, 4.0],
            longest: vec![Some(4.0); 60],
        });
        let score = actual_score(&actual, &yardstick());
        assert_eq!(score.keeps_objective, Some(true));
        assert_eq!(score.wait_p99_seconds, Some(3.0));
        let (_, load, _) = burst();
        let row = actual_series(&actual, &series(&load, NEEDED));
        assert_eq!(row.instances[10].to_bits(), 3.0_f64.to_bits());
        assert_eq!(row.backlog[10].to_bits(), 7.0_f64.to_bits());
        assert_eq!(row.wait_seconds[10], Some(4.0));
    }
}
