//! Why so many instances are needed, whatever the backlog's deadlines.
//!
//! Owns the reasons and words of demand that come of the load or of its absence. How many are
//! needed, `decide::demand` says.

use std::fmt;

use serde::Serialize;

use super::wording::{instances, messages, slots_of, span};
use crate::model::{Instances, Messages};

/// Why so many instances are needed, whatever the backlog's deadlines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Need {
    /// Nothing waits, nothing runs.
    QueueEmpty {
        /// No instance.
        wanted: Instances,
    },
    /// Jobs that take longer than an instance to boot keep theirs.
    Occupied {
        /// Instances occupied.
        wanted: Instances,
        /// Messages in flight.
        in_flight: Messages,
        /// Slots an instance has.
        slots: f64,
        /// What a job takes.
        service_seconds: f64,
    },
    /// Delayed messages will be due soon; the last instance waits for them.
    DelayedSoon {
        /// One.
        wanted: Instances,
        /// Messages delayed.
        delayed: Messages,
    },
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueEmpty { .. } => {
                f.write_str("no instance is needed: nothing waits, nothing runs")
            }
            Self::Occupied {
                wanted,
                in_flight,
                slots,
                service_seconds,
            } => write!(
                f,
                "{} occupied: {} in flight on {} an instance, for {} each",
                instances(*wanted),
                messages(*in_flight),
                slots_of(*slots),
                span(*service_seconds)
            ),
            Self::DelayedSoon { delayed, .. } => write!(
                f,
                "keep one instance: {} delayed and due soon",
                messages(*delayed)
            ),
        }
    }
}
