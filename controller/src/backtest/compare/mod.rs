//! One scenario, many scalers: runs them all and gathers what they came to.
//!
//! Owns the order of a backtest: the bound, the peers' search, every scaler on every seed, the
//! outcome. It must not print, and it touches no file.

mod arena;
mod entrant;

use super::history::Actual;
use super::measure;
use super::outcome::{ObjectiveShape, Outcome, ScoreShape, VERSION};
use super::progress::{Meter, Told};
use super::scenario::Scenario;
use super::sweep::Peer;
use arena::Arena;

/// What a backtest is asked.
#[derive(Clone, Debug)]
pub struct Questions {
    /// Whom to compare with.
    pub peers: Vec<Peer>,
    /// Whether each peer also stands at its best in hindsight.
    pub tuning: Tuning,
    /// How sharp the bound is.
    pub sharpness: Sharpness,
    /// Of an instance-hour.
    pub price_per_hour: Option<f64>,
    /// Independent runs of each scaler; at least one.
    pub seeds: u32,
    /// What the fleet did, where that is known.
    pub actual: Option<Actual>,
}

/// Where peers' settings are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// As each one's documentation has them.
    Documented,
    /// And the cheapest in hindsight that keeps the objective.
    InHindsight,
}

/// How sharp the bound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharpness {
    /// The feasible schedule.
    Feasible,
    /// And the linear program.
    Exact,
}

/// Runs it.
pub fn compare(scenario: &Scenario, questions: &Questions, told: Told<'_>) -> Outcome {
    let meter = Meter::new(told);
    let first = Arena::new((scenario, questions), scenario.setup.seed, &meter);
    let tried = first.search(&meter);
    let entrants = first.entrants(&tried);
    let seeds = questions.seeds.max(1);
    let mut series = measure::series(&first.load, first.needed());
    let runs = first.run_all(&entrants, &meter, |run| {
        let row = measure::row_series(&run, &first.load, &series);
        (first.score(run), row)
    });
    let (scores, rows): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    series.rows = rows;
    let mut scores: Vec<Vec<ScoreShape>> = scores.into_iter().map(|score| vec![score]).collect();
    for nth in 1..seeds {
        let seed = scenario.setup.seed + u64::from(nth);
        let arena = Arena::new((scenario, questions), seed, &meter);
        let others = arena.run_all(&entrants, &meter, |run| arena.score(run));
        for (scores, score) in scores.iter_mut().zip(others) {
            scores.push(score);
        }
    }
    let actual = questions.actual.as_ref();
    let row = actual.map(|actual| measure::actual_series(actual, &series));
    series.rows.extend(row);
    let frontiers = first.frontiers(&tried, &meter);
    let rows = entrants.iter().zip(&scores);
    Outcome {
        version: VERSION,
        policy: scenario.policy.name.clone(),
        objective: ObjectiveShape {
            start_within_seconds: scenario.policy.objective.start_within.0,
            percentile: scenario.policy.objective.percentile,
        },
        trace: first.trace(),
        setup: first.setup(),
        bound: first.bound,
        rows: (rows.map(|(entrant, scores)| entrant.row(scores)))
            .chain(first.actual())
            .collect(),
        frontiers,
        series,
        speed: Some(meter.speed()),
    }
}
