//! Outcomes to show and to test the page with, made from one seed by a coarse model.
//!
//! Owns made-up figures that look like real ones. It must not be mistaken for a simulation: that
//! is `sim`'s.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::LazyLock;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::backtest::outcome::{
    BoundShape, Frontier, FrontierPoint, ObjectiveShape, Outcome, Row, RowSeries, ScoreShape,
    Series, Setting, SetupShape, TraceShape, VERSION,
};

const STEP_SECONDS: f64 = 300.0;
const DAY_SECONDS: f64 = 86_400.0;
/// Messages an instance gets through in a second.
const PER_INSTANCE: f64 = 0.125;
/// The group's bound.
const INSTANCES_MAX: u32 = 150;
const OBJECTIVE_SECONDS: f64 = 300.0;
const PERCENTILE: f64 = 98.0;

/// A scaler of the coarse model: it follows the need late, with a margin.
struct Follower {
    scaler: &'static str,
    variant: Option<&'static str>,
    setting: Setting,
    parameters: &'static [(&'static str, f64)],
    /// How many steps late it grows.
    lag: usize,
    /// How many steps it keeps what it no longer needs.
    hold: usize,
    /// Of the need.
    margin: f64,
}

const fn follower(scaler: &'static str, setting: Setting, lag: usize, hold: usize) -> Follower {
    Follower {
        scaler,
        variant: None,
        setting,
        parameters: &[],
        lag,
        hold,
        margin: 1.0,
    }
}

const FOLLOWERS: [Follower; 11] = [
    Follower {
        margin: 1.1,
        ..follower("weir", Setting::Policy, 1, 3)
    },
    Follower {
        parameters: &[("target", 150.0)],
        margin: 0.9,
        ..follower("target tracking", Setting::Documented, 2, 6)
    },
    Follower {
        parameters: &[("target", 31.5)],
        margin: 1.35,
        ..follower("target tracking", Setting::Tuned, 1, 9)
    },
    Follower {
        variant: Some("visible and in flight"),
        parameters: &[("target", 12.0)],
        margin: 1.3,
        ..follower("target tracking", Setting::Tuned, 1, 8)
    },
    Follower {
        parameters: &[("queue_length", 5.0), ("cooldown_seconds", 300.0)],
        margin: 1.6,
        ..follower("KEDA", Setting::Documented, 1, 12)
    },
    Follower {
        variant: Some("behavior block"),
        parameters: &[("queue_length", 22.0), ("cooldown_seconds", 300.0)],
        margin: 1.22,
        ..follower("KEDA", Setting::Tuned, 1, 8)
    },
    Follower {
        parameters: &[("threshold", 100.0), ("cooldown_seconds", 120.0)],
        margin: 1.1,
        ..follower("step scaling", Setting::Documented, 3, 10)
    },
    Follower {
        parameters: &[("target", 20.0)],
        margin: 0.95,
        ..follower("Nomad target-value", Setting::LeastLate, 2, 2)
    },
    Follower {
        margin: 1.25,
        ..follower("agent scaler", Setting::Documented, 1, 4)
    },
    follower("static peak", Setting::Documented, 0, 100_000),
    Follower {
        margin: 1.5,
        ..follower("actual", Setting::Actual, 2, 30)
    },
];

/// A week of thumbnails with a daily wave, quiet days and two crowds, beside ten other rows.
pub fn week() -> Outcome {
    static WEEK: LazyLock<Outcome> = LazyLock::new(make_week);
    WEEK.clone()
}

fn make_week() -> Outcome {
    let arrivals = arrivals(7);
    let needed: Vec<f64> = arrivals.iter().map(|rate| rate / PER_INSTANCE).collect();
    let work_hours = needed.iter().sum::<f64>() * STEP_SECONDS / 3600.0;
    let bound_hours = work_hours * 1.04;
    let mut rows = Vec::new();
    let mut curves = Vec::new();
    for follower in &FOLLOWERS {
        let curve = follow(follower, &arrivals);
        rows.push(row(follower, &arrivals, &curve, bound_hours));
        curves.push(curve);
    }
    Outcome {
        version: VERSION,
        policy: "thumbnails".to_owned(),
        objective: ObjectiveShape {
            start_within_seconds: OBJECTIVE_SECONDS,
            percentile: PERCENTILE,
        },
        trace: trace(&arrivals),
        setup: setup(),
        bound: BoundShape {
            work_hours,
            feasible_hours: bound_hours,
            exact_hours: None,
            peak_instances: needed.iter().copied().fold(0.0, f64::max),
        },
        frontiers: frontiers(&arrivals, bound_hours),
        rows,
        series: Series {
            step_seconds: STEP_SECONDS,
            arrivals_per_second: arrivals,
            needed,
            rows: curves,
        },
        speed: None,
    }
}

/// The week with texts that would be markup, and figures that are no numbers.
pub fn hostile() -> Outcome {
    let text = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><!--\u{2028}'&amp;";
    let mut outcome = week();
    text.clone_into(&mut outcome.policy);
    text.clone_into(&mut outcome.trace.name);
    outcome.trace.notes.push(text.to_owned());
    for row in &mut outcome.rows {
        row.scaler.push_str(text);
        row.variant = Some(text.to_owned());
        row.parameters.insert(text.to_owned(), f64::NAN);
    }
    for frontier in &mut outcome.frontiers {
        frontier.scaler.push_str(text);
    }
    outcome.rows[1].score.over_bound = None;
    outcome.rows[2].score.instance_hours = f64::INFINITY;
    outcome.rows[3].score.late_share = Some(f64::NAN);
    outcome.series.needed[3] = f64::NAN;
    outcome.series.rows.truncate(4);
    outcome
}

/// A trace without dates and without messages: nothing was needed, and nobody waited.
pub fn quiet() -> Outcome {
    let mut outcome = week();
    outcome.trace.starts_at = 0.0;
    outcome.trace.messages = 0;
    outcome.frontiers.clear();
    outcome.series.arrivals_per_second.fill(0.0);
    outcome.series.needed.fill(0.0);
    for row in &mut outcome.rows {
        row.score = ScoreShape::default();
    }
    for curves in &mut outcome.series.rows {
        curves.backlog.fill(0.0);
        curves.wait_seconds.fill(None);
    }
    outcome
}

/// A trace of no steps at all.
pub fn empty() -> Outcome {
    let mut outcome = quiet();
    outcome.trace.seconds = 0.0;
    outcome.series.arrivals_per_second.clear();
    outcome.series.needed.clear();
    outcome.series.rows.clear();
    outcome
}

fn trace(arrivals: &[f64]) -> TraceShape {
    let messages = arrivals.iter().sum::<f64>() * STEP_SECONDS;
    TraceShape {
        name: "week.csv".to_owned(),
        starts_at: 1_782_691_200.0, // a Monday
        seconds: arrivals.len() as f64 * STEP_SECONDS,
        step_seconds: 60.0,
        messages: whole(messages),
        notes: vec!["2 gaps, 35 min in all, were filled with zeros.".to_owned()],
    }
}

fn setup() -> SetupShape {
    SetupShape {
        slots: 4,
        service_seconds_mean: 8.0,
        service: "exponential".to_owned(),
        boot_seconds: 120.0,
        interval_seconds: 30.0,
        min: 0,
        max: INSTANCES_MAX,
        price_per_hour: Some(0.0416),
        seed: 7,
        seeds: 1,
        faults: vec!["Counts are off by up to 10 %.".to_owned()],
    }
}

fn arrivals(days: u32) -> Vec<f64> {
    let mut chance = ChaCha8Rng::seed_from_u64(7);
    let steps = days * 288;
    let step = |n: u32| {
        let seconds = f64::from(n) * STEP_SECONDS;
        let day = (seconds / DAY_SECONDS).floor();
        let wave = 1.0 - (TAU * (seconds / DAY_SECONDS - 0.1)).cos();
        let weekday = if day >= 5.0 { 0.45 } else { 1.0 };
        let crowd = match n {
            700..704 => 9.0,
            1290..1299 => 6.0,
            _ if chance.random_bool(0.02) => chance.random_range(0.3..2.5),
            _ => 0.0,
        };
        let noise = chance.random_range(0.85..1.15);
        ((0.2 + wave * weekday) * noise + crowd).max(0.0)
    };
    (0..steps).map(step).collect()
}

/// Capacity after the need, and what waits meanwhile.
fn follow(follower: &Follower, arrivals: &[f64]) -> RowSeries {
    let need = |n: usize| arrivals[n] / PER_INSTANCE * follower.margin;
    let is_fixed = follower.hold > arrivals.len();
    let peak = (0..arrivals.len()).map(need).fold(0.0, f64::max);
    let mut curve = RowSeries::default();
    let mut waiting: f64 = 0.0;
    for (n, rate) in arrivals.iter().enumerate() {
        let seen = n.saturating_sub(follower.lag);
        let held = seen.saturating_sub(follower.hold)..=seen;
        let work = waiting / (PER_INSTANCE * STEP_SECONDS * 2.0);
        let instances = if is_fixed {
            peak
        } else {
            held.map(need).fold(0.0, f64::max) + work
        };
        let instances = instances.ceil().min(INSTANCES_MAX.into());
        let rate_out = instances * PER_INSTANCE;
        waiting = (waiting + (rate - rate_out) * STEP_SECONDS).max(0.0);
        let is_known = follower.setting != Setting::Actual && *rate > 0.0;
        let wait = waiting / rate_out.max(PER_INSTANCE) + 4.0;
        curve.instances.push(instances);
        curve.backlog.push(waiting.floor());
        curve.wait_seconds.push(is_known.then_some(wait));
    }
    curve
}

fn row(follower: &Follower, arrivals: &[f64], curve: &RowSeries, bound_hours: f64) -> Row {
    let parameters = follower.parameters.iter();
    let parameters = parameters.map(|(name, value)| ((*name).to_owned(), *value));
    Row {
        scaler: follower.scaler.to_owned(),
        setting: follower.setting,
        parameters: parameters.collect(),
        variant: follower.variant.map(str::to_owned),
        score: score(arrivals, curve, bound_hours),
        confidence: BTreeMap::new(),
    }
}

fn score(arrivals: &[f64], curve: &RowSeries, bound_hours: f64) -> ScoreShape {
    let hours = curve.instances.iter().sum::<f64>() * STEP_SECONDS / 3600.0;
    let mut waits: Vec<f64> = curve.wait_seconds.iter().flatten().copied().collect();
    waits.sort_by(f64::total_cmp);
    let at = |part: usize| {
        waits
            .get(waits.len().saturating_sub(1) * part / 100)
            .copied()
    };
    let is_late = |wait: &Option<f64>| wait.is_some_and(|wait| wait > OBJECTIVE_SECONDS);
    let late = arrivals.iter().zip(&curve.wait_seconds);
    let late: f64 = late
        .filter(|(_, wait)| is_late(wait))
        .map(|(rate, _)| rate)
        .sum();
    let late_share = (!waits.is_empty()).then(|| late / arrivals.iter().sum::<f64>());
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    ScoreShape {
        instance_hours: hours,
        cost: Some(hours * 0.0416),
        over_bound: Some(hours / bound_hours),
        over_work: Some(hours / bound_hours * 1.04),
        late_share,
        keeps_objective: late_share.map(|late| late <= 1.0 - PERCENTILE / 100.0),
        wait_p50_seconds: at(50),
        wait_p95_seconds: at(95),
        wait_p99_seconds: at(99),
        wait_max_seconds: at(100),
        backlog_max: whole(most(&curve.backlog)),
        backlog_mean: curve.backlog.iter().sum::<f64>() / curve.backlog.len().max(1) as f64,
        launches: 214,
        peak_instances: u32::try_from(whole(most(&curve.instances))).unwrap_or(u32::MAX),
        instance_life_seconds_mean: 5400.0,
        boot_hours: hours * 0.02,
        idle_hours: (hours - bound_hours).max(0.0),
        under_provisioned_share: 0.01,
        over_provisioned_share: hours / bound_hours - 1.0,
        under_provisioned_time: 0.04,
        over_provisioned_time: 0.7,
        instability: 0.12,
    }
}

/// Each scaler over its margins, without what another margin beats.
fn frontiers(arrivals: &[f64], bound_hours: f64) -> Vec<Frontier> {
    let has_choice = |follower: &&Follower| !matches!(follower.setting, Setting::Actual);
    let mut frontiers: BTreeMap<&str, Vec<FrontierPoint>> = BTreeMap::new();
    for follower in FOLLOWERS.iter().filter(has_choice) {
        let points = frontiers.entry(follower.scaler).or_default();
        points.extend((0..16).map(|n| {
            let margin = 0.75 * 1.07_f64.powi(n);
            let score = score(
                arrivals,
                &follow(
                    &Follower {
                        margin,
                        ..*follower
                    },
                    arrivals,
                ),
                bound_hours,
            );
            FrontierPoint {
                parameters: BTreeMap::from([("target".to_owned(), 40.0 / margin)]),
                variant: follower.variant.map(str::to_owned),
                over_bound: score.over_bound.unwrap_or(0.0),
                late_share: score.late_share.unwrap_or(1.0),
            }
        }));
    }
    let unbeaten = |(scaler, points): (&str, Vec<FrontierPoint>)| Frontier {
        scaler: scaler.to_owned(),
        points: unbeaten(points),
    };
    frontiers.into_iter().map(unbeaten).collect()
}

fn unbeaten(mut points: Vec<FrontierPoint>) -> Vec<FrontierPoint> {
    points.sort_by(|a, b| a.over_bound.total_cmp(&b.over_bound));
    let mut least_late = f64::INFINITY;
    points.retain(|point| {
        let is_better = point.late_share < least_late;
        least_late = least_late.min(point.late_share);
        is_better
    });
    points
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate"
)]
fn whole(x: f64) -> u64 {
    x.round() as u64
}
