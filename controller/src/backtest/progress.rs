//! How far long work has come, and how fast it went.
//!
//! Owns what whoever waits is told. It must not know what the work is, nor print.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::outcome::Speed;
use crate::clock;
use crate::sim::{Load, Score};

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// Parts of it done.
    pub done: usize,
    /// All of its parts.
    pub all: usize,
}

/// Is told of progress, from any thread.
pub type Told<'a> = &'a (dyn Fn(Progress) + Sync);

/// How far it is, and how fast it went.
pub(super) struct Meter<'a> {
    told: Told<'a>,
    stage: Mutex<Progress>,
    messages: AtomicU64,
    nanoseconds: AtomicU64,
}

impl<'a> Meter<'a> {
    pub(super) fn new(told: Told<'a>) -> Self {
        Self {
            told,
            stage: Mutex::new(Progress {
                stage: "",
                done: 0,
                all: 0,
            }),
            messages: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }

    pub(super) fn begin(&self, stage: &'static str, all: usize) {
        self.tell(|progress| {
            *progress = Progress {
                stage,
                done: 0,
                all,
            }
        });
    }

    pub(super) fn step(&self) {
        self.tell(|progress| progress.done += 1);
    }

    /// One run.
    pub(super) fn run(&self, load: &Load, run: impl FnOnce() -> Score) -> Score {
        let mut score = None;
        self.timed(|| {
            score = Some(run());
            load.arrivals.len()
        });
        score.expect("invariant: it was run")
    }

    /// Work on so many messages.
    pub(super) fn timed(&self, work: impl FnOnce() -> usize) {
        let begun = clock::monotonic();
        let messages = work();
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.messages.fetch_add(messages as u64, Ordering::Relaxed);
        self.nanoseconds.fetch_add(took, Ordering::Relaxed);
        self.step();
    }

    pub(super) fn speed(&self) -> Speed {
        let messages = self.messages.load(Ordering::Relaxed);
        let thread_seconds = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        Speed {
            messages,
            thread_seconds,
            messages_per_thread_second: messages as f64 / thread_seconds.max(f64::MIN_POSITIVE),
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        (self.told)(*progress);
    }
}
