//! Second look at the counts: can what was there have gone?
//!
//! Owns the balance of messages: a backlog falls by what slots end, and by no more. SQS's counts
//! are sampled from its servers, and one look may miss most of a queue (`GetQueueAttributes`:
//! approximate, eventually consistent). A fall that nobody can have worked off holds until a second
//! look agrees; a queue that was purged is believed then. Rises are not doubted: a burst looks the
//! same, and to wait a look for it costs the objective.

use super::history::History;
use super::measure::Worker;
use super::trust::{QueueSeen, Seen};
use crate::model::{Instances, Messages};
use crate::policy::Policy;
use crate::reason::Doubt;

/// Jobs may be so many times shorter than is known: a first guess may be wrong by as much.
const FASTER: f64 = 3.0;
/// Counts scatter: this part of a backlog, and a handful, may come and go by chance.
const SCATTER_PART: f64 = 0.25;
const SCATTER: f64 = 10.0;
/// After so many intervals without a look, nobody knows what went on.
const INTERVALS_MAX: f64 = 10.0;

/// Doubts a fall that all slots together cannot have worked off, the first time it is seen.
pub(super) fn confirm_falls(
    policy: &Policy,
    seen: &Seen,
    history: &mut History,
) -> Result<(), Doubt> {
    let doubted = history.doubted_fall.take().is_some();
    match impossible_fall(policy, seen, history) {
        Some(doubt) if !doubted => {
            history.doubted_fall = Some(seen.at);
            Err(doubt)
        }
        _ => Ok(()),
    }
}

fn impossible_fall(policy: &Policy, seen: &Seen, history: &History) -> Option<Doubt> {
    let last = history.last?;
    let worker = Worker::known(policy, history);
    let elapsed = seen.at - last.at;
    if elapsed <= 0.0 || elapsed > INTERVALS_MAX * worker.interval {
        return None;
    }
    let instances = seen.launched().saturating_add(seen.terminating);
    let slots = f64::from(instances.max(last.billed)) * worker.slots;
    // Each slot ends the job it has, and those it starts.
    let done = FASTER * slots * (1.0 + elapsed / worker.service);
    let queues = policy.queues.iter().zip(&seen.queues);
    queues.into_iter().find_map(|(queue, counts)| {
        let before = history.curves.get(&queue.name)?.last_present()?;
        let now = QueueSeen::present(counts);
        let gone = before - now;
        (gone > done + SCATTER_PART * before + SCATTER).then(|| Doubt::Impossible {
            wanted: Instances(seen.desired),
            queue: queue.name.clone(),
            before: whole(before),
            now: whole(now),
            elapsed_seconds: elapsed,
            worked_max: whole(done),
        })
    })
}

fn whole(messages: f64) -> Messages {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float casts saturate, and NaN becomes 0"
    )]
    let n = messages.round() as u64;
    Messages(n)
}
