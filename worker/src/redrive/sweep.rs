//! One walk through a dead-letter queue: each message once, and those not taken put back.
//!
//! SQS has no way to look at a message but to receive it. So the walk hides what it has seen for a
//! while, not to meet it again, and shows it again at its end. It must not delete anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::RedriveError;
use crate::chance;
use crate::clock::pause;
use crate::queue::{BATCH_MAX, Message, Queue, Visibility};
use crate::retry::Backoff;

/// How long what was seen stays hidden, if the walk does not put it back itself: long enough for a
/// thousand messages, short enough that a walk that was killed is no nuisance.
pub(super) const HIDDEN: Duration = Duration::from_mins(1);

/// A long poll asks every server of a standard queue (SQS Developer Guide, "Amazon SQS short and
/// long polling").
const WAIT: Duration = Duration::from_secs(1);

/// So many polls without a message that is new, one after another, are the end.
const IDLE_POLLS: u32 = 3;

/// How often a call is tried.
pub(super) const TRIES: u32 = 6;

pub(super) struct Sweep<'a> {
    dead: &'a dyn Queue,
    seen: BTreeSet<String>,
    /// What is to be put back, by message id, with its newest handle.
    kept: BTreeMap<String, String>,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(dead: &'a dyn Queue) -> Self {
        Self {
            dead,
            seen: BTreeSet::new(),
            kept: BTreeMap::new(),
        }
    }

    /// Up to `max` messages that were not seen before; none: that was all. What is neither kept nor
    /// deleted comes back by itself.
    pub(super) async fn next(&mut self, max: usize) -> Result<Vec<Message>, RedriveError> {
        let mut failures = 0;
        let mut idle = 0;
        while idle < IDLE_POLLS {
            let max = max.clamp(1, BATCH_MAX);
            let got = match self.dead.receive(max, WAIT, HIDDEN).await {
                Ok(got) => got,
                Err(error) => {
                    failures += 1;
                    if failures >= TRIES {
                        return Err(error.into());
                    }
                    tracing::warn!(%error, failures, "could not receive");
                    pause(Backoff::CALLS.delay(failures, chance::unit())).await;
                    continue;
                }
            };
            let is_new = |message: &Message| self.seen.insert(message.id.clone());
            let (fresh, again): (Vec<_>, Vec<_>) = got.into_iter().partition(is_new);
            for message in again {
                // Not one that is being taken: its letter may be sent already.
                if let Some(receipt) = self.kept.get_mut(&message.id) {
                    *receipt = message.receipt;
                }
            }
            if !fresh.is_empty() {
                return Ok(fresh);
            }
            idle += 1;
        }
        Ok(Vec::new())
    }

    /// Leaves a message where it is.
    pub(super) fn keep(&mut self, message: &Message) {
        self.kept
            .insert(message.id.clone(), message.receipt.clone());
    }

    /// Shows what was kept to others again. What cannot be shown now shows itself within a minute.
    pub(super) async fn put_back(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let changes: Vec<Visibility> = kept
            .into_values()
            .map(|receipt| Visibility {
                receipt,
                hidden_for: Duration::ZERO,
            })
            .collect();
        let calls = changes
            .chunks(BATCH_MAX)
            .map(|batch| self.dead.change_visibility(batch));
        for answer in futures::future::join_all(calls).await {
            if let Err(error) = answer {
                tracing::warn!(%error, "letters stay hidden for up to a minute");
            }
        }
    }
}
