//! A fleet's past read from CloudWatch: through the AWS SDK, over HTTP, from series that the tests
//! put into the sandbox as AWS's services would have published them.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use common::{GROUP, Ground, QUEUE, complaint, run, shown};
use serde_json::Value;
use weir_controller::aws::history::{Ask, History};
use weir_controller::backtest::history::{Cache, Metric, Past, Subject, Terms, Window};
use weir_controller::model::UnixSeconds;
use weir_controller::ports::PortError;
use weir_sandbox::cloud::Time;
use weir_sandbox::cloud::cloudwatch::{Dimensions, MetricId};
use weir_sandbox::stores::client_config;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

const TERMS: Terms = Terms {
    objective_seconds: 120.0,
    slots: 2,
};

/// A sandbox with a past, and what reads it.
struct Archive {
    ground: Ground,
    /// The last midnight that is more than two hours ago: all before it is final.
    midnight: u64,
    now: u64,
}

impl Archive {
    async fn open() -> Self {
        let ground = Ground::start(None).await;
        let now = ground.sandbox.cloud().now().as_secs();
        let midnight = (now - 2 * HOUR) / DAY * DAY;
        Self {
            ground,
            midnight,
            now,
        }
    }

    /// Publishes a value for each minute of a time, where there is one.
    fn publish(&self, metric: Metric, time: (u64, u64), value: impl Fn(u64) -> Option<f64>) {
        let (namespace, dimension, name) = if metric.is_of_queue() {
            ("AWS/SQS", "QueueName", QUEUE)
        } else {
            ("AWS/AutoScaling", "AutoScalingGroupName", GROUP)
        };
        let id = MetricId {
            namespace: namespace.into(),
            name: metric.name().into(),
            dimensions: Dimensions::from([(dimension.into(), name.into())]),
        };
        let minutes = (time.0..time.1).step_by(60);
        let points = minutes.filter_map(|at| Some((Time::from_secs(at), value(at)?)));
        let cloud = self.ground.sandbox.cloud();
        cloud.with(|cloud, _| cloud.cloudwatch.record(id, points));
    }

    /// A steady week up to midnight: 6 messages and 6 deletions a minute, 3 waiting, 1 in flight;
    /// two instances, a third from midday to one. `is_recorded` says what SQS published.
    fn publish_week(&self, is_recorded: impl Fn(Metric, u64) -> bool) {
        let week = (self.midnight - 7 * DAY, self.midnight);
        for (metric, value) in [
            (Metric::Sent, 6.0),
            (Metric::Received, 6.0),
            (Metric::Deleted, 6.0),
            (Metric::Visible, 3.0),
            (Metric::NotVisible, 1.0),
            (Metric::OldestAge, 40.0),
        ] {
            self.publish(metric, week, |at| is_recorded(metric, at).then_some(value));
        }
        for (metric, usual) in [
            (Metric::Desired, 2.0),
            (Metric::InService, 2.0),
            (Metric::Pending, 0.0),
            (Metric::Terminating, 0.0),
            (Metric::Total, 2.0),
        ] {
            let is_midday = |at: u64| at % DAY / HOUR == 12;
            let third = if metric == Metric::Pending || metric == Metric::Terminating {
                0.0
            } else {
                1.0
            };
            self.publish(metric, week, |at| {
                Some(if is_midday(at) { usual + third } else { usual })
            });
        }
    }

    async fn history(&self, cache: Cache) -> History {
        let retries = RetryConfig::standard()
            .with_max_attempts(8)
            .with_initial_backoff(Duration::from_millis(5));
        let config = client_config(self.ground.sandbox.url()).await;
        let config = config.into_builder().retry_config(retries).build();
        History::with(&config, cache).await.unwrap()
    }

    /// So many days up to the last midnight.
    fn days(&self, days: u64) -> Ask {
        self.ask(days * DAY, Some(self.midnight))
    }

    fn ask(&self, since: u64, until: Option<u64>) -> Ask {
        let moment = |at: u64| UnixSeconds(Duration::from_secs(at).as_secs_f64());
        let since = Duration::from_secs(since);
        Ask {
            subject: Subject {
                queue: QUEUE.into(),
                group: GROUP.into(),
            },
            window: Window::back(since, until.map(moment), moment(self.now)).unwrap(),
            now: moment(self.now),
        }
    }

    async fn past(&self, cache: Cache, ask: &Ask) -> Result<Past, PortError> {
        let history = self.history(cache).await;
        history.past(ask, &TERMS, &|_, _| ()).await
    }

    /// Reads of metric data so far.
    fn reads(&self) -> u64 {
        let calls = self.ground.sandbox.cloud().calls();
        let reads = calls
            .iter()
            .filter(|((_, action), _)| action == "GetMetricData");
        reads.map(|(_, count)| count).sum()
    }
}

fn in_folder(folder: &Path) -> Cache {
    Cache::at(folder.join("cache"))
}

fn notes(past: &Past) -> String {
    past.arrivals.notes.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_comes_in_two_pages_and_every_message_is_there() {
    let archive = Archive::open().await;
    archive.publish_week(|_, _| true);
    let past = archive.past(Cache::none(), &archive.days(7)).await.unwrap();
    assert_eq!(archive.reads(), 2, "13 series of 10,080 points: two pages");
    let trace = &past.arrivals.trace;
    assert_eq!(trace.counts, vec![6.0; 7 * 1440]);
    assert!((past.arrivals.starts_at.0 - (archive.midnight - 7 * DAY) as f64).abs() < 0.1);
    // One in flight, six deleted a minute: ten seconds each.
    assert!((past.service_seconds.unwrap() - 10.0).abs() < 1e-6);
    let actual = past.actual.unwrap();
    assert!((actual.instance_hours - f64::from(7 * (2 * 24 + 1))).abs() < 0.01);
    assert_eq!((actual.launches, actual.peak_instances), (7, 3));
    assert!((actual.backlog_mean - 3.0).abs() < 1e-9);
    // Three waiting, six a minute: half a minute.
    let waits = actual.waits.unwrap();
    assert!((waits.percentiles[0] - 30.0).abs() < 1.0, "{waits:?}");
    assert!(waits.late_share < 1e-9, "{waits:?}");
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_said_and_quiet_minutes_are_not_gaps() {
    let archive = Archive::open().await;
    let lost = archive.midnight - 3 * DAY + 5 * HOUR;
    let quiet = archive.midnight - 2 * DAY;
    archive.publish_week(|metric, at| {
        let is_sent = metric == Metric::Sent;
        let is_quiet = is_sent && (quiet..quiet + HOUR).contains(&at);
        !is_quiet && !(lost..lost + 90 * MINUTE).contains(&at)
    });
    let past = archive.past(Cache::none(), &archive.days(7)).await.unwrap();
    let told = notes(&past);
    assert!(
        told.contains("1h 30m of the queue are not recorded (1 gap)"),
        "{told}"
    );
    assert!(told.contains(" 05:00 to "), "{told}");
    let sent: f64 = past.arrivals.trace.counts.iter().sum();
    assert!(
        (sent - 6.0 * (7.0 * 1440.0 - 90.0 - 60.0)).abs() < 0.1,
        "{sent}"
    );
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_is_not_fetched_again() {
    let archive = Archive::open().await;
    archive.publish_week(|_, _| true);
    let folder = tempfile::tempdir().unwrap();
    let cache = || in_folder(folder.path());
    let first = archive.past(cache(), &archive.days(3)).await.unwrap();
    let reads = archive.reads();
    let again = archive.past(cache(), &archive.days(3)).await.unwrap();
    assert_eq!(archive.reads(), reads, "all three days are kept");
    assert_eq!(first.arrivals.trace, again.arrivals.trace);
    assert_eq!(first.actual, again.actual);
    assert!(
        notes(&again).contains("3 of 3 days are from"),
        "{}",
        notes(&again)
    );

    let days = Mutex::new(Vec::new());
    let history = archive.history(cache()).await;
    let told = |there, all| days.lock().unwrap().push((there, all));
    let more = history.past(&archive.days(5), &TERMS, &told).await.unwrap();
    assert_eq!(archive.reads(), reads + 1, "the other two days in one page");
    assert_eq!(*days.lock().unwrap(), [(3, 5), (5, 5)]);
    assert_eq!(more.arrivals.trace.counts, vec![6.0; 5 * 1440]);

    archive.past(Cache::none(), &archive.days(5)).await.unwrap();
    assert!(
        archive.reads() > reads + 1,
        "without a cache all is asked for"
    );
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_set_aside_and_its_day_fetched_anew() {
    let archive = Archive::open().await;
    archive.publish_week(|_, _| true);
    let folder = tempfile::tempdir().unwrap();
    let cache = || in_folder(folder.path());
    let first = archive.past(cache(), &archive.days(2)).await.unwrap();
    let file = files(folder.path()).into_iter().next().unwrap();
    std::fs::write(&file, "half a f").unwrap();
    let again = archive.past(cache(), &archive.days(2)).await.unwrap();
    assert_eq!(first.arrivals.trace, again.arrivals.trace);
    assert!(notes(&again).contains("set aside as"), "{}", notes(&again));
    assert_eq!(
        files(folder.path()).len(),
        3,
        "two days, and what was broken"
    );
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn today_is_fetched_each_time() {
    let archive = Archive::open().await;
    archive.publish_week(|_, _| true);
    // Today by the world's calendar, or the last two hours of yesterday.
    archive.publish(Metric::Sent, (archive.midnight, archive.now), |_| Some(1.0));
    let folder = tempfile::tempdir().unwrap();
    let ask = archive.ask(2 * DAY, None);
    for reads in [1, 2] {
        let past = archive.past(in_folder(folder.path()), &ask).await.unwrap();
        assert_eq!(archive.reads(), reads);
        assert_eq!(past.arrivals.trace.counts.len(), 2 * 1440);
        let latest = past.arrivals.trace.counts.last().unwrap();
        assert!((1.0..=2.0).contains(latest), "{latest}");
    }
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_group_metrics_the_reader_is_told_how_to_switch_them_on() {
    let archive = Archive::open().await;
    let week = (archive.midnight - 7 * DAY, archive.midnight);
    archive.publish(Metric::Sent, week, |_| Some(2.0));
    archive.publish(Metric::Visible, week, |_| Some(0.0));
    let past = archive.past(Cache::none(), &archive.days(7)).await.unwrap();
    assert_eq!(past.actual, None);
    let told = notes(&past);
    let command = format!(
        "aws autoscaling enable-metrics-collection --auto-scaling-group-name {GROUP} \
         --granularity 1Minute"
    );
    assert!(told.contains(&command), "{told}");
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_which_nothing_is_recorded_is_named_with_what_to_check() {
    let archive = Archive::open().await;
    archive.publish_week(|_, _| true);
    let mut ask = archive.days(7);
    ask.subject.queue = "thumbnials".into();
    let error = archive.past(Cache::none(), &ask).await.unwrap_err();
    let told = error.to_string();
    for expected in [
        "queue thumbnials",
        "`queues` in the policy",
        "region",
        "--since",
    ] {
        assert!(told.contains(expected), "no {expected:?} in: {told}");
    }
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_read_waits_and_goes_on_and_at_last_says_so() {
    let archive = Archive::open().await;
    archive.publish_week(|_, _| true);
    let throttle = |reads| {
        let cloud = archive.ground.sandbox.cloud();
        cloud.with(|cloud, _| cloud.cloudwatch.throttle(reads));
    };
    throttle(5);
    let past = archive.past(Cache::none(), &archive.days(1)).await.unwrap();
    assert_eq!(past.arrivals.trace.counts, vec![6.0; 1440]);
    assert_eq!(archive.reads(), 6);

    throttle(u32::MAX);
    let error = archive
        .past(Cache::none(), &archive.days(1))
        .await
        .unwrap_err();
    assert!(matches!(error, PortError::Unavailable { .. }), "{error:?}");
    let told = error.to_string();
    assert!(told.contains("cloudwatch:GetMetricData"), "{told}");
    assert!(told.contains("Throttling"), "{told}");
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_two_weeks_comes_by_five_minutes() {
    let archive = Archive::open().await;
    let month = (archive.midnight - 30 * DAY, archive.midnight);
    archive.publish(Metric::Sent, month, |_| Some(2.0));
    archive.publish(Metric::Visible, month, |at| Some((at / 60 % 5) as f64));
    let past = archive
        .past(Cache::none(), &archive.days(30))
        .await
        .unwrap();
    assert_eq!(past.arrivals.trace.counts, vec![10.0; 30 * 288]);
    let told = notes(&past);
    assert!(told.contains("by five minutes"), "{told}");
    archive.ground.sandbox.shutdown().await;
}

/// `weir backtest` on the week up to midnight, with days kept in this folder.
async fn backtest(archive: &Archive, cache: &Path, more: &[&str]) -> std::process::Output {
    let (policy, cache) = (shown(&archive.ground.policy), shown(cache));
    let until = Time::from_secs(archive.midnight).to_string();
    let args = ["backtest", "--policy", &policy, "--from-cloudwatch"];
    let kept = ["--until", &until, "--cache", &cache];
    let args = [&args[..], &kept[..], more].concat();
    run("weir", &args, &archive.ground.sandbox.env()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_on_the_fleets_own_week_shows_what_really_happened_beside_it() {
    let archive = Archive::open().await;
    let lost = archive.midnight - 3 * DAY + 5 * HOUR;
    archive.publish_week(|_, at| !(lost..lost + 90 * MINUTE).contains(&at));
    let folder = tempfile::tempdir().unwrap();
    let json = ["--since", "7d", "--price", "0.5", "--output", "json"];
    let output = backtest(&archive, folder.path(), &json).await;
    assert!(output.status.success(), "{}", complaint(&output));
    assert_eq!(archive.reads(), 2, "the second page too");
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();

    let trace = &outcome["trace"];
    assert_eq!(trace["messages"], 6 * (7 * 1440 - 90));
    let starts_at = trace["starts_at"].as_f64().unwrap();
    assert!((starts_at - (archive.midnight - 7 * DAY) as f64).abs() < 0.1);
    let told = trace["notes"].to_string();
    assert!(
        told.contains("1h 30m of the queue are not recorded"),
        "{told}"
    );
    let mean = outcome["setup"]["service_seconds_mean"].as_f64().unwrap();
    assert!(
        (mean - 10.0).abs() < 0.2,
        "measured, not the policy's guess: {mean}"
    );

    let rows = outcome["rows"].as_array().unwrap();
    let actual = rows.iter().find(|row| row["setting"] == "actual").unwrap();
    let hours = actual["score"]["instance_hours"].as_f64().unwrap();
    assert!((hours - f64::from(7 * 49)).abs() < 0.01, "{hours}");
    let cost = actual["score"]["cost"].as_f64().unwrap();
    assert!((cost - hours / 2.0).abs() < 1e-6, "{cost}");
    let wait = actual["score"]["wait_p50_seconds"].as_f64().unwrap();
    assert!((wait - 30.0).abs() < 1.0, "{wait}");
    let wait = actual["score"]["wait_max_seconds"].as_f64().unwrap();
    assert!(wait < 61.0, "nobody waited through the gap: {wait}");
    let series = outcome["series"]["rows"].as_array().unwrap();
    assert_eq!(series.len(), rows.len(), "a chart's line for each row");

    let again = backtest(&archive, folder.path(), &json).await;
    assert!(again.status.success(), "{}", complaint(&again));
    assert_eq!(archive.reads(), 2, "all days are kept");
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["rows"], outcome["rows"]);
    assert_eq!(again["series"], outcome["series"]);
    archive.ground.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_that_cannot_have_a_past_says_why_and_what_to_do() {
    let archive = Archive::open().await;
    let folder = tempfile::tempdir().unwrap();
    for (more, code, expected) in [
        (&["--since", "500d"][..], 64, "at most 455d"),
        (&["--since", "soon"], 64, "allowed is a span such as 7d"),
        (&["--since", "1d"], 2, "nothing is recorded of queue e2e"),
    ] {
        let output = backtest(&archive, folder.path(), more).await;
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "no {expected:?} in {said}");
        assert!(output.stdout.is_empty());
    }
    archive.ground.sandbox.shutdown().await;
}

/// All files under a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}
