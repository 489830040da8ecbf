//! Letters taken out of the dead-letter queue, a batch at a time: sent back, or dropped.
//!
//! It must not delete a letter before its message is sent.

use std::time::Duration;

use tokio::time::Instant;

use super::sweep::{Sweep, TRIES};
use super::{Filter, Found, Pace, Progress, Redrive, RedriveError, Tally};
use crate::aws::CallError;
use crate::chance;
use crate::clock::{pause, whole};
use crate::jobs::JobsError;
use crate::lease::{Reopen, Reopened};
use crate::queue::{BATCH_MAX, EntryError, Outgoing};
use crate::retry::Backoff;
use crate::send::send_all;

/// Where letters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the queues they came from.
    Back,
    /// Nowhere.
    Out,
}

pub(super) struct Take<'a> {
    redrive: &'a Redrive,
    filter: &'a Filter,
    pace: &'a Pace,
    way: Way,
    sweep: Sweep<'a>,
    tally: Tally,
}

/// What is to become of one letter.
enum Step {
    /// To be sent, then deleted.
    Send,
    /// To be deleted: nothing is left to do.
    Delete,
    /// To be left.
    Leave,
}

impl<'a> Take<'a> {
    pub(super) fn new(redrive: &'a Redrive, filter: &'a Filter, pace: &'a Pace, way: Way) -> Self {
        Self {
            redrive,
            filter,
            pace,
            way,
            sweep: Sweep::new(&*redrive.dead),
            tally: Tally::default(),
        }
    }

    pub(super) async fn run(mut self, progress: Progress<'_>) -> Result<Tally, RedriveError> {
        let ended = self.walk(progress).await;
        self.sweep.put_back().await;
        ended.map(|()| self.tally)
    }

    async fn walk(&mut self, progress: Progress<'_>) -> Result<(), RedriveError> {
        let mut due = self.redrive.clock.instant();
        loop {
            self.tally.stopped = wait_until(due, self.pace).await;
            if self.tally.stopped {
                return Ok(());
            }
            let messages = self.sweep.next(batch_length(self.pace)).await?;
            if messages.is_empty() {
                return Ok(());
            }
            self.tally.seen += messages.len() as u64;
            let found = messages.into_iter().map(Found::new);
            let (meant, others): (Vec<_>, Vec<_>) =
                found.partition(|found| self.redrive.means(self.filter, found));
            for other in others {
                self.sweep.keep(&other.message);
            }
            let now = self.redrive.clock.instant();
            due = due.max(now) + spacing(self.pace, meant.len());
            self.take(meant).await;
            progress(&self.tally);
        }
    }

    async fn take(&mut self, meant: Vec<Found>) {
        let steps = match self.way {
            Way::Out => meant.iter().map(|_| Step::Delete).collect(),
            Way::Back => self.make_ready(&meant).await,
        };
        let mut to_send = Vec::new();
        let mut to_delete = Vec::new();
        for (found, step) in meant.into_iter().zip(steps) {
            match step {
                Step::Send => to_send.push(found),
                Step::Delete => to_delete.push(found),
                Step::Leave => self.sweep.keep(&found.message),
            }
        }
        let sent = self.send(to_send).await;
        self.tally.done += sent.len() as u64;
        self.tally.doubled += self.delete(&sent).await.len() as u64;
        let left = self.delete(&to_delete).await;
        let deleted = (to_delete.len() - left.len()) as u64;
        match self.way {
            Way::Out => self.tally.done += deleted,
            Way::Back => self.tally.succeeded += deleted,
        }
        for (found, why) in left {
            self.leave(&found, why);
        }
    }

    /// First step: nothing on record shall have the messages buried again.
    async fn make_ready(&mut self, meant: &[Found]) -> Vec<Step> {
        let reopened = meant.iter().map(|found| reopen(self.redrive, found));
        let reopened = futures::future::join_all(reopened).await;
        let mut steps = Vec::new();
        for (found, reopened) in meant.iter().zip(reopened) {
            steps.push(match reopened {
                Ok(Reopened::Yes | Reopened::NoRecord) => Step::Send,
                Ok(Reopened::Kept(record)) if record.state.is_final() => Step::Delete,
                Ok(Reopened::Kept(_)) => {
                    self.tally.running += 1;
                    Step::Leave
                }
                Err(error) => {
                    let why = error.to_string();
                    self.tally.failed.insert(found.message.id.clone(), why);
                    Step::Leave
                }
            });
        }
        steps
    }

    /// Second step. Gives those that were sent; the others are left where they are.
    async fn send(&mut self, found: Vec<Found>) -> Vec<Found> {
        let mut sent = Vec::new();
        let mut by_source: Vec<(String, Vec<Found>)> = Vec::new();
        for found in found {
            match self.redrive.source(&found) {
                Ok(source) => {
                    let name = source.name();
                    match by_source.iter_mut().find(|(known, _)| known == name) {
                        Some((_, batch)) => batch.push(found),
                        None => by_source.push((name.to_owned(), vec![found])),
                    }
                }
                Err(why) => self.leave(&found, why),
            }
        }
        for (name, batch) in by_source {
            let source = &self.redrive.sources[&name];
            let fifo = source.is_fifo();
            let messages = batch.iter().map(|found| Outgoing {
                deduplication_id: fifo.then(|| format!("weir-redrive-{}", found.message.id)),
                ..found.original()
            });
            let messages: Vec<Outgoing> = messages.collect();
            let answers = send_all(&**source, &messages).await;
            for (found, answer) in batch.into_iter().zip(answers) {
                match answer {
                    Ok(_) => sent.push(found),
                    Err(error) => self.leave(&found, format!("queue {name}: {error}")),
                }
            }
        }
        sent
    }

    /// Third step. Gives those that could not be deleted, and why.
    async fn delete(&self, found: &[Found]) -> Vec<(Found, String)> {
        let mut left: Vec<(Found, String)> = found
            .iter()
            .map(|found| (found.clone(), String::new()))
            .collect();
        let mut spent = Vec::new();
        for failures in 0..TRIES {
            if left.is_empty() {
                break;
            }
            if failures > 0 {
                pause(Backoff::CALLS.delay(failures, chance::unit())).await;
            }
            let receipts = left.iter().map(|(found, _)| found.message.receipt.clone());
            let receipts: Vec<String> = receipts.collect();
            match self.redrive.dead.delete(&receipts).await {
                Ok(answers) => {
                    let mut answers = answers.into_iter();
                    left.retain_mut(|(found, why)| match answers.next() {
                        Some(Ok(())) => false,
                        Some(Err(error @ EntryError::Gone { .. })) => {
                            spent.push((found.clone(), error.to_string()));
                            false
                        }
                        Some(Err(error)) => {
                            *why = error.to_string();
                            true
                        }
                        None => true,
                    });
                }
                Err(error) => {
                    for (_, why) in &mut left {
                        *why = error.to_string();
                    }
                }
            }
        }
        left.extend(spent);
        left
    }

    fn leave(&mut self, found: &Found, why: String) {
        self.sweep.keep(&found.message);
        self.tally.failed.insert(found.message.id.clone(), why);
    }
}

async fn reopen(redrive: &Redrive, found: &Found) -> Result<Reopened, JobsError> {
    let Some(jobs) = &redrive.jobs else {
        return Ok(Reopened::NoRecord);
    };
    let now = redrive.clock.unix_seconds();
    let reopen = Reopen {
        job_id: found.job_id().to_owned(),
        failed_with: None,
        now,
        expires_at: whole(now + redrive.keep_records.as_secs_f64()),
    };
    let mut failures = 0;
    loop {
        match jobs.reopen(&reopen).await {
            Err(JobsError::Call(CallError::Unavailable { .. })) if failures + 1 < TRIES => {
                failures += 1;
                pause(Backoff::CALLS.delay(failures, chance::unit())).await;
            }
            answer => return answer,
        }
    }
}

/// Whether it was stopped while it waited, or before.
async fn wait_until(due: Instant, pace: &Pace) -> bool {
    tokio::select! {
        biased;
        () = pace.stop.cancelled() => true,
        () = tokio::time::sleep_until(due) => false,
    }
}

/// A slow pace takes small batches, so that letters do not wait hidden for their turn.
fn batch_length(pace: &Pace) -> usize {
    let whole_second = pace.per_second.map_or(BATCH_MAX as f64, f64::floor);
    (1..=BATCH_MAX)
        .rev()
        .find(|count| *count as f64 <= whole_second)
        .unwrap_or(1)
}

fn spacing(pace: &Pace, letters: usize) -> Duration {
    let seconds = pace.per_second.map_or(0.0, |rate| letters as f64 / rate);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
