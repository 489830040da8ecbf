//! What the demo came to: the figures, whether they are good, and a text to read.
//!
//! Plain functions of what was found; nothing here reads or waits.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use weir_protocol::JobState;

use super::tally::Tally;
use crate::fleet::Lifetime;

/// The demo's figures, as they stand in `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Messages that SQS accepted.
    pub submitted: usize,
    /// Jobs whose record says they succeeded.
    pub succeeded: usize,
    /// Jobs whose record says they were given up.
    pub failed: usize,
    /// Jobs without a final record that are in no queue either.
    pub lost: usize,
    /// Jobs with more than one entry in the ledger of commits.
    pub committed_twice: usize,
    /// Jobs that succeeded and whose thumbnail is not in the bucket.
    pub thumbnails_missing: usize,
    /// Messages still in the queue.
    pub left_in_queue: u64,
    /// Messages in the dead-letter queue.
    pub dead_letters: u64,
    /// Most instances at one moment, booting and leaving ones included.
    pub peak_instances: usize,
    /// Instances when the demo ended.
    pub final_instances: usize,
    /// Seconds that instances ran, added up, as EC2 would bill them.
    pub instance_seconds: f64,
    /// What a fleet of the peak's size would have run in the same time.
    pub instance_seconds_at_static_peak: f64,
    /// Half of the jobs started within this many seconds of being sent; `null` if none started.
    pub start_wait_seconds_p50: Option<f64>,
    /// 99 of 100 jobs did.
    pub start_wait_seconds_p99: Option<f64>,
    /// Rounds of the controller.
    pub rounds: u32,
    /// Rounds that failed.
    pub rounds_failed: u32,
    /// The seed of everything made by chance.
    pub seed: u64,
    /// The trace file, if arrivals followed one.
    pub trace: Option<String>,
    /// What the arrivals were, for people.
    pub arrivals: String,
    /// Seconds over which messages were sent.
    pub seconds: f64,
    /// Seconds from the first message until the fleet was empty again.
    pub seconds_in_all: f64,
}

/// Everything a summary is made from.
#[derive(Clone, Debug)]
pub struct Findings<'a> {
    /// The jobs that SQS accepted.
    pub submitted: &'a BTreeSet<String>,
    /// What the books say.
    pub tally: &'a Tally,
    /// The lives of all instances there ever were.
    pub lifetimes: &'a [Lifetime],
    /// The moment of the summary, on the lifetimes' clock.
    pub now: f64,
    /// Seconds from the first message to `now`.
    pub seconds_in_all: f64,
}

/// What the demo was asked to do.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The seed.
    pub seed: u64,
    /// The trace file.
    pub trace: Option<String>,
    /// What the arrivals were, for people.
    pub arrivals: String,
    /// Seconds over which messages were sent.
    pub seconds: f64,
    /// Rounds, and those that failed.
    pub rounds: (u32, u32),
}

impl Summary {
    /// Works the figures out.
    pub fn new(asked: &Asked, found: &Findings) -> Self {
        let Findings {
            submitted,
            tally,
            lifetimes,
            ..
        } = found;
        let records: Vec<_> = submitted
            .iter()
            .filter_map(|id| tally.records.get(id))
            .collect();
        let in_state = |state| {
            records
                .iter()
                .filter(|record| record.state == state)
                .count()
        };
        let (succeeded, failed) = (in_state(JobState::Succeeded), in_state(JobState::Failed));
        let (left, dead) = (tally.queue.total(), tally.dead_letters.total());
        let held = usize::try_from(left + dead).unwrap_or(usize::MAX);
        let open = submitted.len() - succeeded - failed;
        let waits = records
            .iter()
            .filter_map(|record| Some((record.started_at? - record.sent_at?).max(0.0)));
        let mut waits: Vec<f64> = waits.collect();
        waits.sort_by(f64::total_cmp);
        let peak = peak(lifetimes);
        let span = |life: &Lifetime| life.to.unwrap_or(found.now) - life.from;
        Self {
            submitted: submitted.len(),
            succeeded,
            failed,
            lost: open.saturating_sub(held),
            committed_twice: tally
                .commits
                .values()
                .filter(|commits| **commits > 1)
                .count(),
            thumbnails_missing: missing(found),
            left_in_queue: left,
            dead_letters: dead,
            peak_instances: peak,
            final_instances: lifetimes.iter().filter(|life| life.to.is_none()).count(),
            instance_seconds: tenths(lifetimes.iter().map(span).sum()),
            instance_seconds_at_static_peak: tenths(peak as f64 * found.seconds_in_all),
            start_wait_seconds_p50: quantile(&waits, 0.50),
            start_wait_seconds_p99: quantile(&waits, 0.99),
            rounds: asked.rounds.0,
            rounds_failed: asked.rounds.1,
            seed: asked.seed,
            trace: asked.trace.clone(),
            arrivals: asked.arrivals.clone(),
            seconds: asked.seconds,
            seconds_in_all: tenths(found.seconds_in_all),
        }
    }

    /// What did not go as it must; empty when all went well.
    pub fn complaints(&self) -> Vec<String> {
        let checks = [
            (self.submitted == 0, "no message was accepted".to_owned()),
            (self.lost > 0, format!("{} jobs were lost", self.lost)),
            (
                self.committed_twice > 0,
                format!("{} jobs were committed twice", self.committed_twice),
            ),
            (self.failed > 0, format!("{} jobs failed", self.failed)),
            (
                self.succeeded + self.failed < self.submitted,
                format!(
                    "{} jobs did not end",
                    self.submitted.saturating_sub(self.succeeded + self.failed)
                ),
            ),
            (
                self.thumbnails_missing > 0,
                format!(
                    "{} thumbnails are not in the bucket",
                    self.thumbnails_missing
                ),
            ),
            (
                self.final_instances > 0,
                format!("{} instances were still there", self.final_instances),
            ),
        ];
        let wrong = checks.into_iter().filter(|(wrong, _)| *wrong);
        wrong.map(|(_, text)| text).collect()
    }

    /// The text a person reads at the end.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            let _ = writeln!(text, "  {line}");
        };
        line(format!(
            "What came     {} messages in {:.0} s: {}",
            self.submitted, self.seconds, self.arrivals
        ));
        line(format!(
            "What became   {} thumbnails made, {} failed, {} lost, {} committed twice",
            self.succeeded, self.failed, self.lost, self.committed_twice
        ));
        line(format!(
            "The fleet     from 0 to {} instances and back to {}, in {} rounds of the controller",
            self.peak_instances, self.final_instances, self.rounds
        ));
        line(format!(
            "The wait      half of the jobs started within {}, 99 of 100 within {}",
            seconds(self.start_wait_seconds_p50),
            seconds(self.start_wait_seconds_p99)
        ));
        let (ran, at_peak) = (self.instance_seconds, self.instance_seconds_at_static_peak);
        let saved = if at_peak > 0.0 {
            100.0 * (1.0 - ran / at_peak)
        } else {
            0.0
        };
        line(format!(
            "The cost      {ran:.0} instance-seconds; {} instances all the time: {at_peak:.0} \
             ({saved:.0}% saved)",
            self.peak_instances
        ));
        text
    }
}

/// Succeeded jobs whose result names a key that the bucket does not have.
fn missing(found: &Findings) -> usize {
    let tally = found.tally;
    let records = found
        .submitted
        .iter()
        .filter_map(|id| tally.records.get(id));
    records
        .filter(|record| record.state == JobState::Succeeded)
        .filter(|record| {
            let result = record.result.as_deref().unwrap_or_default();
            let result: serde_json::Value = serde_json::from_str(result).unwrap_or_default();
            let key = result.get("key").and_then(serde_json::Value::as_str);
            !key.is_some_and(|key| tally.thumbnails.contains(key))
        })
        .count()
}

/// The most lives at one moment.
fn peak(lifetimes: &[Lifetime]) -> usize {
    let alive_at = |at: f64| {
        let alive = lifetimes
            .iter()
            .filter(|life| life.from <= at && life.to.is_none_or(|to| to > at));
        alive.count()
    };
    lifetimes
        .iter()
        .map(|life| alive_at(life.from))
        .max()
        .unwrap_or(0)
}

/// The nearest-rank quantile of rising values.
fn quantile(rising: &[f64], share: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank between 0 and the count"
    )]
    let rank = (rising.len() as f64 * share).ceil() as usize;
    let value = rising.get(rank.saturating_sub(1))?;
    Some((value * 1000.0).round() / 1000.0)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "an unknown time".into(), |value| format!("{value:.1} s"))
}

#[cfg(test)]
mod tests {
    use super::super::tally::QueueCounts;
    use super::*;
    use weir_protocol::JobRecord;

    fn record(id: &str, state: JobState, wait: f64) -> (String, JobRecord) {
        let record = JobRecord {
            job_id: id.into(),
            state,
            token: None,
            attempt: 1,
            lease_until: None,
            worker: None,
            queue: None,
            sent_at: Some(100.0),
            started_at: Some(100.0 + wait),
            finished_at: None,
            result: Some(format!(r#"{{"key":"thumbnails/{id}.jpg"}}"#)),
            reason: None,
            first_reason: None,
            first_failed_at: None,
            not_before: None,
            ticket: None,
            carrier: None,
            expires_at: None,
        };
        (id.into(), record)
    }

    fn asked() -> Asked {
        Asked {
            seed: 1,
            trace: None,
            arrivals: "a day with a flash crowd at 13:20".into(),
            seconds: 90.0,
            rounds: (40, 0),
        }
    }

    fn submitted(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn summary(ids: &[&str], tally: &Tally) -> Summary {
        let lifetimes = [
            Lifetime {
                from: 0.0,
                to: Some(60.0),
            },
            Lifetime {
                from: 10.0,
                to: Some(40.0),
            },
            Lifetime {
                from: 40.0,
                to: Some(50.0),
            },
        ];
        let findings = Findings {
            submitted: &submitted(ids),
            tally,
            lifetimes: &lifetimes,
            now: 100.0,
            seconds_in_all: 100.0,
        };
        Summary::new(&asked(), &findings)
    }

    fn good() -> Tally {
        Tally {
            records: [
                record("a", JobState::Succeeded, 0.5),
                record("b", JobState::Succeeded, 7.0),
            ]
            .into(),
            commits: [("a".into(), 1), ("b".into(), 1)].into(),
            thumbnails: submitted(&["thumbnails/a.jpg", "thumbnails/b.jpg"]),
            ..Tally::default()
        }
    }

    #[test]
    fn a_good_day_has_nothing_to_complain_of() {
        let summary = summary(&["a", "b"], &good());
        assert_eq!(summary.complaints(), [""; 0]);
        insta::assert_snapshot!(summary.text(), @r"
        What came     2 messages in 90 s: a day with a flash crowd at 13:20
        What became   2 thumbnails made, 0 failed, 0 lost, 0 committed twice
        The fleet     from 0 to 2 instances and back to 0, in 40 rounds of the controller
        The wait      half of the jobs started within 0.5 s, 99 of 100 within 7.0 s
        The cost      100 instance-seconds; 2 instances all the time: 200 (50% saved)
        ");
    }

    #[test]
    fn a_job_without_an_end_is_lost_unless_a_queue_still_holds_it() {
        let mut tally = good();
        assert_eq!(summary(&["a", "b", "c", "d"], &tally).lost, 2);
        tally.dead_letters = QueueCounts {
            visible: 1,
            ..QueueCounts::default()
        };
        let summary = summary(&["a", "b", "c", "d"], &tally);
        assert_eq!((summary.lost, summary.dead_letters), (1, 1));
        let said = summary.complaints();
        assert_eq!(said, ["1 jobs were lost", "2 jobs did not end"]);
    }

    #[test]
    fn a_second_commit_is_seen_and_so_is_a_thumbnail_that_is_not_there() {
        let mut tally = good();
        tally.commits.insert("a".into(), 2);
        tally.thumbnails.remove("thumbnails/b.jpg");
        let said = summary(&["a", "b"], &tally).complaints();
        assert_eq!(
            said,
            [
                "1 jobs were committed twice",
                "1 thumbnails are not in the bucket"
            ]
        );
    }

    #[test]
    fn nothing_at_all_is_not_a_success() {
        let summary = summary(&[], &Tally::default());
        assert_eq!(summary.start_wait_seconds_p99, None);
        assert_eq!(summary.complaints(), ["no message was accepted"]);
    }
}
