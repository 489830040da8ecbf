//! The metrics that SQS publishes of each queue ("Available CloudWatch metrics for Amazon SQS").

use std::time::Duration;

use super::super::Time;
use super::super::sqs::{Counts, Sqs, Totals};
use super::{CloudWatch, MetricId, Resolution, Values};

impl CloudWatch {
    /// When the next metrics of the queues are taken.
    pub fn next_feed_at(&self) -> Option<Time> {
        self.next_feed_at
    }

    /// Takes the queues' metrics once for each period that has ended by `now`; they can be read after
    /// the publish delay. A caller who slept through several periods gets one set of points, for the
    /// last of them: what was true in between is not known any more.
    pub fn feed_sqs(&mut self, now: Time, sqs: &mut Sqs) {
        let this_period = now.floor_to(self.period);
        let due = self.next_feed_at.is_some_and(|at| at <= now);
        self.next_feed_at = Some(this_period + self.period);
        if !due {
            return;
        }
        // The point stands at the start of the period that has just ended.
        let at = this_period.earlier_by(self.period);
        let names: Vec<String> = sqs.names("").map(str::to_owned).collect();
        for name in names {
            self.feed_queue(now, at, &name, sqs);
        }
    }

    fn feed_queue(&mut self, now: Time, at: Time, name: &str, sqs: &mut Sqs) {
        let (Ok(counts), Ok(age), Ok(totals)) = (
            sqs.counts(now, name),
            sqs.oldest_age(now, name),
            sqs.totals(name),
        ) else {
            return;
        };
        let before = self.fed.insert(name.into(), totals).unwrap_or_default();
        for (metric, value) in metrics(counts, age, totals, before) {
            let metric = MetricId {
                namespace: "AWS/SQS".into(),
                name: metric.into(),
                dimensions: [("QueueName".into(), name.into())].into(),
            };
            let fine = self.period < Resolution::Standard.span();
            let resolution = if fine {
                Resolution::High
            } else {
                Resolution::Standard
            };
            self.metrics.entry(metric).or_default().add(
                at.floor_to(resolution.span()),
                now + self.delay,
                Values::Each(vec![(value, 1.0)]),
            );
        }
    }
}

/// The period's metrics. A queue made anew under an old name starts its totals at zero.
fn metrics(
    counts: Counts,
    age: Option<Duration>,
    totals: Totals,
    before: Totals,
) -> [(&'static str, f64); 8] {
    let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now) as f64;
    [
        ("ApproximateNumberOfMessagesVisible", counts.visible as f64),
        (
            "ApproximateNumberOfMessagesNotVisible",
            counts.in_flight as f64,
        ),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed as f64),
        (
            "ApproximateAgeOfOldestMessage",
            age.unwrap_or_default().as_secs() as f64,
        ),
        ("NumberOfMessagesSent", since(totals.sent, before.sent)),
        (
            "NumberOfMessagesReceived",
            since(totals.received, before.received),
        ),
        (
            "NumberOfEmptyReceives",
            since(totals.empty_receives, before.empty_receives),
        ),
        (
            "NumberOfMessagesDeleted",
            since(totals.deleted, before.deleted),
        ),
    ]
}
