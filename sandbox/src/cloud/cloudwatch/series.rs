//! One metric's data, and what a statistic makes of them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::Time;
use super::query::{MetricQuery, Points, Statistic};

/// What one datum measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Values, each with how often it was seen.
    Each(Vec<(f64, f64)>),
    /// A summary; percentiles of it cannot be had.
    Summary(Summary),
}

/// What is known of many values at once (`StatisticSet`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// A metric's data by moment.
#[derive(Debug, Default)]
pub(super) struct Series {
    data: BTreeMap<Time, Vec<Stored>>,
}

#[derive(Debug)]
struct Stored {
    /// Nobody sees it before.
    visible_at: Time,
    values: Values,
}

impl Values {
    pub(super) fn are_finite(&self) -> bool {
        match self {
            Self::Each(values) => values.iter().all(|(v, n)| v.is_finite() && n.is_finite()),
            Self::Summary(s) => [s.count, s.sum, s.min, s.max].iter().all(|v| v.is_finite()),
        }
    }

    fn summary(&self) -> Option<Summary> {
        match self {
            Self::Summary(summary) => Some(*summary),
            Self::Each(values) => values
                .iter()
                .map(|&(value, count)| Summary {
                    count,
                    sum: value * count,
                    min: value,
                    max: value,
                })
                .reduce(Summary::and),
        }
    }
}

impl Summary {
    fn and(self, other: Summary) -> Summary {
        Summary {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

impl Series {
    pub(super) fn add(&mut self, at: Time, visible_at: Time, values: Values) {
        let stored = Stored { visible_at, values };
        self.data.entry(at).or_default().push(stored);
    }

    /// A point for each period that has data; periods without are left out, as CloudWatch does.
    pub(super) fn points(&self, now: Time, query: &MetricQuery) -> Points {
        let oldest = now.earlier_by(kept_for(query.window.period));
        let start = query.window.start.max(oldest);
        let start = start.floor_to(query.window.period);
        let mut periods: BTreeMap<Time, Vec<&Values>> = BTreeMap::new();
        for (at, stored) in self.data.range(start..query.window.end.max(start)) {
            let visible = stored.iter().filter(|stored| stored.visible_at <= now);
            let values: Vec<&Values> = visible.map(|stored| &stored.values).collect();
            if !values.is_empty() {
                let period = at.floor_to(query.window.period);
                periods.entry(period).or_default().extend(values);
            }
        }
        let value = |values: Vec<&Values>| statistic(&values, query.statistic);
        periods
            .into_iter()
            .filter_map(|(at, values)| Some((at, value(values)?)))
            .collect()
    }
}

/// How long points of a period are kept ("Metrics retention", CloudWatch concepts); what was
/// published finer is summed up into coarser periods.
fn kept_for(period: Duration) -> Duration {
    const DAY: Duration = Duration::from_hours(24);
    match period.as_secs() {
        ..60 => Duration::from_hours(3),
        60..300 => 15 * DAY,
        300..3_600 => 63 * DAY,
        _ => 455 * DAY,
    }
}

fn statistic(values: &[&Values], statistic: Statistic) -> Option<f64> {
    let summary = values
        .iter()
        .filter_map(|values| values.summary())
        .reduce(Summary::and)?;
    match statistic {
        Statistic::SampleCount => Some(summary.count),
        Statistic::Sum => Some(summary.sum),
        Statistic::Average => (summary.count > 0.0).then(|| summary.sum / summary.count),
        Statistic::Minimum => Some(summary.min),
        Statistic::Maximum => Some(summary.max),
        Statistic::Percentile(tenths) => percentile(values, f64::from(tenths) / 1_000.0),
    }
}

/// The value below which the share `share` of all values lies; summaries have none.
fn percentile(values: &[&Values], share: f64) -> Option<f64> {
    let mut each: Vec<(f64, f64)> = Vec::new();
    for values in values {
        match values {
            Values::Each(values) => each.extend(values),
            Values::Summary(_) => return None,
        }
    }
    each.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = each.iter().map(|(_, count)| count).sum();
    let mut seen = 0.0;
    each.iter()
        .find(|(_, count)| {
            seen += count;
            seen >= share * total
        })
        .map(|(value, _)| *value)
}
