//! A queue's and a group's recorded past, read from CloudWatch day by day and kept on disk.
//!
//! Owns how metrics are asked for. What is made of them is `backtest::history`'s affair.

mod answer;

use std::ops::Range;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::ProvideCredentials as _;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric as MetricName, MetricDataQuery, MetricStat, ScanBy,
};
use sha2::{Digest as _, Sha256};

use self::answer::{Answer, Found};
use super::CONNECT_TIMEOUT;
use super::error::{Call, Endpoints, Failure, Kind};
use crate::backtest::history::{
    Cache, DayKey, Metric, Past, Piece, Points, Recording, Subject, Terms, Window,
};
use crate::model::UnixSeconds;
use crate::ports::PortError;

/// A page of 100,800 points takes seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);
/// Throttled reads wait up to 20 s between attempts.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(5);
/// Reads a second are limited for the whole account ("CloudWatch service quotas").
const ATTEMPTS: u32 = 8;
/// How often a stretch is asked for anew that came with CloudWatch's own errors in it.
const TRIES: u32 = 3;
/// About two pages of `GetMetricData`, 100,800 points each: a stretch is asked for at once, and
/// progress is told after each.
const STRETCH_POINTS: i64 = 200_000;
const DAY_SECONDS: i64 = 86_400;

/// Is told how many days are there of how many.
pub type Told<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Reads pasts.
#[derive(Debug)]
pub struct History {
    client: Client,
    endpoints: Endpoints,
    origin: String,
    cache: Cache,
}

/// Whose past, and when.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Of what.
    pub subject: Subject,
    /// When.
    pub window: Window,
    /// The present: what is younger may still change.
    pub now: UnixSeconds,
}

impl History {
    /// Builds the client from the environment; asks for nothing yet.
    ///
    /// # Errors
    /// No region.
    pub async fn connect(cache: Cache) -> Result<Self, PortError> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT);
        let config = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .load()
            .await;
        Self::with(&config, cache).await
    }

    /// The same with a configuration that is there already.
    ///
    /// # Errors
    /// No region.
    pub async fn with(config: &SdkConfig, cache: Cache) -> Result<Self, PortError> {
        let endpoints = Endpoints::of_config(config)?;
        let origin = format!(
            "{} {}",
            endpoints.place("cloudwatch"),
            account(config).await
        );
        Ok(Self {
            client: Client::new(config),
            endpoints,
            origin,
            cache,
        })
    }

    /// What a queue and its fleet went through.
    ///
    /// # Errors
    /// CloudWatch does not answer or refuses; nothing is recorded of the queue.
    pub async fn past(&self, ask: &Ask, terms: &Terms, told: Told<'_>) -> Result<Past, PortError> {
        Ok(Past::of(&self.recording(ask, told).await?, terms))
    }

    /// What was recorded of them.
    ///
    /// # Errors
    /// As [`History::past`].
    pub async fn recording(&self, ask: &Ask, told: Told<'_>) -> Result<Recording, PortError> {
        let mut recording = Recording {
            subject: ask.subject.clone(),
            window: ask.window,
            points: Found::new(),
            notes: Vec::new(),
        };
        let days = ask.window.pieces(ask.now).len();
        let missing = self.take_kept(ask, &mut recording);
        let mut there = days - missing.len();
        told(there, days);
        for stretch in stretches(&missing, ask.window.period) {
            let found = self.stretch(ask, stretch, &mut recording.notes).await?;
            for piece in stretch.iter().filter(|piece| piece.is_final) {
                let day = part(&found, &(piece.from..piece.until));
                let key = self.key(ask, *piece);
                self.cache.put(&key, day, &mut recording.notes);
            }
            recording.add(&found);
            there += stretch.len();
            told(there, days);
        }
        if recording.knows_queue() {
            Ok(recording)
        } else {
            Err(self.nothing(ask).into())
        }
    }

    /// Adds the days that are kept; gives the others.
    fn take_kept(&self, ask: &Ask, recording: &mut Recording) -> Vec<Piece> {
        let pieces = ask.window.pieces(ask.now);
        let mut missing = Vec::new();
        for piece in &pieces {
            let key = self.key(ask, *piece);
            let kept = (piece.is_final)
                .then(|| self.cache.get(&key, &mut recording.notes))
                .flatten();
            match kept {
                Some(kept) => recording.add(&kept),
                None => missing.push(*piece),
            }
        }
        let kept = pieces.len() - missing.len();
        if let (Some(folder), true) = (self.cache.folder(), kept > 0) {
            recording.notes.push(format!(
                "{kept} of {} days are from {}",
                pieces.len(),
                folder.display()
            ));
        }
        missing
    }

    fn key(&self, ask: &Ask, piece: Piece) -> DayKey {
        DayKey {
            origin: self.origin.clone(),
            subject: ask.subject.clone(),
            period: ask.window.period,
            from: piece.from,
        }
    }

    /// All metrics of neighbouring pieces. CloudWatch answers with what it has, and marks what it
    /// could not read; that is asked for again, and never taken for all there is.
    async fn stretch(
        &self,
        ask: &Ask,
        stretch: &[Piece],
        notes: &mut Vec<String>,
    ) -> Result<Found, Failure> {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
            return Ok(Found::new());
        };
        for _ in 0..TRIES {
            let mut answer = Answer::default();
            let mut pages = self
                .client
                .get_metric_data()
                .set_metric_data_queries(Some(queries(ask)))
                .start_time(DateTime::from_secs(first.from))
                .end_time(DateTime::from_secs(last.until))
                .scan_by(ScanBy::TimestampAscending)
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.endpoints.explain(&CALL, &error))?;
                answer.add(&page);
            }
            if answer.is_forbidden() {
                let what = "access denied: allow cloudwatch:GetMetricData (a metric came back \
                            as Forbidden)";
                return Err(Failure::found(Kind::Denied, what.to_owned()));
            }
            if answer.is_complete() {
                notes.extend(answer.messages);
                return Ok(answer.found);
            }
        }
        let what = format!(
            "CloudWatch answered in part only, {TRIES} times: its own error; try again later"
        );
        Err(Failure::found(Kind::Busy, what))
    }

    fn nothing(&self, ask: &Ask) -> Failure {
        let what = format!(
            "nothing is recorded of queue {} at {} ({}): check `queues` in the policy, the region \
             and --since; SQS publishes nothing of a queue that nobody has called for six hours",
            ask.subject.queue,
            self.endpoints.place("cloudwatch"),
            ask.window.note(),
        );
        Failure::found(Kind::Missing, what)
    }
}

const CALL: Call<'static> = Call {
    action: "cloudwatch:GetMetricData",
    subject: "the metrics of the queue and the group",
    advice: "check the region",
};

/// Neighbouring pieces together, not too many at once.
fn stretches(pieces: &[Piece], period: i64) -> impl Iterator<Item = &[Piece]> {
    let metrics = i64::try_from(Metric::ALL.len()).unwrap_or(i64::MAX);
    let points_a_day = metrics * DAY_SECONDS / period;
    let most = usize::try_from(STRETCH_POINTS / points_a_day).unwrap_or(1);
    let neighbours = pieces.chunk_by(|a, b| a.until == b.from);
    neighbours.flat_map(move |pieces| pieces.chunks(most.max(1)))
}

fn queries(ask: &Ask) -> Vec<MetricDataQuery> {
    let period = i32::try_from(ask.window.period).unwrap_or(i32::MAX);
    let query = |(nth, metric): (usize, Metric)| {
        let (namespace, dimension, value) = if metric.is_of_queue() {
            ("AWS/SQS", "QueueName", &ask.subject.queue)
        } else {
            (
                "AWS/AutoScaling",
                "AutoScalingGroupName",
                &ask.subject.group,
            )
        };
        let name = MetricName::builder()
            .namespace(namespace)
            .metric_name(metric.name())
            .dimensions(Dimension::builder().name(dimension).value(value).build());
        let stat = MetricStat::builder()
            .metric(name.build())
            .period(period)
            .stat(metric.statistic());
        MetricDataQuery::builder()
            .id(answer::id_of(nth))
            .metric_stat(stat.build())
            .build()
    };
    Metric::ALL.into_iter().enumerate().map(query).collect()
}

/// The points of a part of the time.
fn part(found: &Found, time: &Range<i64>) -> Found {
    let of = |points: &Points| {
        points
            .range(time.clone())
            .map(|(at, v)| (*at, *v))
            .collect()
    };
    found
        .iter()
        .map(|(metric, points)| (*metric, of(points)))
        .collect()
}

/// Whose account it is, as far as the credentials tell: two may have queues of one name.
async fn account(config: &SdkConfig) -> String {
    let Some(provider) = config.credentials_provider() else {
        return "without credentials".to_owned();
    };
    match provider.provide_credentials().await {
        Ok(credentials) => match credentials.account_id() {
            Some(account) => account.as_str().to_owned(),
            None => fingerprint(credentials.access_key_id()),
        },
        // The first call says it better.
        Err(_) => "without credentials".to_owned(),
    }
}

/// Tells access keys apart without writing them down.
fn fingerprint(access_key_id: &str) -> String {
    let digest = Sha256::digest(access_key_id.as_bytes());
    let short = digest
        .iter()
        .take(6)
        .fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    format!("key {short:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_asked_for_together_and_ten_days_by_the_minute_at_most() {
        let day = |nth: i64| Piece {
            from: nth * DAY_SECONDS,
            until: (nth + 1) * DAY_SECONDS,
            is_final: true,
        };
        let lengths = |days: &[i64], period| {
            let pieces: Vec<Piece> = days.iter().map(|nth| day(*nth)).collect();
            stretches(&pieces, period)
                .map(<[Piece]>::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(lengths(&[0, 1, 2, 5, 6], 60), [3, 2]);
        let many: Vec<i64> = (0..15).collect();
        assert_eq!(lengths(&many, 60), [10, 5]);
        assert_eq!(lengths(&many, 300), [15]);
        assert_eq!(lengths(&[], 60), [0; 0]);
    }

    #[test]
    fn access_keys_are_told_apart_and_not_shown() {
        assert_ne!(fingerprint("AKIAONE"), fingerprint("AKIATWO"));
        assert!(!fingerprint("AKIAONE").contains("AKIA"));
    }
}
