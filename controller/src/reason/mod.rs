//! Every "why" as data: a code, its numbers, and one place where its text is made.
//!
//! Reasons are what people read in `plan` and `explain` and what programs match on; codes are
//! stable. An enum a stage (two for demand), a file each; this module must not decide anything.

use std::fmt;

use serde::Serialize;

mod backlog;
mod breach;
mod doubt;
mod foresight;
mod limit;
mod need;
mod steadiness;
mod wording;

pub use backlog::Backlog;
pub use breach::Breach;
pub use doubt::Doubt;
pub use foresight::{Foresight, Method};
pub use limit::Limit;
pub use need::Need;
pub use steadiness::Steadiness;

/// Why a stage wanted what it wanted: `wanted` is the size a stage asked for, `allowed` what a
/// later stage left of it. As JSON it is the stage's own reason, flat: `"reason":"code"` and the
/// numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reason {
    /// Trust.
    Doubt(Doubt),
    /// Demand, by the deadlines of the backlog.
    Backlog(Backlog),
    /// Demand, by the load.
    Need(Need),
    /// Forecast.
    Foresight(Foresight),
    /// Stabilize.
    Steadiness(Steadiness),
    /// Limit.
    Limit(Limit),
    /// Check.
    Breach(Breach),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doubt(reason) => reason.fmt(f),
            Self::Backlog(reason) => reason.fmt(f),
            Self::Need(reason) => reason.fmt(f),
            Self::Foresight(reason) => reason.fmt(f),
            Self::Steadiness(reason) => reason.fmt(f),
            Self::Limit(reason) => reason.fmt(f),
            Self::Breach(reason) => reason.fmt(f),
        }
    }
}

impl From<Doubt> for Reason {
    fn from(reason: Doubt) -> Self {
        Self::Doubt(reason)
    }
}

impl From<Backlog> for Reason {
    fn from(reason: Backlog) -> Self {
        Self::Backlog(reason)
    }
}

impl From<Need> for Reason {
    fn from(reason: Need) -> Self {
        Self::Need(reason)
    }
}

impl From<Foresight> for Reason {
    fn from(reason: Foresight) -> Self {
        Self::Foresight(reason)
    }
}

impl From<Steadiness> for Reason {
    fn from(reason: Steadiness) -> Self {
        Self::Steadiness(reason)
    }
}

impl From<Limit> for Reason {
    fn from(reason: Limit) -> Self {
        Self::Limit(reason)
    }
}

impl From<Breach> for Reason {
    fn from(reason: Breach) -> Self {
        Self::Breach(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Instances, Messages};

    #[test]
    fn a_reason_reads_like_a_colleague() {
        let reason = Backlog::Due {
            wanted: Instances(14),
            due: Messages(1900),
            to_come: Messages(0),
            within_seconds: 48.0,
            running: Instances(8),
            booting: Instances(2),
            started_by_then: Messages(1310),
        };
        assert_eq!(
            reason.to_string(),
            "grow to 14: 1,900 messages are due within 48 s; 8 running and 2 booting start 1,310 \
             of them by then"
        );
        let reason = Backlog::Due {
            wanted: Instances(14),
            due: Messages(1900),
            to_come: Messages(1200),
            within_seconds: 165.0,
            running: Instances(8),
            booting: Instances(0),
            started_by_then: Messages(1100),
        };
        assert_eq!(
            reason.to_string(),
            "grow to 14: 1,900 messages are due within 165 s, 1,200 of them yet to come at the \
             present rate; 8 running and 0 booting start 1,100 of them by then"
        );
    }

    #[test]
    fn a_reason_is_flat_json_under_its_code() {
        let reason = Reason::from(Limit::StepLimited {
            wanted: Instances(9),
            allowed: Instances(4),
        });
        assert_eq!(
            serde_json::to_string(&reason).unwrap(),
            r#"{"reason":"step_limited","wanted":9,"allowed":4}"#
        );
    }
}
