//! Dead letters looked at, sent back and dropped.
//!
//! Sending one back takes three steps, in the order that loses nothing whatever crashes between
//! them: the job's record is made ready for new attempts, the message is sent to its queue, the letter
//! is deleted. After a crash the letter is still there, and the steps can be repeated: a job that has
//! run meanwhile is found finished, and its second message is deleted unrun. It must not judge which
//! letters deserve it: a [`Filter`] says.

mod found;
mod sweep;
mod take;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use self::found::{Filter, Found};
use self::sweep::Sweep;
use self::take::{Take, Way};
use crate::aws::CallError;
use crate::clock::Clock;
use crate::jobs::Jobs;
use crate::queue::{BATCH_MAX, Queue};

/// What a redrive works with.
#[derive(Clone)]
pub struct Redrive {
    /// The dead-letter queue.
    pub dead: Arc<dyn Queue>,
    /// Where letters may be sent back to, by queue name: queues whose dead-letter queue it is. If
    /// there are any, letters of other queues are passed over.
    pub sources: BTreeMap<String, Arc<dyn Queue>>,
    /// The job records; `None` where workers keep none.
    pub jobs: Option<Arc<dyn Jobs>>,
    /// How long a record is kept from now on.
    pub keep_records: Duration,
    /// The clock.
    pub clock: Clock,
}

/// What became of the letters that were meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Letters looked at.
    pub seen: u64,
    /// Letters sent back, or dropped.
    pub done: u64,
    /// Letters deleted without sending: their jobs have succeeded since.
    pub succeeded: u64,
    /// Letters left, as their jobs run just now.
    pub running: u64,
    /// Of those sent back, letters that could not be deleted. They may be sent back once more, which
    /// makes a duplicate.
    pub doubled: u64,
    /// Letters left, with the reason, by id.
    pub failed: BTreeMap<String, String>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// How fast, and until when.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Letters a second, at most.
    pub per_second: Option<f64>,
    /// Ends it once the batch at hand is done.
    pub stop: CancellationToken,
}

/// Told of the tally after each batch.
pub type Progress<'a> = &'a mut (dyn FnMut(&Tally) + Send);

/// Why a redrive ended early; the dead-letter queue did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct RedriveError(#[from] pub CallError);

impl Redrive {
    /// Up to `limit` letters that are meant, oldest first. They are hidden from others while it
    /// looks, and shown again at its end.
    ///
    /// Of a FIFO queue's group only the first ten can be seen, as SQS gives no more of it before
    /// those are deleted.
    pub async fn list(
        &self,
        filter: &Filter,
        limit: usize,
        stop: &CancellationToken,
    ) -> Result<Vec<Found>, RedriveError> {
        let mut sweep = Sweep::new(&*self.dead);
        let listed = self.collect(&mut sweep, filter, limit, stop).await;
        sweep.put_back().await;
        let mut found = listed?;
        let at = |found: &Found| found.dead_since().unwrap_or(f64::MAX);
        found.sort_by(|one, other| at(one).total_cmp(&at(other)));
        Ok(found)
    }

    async fn collect(
        &self,
        sweep: &mut Sweep<'_>,
        filter: &Filter,
        limit: usize,
        stop: &CancellationToken,
    ) -> Result<Vec<Found>, RedriveError> {
        let mut listed = Vec::new();
        while listed.len() < limit && !stop.is_cancelled() {
            let messages = sweep.next(BATCH_MAX).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                sweep.keep(&message);
                let found = Found::new(message);
                if listed.len() < limit && self.means(filter, &found) {
                    listed.push(found);
                }
            }
        }
        Ok(listed)
    }

    /// Sends the letters that are meant back to their queues. Every job begins anew, with all its
    /// attempts.
    pub async fn send_back(
        &self,
        filter: &Filter,
        pace: &Pace,
        progress: Progress<'_>,
    ) -> Result<Tally, RedriveError> {
        let take = Take::new(self, filter, pace, Way::Back);
        take.run(progress).await
    }

    /// Deletes the letters that are meant, for good.
    pub async fn drop_letters(
        &self,
        filter: &Filter,
        pace: &Pace,
        progress: Progress<'_>,
    ) -> Result<Tally, RedriveError> {
        let take = Take::new(self, filter, pace, Way::Out);
        take.run(progress).await
    }

    fn means(&self, filter: &Filter, found: &Found) -> bool {
        let ours = |name: &str| self.sources.is_empty() || self.sources.contains_key(name);
        filter.means(found, self.clock.unix_seconds()) && found.queue().is_none_or(ours)
    }

    /// Where a letter is to be sent; `Err` says why that is not known.
    fn source(&self, found: &Found) -> Result<&Arc<dyn Queue>, String> {
        let only = || {
            let mut sources = self.sources.values();
            sources.next().filter(|_| self.sources.len() == 1)
        };
        let source = match found.queue() {
            Some(name) => self.sources.get(name),
            None => only(),
        };
        source.ok_or_else(|| {
            let names: Vec<&str> = self.sources.keys().map(String::as_str).collect();
            format!(
                "it does not say which queue it came from, of {}: name it with --queue",
                names.join(", ")
            )
        })
    }
}
