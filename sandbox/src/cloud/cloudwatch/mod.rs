//! CloudWatch: metrics that are put and got, and those that SQS publishes by itself.
//!
//! Owns series and statistics. Alarms are not played here.

mod feed;
mod past;
mod query;
mod series;

use std::collections::BTreeMap;
use std::time::Duration;

pub use self::query::{MetricQuery, Points, Scan, Statistic, Window};
use self::series::Series;
pub use self::series::{Summary, Values};
use super::sqs::Totals;
use super::{ApiError, ApiResult, CloudConfig, Time};

/// A metric's dimensions, by name.
pub type Dimensions = BTreeMap<String, String>;

/// The account's metrics.
#[derive(Debug)]
pub struct CloudWatch {
    metrics: BTreeMap<MetricId, Series>,
    period: Duration,
    delay: Duration,
    next_feed_at: Option<Time>,
    /// What each queue's totals were at the last feed.
    fed: BTreeMap<String, Totals>,
    /// So many reads are still to be throttled.
    throttled: u32,
}

/// What tells a metric from every other.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricId {
    /// Such as `AWS/SQS`.
    pub namespace: String,
    /// Such as `ApproximateAgeOfOldestMessage`.
    pub name: String,
    /// A metric with other dimensions is another metric.
    pub dimensions: Dimensions,
}

/// One datum of a `PutMetricData`.
#[derive(Clone, Debug)]
pub struct Datum {
    /// The metric.
    pub metric: MetricId,
    /// When it was so; the present when absent.
    pub at: Option<Time>,
    /// What was measured.
    pub values: Values,
    /// Such as `Count`.
    pub unit: Option<String>,
    /// How finely it is kept.
    pub resolution: Resolution,
}

/// How finely a metric is kept (`StorageResolution`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolution {
    /// By the minute.
    #[default]
    Standard,
    /// By the second.
    High,
}

impl CloudWatch {
    /// No metrics.
    pub fn new(config: &CloudConfig) -> Self {
        Self {
            metrics: BTreeMap::new(),
            period: config.metrics_period.max(Duration::from_secs(1)),
            delay: config.metrics_delay,
            next_feed_at: None,
            fed: BTreeMap::new(),
            throttled: 0,
        }
    }

    /// `PutMetricData`: all data or, on an error, none.
    pub fn put(&mut self, now: Time, data: Vec<Datum>) -> ApiResult<()> {
        if data.len() > 1_000 {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!(
                    "The collection MetricData must not have a size greater than 1000; found {}.",
                    data.len()
                ),
            ));
        }
        data.iter().try_for_each(|datum| datum.validate(now))?;
        for datum in data {
            self.add(now, datum);
        }
        Ok(())
    }

    /// `ListMetrics`: those that match what is given, in order.
    pub fn list<'a>(
        &'a self,
        namespace: Option<&'a str>,
        name: Option<&'a str>,
        dimensions: &'a [(String, Option<String>)],
    ) -> impl Iterator<Item = &'a MetricId> {
        self.metrics.keys().filter(move |metric| {
            let has = |(name, value): &(String, Option<String>)| {
                let found = metric.dimensions.get(name);
                found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
            };
            namespace.is_none_or(|namespace| namespace == metric.namespace)
                && name.is_none_or(|name| name == metric.name)
                && dimensions.iter().all(has)
        })
    }

    /// The points of one metric; none when there is no such metric.
    pub fn points(&self, now: Time, query: &MetricQuery) -> ApiResult<Points> {
        query.check()?;
        let series = self.metrics.get(&query.metric);
        Ok(series.map_or_else(Points::new, |series| series.points(now, query)))
    }

    fn add(&mut self, now: Time, datum: Datum) {
        let at = datum.at.unwrap_or(now);
        self.metrics.entry(datum.metric).or_default().add(
            at.floor_to(datum.resolution.span()),
            now,
            datum.values,
        );
    }
}

impl Datum {
    fn validate(&self, now: Time) -> ApiResult<()> {
        const TWO_WEEKS: Duration = Duration::from_hours(14 * 24);
        let MetricId {
            namespace,
            name,
            dimensions,
        } = &self.metric;
        let bad = |why: String| Err(ApiError::new("InvalidParameterValue", why));
        if namespace.is_empty() || name.is_empty() {
            return Err(ApiError::new(
                "MissingParameter",
                "The parameters Namespace and MetricData.member.N.MetricName are required.",
            ));
        }
        if namespace.starts_with("AWS/") {
            return bad(format!(
                "The value AWS/ for parameter Namespace is invalid: found {namespace}."
            ));
        }
        if dimensions.len() > 30 {
            return bad(format!(
                "At most 30 dimensions are allowed; metric {name} has {}.",
                dimensions.len()
            ));
        }
        if !self.values.are_finite() {
            return bad(format!(
                "The value of metric {name} must be a finite number."
            ));
        }
        let too_old = |at: Time| now.since(at) > TWO_WEEKS;
        let too_new = |at: Time| at.since(now) > Duration::from_hours(2);
        match self.at {
            Some(at) if too_old(at) || too_new(at) => bad(format!(
                "The parameter MetricData.member.N.Timestamp must be between two weeks in the past \
                 and two hours in the future; found {at}."
            )),
            _ => Ok(()),
        }
    }
}

impl Resolution {
    pub(super) fn span(self) -> Duration {
        match self {
            Self::Standard => Duration::from_mins(1),
            Self::High => Duration::from_secs(1),
        }
    }
}
