//! Takes messages from the queue: a free slot first, then a long poll for as many as are free.
//!
//! It must not be cut short in a poll: SQS may have given messages to it already, which would stay
//! hidden for nothing. A drain waits for the open poll and hands back what it brings.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::chance;
use crate::clock::pause;
use crate::execute::{Floor, execute};
use crate::observe::Fate;
use crate::queue::{BATCH_MAX, Message};
use crate::retry::Backoff;

/// Polls until the drain begins. Each message runs on its own task in `running`, so that a slow
/// one holds up nothing but its slot.
pub(crate) async fn run(floor: Arc<Floor>, running: TaskTracker) {
    let slots = Arc::new(Semaphore::new(floor.settings.slots as usize));
    let mut failures = 0;
    while let Some(mut permits) = free_slots(&floor, &slots).await {
        let settings = &floor.settings;
        let poll = floor.queue.receive(
            permits.num_permits(),
            settings.poll_wait,
            settings.visibility,
        );
        match poll.await {
            Ok(messages) => {
                failures = 0;
                for message in messages {
                    let permit = permits.split(1);
                    start(&floor, &running, message, permit);
                }
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, failures, "could not receive");
                tokio::select! {
                    () = pause(Backoff::CALLS.delay(failures, chance::unit())) => {}
                    () = floor.draining.cancelled() => {}
                }
            }
        }
    }
}

/// Waits for a handler that can work and a free slot, and takes up to ten slots; `None` once the
/// drain has begun.
async fn free_slots(floor: &Floor, slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        biased;
        () = floor.draining.cancelled() => return None,
        () = floor.handler.ready() => {}
    }
    let one = Arc::clone(slots).acquire_owned();
    let mut permits = tokio::select! {
        biased;
        () = floor.draining.cancelled() => return None,
        one = one => one.ok()?,
    };
    while permits.num_permits() < BATCH_MAX {
        match Arc::clone(slots).try_acquire_owned() {
            Ok(another) => permits.merge(another),
            Err(_) => break,
        }
    }
    Some(permits)
}

/// Holds a message and starts it; or, once the worker leaves, puts it back at once.
fn start(
    floor: &Arc<Floor>,
    running: &TaskTracker,
    message: Message,
    permit: Option<OwnedSemaphorePermit>,
) {
    let receipt = message.receipt.clone();
    let now = floor.clock.instant();
    let hold = floor.holds.hold(receipt, now, floor.settings.visibility);
    if floor.draining.is_cancelled() {
        tracing::info!(job_id = message.job_id(), "handed back unstarted");
        floor.saw(Fate::HandedBack);
        floor.holds.let_go(hold, Duration::ZERO);
        return;
    }
    let floor = Arc::clone(floor);
    running.spawn(async move {
        execute(floor, message, hold).await;
        drop(permit);
    });
}
