//! Which of the policy's limits bit.
//!
//! Owns limit's reasons and their words. What is allowed, `decide::limit` says.

use std::fmt;

use serde::Serialize;

use super::wording::{decimal, span};
use crate::model::Instances;

/// Which of the policy's limits bit: `wanted` before it, `allowed` after it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Limit {
    /// A schedule asks for more.
    ScheduleMin {
        /// What was wanted.
        wanted: Instances,
        /// The schedule's minimum.
        allowed: Instances,
        /// The schedule's cron expression.
        cron: String,
    },
    /// The fleet's minimum.
    FleetMin {
        /// What was wanted.
        wanted: Instances,
        /// The minimum.
        allowed: Instances,
    },
    /// The fleet's maximum.
    FleetMax {
        /// What was wanted.
        wanted: Instances,
        /// The maximum.
        allowed: Instances,
    },
    /// What is left of the budget carries no more.
    BudgetLimited {
        /// What was wanted.
        wanted: Instances,
        /// What the rest carries.
        allowed: Instances,
        /// Instance-hours used in the last 24 hours.
        used_hours: f64,
        /// Instance-hours a day.
        budget_hours: f64,
    },
    /// Capacity that was asked for does not come; no more is asked for.
    CapacityShort {
        /// What was wanted.
        wanted: Instances,
        /// What is asked for.
        allowed: Instances,
        /// Instances in service.
        running: Instances,
        /// Instances asked for that are not in service.
        outstanding: Instances,
        /// How long none of them has come.
        for_seconds: f64,
        /// When one more is tried, if none comes before.
        retry_seconds: f64,
    },
    /// The most a size may change in one round.
    StepLimited {
        /// What was wanted.
        wanted: Instances,
        /// As far as one round goes.
        allowed: Instances,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScheduleMin { allowed, cron, .. } => {
                write!(f, "at least {}: the schedule \"{cron}\" is open", allowed.0)
            }
            Self::FleetMin { allowed, .. } => write!(f, "at least {}: the fleet's min", allowed.0),
            Self::FleetMax { wanted, allowed } => {
                write!(f, "at most {} of {}: the fleet's max", allowed.0, wanted.0)
            }
            Self::BudgetLimited {
                wanted,
                allowed,
                used_hours,
                budget_hours,
            } => write!(
                f,
                "at most {} of {}: {} of the day's {} instance-hours are used",
                allowed.0,
                wanted.0,
                decimal(*used_hours),
                decimal(*budget_hours)
            ),
            Self::CapacityShort {
                wanted,
                allowed,
                running,
                outstanding,
                for_seconds,
                retry_seconds,
            } => write!(
                f,
                "at most {} of {}: {} in service, and of {} more asked for none has come for {}; \
                 look at the group's activity history, the account's instance quota and the \
                 group's instance types and zones; one more is tried in {}",
                allowed.0,
                wanted.0,
                running.0,
                outstanding.0,
                span(*for_seconds),
                span(*retry_seconds)
            ),
            Self::StepLimited { wanted, allowed } => {
                write!(
                    f,
                    "{} on the way to {}: the step limit of one round",
                    allowed.0, wanted.0
                )
            }
        }
    }
}
