//! Why capacity is there before the work is.
//!
//! Owns the reasons and words of forecast. What will be needed, `decide::forecast` says.

use std::fmt;

use serde::Serialize;

use super::wording::{decimal, instances, span};
use crate::model::Instances;

/// Why capacity is there before the work is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Foresight {
    /// The objective is shorter than the time a new instance takes: what will come is forecast.
    #[serde(rename = "arrivals_ahead")]
    Ahead {
        /// Instances kept ready.
        wanted: Instances,
        /// The forecast.
        arrivals_per_second: f64,
        /// The mean it is taken from.
        mean_over_seconds: f64,
        /// So much more is kept ready, as a part of it.
        headroom: f64,
        /// Capacity once needed is kept this long.
        kept_seconds: f64,
        /// What a new instance takes.
        boot_seconds: f64,
        /// The share of the arrivals so far that this rule would have started late.
        late_share: f64,
    },
}

impl fmt::Display for Foresight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ahead {
            wanted,
            arrivals_per_second,
            mean_over_seconds,
            headroom,
            kept_seconds,
            boot_seconds,
            late_share,
        } = self;
        let percent = decimal((headroom * 100.0).abs());
        let direction = if *headroom < 0.0 { "less" } else { "more" };
        write!(
            f,
            "{} for what will come within the boot of {}: the last {} brought {} messages a second; \
             {percent} % {direction} than these need is kept for {}, which would have started {} % \
             late so far",
            instances(*wanted),
            span(*boot_seconds),
            span(*mean_over_seconds),
            decimal(*arrivals_per_second),
            span(*kept_seconds),
            decimal(late_share * 100.0),
        )
    }
}
