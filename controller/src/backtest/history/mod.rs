//! A fleet's own past: what CloudWatch recorded of its queue and its group, made into arrivals to
//! try policies on and into the figures of what really happened.
//!
//! Owns which metrics are needed, over which time, and what follows from them. It must not ask
//! AWS for anything (`aws` does).

mod actual;
mod cache;
mod gaps;
mod recording;
#[cfg(test)]
mod tests;
mod waits;
mod window;

pub use actual::Actual;
pub use cache::{Cache, DayKey};
pub use recording::{Column, Metric, Points, Recording, Subject};
pub use waits::Waits;
pub use window::{Piece, Window, WindowError, since};

use self::gaps::Gaps;
use super::traces::Arrivals;
use crate::model::UnixSeconds;
use crate::sim::Trace;

/// What a queue and its fleet went through.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Messages sent, period by period, at the times they were; notes on what is missing.
    pub arrivals: Arrivals,
    /// Mean seconds from a message's receipt to its deletion, by Little's law: mean in flight over
    /// deletions a second. It takes failed attempts and what a worker holds in advance for work.
    /// `None` where too little was deleted to tell.
    pub service_seconds: Option<f64>,
    /// What the fleet cost and how long messages waited; `None` where the group's sizes are not
    /// recorded.
    pub actual: Option<Actual>,
}

/// What a past is measured by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Messages were to start within this.
    pub objective_seconds: f64,
    /// Jobs an instance runs at a time.
    pub slots: u32,
}

/// Fewer deletions than this tell no mean.
const DELETED_MIN: f64 = 20.0;

impl Past {
    /// Makes sense of what was recorded.
    pub fn of(recording: &Recording, terms: &Terms) -> Self {
        let gaps = Gaps::of(recording);
        let mut notes = recording.notes.clone();
        notes.push(recording.window.note());
        notes.extend(gaps.notes(&recording.window));
        let service_seconds = service_seconds(recording);
        notes.extend(service_seconds.map(|seconds| {
            format!(
                "a message was in flight for {seconds:.1} s on average (Little's law: messages in \
                 flight over deletions)"
            )
        }));
        let actual = match actual::actual(recording, &gaps, terms) {
            Ok(actual) => {
                notes.extend(actual.notes(terms));
                Some(actual)
            }
            Err(note) => {
                notes.push(note);
                None
            }
        };
        Self {
            arrivals: Arrivals {
                name: format!("{} on CloudWatch", recording.subject.queue),
                trace: Trace {
                    step_seconds: recording.window.period_seconds(),
                    counts: sent(recording),
                    service_seconds: Vec::new(),
                },
                starts_at: UnixSeconds(recording.window.from as f64),
                notes,
            },
            service_seconds,
            actual,
        }
    }
}

/// Messages sent in each period; where nothing is recorded, none: [`Gaps`] says which of those
/// periods were truly empty.
fn sent(recording: &Recording) -> Vec<f64> {
    let sent = recording.column(Metric::Sent).into_iter();
    sent.map(|sent| sent.unwrap_or(0.0)).collect()
}

/// Mean time in flight by Little's law. While a queue is active, SQS leaves the metric out where
/// nothing is in flight.
fn service_seconds(recording: &Recording) -> Option<f64> {
    let in_flight = recording.column(Metric::NotVisible);
    let deleted = recording.column(Metric::Deleted);
    let (mut flown, mut jobs) = (0.0, 0.0);
    for (in_flight, deleted) in in_flight.into_iter().zip(deleted) {
        flown += in_flight.unwrap_or(0.0) * recording.window.period_seconds();
        jobs += deleted.unwrap_or(0.0);
    }
    (jobs >= DELETED_MIN && flown > 0.0).then(|| flown / jobs)
}
