//! Metrics as CloudWatch recorded them: which ones, of what, and their points.
//!
//! Owns names and statistics. A point that is not there is unknown, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Window;

/// A metric's points by the Unix second at which their period begins.
pub type Points = BTreeMap<i64, f64>;

/// A value for each period of a window, where there is one.
pub type Column = Vec<Option<f64>>;

/// What was recorded of one queue and one group in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Of what.
    pub subject: Subject,
    /// When.
    pub window: Window,
    /// Points by metric; a metric without points may be absent.
    pub points: BTreeMap<Metric, Points>,
    /// What the reader of figures made from this should know, in sentences.
    pub notes: Vec<String>,
}

/// The queue and the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The queue's name.
    pub queue: String,
    /// The Auto Scaling group's name.
    pub group: String,
}

/// A metric with the statistic that is asked for. Names: "Available CloudWatch metrics for Amazon
/// SQS" and "Amazon CloudWatch metrics for Amazon EC2 Auto Scaling".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Messages sent.
    Sent,
    /// Messages received, again and again where they came back.
    Received,
    /// Messages deleted.
    Deleted,
    /// Messages to be received, on average.
    Visible,
    /// The same at most.
    VisibleMax,
    /// Messages received and not deleted, on average.
    NotVisible,
    /// Seconds since the oldest message was sent that is not deleted, at most.
    OldestAge,
    /// The group's desired capacity.
    Desired,
    /// Its instances that are in service.
    InService,
    /// Those that are being launched.
    Pending,
    /// Those that are being ended.
    Terminating,
    /// All of them, on average.
    Total,
    /// The same at most.
    TotalMax,
}

/// More than all messages there ever were in a queue.
const VALUE_MAX: f64 = 1e12;

impl Metric {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Sent,
        Self::Received,
        Self::Deleted,
        Self::Visible,
        Self::VisibleMax,
        Self::NotVisible,
        Self::OldestAge,
        Self::Desired,
        Self::InService,
        Self::Pending,
        Self::Terminating,
        Self::Total,
        Self::TotalMax,
    ];

    /// CloudWatch's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "NumberOfMessagesSent",
            Self::Received => "NumberOfMessagesReceived",
            Self::Deleted => "NumberOfMessagesDeleted",
            Self::Visible | Self::VisibleMax => "ApproximateNumberOfMessagesVisible",
            Self::NotVisible => "ApproximateNumberOfMessagesNotVisible",
            Self::OldestAge => "ApproximateAgeOfOldestMessage",
            Self::Desired => "GroupDesiredCapacity",
            Self::InService => "GroupInServiceInstances",
            Self::Pending => "GroupPendingInstances",
            Self::Terminating => "GroupTerminatingInstances",
            Self::Total | Self::TotalMax => "GroupTotalInstances",
        }
    }

    /// The statistic, as CloudWatch names it.
    pub fn statistic(self) -> &'static str {
        match self {
            Self::Sent | Self::Received | Self::Deleted => "Sum",
            Self::VisibleMax | Self::OldestAge | Self::TotalMax => "Maximum",
            _ => "Average",
        }
    }

    /// Whether SQS publishes it; else Auto Scaling does.
    pub fn is_of_queue(self) -> bool {
        self <= Self::OldestAge
    }
}

impl Recording {
    /// A metric's values, period by period. What cannot be a count or an age is unknown.
    pub fn column(&self, metric: Metric) -> Column {
        let points = self.points.get(&metric);
        let value = |at: i64| {
            let value = points.and_then(|points| points.get(&at)).copied();
            value.filter(|value| (0.0..=VALUE_MAX).contains(value))
        };
        self.window.periods().map(value).collect()
    }

    /// Adds points; of others than the window's nothing is taken.
    pub fn add(&mut self, found: &BTreeMap<Metric, Points>) {
        for (metric, points) in found {
            let within = points.range(self.window.from..self.window.until);
            let own = self.points.entry(*metric).or_default();
            own.extend(within.map(|(at, value)| (*at, *value)));
        }
    }

    /// Whether anything is recorded of the queue.
    pub fn knows_queue(&self) -> bool {
        self.any(Metric::is_of_queue)
    }

    /// Whether anything is recorded of the group.
    pub fn knows_group(&self) -> bool {
        self.any(|metric| !metric.is_of_queue())
    }

    fn any(&self, wanted: impl Fn(Metric) -> bool) -> bool {
        let mut recorded = self.points.iter().filter(|(metric, _)| wanted(**metric));
        recorded.any(|(_, points)| !points.is_empty())
    }
}
