//! What tests put there that nobody can put over the wire: metrics of AWS's own from the past, and
//! hard times for readers.

use super::super::{ApiError, ApiResult, Time};
use super::{CloudWatch, MetricId, Values};

impl CloudWatch {
    /// Points that an AWS service published, each at the start of its minute; they can be read at
    /// once. `PutMetricData` refuses the namespaces `AWS/`, and times more than two weeks ago.
    pub fn record(&mut self, metric: MetricId, points: impl IntoIterator<Item = (Time, f64)>) {
        let series = self.metrics.entry(metric).or_default();
        for (at, value) in points {
            series.add(at, at, Values::Each(vec![(value, 1.0)]));
        }
    }

    /// Answers the next `reads` of metric data with `Throttling`.
    pub fn throttle(&mut self, reads: u32) {
        self.throttled = reads;
    }

    /// Whether a read may go on ("CloudWatch service quotas": reads a second are limited).
    pub fn admit_read(&mut self) -> ApiResult<()> {
        if self.throttled == 0 {
            return Ok(());
        }
        self.throttled -= 1;
        Err(ApiError::new("Throttling", "Rate exceeded"))
    }
}
