//! CloudWatch: metrics put and got, and those that SQS publishes.

use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, DimensionFilter, Metric, MetricDataQuery, MetricDatum, MetricStat, ScanBy,
    Statistic, StatisticSet,
};
use weir_sandbox::cloud::CloudConfig;
use weir_sandbox::cloud::cloudwatch::{Dimensions, MetricId};

use crate::harness::{Aws, code, message};

const MINUTE: i64 = 60;

fn at(seconds: i64) -> DateTime {
    DateTime::from_secs(seconds)
}

/// The start of a minute half an hour ago.
fn base(aws: &Aws) -> i64 {
    let now = i64::try_from(aws.cloud.now().as_secs()).unwrap();
    now / MINUTE * MINUTE - 30 * MINUTE
}

fn fleet() -> Dimension {
    Dimension::builder()
        .name("Fleet")
        .value("thumbnails")
        .build()
}

async fn put(aws: &Aws, data: Vec<MetricDatum>) {
    let put = aws.cloudwatch().put_metric_data().namespace("Weir/Fleet");
    put.set_metric_data(Some(data)).send().await.unwrap();
}

fn datum(seconds: i64, value: f64) -> MetricDatum {
    let datum = MetricDatum::builder()
        .metric_name("Desired")
        .dimensions(fleet());
    datum.timestamp(at(seconds)).value(value).build()
}

fn query(id: &str, stat: &str, period: i32) -> MetricDataQuery {
    let metric = Metric::builder()
        .namespace("Weir/Fleet")
        .metric_name("Desired")
        .dimensions(fleet());
    let stat = MetricStat::builder()
        .metric(metric.build())
        .period(period)
        .stat(stat)
        .build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

/// `PutMetricData` and `GetMetricData`: each statistic over periods aligned to the period; minutes
/// without data are left out; newest first unless asked otherwise.
#[tokio::test]
async fn statistics_are_taken_over_aligned_periods() {
    let aws = Aws::start().await;
    let start = base(&aws) / (5 * MINUTE) * (5 * MINUTE);
    put(
        &aws,
        vec![
            datum(start, 1.0),
            datum(start + 61, 3.0),
            datum(start + 400, 10.0),
        ],
    )
    .await;
    let get = |stat: &'static str, period| {
        let get = aws
            .cloudwatch()
            .get_metric_data()
            .metric_data_queries(query("q", stat, period));
        get.start_time(at(start))
            .end_time(at(start + 900))
            .scan_by(ScanBy::TimestampAscending)
    };
    for (stat, wanted) in [
        ("Average", [2.0, 10.0]),
        ("Sum", [4.0, 10.0]),
        ("Minimum", [1.0, 10.0]),
        ("Maximum", [3.0, 10.0]),
        ("SampleCount", [2.0, 1.0]),
        ("p50", [1.0, 10.0]),
    ] {
        let got = get(stat, 300).send().await.unwrap();
        let result = &got.metric_data_results()[0];
        assert_eq!(result.values(), wanted, "{stat}");
        assert_eq!(result.timestamps(), [at(start), at(start + 300)], "{stat}");
        assert_eq!(result.status_code().unwrap().as_str(), "Complete");
    }
    let got = get("Average", 60).send().await.unwrap();
    let minutes = [at(start), at(start + 60), at(start + 360)];
    assert_eq!(
        got.metric_data_results()[0].timestamps(),
        minutes,
        "gaps are left out"
    );
    let newest = get("Average", 60)
        .scan_by(ScanBy::TimestampDescending)
        .send()
        .await
        .unwrap();
    assert_eq!(newest.metric_data_results()[0].values(), [10.0, 3.0, 1.0]);
}

/// `PutMetricData`, `StatisticValues` and `Values` with `Counts`.
#[tokio::test]
async fn summaries_and_counted_values_add_up() {
    let aws = Aws::start().await;
    let start = base(&aws);
    let set = StatisticSet::builder()
        .sample_count(4.0)
        .sum(8.0)
        .minimum(1.0)
        .maximum(5.0)
        .build();
    let bare = || {
        MetricDatum::builder()
            .metric_name("Desired")
            .dimensions(fleet())
            .timestamp(at(start))
    };
    let counted = bare()
        .values(7.0)
        .counts(2.0)
        .values(9.0)
        .counts(1.0)
        .build();
    put(&aws, vec![bare().statistic_values(set).build(), counted]).await;
    let got = aws
        .cloudwatch()
        .get_metric_statistics()
        .namespace("Weir/Fleet")
        .metric_name("Desired");
    let got = got
        .dimensions(fleet())
        .start_time(at(start))
        .end_time(at(start + 60))
        .period(60);
    let got = got
        .statistics(Statistic::Sum)
        .statistics(Statistic::SampleCount)
        .statistics(Statistic::Minimum)
        .statistics(Statistic::Maximum)
        .statistics(Statistic::Average);
    let got = got.send().await.unwrap();
    let [point] = got.datapoints() else {
        panic!("one minute: {got:?}")
    };
    assert_eq!((point.sum(), point.sample_count()), (Some(31.0), Some(7.0)));
    assert_eq!((point.minimum(), point.maximum()), (Some(1.0), Some(9.0)));
    assert_eq!(point.average(), Some(31.0 / 7.0));
    assert_eq!(point.timestamp(), Some(&at(start)));
}

/// "Dimensions" (CloudWatch concepts): a metric with other dimensions is another metric.
#[tokio::test]
async fn other_dimensions_are_another_metric() {
    let aws = Aws::start().await;
    let start = base(&aws);
    let bare = MetricDatum::builder()
        .metric_name("Desired")
        .timestamp(at(start))
        .value(5.0)
        .build();
    put(&aws, vec![bare]).await;
    let get = aws
        .cloudwatch()
        .get_metric_data()
        .metric_data_queries(query("q", "Sum", 60));
    let got = get
        .start_time(at(start))
        .end_time(at(start + 60))
        .send()
        .await
        .unwrap();
    assert!(got.metric_data_results()[0].values().is_empty());
}

/// `GetMetricData`, `MaxDatapoints` and `NextToken`.
#[tokio::test]
async fn many_points_come_in_pages() {
    let aws = Aws::start().await;
    let start = base(&aws);
    put(
        &aws,
        (0..10).map(|n| datum(start + n * MINUTE, 1.0)).collect(),
    )
    .await;
    let get = aws.cloudwatch().get_metric_data();
    let get = get
        .metric_data_queries(query("a", "Sum", 60))
        .metric_data_queries(query("b", "Sum", 60));
    let get = get
        .start_time(at(start))
        .end_time(at(start + 600))
        .max_datapoints(7);
    let mut pages = get.into_paginator().send();
    let mut seen = (0, 0);
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        let points: usize = page
            .metric_data_results()
            .iter()
            .map(|r| r.values().len())
            .sum();
        assert!(points <= 7);
        seen = (seen.0 + points, seen.1 + 1);
    }
    assert_eq!(seen, (20, 3));
}

/// `GetMetricData`: at most 500 queries, at most 100,800 points a page.
#[tokio::test]
async fn requests_that_ask_for_too_much_are_refused() {
    let aws = Aws::start().await;
    let start = base(&aws);
    let get = || {
        let get = aws.cloudwatch().get_metric_data();
        get.start_time(at(start)).end_time(at(start + 600))
    };
    let large = get()
        .metric_data_queries(query("q", "Sum", 60))
        .max_datapoints(100_801);
    assert_eq!(code(&large.send().await.unwrap_err()), "ValidationError");
    let queries = |count| (0..count).map(|nth| query(&format!("q{nth}"), "Sum", 60));
    let many = get().set_metric_data_queries(Some(queries(501).collect()));
    assert_eq!(code(&many.send().await.unwrap_err()), "ValidationError");
    let most = get().set_metric_data_queries(Some(queries(500).collect()));
    let got = most.send().await.unwrap();
    assert_eq!(got.metric_data_results().len(), 500);
}

/// "Metrics retention" (CloudWatch concepts): minutes are kept 15 days, five minutes 63, hours 455.
#[tokio::test]
async fn points_are_kept_the_longer_the_coarser_they_are() {
    let aws = Aws::start().await;
    let now = aws.cloud.now();
    let days_ago = |days: u64| now.earlier_by(Duration::from_hours(24 * days));
    let metric = MetricId {
        namespace: "AWS/SQS".into(),
        name: "NumberOfMessagesSent".into(),
        dimensions: Dimensions::from([("QueueName".into(), "jobs".into())]),
    };
    let points = [10, 20, 100, 500].map(|days| (days_ago(days), 1.0));
    (aws.cloud).with(|cloud, _| cloud.cloudwatch.record(metric, points));
    for (period, kept) in [(60, 1), (300, 2), (3_600, 3)] {
        let queue = Dimension::builder().name("QueueName").value("jobs");
        let metric = Metric::builder()
            .namespace("AWS/SQS")
            .metric_name("NumberOfMessagesSent")
            .dimensions(queue.build());
        let stat = MetricStat::builder()
            .metric(metric.build())
            .period(period)
            .stat("Sum");
        let query = MetricDataQuery::builder().id("q").metric_stat(stat.build());
        let get = aws.cloudwatch().get_metric_data();
        let get = get
            .metric_data_queries(query.build())
            .start_time(DateTime::from_secs_f64(days_ago(600).as_secs_f64()))
            .end_time(DateTime::from_secs_f64(now.as_secs_f64()));
        let got = get.send().await.unwrap();
        assert_eq!(
            got.metric_data_results()[0].values().len(),
            kept,
            "{period}"
        );
    }
}

/// `PutMetricData`: a batch of a thousand is compressed by the SDK ("requestCompression"); more than a
/// thousand are refused.
#[tokio::test]
async fn large_batches_come_compressed() {
    let aws = Aws::start().await;
    let start = base(&aws);
    put(&aws, (0..1_000).map(|_| datum(start, 1.0)).collect()).await;
    let get = aws
        .cloudwatch()
        .get_metric_data()
        .metric_data_queries(query("q", "Sum", 60));
    let got = get
        .start_time(at(start))
        .end_time(at(start + 60))
        .send()
        .await
        .unwrap();
    assert_eq!(got.metric_data_results()[0].values(), [1_000.0]);
    let data = (0..1_001).map(|_| datum(start, 1.0)).collect();
    let many = aws
        .cloudwatch()
        .put_metric_data()
        .namespace("Weir/Fleet")
        .set_metric_data(Some(data));
    assert_eq!(
        code(&many.send().await.unwrap_err()),
        "InvalidParameterValue"
    );
}

/// `PutMetricData`: the namespace `AWS/` is AWS's; a time of more than two weeks ago is refused.
#[tokio::test]
async fn data_that_break_the_rules_are_refused() {
    let aws = Aws::start().await;
    let put = |namespace: &str, datum| {
        aws.cloudwatch()
            .put_metric_data()
            .namespace(namespace)
            .metric_data(datum)
            .send()
    };
    let error = put("AWS/SQS", datum(base(&aws), 1.0)).await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    let old = base(&aws) - 15 * 86_400;
    let error = put("Weir/Fleet", datum(old, 1.0)).await.unwrap_err();
    assert!(message(&error).contains("two weeks"), "{}", message(&error));
}

/// `ListMetrics`: by namespace, name and dimensions.
#[tokio::test]
async fn metrics_are_listed() {
    let aws = Aws::start().await;
    put(&aws, vec![datum(base(&aws), 1.0)]).await;
    let list = || aws.cloudwatch().list_metrics().namespace("Weir/Fleet");
    let found = list().send().await.unwrap();
    assert_eq!(found.metrics()[0].metric_name(), Some("Desired"));
    assert_eq!(found.metrics()[0].dimensions(), [fleet()]);
    let other = DimensionFilter::builder()
        .name("Fleet")
        .value("other")
        .build();
    assert!(
        list()
            .dimensions(other)
            .send()
            .await
            .unwrap()
            .metrics()
            .is_empty()
    );
}

/// "Available CloudWatch metrics for Amazon SQS": each queue's metrics, once a minute; and late by as
/// much as is configured.
#[tokio::test]
async fn queues_publish_their_metrics_every_minute() {
    let config = CloudConfig {
        metrics_delay: Duration::from_mins(2),
        ..CloudConfig::default()
    };
    let aws = Aws::with(&config).await;
    let url = aws
        .sqs()
        .create_queue()
        .queue_name("jobs")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    for _ in 0..3 {
        aws.sqs()
            .send_message()
            .queue_url(&url)
            .message_body("x")
            .send()
            .await
            .unwrap();
    }
    aws.sqs()
        .receive_message()
        .queue_url(&url)
        .visibility_timeout(3_600)
        .send()
        .await
        .unwrap();
    aws.skip(120);
    assert_eq!(
        latest(&aws, "ApproximateNumberOfMessagesVisible").await,
        None,
        "not published yet"
    );
    aws.skip(120);
    for (name, value) in [
        ("ApproximateNumberOfMessagesVisible", 2.0),
        ("ApproximateNumberOfMessagesNotVisible", 1.0),
        ("NumberOfMessagesSent", 3.0),
        ("NumberOfMessagesReceived", 1.0),
        ("NumberOfMessagesDeleted", 0.0),
    ] {
        assert_eq!(latest(&aws, name).await, Some(value), "{name}");
    }
    let age = latest(&aws, "ApproximateAgeOfOldestMessage").await.unwrap();
    assert!((60.0..=240.0).contains(&age), "{age}");
}

/// The first value of the last ten minutes of a queue's metric.
async fn latest(aws: &Aws, name: &str) -> Option<f64> {
    let queue = Dimension::builder().name("QueueName").value("jobs").build();
    let metric = Metric::builder()
        .namespace("AWS/SQS")
        .metric_name(name)
        .dimensions(queue)
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(60)
        .stat("Maximum")
        .build();
    let now = i64::try_from(aws.cloud.now().as_secs()).unwrap();
    let got = aws.cloudwatch().get_metric_data();
    let got = got
        .metric_data_queries(MetricDataQuery::builder().id("q").metric_stat(stat).build())
        .start_time(at(now - 600))
        .end_time(at(now + 60))
        .scan_by(ScanBy::TimestampAscending);
    got.send().await.unwrap().metric_data_results()[0]
        .values()
        .first()
        .copied()
}
