//! Why an observation is not believed.
//!
//! Owns trust's reasons and their words. What doubt is, `decide::trust` says.

use std::fmt;

use serde::Serialize;

use super::wording::{keep, messages, span, thousands};
use crate::model::{Instances, Messages};

/// Why an observation is not believed; `wanted` is the size that is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Doubt {
    /// The observation has no usable time.
    TimeUnknown {
        /// The size that is kept.
        wanted: Option<Instances>,
    },
    /// The observation is older than one already seen.
    TimeBackwards {
        /// The size that is kept.
        wanted: Option<Instances>,
        /// How far back it lies.
        behind_seconds: f64,
    },
    /// A queue's counts are not known.
    QueueUnknown {
        /// The size that is kept.
        wanted: Option<Instances>,
        /// The queue.
        queue: String,
        /// What of it is unknown.
        unknown: Vec<&'static str>,
    },
    /// The fleet's capacity is not known.
    FleetUnknown {
        /// The size that is kept.
        wanted: Option<Instances>,
        /// What of it is unknown.
        unknown: Vec<&'static str>,
    },
    /// A backlog fell by more than all slots can have worked off.
    #[serde(rename = "fall_impossible")]
    Impossible {
        /// The size that is kept.
        wanted: Instances,
        /// The queue.
        queue: String,
        /// Messages that waited or ran at the last look.
        before: Messages,
        /// At this one.
        now: Messages,
        /// Between the two.
        elapsed_seconds: f64,
        /// What all slots can have ended meanwhile, were jobs thrice as short as is known.
        worked_max: Messages,
    },
    /// A message or two on a queue that was empty, which SQS sometimes only imagines.
    Unconfirmed {
        /// The size that is kept.
        wanted: Instances,
        /// Messages seen.
        visible: Messages,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeUnknown { wanted } => {
                write!(f, "{}: the observation has no usable time", keep(*wanted))
            }
            Self::TimeBackwards {
                wanted,
                behind_seconds,
            } => write!(
                f,
                "{}: the observation is {} older than the last one",
                keep(*wanted),
                span(*behind_seconds)
            ),
            Self::QueueUnknown {
                wanted,
                queue,
                unknown,
            } => write!(
                f,
                "{}: not known of queue {queue}: {}",
                keep(*wanted),
                unknown.join(", ")
            ),
            Self::FleetUnknown { wanted, unknown } => {
                write!(
                    f,
                    "{}: not known of the fleet: {}",
                    keep(*wanted),
                    unknown.join(", ")
                )
            }
            Self::Impossible {
                wanted,
                queue,
                before,
                now,
                elapsed_seconds,
                worked_max,
            } => write!(
                f,
                "{}: {} in queue {queue} became {} in {}, and its workers end {} at most; a second \
                 look decides",
                keep(Some(*wanted)),
                messages(*before),
                thousands(now.0),
                span(*elapsed_seconds),
                thousands(worked_max.0)
            ),
            Self::Unconfirmed { wanted, visible } => write!(
                f,
                "{}: {} on a queue that was empty may be a miscount; a second look decides",
                keep(Some(*wanted)),
                messages(*visible)
            ),
        }
    }
}
