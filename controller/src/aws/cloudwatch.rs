//! CloudWatch: the age of each queue's oldest message in, the fleet's figures out.
//!
//! `GetQueueAttributes` has no age; SQS gives it only as a metric, a minute or more old. This
//! module never makes a round fail by reading: an age that cannot be had is unknown.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat, ScanBy, StandardUnit,
};

use super::error::{Call, Endpoints, Failure};
use crate::figures::{Figure, Unit};
use crate::model::{Seconds, UnixSeconds};

/// Where the fleet's figures are published, with the dimension `Fleet`.
pub(super) const NAMESPACE: &str = "Weir/Fleet";
/// The dimension's name.
pub(super) const DIMENSION: &str = "Fleet";

/// How far back to look for a queue's newest age. SQS publishes once a minute, a little late; an
/// age older than this says nothing about the present.
const LOOK_BACK: Seconds = Seconds(300.0);
/// `AWS/SQS` metrics come once a minute.
const PERIOD_SECONDS: i32 = 60;
/// Most queries in one `GetMetricData` (CloudWatch API reference).
const QUERIES_MAX: usize = 500;

/// Most figures in one `PutMetricData` (CloudWatch API reference).
const DATA_MAX: usize = 1000;

/// Age in seconds by queue name; a queue without a recent age is absent.
pub(super) type Ages = BTreeMap<String, f64>;

/// Reads ages, publishes figures.
pub(super) struct CloudWatch {
    client: Client,
    endpoints: Endpoints,
}

impl CloudWatch {
    pub(super) fn new(client: Client, endpoints: Endpoints) -> Self {
        Self { client, endpoints }
    }

    /// The age of the oldest message of each of `queues`, in one call for up to 500.
    pub(super) async fn oldest_ages(
        &self,
        queues: &[String],
        now: UnixSeconds,
    ) -> Result<Ages, Failure> {
        let mut ages = Ages::new();
        for queues in queues.chunks(QUERIES_MAX) {
            self.ages_of(queues, now, &mut ages).await?;
        }
        Ok(ages)
    }

    async fn ages_of(
        &self,
        queues: &[String],
        now: UnixSeconds,
        ages: &mut Ages,
    ) -> Result<(), Failure> {
        let mut pages = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queues.iter().enumerate().map(age_query).collect()))
            .start_time(moment(UnixSeconds(now.0 - LOOK_BACK.0)))
            .end_time(moment(now))
            .scan_by(ScanBy::TimestampDescending)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                let call = call("cloudwatch:GetMetricData", "the queues' ages");
                self.endpoints.explain(&call, &error)
            })?;
            for result in page.metric_data_results() {
                let queue = result.id().and_then(|id| queues.get(index_of(id)?));
                if let (Some(queue), Some(newest)) = (queue, result.values().first()) {
                    ages.entry(queue.clone()).or_insert(*newest);
                }
            }
        }
        Ok(())
    }

    /// Publishes figures, each of the fleet it comes with, in one call for up to 1,000.
    pub(super) async fn publish(
        &self,
        at: UnixSeconds,
        figures: &[(&str, Figure)],
    ) -> Result<(), Failure> {
        for figures in figures.chunks(DATA_MAX) {
            let data = figures
                .iter()
                .map(|(fleet, figure)| datum(fleet, at, figure));
            self.client
                .put_metric_data()
                .namespace(NAMESPACE)
                .set_metric_data(Some(data.collect()))
                .send()
                .await
                .map_err(|error| {
                    let call = call("cloudwatch:PutMetricData", "namespace Weir/Fleet");
                    self.endpoints.explain(&call, &error)
                })?;
        }
        Ok(())
    }
}

fn age_query((nth, queue): (usize, &String)) -> MetricDataQuery {
    let metric = Metric::builder()
        .namespace("AWS/SQS")
        .metric_name("ApproximateAgeOfOldestMessage")
        .dimensions(Dimension::builder().name("QueueName").value(queue).build());
    let stat = MetricStat::builder()
        .metric(metric.build())
        .period(PERIOD_SECONDS)
        .stat("Maximum");
    MetricDataQuery::builder()
        .id(id_of(nth))
        .metric_stat(stat.build())
        .build()
}

fn call<'a>(action: &'static str, subject: &'a str) -> Call<'a> {
    Call {
        action,
        subject,
        advice: "check the region",
    }
}

/// Ids begin with a lower-case letter (CloudWatch API reference, `MetricDataQuery`).
fn id_of(nth: usize) -> String {
    format!("q{nth}")
}

fn index_of(id: &str) -> Option<usize> {
    id.strip_prefix('q')?.parse().ok()
}

fn datum(fleet: &str, at: UnixSeconds, figure: &Figure) -> MetricDatum {
    MetricDatum::builder()
        .metric_name(figure.name)
        .dimensions(Dimension::builder().name(DIMENSION).value(fleet).build())
        .timestamp(moment(at))
        .value(figure.value)
        .unit(match figure.unit {
            Unit::Count => StandardUnit::Count,
            Unit::Seconds => StandardUnit::Seconds,
            Unit::Ratio => StandardUnit::None,
        })
        .build()
}

fn moment(at: UnixSeconds) -> DateTime {
    DateTime::from_secs_f64(at.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_found_again_by_its_querys_id() {
        assert_eq!(index_of(&id_of(17)), Some(17));
        assert_eq!(index_of("m1"), None);
    }
}
