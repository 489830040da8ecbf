//! What is asked of a metric.

use std::time::Duration;

use super::super::{ApiError, ApiResult, Time};
use super::MetricId;

/// A metric's statistic over periods of a window.
#[derive(Clone, Debug)]
pub struct MetricQuery {
    /// The metric.
    pub metric: MetricId,
    /// When.
    pub window: Window,
    /// What is made of the data of each period.
    pub statistic: Statistic,
}

/// A window of time and its periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment; moved back to the start of its period.
    pub start: Time,
    /// The first moment that is not in the window any more.
    pub end: Time,
    /// 1, 5, 10, 20, 30 or a multiple of 60 seconds.
    pub period: Duration,
}

/// A point for each period that has data, oldest first: the period's start, and the value.
pub type Points = Vec<(Time, f64)>;

/// What is made of a period's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// How many values.
    SampleCount,
    /// Their sum.
    Sum,
    /// Their mean.
    Average,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// In tenths of a percent: `p99.9` is 999.
    Percentile(u16),
}

/// In which order points come (`ScanBy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scan {
    /// `TimestampDescending`, the default.
    #[default]
    NewestFirst,
    /// `TimestampAscending`.
    OldestFirst,
}

impl MetricQuery {
    pub(super) fn check(&self) -> ApiResult<()> {
        let Window { start, end, period } = self.window;
        let seconds = period.as_secs();
        if !(matches!(seconds, 1 | 5 | 10 | 20 | 30) || seconds > 0 && seconds.is_multiple_of(60)) {
            return Err(ApiError::new(
                "ValidationError",
                format!(
                    "Period must be 1, 5, 10, 20, 30 or a multiple of 60 seconds; found {seconds}."
                ),
            ));
        }
        if start >= end {
            return Err(ApiError::new(
                "ValidationError",
                format!(
                    "The parameter StartTime must be less than the parameter EndTime; found {start} and {end}."
                ),
            ));
        }
        Ok(())
    }
}

impl Statistic {
    /// Reads what the API writes.
    pub fn parse(text: &str) -> ApiResult<Self> {
        Ok(match text {
            "SampleCount" => Self::SampleCount,
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => {
                let percent = text.strip_prefix('p').and_then(|p| p.parse::<f64>().ok());
                let percent = percent
                    .filter(|p| (0.0..=100.0).contains(p))
                    .ok_or_else(|| {
                        ApiError::new(
                            "ValidationError",
                            format!(
                                "The statistic '{text}' is not known: SampleCount, Sum, Average, \
                             Minimum, Maximum and p0 to p100 are."
                            ),
                        )
                    })?;
                // At most 1000, checked above.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let tenths = (percent * 10.0).round() as u16;
                Self::Percentile(tenths)
            }
        })
    }
}
