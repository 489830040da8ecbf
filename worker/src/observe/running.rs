//! The attempts under way: which, since when, and how much of the slots' time they have used.
//!
//! It must not hold its lock while anything waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;

/// The attempts under way. Cloned freely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    jobs: BTreeMap<u64, RunningJob>,
    busy: Busy,
}

/// The integral of busy slots over time.
#[derive(Clone, Copy, Debug, Default)]
struct Busy {
    seconds: f64,
    until: Option<Instant>,
}

/// One attempt under way.
#[derive(Clone, Debug)]
pub(crate) struct RunningJob {
    pub(crate) job_id: String,
    pub(crate) queue: Arc<str>,
    pub(crate) attempt: u32,
    pub(crate) clock: Clock,
    /// When it began.
    pub(crate) since: Instant,
    /// The same in Unix seconds.
    pub(crate) since_unix_seconds: f64,
}

/// An attempt is under way as long as this lives.
#[derive(Debug)]
pub(crate) struct Begun {
    running: Running,
    id: u64,
    clock: Clock,
}

impl Drop for Begun {
    fn drop(&mut self) {
        let now = self.clock.instant();
        let mut table = self.running.table();
        table.pass(now);
        table.jobs.remove(&self.id);
    }
}

impl Running {
    pub(crate) fn begin(&self, job: RunningJob) -> Begun {
        let mut table = self.table();
        table.pass(job.since);
        let id = table.next;
        table.next += 1;
        let clock = job.clock;
        table.jobs.insert(id, job);
        let running = self.clone();
        Begun { running, id, clock }
    }

    /// The attempts, the one that began first in front.
    pub(crate) fn jobs(&self) -> Vec<RunningJob> {
        self.table().jobs.values().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.table().jobs.len()
    }

    /// How long the oldest has been running.
    pub(crate) fn oldest(&self, now: Instant) -> Option<Duration> {
        let table = self.table();
        let first = table.jobs.values().next()?;
        Some(now.saturating_duration_since(first.since))
    }

    /// Slot seconds that were busy until now.
    pub(crate) fn busy_seconds(&self, now: Instant) -> f64 {
        let mut table = self.table();
        table.pass(now);
        table.busy.seconds
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn pass(&mut self, now: Instant) {
        if let Some(until) = self.busy.until {
            let passed = now.saturating_duration_since(until).as_secs_f64();
            self.busy.seconds += passed * self.jobs.len() as f64;
        }
        self.busy.until = self.busy.until.max(Some(now));
    }
}
