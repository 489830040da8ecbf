//! What the worker tells the controller about itself, and how it keeps count.
//!
//! Written every ten seconds and on each edge between busy and idle, but at most once a second. It
//! must not block or fail a job: a report that cannot be written is tried again at the next turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use weir_protocol::{REPORT_EVERY_SECONDS, Report, keys};

use crate::aws::{CallError, call_error};
use crate::clock::{Clock, whole};
use crate::control::Control;
use crate::drain::DrainSwitch;

/// Service times older than this are forgotten.
const WINDOW: Duration = Duration::from_mins(5);

/// At most this many service times are kept: enough for a percentile, little to sort.
const SAMPLES_MAX: usize = 4096;

/// Edges closer together than this share a report.
const EDGE_EVERY: Duration = Duration::from_secs(1);

/// The table may drop a report this long after it was written: much later than it counts as stale.
const KEEP_SECONDS: i64 = 900;

/// Where reports go.
#[async_trait]
pub trait Reports: Send + Sync {
    /// Writes the worker's latest report over the one before.
    async fn put(&self, report: &Report) -> Result<(), CallError>;

    /// Takes the worker's report away.
    async fn delete(&self, fleet: &str, instance_id: &str) -> Result<(), CallError>;
}

/// Reports in the state table.
#[derive(Clone, Debug)]
pub struct DynamoReports {
    client: Client,
    table: String,
}

impl DynamoReports {
    /// Reports in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }
}

#[async_trait]
impl Reports for DynamoReports {
    async fn put(&self, report: &Report) -> Result<(), CallError> {
        let thing = format!("table {}", self.table);
        let item: std::collections::HashMap<String, AttributeValue> = serde_dynamo::to_item(report)
            .map_err(|error| CallError::Refused {
                what: format!("the report could not be written as an item: {error}"),
            })?;
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .item(keys::PK, AttributeValue::S(keys::reports(&report.fleet)))
            .item(keys::SK, AttributeValue::S(report.instance_id.clone()))
            .send()
            .await
            .map_err(|error| call_error("PutItem", &thing, &error))?;
        Ok(())
    }

    async fn delete(&self, fleet: &str, instance_id: &str) -> Result<(), CallError> {
        let thing = format!("table {}", self.table);
        self.client
            .delete_item()
            .table_name(&self.table)
            .key(keys::PK, AttributeValue::S(keys::reports(fleet)))
            .key(keys::SK, AttributeValue::S(instance_id.to_owned()))
            .send()
            .await
            .map_err(|error| call_error("DeleteItem", &thing, &error))?;
        Ok(())
    }
}

/// The worker's counts. Cloned freely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    tally: Mutex<Tally>,
    /// The worker went from idle to busy or back.
    edge: Notify,
}

/// A moment's counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) busy_slots: u32,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    service: VecDeque<(Instant, f64)>,
}

impl Counts {
    /// A job began.
    pub(crate) fn began(&self) {
        let mut tally = self.lock();
        tally.busy_slots += 1;
        if tally.busy_slots == 1 {
            self.shared.edge.notify_one();
        }
    }

    /// A job that had begun is over, whatever came of it.
    pub(crate) fn ended(&self) {
        let mut tally = self.lock();
        tally.busy_slots = tally.busy_slots.saturating_sub(1);
        if tally.busy_slots == 0 {
            self.shared.edge.notify_one();
        }
    }

    /// A job's completion was committed at `now`, `took` after its start.
    pub(crate) fn completed(&self, now: Instant, took: Duration) {
        let mut tally = self.lock();
        tally.completed += 1;
        tally.service.push_back((now, took.as_secs_f64()));
        if tally.service.len() > SAMPLES_MAX {
            tally.service.pop_front();
        }
    }

    /// An attempt ended in a retry or as poison.
    pub(crate) fn failed(&self) {
        self.lock().failed += 1;
    }

    /// The counts now.
    pub(crate) fn tally(&self) -> Tally {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.shared
            .tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    /// Mean and 95th percentile of the service times of the last five minutes, seconds.
    fn service_seconds(&self, now: Instant) -> Option<(f64, f64)> {
        let recent = |(at, _): &&(Instant, f64)| now.saturating_duration_since(*at) <= WINDOW;
        let mut seconds: Vec<f64> = self
            .service
            .iter()
            .filter(recent)
            .map(|(_, s)| *s)
            .collect();
        if seconds.is_empty() {
            return None;
        }
        seconds.sort_by(f64::total_cmp);
        let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
        // Nearest rank: the smallest value that at least 95 in a hundred do not exceed.
        let rank = (seconds.len() * 95).div_ceil(100);
        Some((mean, seconds[rank - 1]))
    }
}

/// Who reports, and how many slots it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The EC2 instance id, or what stands for it elsewhere.
    pub instance_id: String,
    /// The fleet, by its policy's name.
    pub fleet: String,
}

/// What the reporting task works with.
#[derive(Clone)]
pub(crate) struct Reporter {
    pub(crate) reports: Arc<dyn Reports>,
    pub(crate) counts: Counts,
    pub(crate) identity: Identity,
    pub(crate) control: Control,
    pub(crate) started_at: f64,
    pub(crate) drain: DrainSwitch,
    pub(crate) clock: Clock,
}

impl Reporter {
    fn report(&self) -> Report {
        let tally = self.counts.tally();
        let service = tally.service_seconds(self.clock.instant());
        let now = self.clock.unix_seconds();
        Report {
            instance_id: self.identity.instance_id.clone(),
            fleet: self.identity.fleet.clone(),
            started_at: self.started_at,
            reported_at: now,
            slots: self.control.slots(),
            busy_slots: tally.busy_slots,
            completed_total: tally.completed,
            failed_total: tally.failed,
            service_seconds_mean: service.map(|(mean, _)| mean),
            service_seconds_p95: service.map(|(_, p95)| p95),
            draining: self.drain.current().is_some(),
            version: env!("CARGO_PKG_VERSION").into(),
            expires_at: whole(now) + KEEP_SECONDS,
        }
    }

    /// Writes a report now.
    pub(crate) async fn write(&self) -> Result<(), CallError> {
        self.reports.put(&self.report()).await
    }

    /// Takes the report away.
    pub(crate) async fn withdraw(&self) -> Result<(), CallError> {
        let Identity { instance_id, fleet } = &self.identity;
        self.reports.delete(fleet, instance_id).await
    }
}

/// Reports until told to stop.
pub(crate) async fn run(reporter: Reporter, stop: CancellationToken) {
    let mut turn = tokio::time::interval(Duration::from_secs(REPORT_EVERY_SECONDS));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drain = reporter.drain.watch();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turn.tick() => {}
            () = reporter.counts.shared.edge.notified() => {}
            Ok(()) = drain.changed() => {}
        }
        if let Err(error) = reporter.write().await {
            tracing::warn!(%error, "could not write the report");
        }
        turn.reset();
        let rest = crate::clock::pause(EDGE_EVERY);
        tokio::select! {
            () = stop.cancelled() => return,
            () = rest => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn mean_and_percentile_cover_five_minutes() {
        let clock = Clock::starting_at(0.0);
        let counts = Counts::default();
        counts.completed(clock.instant(), Duration::from_secs(1000));
        crate::clock::pause(Duration::from_secs(301)).await;
        assert_eq!(counts.tally().service_seconds(clock.instant()), None);
        for seconds in 1..=100 {
            counts.completed(clock.instant(), Duration::from_secs(seconds));
        }
        let (mean, p95) = counts.tally().service_seconds(clock.instant()).unwrap();
        assert!((mean - 50.5).abs() < 1e-9);
        assert!((p95 - 95.0).abs() < 1e-9);
    }
}
