//! What the charts are drawn from: the outcome's curves, rounded, with the looks and the texts
//! that their script needs.
//!
//! Owns the shape that assets/*.js reads, which nothing else may rely on. It must not lay out.

use maud::{Markup, PreEscaped};
use serde::{Serialize, Serializer};

use super::when::When;
use super::{charts, names};
use crate::backtest::outcome::{Frontier, Outcome, Row, RowSeries, Setting};

/// The data as an element of the page. Names come from files, so whatever could end the element
/// is escaped as JSON allows.
pub(super) fn element(outcome: &Outcome) -> Markup {
    let json = serde_json::to_string(&Data::of(outcome))
        .expect("invariant: numbers, texts and lists are JSON");
    let json = json.replace('<', "\\u003c");
    PreEscaped(format!(
        r#"<script type="application/json" id="data">{json}</script>"#
    ))
}

#[derive(Serialize)]
struct Data {
    starts_at: f64,
    is_dated: bool,
    step_seconds: f64,
    start_within_seconds: f64,
    late_share_allowed: f64,
    arrivals: Vec<Rounded>,
    needed: Vec<Rounded>,
    rows: Vec<RowData>,
    frontiers: Vec<FrontierData>,
}

#[derive(Serialize)]
struct RowData {
    name: String,
    parameters: String,
    /// The scaler's place among the boxes over the frontier.
    scaler: usize,
    look: usize,
    line: &'static str,
    is_policy: bool,
    over_bound: Option<Rounded>,
    late_share: Option<Rounded>,
    instances: Vec<Rounded>,
    backlog: Vec<Rounded>,
    waits: Vec<Option<Rounded>>,
}

#[derive(Serialize)]
struct FrontierData {
    name: String,
    scaler: usize,
    look: usize,
    points: Vec<PointData>,
}

#[derive(Serialize)]
struct PointData {
    over_bound: Rounded,
    late_share: Rounded,
    parameters: String,
}

impl Data {
    fn of(outcome: &Outcome) -> Self {
        let scalers = names::Scalers::of(outcome);
        let series = &outcome.series;
        let none = RowSeries::default();
        let curves = series.rows.iter().chain(std::iter::repeat(&none));
        let rows = outcome.rows.iter().zip(curves);
        Self {
            starts_at: outcome.trace.starts_at,
            is_dated: When::of(&outcome.trace).is_dated(),
            step_seconds: series.step_seconds,
            start_within_seconds: outcome.objective.start_within_seconds,
            late_share_allowed: charts::late_share_allowed(outcome),
            arrivals: rounded(&series.arrivals_per_second),
            needed: rounded(&series.needed),
            rows: rows
                .map(|(row, curves)| RowData::of(row, curves, &scalers))
                .collect(),
            frontiers: (outcome.frontiers.iter())
                .map(|frontier| FrontierData::of(frontier, &scalers))
                .collect(),
        }
    }
}

impl RowData {
    fn of(row: &Row, curves: &RowSeries, scalers: &names::Scalers<'_>) -> Self {
        Self {
            name: names::row(row),
            parameters: names::parameters(&row.parameters),
            scaler: scalers.index(&row.scaler),
            look: scalers.look(&row.scaler),
            line: names::line(row.setting),
            is_policy: row.setting == Setting::Policy,
            over_bound: row.score.over_bound.map(Rounded),
            late_share: row.score.late_share.map(Rounded),
            instances: rounded(&curves.instances),
            backlog: rounded(&curves.backlog),
            waits: (curves.wait_seconds.iter())
                .map(|wait| wait.map(Rounded))
                .collect(),
        }
    }
}

impl FrontierData {
    fn of(frontier: &Frontier, scalers: &names::Scalers<'_>) -> Self {
        let points = frontier.points.iter().map(|point| {
            let parameters = names::parameters(&point.parameters);
            let texts = point.variant.iter().cloned().chain([parameters]);
            PointData {
                over_bound: Rounded(point.over_bound),
                late_share: Rounded(point.late_share),
                parameters: texts
                    .filter(|text| !text.is_empty())
                    .collect::<Vec<_>>()
                    .join(", "),
            }
        });
        Self {
            name: frontier.scaler.clone(),
            scaler: scalers.index(&frontier.scaler),
            look: scalers.look(&frontier.scaler),
            points: points.collect(),
        }
    }
}

/// Four figures are more than a chart shows, and a third of the bytes. What is no number is `null`.
struct Rounded(f64);

impl Serialize for Rounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rounded: f64 = format!("{:.3e}", self.0).parse().unwrap_or(f64::NAN);
        if rounded.fract() == 0.0 && rounded.abs() < 1e15 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
            return serializer.serialize_i64(rounded as i64); // `12`, not `12.0`
        }
        serializer.serialize_f64(rounded)
    }
}

fn rounded(curve: &[f64]) -> Vec<Rounded> {
    curve.iter().map(|value| Rounded(*value)).collect()
}
