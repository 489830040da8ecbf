//! Why capacity that could go is kept.
//!
//! Owns stabilize's reasons and their words. How long it is kept, `decide::stabilize` says.

use std::fmt;

use serde::Serialize;

use super::wording::{span, suffice_clause};
use crate::model::Instances;

/// Why capacity that could go is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Steadiness {
    /// It has not been seen for long enough that fewer suffice.
    HoldYoung {
        /// What demand asks for.
        wanted: Instances,
        /// What is kept.
        allowed: Instances,
        /// How long fewer have sufficed.
        for_seconds: f64,
        /// How long spare capacity is kept.
        hold_seconds: f64,
    },
    /// More were needed within the hold.
    HoldRecent {
        /// What demand asks for.
        wanted: Instances,
        /// What is kept.
        allowed: Instances,
        /// When that many were needed.
        seconds_ago: f64,
        /// How long spare capacity is kept.
        hold_seconds: f64,
    },
    /// Instances that boot are never cancelled.
    BootingKept {
        /// What demand asks for.
        wanted: Instances,
        /// What is kept.
        allowed: Instances,
    },
    /// Zero takes a second look.
    ZeroUnconfirmed {
        /// None.
        wanted: Instances,
        /// The last one.
        allowed: Instances,
    },
}

impl fmt::Display for Steadiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoldYoung {
                wanted,
                allowed,
                for_seconds,
                hold_seconds,
            } => write!(
                f,
                "keep {}: that {} has been seen for {} of the {} that spare capacity is held",
                allowed.0,
                suffice_clause(*wanted),
                span(*for_seconds),
                span(*hold_seconds)
            ),
            Self::HoldRecent {
                allowed,
                seconds_ago,
                hold_seconds,
                ..
            } => write!(
                f,
                "no fewer than {}: {} needed {} ago, and spare capacity is held for {}",
                allowed.0,
                if allowed.0 == 1 {
                    "it was"
                } else {
                    "that many were"
                },
                span(*seconds_ago),
                span(*hold_seconds)
            ),
            Self::BootingKept { allowed, .. } => write!(
                f,
                "no fewer than {}: what boots is not cancelled",
                allowed.0
            ),
            Self::ZeroUnconfirmed { .. } => {
                f.write_str("keep one instance: the queue has to be seen empty a second time")
            }
        }
    }
}
