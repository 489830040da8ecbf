//! Keeps what the worker holds: renews visibility and leases, and puts back what it lets go.
//!
//! Every change of a message's visibility goes through the one task here, in order, so that a
//! renewal can never overwrite a backoff. It must not decide what becomes of a job.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::chance;
use crate::clock::Clock;
use crate::handler::{CancelCause, Stop};
use crate::jobs::Jobs;
use crate::lease::Held;
use crate::observe::Observer;
use crate::queue::{BATCH_MAX, EntryError, Queue, Visibility};
use crate::retry::{Backoff, hidden_at_most};

/// How often a message that is let go is tried to be put back before it is left to its timeout.
const HAND_BACK_TRIES: u32 = 5;

/// How often the task looks, at the least often.
const TICK_MAX: Duration = Duration::from_secs(1);

/// The messages a worker holds. Cloned freely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Table>,
    /// Something was let go.
    let_go: Notify,
    /// A pass has ended.
    passed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    entries: BTreeMap<u64, Entry>,
}

/// Names one held message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HoldId(u64);

#[derive(Debug)]
struct Entry {
    receipt: String,
    /// On a FIFO queue, what it is ordered within.
    group: Option<String>,
    received_at: Instant,
    hidden_until: Instant,
    /// Present while a handler runs.
    lease: Option<Lease>,
    phase: Phase,
}

#[derive(Clone, Debug)]
struct Lease {
    job_id: String,
    token: String,
    stop: Stop,
    /// When it is to be extended; `None`: the attempt runs without a claim.
    due: Option<Instant>,
    /// Extensions that failed in a row.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To be kept hidden.
    Kept,
    /// To be made visible after a while, then forgotten.
    LetGo { hidden_for: Duration, tries: u32 },
    /// SQS knows the handle no more.
    Gone,
}

/// What a lease is kept with.
#[derive(Clone, Debug)]
pub(crate) struct LeaseHeld {
    pub(crate) job_id: String,
    pub(crate) token: String,
    pub(crate) stop: Stop,
}

impl Holds {
    /// Holds a message that was received at `now` and is hidden for `visibility`; `group` only where
    /// it orders.
    pub(crate) fn hold(
        &self,
        receipt: String,
        group: Option<String>,
        now: Instant,
        visibility: Duration,
    ) -> HoldId {
        let mut table = self.table();
        let id = table.next;
        table.next += 1;
        let entry = Entry {
            receipt,
            group,
            received_at: now,
            hidden_until: now + visibility,
            lease: None,
            phase: Phase::Kept,
        };
        table.entries.insert(id, entry);
        HoldId(id)
    }

    /// A handler runs. From `due` on its job's lease, if it has one, is extended as well.
    pub(crate) fn lease(&self, id: HoldId, lease: LeaseHeld, due: Option<Instant>) {
        if let Some(entry) = self.table().entries.get_mut(&id.0) {
            entry.lease = Some(Lease {
                job_id: lease.job_id,
                token: lease.token,
                stop: lease.stop,
                due,
                failures: 0,
            });
        }
    }

    /// The attempt is over; its lease is left as it is.
    pub(crate) fn end_lease(&self, id: HoldId) {
        if let Some(entry) = self.table().entries.get_mut(&id.0) {
            entry.lease = None;
        }
    }

    /// Lets a message go: it becomes visible `hidden_for` after the next pass.
    pub(crate) fn let_go(&self, id: HoldId, hidden_for: Duration) {
        let mut table = self.table();
        match table.entries.get_mut(&id.0) {
            Some(entry) if entry.phase == Phase::Kept => {
                entry.lease = None;
                entry.phase = Phase::LetGo {
                    hidden_for,
                    tries: 0,
                };
            }
            // A spent handle has nothing to put back.
            _ => drop(table.entries.remove(&id.0)),
        }
        self.shared.let_go.notify_one();
    }

    /// Forgets a message, leaving it as it is: deleted, or somebody else's.
    pub(crate) fn forget(&self, id: HoldId) {
        self.table().entries.remove(&id.0);
    }

    /// How many messages are held.
    pub(crate) fn count(&self) -> usize {
        self.table().entries.len()
    }

    /// Whether the message is still this worker's, as far as is known.
    pub(crate) fn is_kept(&self, id: HoldId) -> bool {
        let table = self.table();
        let entry = table.entries.get(&id.0);
        entry.is_some_and(|entry| entry.phase == Phase::Kept)
    }

    /// Whether the message is the last of its group here, so that nothing else of the group comes
    /// before it is deleted.
    pub(crate) fn blocks_its_group(&self, id: HoldId) -> bool {
        let table = self.table();
        let group = table.entries.get(&id.0).and_then(|e| e.group.as_ref());
        let mut others = table.entries.iter().filter(|(other, _)| **other != id.0);
        group.is_some() && !others.any(|(_, other)| other.group.as_ref() == group)
    }

    /// The handle of a held message.
    pub(crate) fn receipt(&self, id: HoldId) -> Option<String> {
        let table = self.table();
        table.entries.get(&id.0).map(|entry| entry.receipt.clone())
    }

    /// Waits until everything that was let go has been put back, or given up.
    pub(crate) async fn all_let_go(&self) {
        loop {
            let passed = self.shared.passed.notified();
            if !self.any_let_go() {
                return;
            }
            passed.await;
        }
    }

    fn any_let_go(&self) -> bool {
        let table = self.table();
        let mut entries = table.entries.values();
        entries.any(|entry| matches!(entry.phase, Phase::LetGo { .. }))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.shared
            .table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the task works with.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) holds: Holds,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) jobs: Arc<dyn Jobs>,
    pub(crate) clock: Clock,
    /// What messages are hidden for and leases last.
    pub(crate) visibility: Duration,
    pub(crate) observer: Observer,
}

/// Renews at half the visibility, until told to stop.
pub(crate) async fn run(keeper: Keeper, stop: CancellationToken) {
    let mut tick = tokio::time::interval((keeper.visibility / 10).min(TICK_MAX));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
            () = keeper.holds.shared.let_go.notified() => {}
        }
        pass(&keeper).await;
        let now = keeper.clock.instant();
        keeper.observer.heartbeat_passed(keeper.queue.name(), now);
        keeper.holds.shared.passed.notify_waiters();
    }
}

/// One look at everything held, and the calls it needs.
async fn pass(keeper: &Keeper) {
    let now = keeper.clock.instant();
    let (changes, leases) = {
        let table = keeper.holds.table();
        (
            changes_due(&table, now, keeper.visibility),
            leases_due(&table, now, keeper.visibility),
        )
    };
    let visibility = futures::future::join_all(
        changes
            .chunks(BATCH_MAX)
            .map(|batch| change_batch(keeper, batch, now)),
    );
    let extensions = futures::future::join_all(
        leases
            .into_iter()
            .map(|(id, lease)| extend(keeper, id, lease, now)),
    );
    tokio::join!(visibility, extensions);
}

#[derive(Clone, Debug)]
struct Change {
    id: HoldId,
    purpose: Purpose,
    visibility: Visibility,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Renew,
    PutBack,
}

/// Renewals and put-backs that are due. When one is due, those due within the next quarter go
/// along, so that batches are full.
fn changes_due(table: &Table, now: Instant, visibility: Duration) -> Vec<Change> {
    let left = |entry: &Entry| entry.hidden_until.saturating_duration_since(now);
    let kept = |entry: &&Entry| entry.phase == Phase::Kept;
    let pressing = table
        .entries
        .values()
        .filter(kept)
        .any(|entry| left(entry) <= visibility / 2);
    let horizon = if pressing {
        visibility * 3 / 4
    } else {
        visibility / 2
    };
    let change = |(id, entry): (&u64, &Entry)| {
        let held = now.saturating_duration_since(entry.received_at);
        let (purpose, hidden_for) = match entry.phase {
            Phase::LetGo { hidden_for, .. } => (Purpose::PutBack, hidden_at_most(hidden_for, held)),
            Phase::Kept if left(entry) <= horizon => {
                let renewed = hidden_at_most(visibility, held);
                (Purpose::Renew, (renewed > left(entry)).then_some(renewed)?)
            }
            Phase::Kept | Phase::Gone => return None,
        };
        let receipt = entry.receipt.clone();
        Some(Change {
            id: HoldId(*id),
            purpose,
            visibility: Visibility {
                receipt,
                hidden_for,
            },
        })
    };
    table.entries.iter().filter_map(change).collect()
}

fn leases_due(table: &Table, now: Instant, visibility: Duration) -> Vec<(HoldId, Lease)> {
    let leases = table
        .entries
        .iter()
        .filter_map(|(id, entry)| Some((HoldId(*id), entry.lease.clone()?)));
    let leases: Vec<_> = leases.collect();
    let due_by = |lease: &Lease, time| lease.due.is_some_and(|due| due <= time);
    let pressing = leases.iter().any(|(_, lease)| due_by(lease, now));
    let horizon = if pressing {
        visibility / 4
    } else {
        Duration::ZERO
    };
    leases
        .into_iter()
        .filter(|(_, lease)| due_by(lease, now + horizon))
        .collect()
}

async fn change_batch(keeper: &Keeper, batch: &[Change], now: Instant) {
    let wanted: Vec<Visibility> = batch.iter().map(|c| c.visibility.clone()).collect();
    let answers = match keeper.queue.change_visibility(&wanted).await {
        Ok(answers) => answers,
        Err(error) => {
            tracing::warn!(%error, messages = batch.len(), "could not change visibility");
            let detail = error.to_string();
            vec![Err(EntryError::Unavailable { detail }); batch.len()]
        }
    };
    let mut table = keeper.holds.table();
    for (change, answer) in batch.iter().zip(answers) {
        match change.purpose {
            Purpose::Renew => renewed(&mut table, change, now, answer),
            Purpose::PutBack => put_back(&mut table, change.id, answer),
        }
    }
}

/// Takes note of a renewal's answer. The message may have been let go meanwhile: then a good answer
/// changes nothing, as the put-back comes after it.
fn renewed(table: &mut Table, change: &Change, now: Instant, answer: Result<(), EntryError>) {
    let Some(entry) = table.entries.get_mut(&change.id.0) else {
        return;
    };
    match answer {
        Ok(()) => entry.hidden_until = now + change.visibility.hidden_for,
        Err(EntryError::Gone { detail }) => {
            let job_id = entry.lease.as_ref().map(|lease| lease.job_id.as_str());
            tracing::warn!(job_id, detail, "a message is no longer this worker's");
            // A lease that holds keeps everybody else from the job, whoever has the message.
            if let Some(lease) = entry.lease.as_ref().filter(|lease| lease.due.is_none()) {
                lease.stop.because(CancelCause::MessageGone);
            }
            if entry.phase == Phase::Kept {
                entry.phase = Phase::Gone;
            }
        }
        // Still due at the next look.
        Err(error) => {
            let job_id = entry.lease.as_ref().map(|lease| lease.job_id.as_str());
            tracing::warn!(job_id, %error, "could not renew a message's visibility");
        }
    }
}

/// Takes note of a put-back's answer: what cannot be put back in a few tries is left to its
/// timeout.
fn put_back(table: &mut Table, id: HoldId, answer: Result<(), EntryError>) {
    let Some(entry) = table.entries.get_mut(&id.0) else {
        return;
    };
    if let (Err(EntryError::Unavailable { .. }), Phase::LetGo { hidden_for, tries }) =
        (&answer, entry.phase)
        && tries + 1 < HAND_BACK_TRIES
    {
        let tries = tries + 1;
        entry.phase = Phase::LetGo { hidden_for, tries };
        return;
    }
    if let Err(error) = answer {
        tracing::warn!(%error, "a message was left to its visibility timeout");
    }
    table.entries.remove(&id.0);
}

async fn extend(keeper: &Keeper, id: HoldId, lease: Lease, now: Instant) {
    let lease_until = keeper.clock.unix_seconds() + keeper.visibility.as_secs_f64();
    let answer = keeper.jobs.extend(&lease.job_id, &lease.token, lease_until);
    match answer.await {
        Ok(Held::Yes) => {
            let mut table = keeper.holds.table();
            let entry = table.entries.get_mut(&id.0);
            if let Some(lease) = entry.and_then(|entry| entry.lease.as_mut()) {
                lease.due = Some(now + keeper.visibility / 2);
                lease.failures = 0;
            }
        }
        Ok(Held::Lost) => {
            // The attempt may have ended itself while the call was under way.
            let running = keeper
                .holds
                .table()
                .entries
                .get(&id.0)
                .is_some_and(|entry| {
                    let token = entry.lease.as_ref().map(|lease| &lease.token);
                    token == Some(&lease.token)
                });
            if running {
                tracing::warn!(job_id = lease.job_id, "the lease was lost");
                lease.stop.because(CancelCause::LeaseLost);
                keeper.holds.end_lease(id);
            }
        }
        Err(error) => {
            tracing::warn!(job_id = lease.job_id, %error, "could not extend the lease");
            let mut table = keeper.holds.table();
            let entry = table.entries.get_mut(&id.0);
            if let Some(lease) = entry.and_then(|entry| entry.lease.as_mut()) {
                // Five tries or more before the lease ends, and no storm while the table is away.
                let cap = keeper.visibility / 10;
                let base = TICK_MAX.min(cap);
                lease.failures += 1;
                let rest = Backoff { base, cap }.delay(lease.failures, chance::unit());
                lease.due = Some(keeper.clock.instant() + rest);
            }
        }
    }
}
