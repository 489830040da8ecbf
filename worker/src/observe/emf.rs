//! Metrics for CloudWatch without a call: a line a minute and queue in the Embedded Metric Format.
//!
//! CloudWatch's agent or log driver reads the lines (CloudWatch User Guide, "Specification: Embedded
//! metric format"). It must not keep a job from its work: a line that cannot be written is lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::metrics::{Fate, QueueMetrics};
use super::outside::EmfTo;
use super::{Observed, Observer};
use crate::clock::whole;

/// CloudWatch's own resolution of standard metrics.
const EVERY: Duration = Duration::from_mins(1);

/// The namespace of all that Weir measures.
const NAMESPACE: &str = "Weir/Worker";

/// Service times are kept to two digits, from a microsecond to SQS's longest visibility.
const LONGEST_MICROS: u64 = 43_200_000_000;

/// What CloudWatch is told of a minute, as far as counters do not tell it.
#[derive(Debug)]
pub(super) struct Minute {
    service_micros: Histogram<u64>,
    waits: u32,
    wait_seconds: f64,
}

impl Default for Minute {
    fn default() -> Self {
        let service = Histogram::new_with_max(LONGEST_MICROS, 2);
        Self {
            service_micros: service.expect("invariant: the bounds are in order"),
            waits: 0,
            wait_seconds: 0.0,
        }
    }
}

impl Minute {
    pub(super) fn served(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.service_micros.saturating_record(micros.max(1));
    }

    pub(super) fn waited(&mut self, seconds: f64) {
        self.waits += 1;
        self.wait_seconds += seconds;
    }

    fn service_seconds(&self, quantile: f64) -> Option<f64> {
        let any = !self.service_micros.is_empty();
        any.then(|| self.service_micros.value_at_quantile(quantile) as f64 / 1e6)
    }

    fn wait_seconds(&self) -> Option<f64> {
        (self.waits > 0).then(|| self.wait_seconds / f64::from(self.waits))
    }
}

/// Writes lines until told to stop, and what is left of a minute then.
pub(super) async fn run(observer: Observer, to: EmfTo, stop: CancellationToken) {
    let worker = tokio::select! {
        () = stop.cancelled() => return,
        worker = observer.begun() => worker,
    };
    let mut meter = Meter::new(&observer, worker);
    let mut turn = tokio::time::interval_at(worker.clock.instant() + EVERY, EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            _ = turn.tick() => false,
        };
        for line in meter.lines() {
            if let Err(error) = write(&to, &line).await {
                tracing::warn!(%error, "a line of metrics could not be written");
            }
        }
        if last {
            return;
        }
    }
}

/// What was counted before, so that a line says what came since.
pub(super) struct Meter<'a> {
    observer: &'a Observer,
    worker: &'a Observed,
    since: Instant,
    busy_seconds: f64,
    queues: BTreeMap<String, Counted>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    completed: u64,
    failed: u64,
}

impl<'a> Meter<'a> {
    pub(super) fn new(observer: &'a Observer, worker: &'a Observed) -> Self {
        observer.shared.metrics.keep_minutes();
        Self {
            observer,
            worker,
            since: worker.clock.instant(),
            busy_seconds: 0.0,
            queues: BTreeMap::new(),
        }
    }

    /// A line for each queue, about the time since the last ones.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let now = self.worker.clock.instant();
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        let busy_seconds = self.observer.shared.running.busy_seconds(now);
        let slot_seconds = seconds * f64::from(self.worker.control.slots());
        let busy = (slot_seconds > 0.0)
            .then(|| ((busy_seconds - self.busy_seconds) / slot_seconds).clamp(0.0, 1.0));
        self.since = now;
        self.busy_seconds = busy_seconds;
        let queues = self.observer.shared.metrics.queues();
        queues.iter().map(|queue| self.line(queue, busy)).collect()
    }

    fn line(&mut self, queue: &QueueMetrics, busy: Option<f64>) -> String {
        let counted = Counted {
            completed: queue.count(Fate::Done),
            failed: queue.count(Fate::Retried) + queue.count(Fate::Poison),
        };
        let before = self.queues.insert(queue.name.to_string(), counted);
        let before = before.unwrap_or_default();
        let minute = queue.take_minute().unwrap_or_default();
        let metrics = [
            (
                "Completed",
                "Count",
                Some((counted.completed - before.completed) as f64),
            ),
            (
                "Failed",
                "Count",
                Some((counted.failed - before.failed) as f64),
            ),
            ("ServiceSecondsP50", "Seconds", minute.service_seconds(0.5)),
            ("ServiceSecondsP95", "Seconds", minute.service_seconds(0.95)),
            ("ServiceSecondsP99", "Seconds", minute.service_seconds(0.99)),
            ("WaitSeconds", "Seconds", minute.wait_seconds()),
            ("BusyPercent", "Percent", busy.map(|share| share * 100.0)),
        ];
        // What is not known is left out: a zero would be a claim.
        let known = metrics
            .iter()
            .filter_map(|(name, unit, value)| Some((*name, *unit, (*value)?)));
        self.document(&queue.name, &known.collect::<Vec<_>>())
    }

    fn document(&self, queue: &str, metrics: &[(&str, &str, f64)]) -> String {
        let definitions: Vec<Value> = metrics
            .iter()
            .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }))
            .collect();
        let millis = whole(self.worker.clock.unix_seconds() * 1000.0);
        let directive = json!({
            "Namespace": NAMESPACE,
            "Dimensions": [["Fleet", "Queue"]],
            "Metrics": definitions,
        });
        let mut root = Map::new();
        root.insert(
            "_aws".into(),
            json!({ "Timestamp": millis, "CloudWatchMetrics": [directive] }),
        );
        root.insert("Fleet".into(), self.worker.identity.fleet.clone().into());
        root.insert("Queue".into(), queue.into());
        let id = self.worker.identity.instance_id.clone();
        root.insert("InstanceId".into(), id.into());
        for (name, _, value) in metrics {
            root.insert((*name).into(), (*value).into());
        }
        Value::Object(root).to_string()
    }
}

async fn write(to: &EmfTo, line: &str) -> std::io::Result<()> {
    let line = format!("{line}\n");
    match to {
        EmfTo::Stdout => {
            let mut out = tokio::io::stdout();
            out.write_all(line.as_bytes()).await?;
            out.flush().await
        }
        EmfTo::File(path) => append(path, &line).await,
    }
}

/// Opened anew for each line, so that the file may be rotated.
async fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).open(path).await?;
    file.write_all(line.as_bytes()).await?;
    file.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, pause};
    use crate::control::Control;
    use crate::drain::{DrainLimits, DrainSwitch};
    use crate::report::{Counts, Identity};

    fn worker(observer: &Observer, clock: Clock) {
        observer.begins(Observed {
            identity: Identity {
                instance_id: "i-1".into(),
                fleet: "thumbnails".into(),
            },
            clock,
            started_at: clock.unix_seconds(),
            polls_freely: true,
            control: Control::new(4),
            counts: Counts::default(),
            drain: DrainSwitch::new(DrainLimits::default()),
        });
    }

    /// What the specification demands of a document, as CloudWatch checks it: "Specification:
    /// Embedded metric format", the sections on the root node, the metadata object, the
    /// `MetricDirective`, dimension sets, metric definitions and target members.
    fn assert_valid(document: &Value) {
        let metadata = document["_aws"].as_object().expect("_aws is an object");
        let millis = metadata["Timestamp"].as_i64().expect("a number");
        assert!(millis > 1_600_000_000_000, "milliseconds: {millis}");
        let directives = metadata["CloudWatchMetrics"].as_array().expect("an array");
        assert_eq!(metadata.len(), 2, "no other members but for logs");
        for directive in directives {
            let members: Vec<&str> = directive
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            assert_eq!(members, ["Namespace", "Dimensions", "Metrics"]);
            let namespace = directive["Namespace"].as_str().expect("a text");
            assert!((1..=1024).contains(&namespace.len()));
            for set in directive["Dimensions"].as_array().expect("an array") {
                let set = set.as_array().expect("a dimension set");
                assert!(set.len() <= 30);
                for key in set {
                    let key = key.as_str().expect("a reference");
                    let target = document[key].as_str().expect("a text at the root");
                    assert!((1..=1024).contains(&target.len()));
                }
            }
            let metrics = directive["Metrics"].as_array().expect("an array");
            assert!((1..=100).contains(&metrics.len()));
            for metric in metrics {
                let name = metric["Name"].as_str().expect("a text");
                assert!((1..=1024).contains(&name.len()));
                let unit = metric["Unit"].as_str().expect("a text");
                assert!(["Count", "Seconds", "Percent"].contains(&unit), "{unit}");
                assert!(document[name].is_number(), "{name} is a number at the root");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_valid_and_say_what_came_since_the_last() {
        let clock = Clock::starting_at(1_700_000_000.0);
        let observer = Observer::default();
        worker(&observer, clock);
        let mut meter = Meter::new(&observer, observer.begun().await);
        let queue = observer.of_queue("jobs");
        for seconds in 1..=100 {
            queue.served(Duration::from_secs(seconds));
            queue.ends(Fate::Done);
        }
        queue.ends(Fate::Poison);
        queue.waited(3.0);
        queue.waited(5.0);
        pause(EVERY).await;
        let lines = meter.lines();
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].contains('\n'));
        let document: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_valid(&document);
        assert_eq!(document["_aws"]["Timestamp"], 1_700_000_060_000_i64);
        assert_eq!(document["Fleet"], "thumbnails");
        assert_eq!(document["Queue"], "jobs");
        assert_eq!(document["InstanceId"], "i-1");
        let number = |name: &str| document[name].as_f64().expect(name);
        assert!((number("Completed") - 100.0).abs() < 1e-9);
        assert!((number("Failed") - 1.0).abs() < 1e-9);
        assert!((number("WaitSeconds") - 4.0).abs() < 1e-9);
        assert!(number("BusyPercent").abs() < 1e-9);
        for (name, seconds) in [("P50", 50.0), ("P95", 95.0), ("P99", 99.0)] {
            let found = number(&format!("ServiceSeconds{name}"));
            assert!((found / seconds - 1.0).abs() < 0.01, "{name}: {found}");
        }

        pause(EVERY).await;
        let document: Value = serde_json::from_str(&meter.lines()[0]).unwrap();
        assert_valid(&document);
        assert!(document["Completed"].as_f64().expect("known").abs() < 1e-9);
        // Nothing ran: how long jobs take is not known.
        assert!(document.get("ServiceSecondsP50").is_none());
        assert!(document.get("WaitSeconds").is_none());
    }
}
