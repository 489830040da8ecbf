//! Deletes messages whose jobs are settled: ten a call, or what has gathered in 50 ms. A FIFO
//! message goes at once if it is the last of its group here, as SQS gives out no more of the group
//! before.
//!
//! It must be given a message only after its job record is durable. A delete that fails for good is
//! no loss: the message comes again, and its job is found finished.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::chance;
use crate::clock::pause;
use crate::heartbeat::{HoldId, Holds};
use crate::queue::{BATCH_MAX, EntryError, Queue};
use crate::retry::Backoff;

/// The oldest delete waits no longer than this for company.
const GATHER: Duration = Duration::from_millis(50);

/// How often a delete is tried. With backoff this spans about a minute; after that the message is
/// left to come again.
const TRIES: u32 = 8;

/// Where settled messages are handed in. Dropping the last one ends [`run`].
pub(crate) type Settled = mpsc::UnboundedSender<HoldId>;

/// Deletes what comes in; returns when every sender is gone and every delete is answered.
pub(crate) async fn run(
    mut settled: mpsc::UnboundedReceiver<HoldId>,
    queue: Arc<dyn Queue>,
    holds: Holds,
) {
    let under_way = TaskTracker::new();
    while let Some(first) = settled.recv().await {
        let batch = gather(first, &mut settled, &holds).await;
        let delete = delete(batch, Arc::clone(&queue), holds.clone());
        under_way.spawn(Box::pin(delete));
    }
    under_way.close();
    under_way.wait().await;
}

/// Up to ten: what is there, and what comes until the first has waited long enough.
async fn gather(
    first: HoldId,
    settled: &mut mpsc::UnboundedReceiver<HoldId>,
    holds: &Holds,
) -> Vec<HoldId> {
    let mut batch = vec![first];
    let full = async {
        while batch.len() < BATCH_MAX {
            match settled.recv().await {
                Some(next) => batch.push(next),
                None => break,
            }
        }
    };
    let limit = if holds.blocks_its_group(first) {
        Duration::ZERO
    } else {
        GATHER
    };
    // Full or timed out: both are a batch.
    let _ = tokio::time::timeout(limit, full).await;
    batch
}

/// Deletes a batch; entries that fail are tried again without the others.
async fn delete(mut batch: Vec<HoldId>, queue: Arc<dyn Queue>, holds: Holds) {
    for failures in 0..TRIES {
        if failures > 0 {
            pause(Backoff::CALLS.delay(failures, chance::unit())).await;
        }
        let held = |id: HoldId| Some((id, holds.receipt(id)?));
        let (ids, receipts): (Vec<_>, Vec<_>) = batch.iter().copied().filter_map(held).unzip();
        if receipts.is_empty() {
            return;
        }
        batch = match queue.delete(&receipts).await {
            Ok(answers) => {
                let failed = ids.iter().zip(&answers).filter_map(|(id, answer)| {
                    let again = match answer {
                        Ok(()) | Err(EntryError::Gone { .. }) => false,
                        Err(error) => {
                            tracing::warn!(%error, "a delete failed");
                            true
                        }
                    };
                    if !again {
                        holds.forget(*id);
                    }
                    again.then_some(*id)
                });
                failed.collect()
            }
            Err(error) => {
                tracing::warn!(%error, messages = ids.len(), "could not delete");
                ids
            }
        };
        if batch.is_empty() {
            return;
        }
    }
    tracing::warn!(
        messages = batch.len(),
        "left settled messages to be delivered again"
    );
    for id in batch {
        holds.forget(id);
    }
}
