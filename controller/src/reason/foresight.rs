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
        /// How it is made.
        method: Method,
        /// The mean it is taken from; no season's forecast is below that.
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

/// How arrivals are forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// They go on as of late.
    RecentMean,
    /// As at this time of the day before.
    DayBefore,
    /// As at this time of the week before.
    WeekBefore,
    /// Level and time of day: additive Holt-Winters.
    HoltWinters,
}

impl Method {
    /// Those that need a season to have been seen.
    pub(crate) const SEASONAL: [Self; 3] = [Self::DayBefore, Self::WeekBefore, Self::HoltWinters];
}

impl fmt::Display for Foresight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ahead {
            wanted,
            arrivals_per_second,
            method,
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
            "{} for what will come within the boot of {}: ",
            instances(*wanted),
            span(*boot_seconds),
        )?;
        let rate = decimal(*arrivals_per_second);
        let like = match method {
            Method::RecentMean => None,
            Method::DayBefore => Some("as a day before"),
            Method::WeekBefore => Some("as a week before"),
            Method::HoltWinters => Some("by level and time of day"),
        };
        let recent = span(*mean_over_seconds);
        match like {
            None => write!(f, "the last {recent} brought {rate} messages a second"),
            Some(like) => write!(
                f,
                "{rate} messages a second are expected, {like} or as of late"
            ),
        }?;
        write!(
            f,
            "; {percent} % {direction} than these need is kept for {}, which would have started \
             {} % late so far",
            span(*kept_seconds),
            decimal(late_share * 100.0),
        )
    }
}
