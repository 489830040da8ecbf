//! Why the backlog asks for so many instances.
//!
//! Owns the reasons and words of demand that come of deadlines. How many are needed,
//! `decide::demand` says.

use std::fmt;

use serde::Serialize;

use super::wording::{decimal, instances, messages, span, suffices, thousands};
use crate::model::{Instances, Messages};

/// Why the backlog asks for so many instances.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Backlog {
    /// What there is, or fewer, starts the backlog in time.
    #[serde(rename = "backlog_covered")]
    Covered {
        /// Instances that suffice.
        wanted: Instances,
        /// Visible and in flight.
        backlog: Messages,
        /// Messages due, those to come at the present rate included.
        due: Messages,
        /// Within this time.
        within_seconds: f64,
        /// What one instance starts within it, with what it runs.
        each: f64,
    },
    /// The capacity there is and on its way does not start the backlog in time.
    #[serde(rename = "backlog_due")]
    Due {
        /// Instances that do.
        wanted: Instances,
        /// Messages due.
        due: Messages,
        /// Of them, those yet to come at the present rate: where the objective leaves no time to
        /// answer them when they have come.
        #[serde(skip_serializing_if = "is_none")]
        to_come: Messages,
        /// Within this time.
        within_seconds: f64,
        /// Instances that work.
        running: Instances,
        /// Instances on their way.
        booting: Instances,
        /// What those two start by then.
        started_by_then: Messages,
    },
    /// The backlog is late whatever is done; the recovery is spread.
    #[serde(rename = "backlog_late")]
    Late {
        /// Instances that recover within the time.
        wanted: Instances,
        /// Messages that wait.
        due: Messages,
        /// How long the oldest has waited.
        waited_seconds: f64,
        /// The recovery is spread over this time.
        within_seconds: f64,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_none(messages: &Messages) -> bool {
    messages.0 == 0
}

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Covered {
                wanted,
                backlog,
                due,
                within_seconds,
                each,
            } => write!(
                f,
                "{} for a backlog of {}: {} due within {} with those to come, of which one \
                 instance starts {}",
                suffices(*wanted),
                messages(*backlog),
                messages(*due),
                span(*within_seconds),
                decimal(*each)
            ),
            Self::Due {
                wanted,
                due,
                to_come,
                within_seconds,
                running,
                booting,
                started_by_then,
            } => {
                let verb = if due.0 == 1 { "is" } else { "are" };
                write!(
                    f,
                    "grow to {}: {} {verb} due within {}",
                    wanted.0,
                    messages(*due),
                    span(*within_seconds),
                )?;
                if !is_none(to_come) {
                    let to_come = thousands(to_come.0);
                    write!(f, ", {to_come} of them yet to come at the present rate")?;
                }
                write!(
                    f,
                    "; {} running and {} booting start {} of them by then",
                    running.0,
                    booting.0,
                    thousands(started_by_then.0)
                )
            }
            Self::Late {
                wanted,
                due,
                waited_seconds,
                within_seconds,
            } => write!(
                f,
                "{} to recover: the oldest of {} has waited {}; the recovery is spread over {}",
                instances(*wanted),
                messages(*due),
                span(*waited_seconds),
                span(*within_seconds)
            ),
        }
    }
}
