//! Why so many instances are needed, whatever the backlog's deadlines.
//!
//! Owns the reasons and words of demand that come of the load or of its absence. How many are
//! needed, `decide::demand` says.

use std::fmt;

use serde::Serialize;

use super::wording::{decimal, instances, messages, slots_of, span};
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
    /// Arrivals alone keep so many busy (Little's law).
    ArrivalRate {
        /// Instances that keep up.
        wanted: Instances,
        /// Arrivals a second.
        arrivals_per_second: f64,
        /// Mean seconds a job takes.
        service_seconds: f64,
        /// Slots an instance has.
        slots: f64,
    },
    /// Messages in flight occupy so many.
    Occupied {
        /// Instances occupied.
        wanted: Instances,
        /// Messages in flight.
        in_flight: Messages,
        /// Slots an instance has.
        slots: f64,
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
            Self::ArrivalRate {
                wanted,
                arrivals_per_second,
                service_seconds,
                slots,
            } => write!(
                f,
                "{} to keep up with {} messages a second, at {} each on {} an instance",
                instances(*wanted),
                decimal(*arrivals_per_second),
                span(*service_seconds),
                slots_of(*slots)
            ),
            Self::Occupied {
                wanted,
                in_flight,
                slots,
            } => write!(
                f,
                "{} occupied: {} in flight on {} an instance",
                instances(*wanted),
                messages(*in_flight),
                slots_of(*slots)
            ),
            Self::DelayedSoon { delayed, .. } => write!(
                f,
                "keep one instance: {} delayed and due soon",
                messages(*delayed)
            ),
        }
    }
}
