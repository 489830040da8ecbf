//! What the fleet really cost, and how long messages really waited, as far as was recorded.
//!
//! Owns how group sizes and counts become the row of the table that nobody simulated.

use std::fmt::Write as _;

use super::gaps::Gaps;
use super::recording::{Column, Metric, Recording};
use super::waits::{self, Counted, Waits};
use super::{Terms, sent};

/// Figures of what happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Actual {
    /// A period's length.
    pub period_seconds: f64,
    /// Instances that were paid for, period by period: pending, in service and terminating.
    pub instances: Column,
    /// Of those, in service.
    pub in_service: Column,
    /// Messages visible at most, period by period.
    pub backlog: Column,
    /// Instance-hours, from launch to end. What is billed beyond, a minute at least, is not seen.
    pub instance_hours: f64,
    /// Of those, while pending. What an instance takes after that to its first job is not seen.
    pub boot_hours: f64,
    /// Instance-hours that the messages in flight would have kept busy.
    pub work_hours: f64,
    /// Rises of the group's size, added up: one that ended and another that began in the same
    /// period are not seen.
    pub launches: u32,
    /// Most instances at a time.
    pub peak_instances: u32,
    /// Most messages visible.
    pub backlog_max: f64,
    /// Mean messages visible.
    pub backlog_mean: f64,
    /// How long messages waited; `None` where nothing was sent or counted.
    pub waits: Option<Waits>,
    /// Seconds since the oldest message was sent that was not deleted, at most: no wait was longer.
    /// Time in flight is part of it.
    pub oldest_age_seconds_max: Option<f64>,
}

/// Below this share of periods with a known size, the bill would be a guess.
const KNOWN_MIN: f64 = 0.9;
/// A size that is missing for so many periods is taken to have stayed.
const HELD_PERIODS: usize = 5;

/// The figures, or why there are none.
pub(super) fn actual(recording: &Recording, gaps: &Gaps, terms: &Terms) -> Result<Actual, String> {
    let sizes = Sizes::of(recording);
    if !recording.knows_group() {
        return Err(off(recording));
    }
    let known = sizes.total.iter().flatten().count() as f64 / sizes.total.len().max(1) as f64;
    if known < KNOWN_MIN {
        return Err(format!(
            "the sizes of {} are recorded for {:.0} % of the window only: what the fleet cost is \
             not known; ask for a time in which its group metrics were on",
            recording.subject.group,
            known * 100.0
        ));
    }
    let period_seconds = recording.window.period_seconds();
    let hours = |column: &Column| column.iter().flatten().sum::<f64>() * period_seconds / 3600.0;
    let mut backlog = recording.column(Metric::VisibleMax);
    let visible = recording.column(Metric::Visible);
    let in_flight = recording.column(Metric::NotVisible);
    let counts: Vec<f64> = visible.iter().flatten().copied().collect();
    for (most, mean) in backlog.iter_mut().zip(&visible) {
        *most = most.or(*mean);
    }
    let peaks = recording.column(Metric::TotalMax);
    Ok(Actual {
        period_seconds,
        instance_hours: hours(&sizes.total),
        boot_hours: hours(&held(recording.column(Metric::Pending))),
        work_hours: hours(&in_flight) / f64::from(terms.slots.max(1)),
        launches: launches(&sizes.total),
        peak_instances: rounded(peaks.iter().chain(&sizes.total).flatten().copied()),
        backlog_max: backlog.iter().flatten().copied().fold(0.0, f64::max),
        backlog_mean: counts.iter().sum::<f64>() / counts.len().max(1) as f64,
        waits: wait_estimate(recording, gaps, terms),
        oldest_age_seconds_max: recording
            .column(Metric::OldestAge)
            .into_iter()
            .flatten()
            .reduce(f64::max),
        instances: sizes.total,
        in_service: sizes.in_service,
        backlog,
    })
}

impl Actual {
    /// How far the figures may be trusted, in sentences.
    pub(super) fn notes(&self, terms: &Terms) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(waits) = &self.waits {
            let [low, high] = waits.late_share_range.map(|share| share * 100.0);
            let half = self.period_seconds / 2.0;
            let mut note = format!(
                "what happened: waits are estimated from counts, to {half:.0} s either way, so \
                 {low:.2} to {high:.2} % were late"
            );
            if terms.objective_seconds < half {
                note += " (the objective is too short to be judged by such counts)";
            }
            if let Some(age) = self.oldest_age_seconds_max {
                let _ = write!(
                    note,
                    "; no message was older than {age:.0} s, work included"
                );
            }
            notes.push(note);
        }
        notes.push(
            "what happened: launches are rises of the group's size, and boot hours end when the \
             group calls an instance in service"
                .to_owned(),
        );
        notes
    }
}

/// The group's sizes over time.
struct Sizes {
    total: Column,
    in_service: Column,
}

impl Sizes {
    fn of(recording: &Recording) -> Self {
        let in_service = held(recording.column(Metric::InService));
        let pending = held(recording.column(Metric::Pending));
        let terminating = held(recording.column(Metric::Terminating));
        let mut total = held(recording.column(Metric::Total));
        // Groups may publish some of their metrics and not others.
        for (period, total) in total.iter_mut().enumerate() {
            let parts = [pending[period], terminating[period]];
            let sum = || {
                let in_service = in_service[period]?;
                Some(in_service + parts.iter().flatten().sum::<f64>())
            };
            *total = total.or_else(sum);
        }
        Self { total, in_service }
    }
}

/// Fills short holes with what was before.
fn held(mut column: Column) -> Column {
    let (mut latest, mut missing) = (None, 0);
    for value in &mut column {
        if value.is_some() {
            (latest, missing) = (*value, 0);
        } else if missing < HELD_PERIODS {
            *value = latest;
            missing += 1;
        }
    }
    column
}

fn launches(total: &Column) -> u32 {
    let known: Vec<f64> = total.iter().flatten().copied().collect();
    let rises = known.windows(2).map(|pair| (pair[1] - pair[0]).max(0.0));
    rounded([rises.sum::<f64>()].into_iter())
}

fn wait_estimate(recording: &Recording, gaps: &Gaps, terms: &Terms) -> Option<Waits> {
    let mut visible = recording.column(Metric::Visible);
    // An inactive queue is empty; of a gap nothing is known.
    for (period, visible) in visible.iter_mut().enumerate() {
        if visible.is_none() && !gaps.hides(period) {
            *visible = Some(0.0);
        }
    }
    let counted = Counted {
        period_seconds: recording.window.period_seconds(),
        sent: &sent(recording),
        visible: &visible,
    };
    waits::waits(&counted, terms.objective_seconds)
}

fn off(recording: &Recording) -> String {
    let group = &recording.subject.group;
    format!(
        "nothing is recorded of the group {group}, so what the fleet cost is not known: check its \
         name, or switch its metrics on for the next time (they cost nothing): aws autoscaling \
         enable-metrics-collection --auto-scaling-group-name {group} --granularity 1Minute"
    )
}

/// The largest, as a count.
fn rounded(values: impl Iterator<Item = f64>) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate"
    )]
    let count = values.fold(0.0, f64::max).round() as u32;
    count
}
