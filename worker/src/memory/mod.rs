//! The ports in memory: a queue, job records and reports that behave as SQS and DynamoDB do.
//!
//! For tests, the worker's and others': time is tokio's, so that a paused clock rules it, and calls
//! can be made to fail. They must not be kinder than the real ones; the conformance suite says so.

mod fifo;
mod jobs;
mod payloads;
mod queue;
mod reports;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::jobs::MemoryJobs;
pub use self::payloads::MemoryPayloads;
pub use self::queue::MemoryQueue;
pub use self::reports::MemoryReports;
use crate::aws::CallError;
#[cfg(doc)]
use crate::jobs::Jobs;
#[cfg(doc)]
use crate::payload::Payloads;
#[cfg(doc)]
use crate::queue::Queue;

/// The calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`Queue::receive`].
    Receive,
    /// [`Queue::delete`].
    Delete,
    /// [`Queue::change_visibility`].
    ChangeVisibility,
    /// [`Queue::send`].
    Send,
    /// [`Queue::bury`].
    Bury,
    /// [`Jobs::claim`].
    Claim,
    /// [`Jobs::extend`].
    Extend,
    /// [`Jobs::finish`].
    Finish,
    /// [`Jobs::reopen`].
    Reopen,
    /// [`Jobs::write`].
    Write,
    /// [`Payloads::put`].
    PutPayload,
    /// [`Payloads::get`].
    GetPayload,
    /// [`Payloads::remove`].
    RemovePayload,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call is answered with an error and had no effect.
    Unavailable,
    /// The same with an error that stays: no permission, a condition that does not hold.
    Refused,
    /// The call took effect, but its answer was lost.
    AnswerLost,
    /// The call is answered, its first entry failed.
    FirstEntry,
}

#[derive(Debug, Default)]
struct Faults {
    planned: BTreeMap<Call, VecDeque<Fault>>,
    calls: BTreeMap<Call, u64>,
}

impl Faults {
    fn next(&mut self, call: Call) -> Option<Fault> {
        *self.calls.entry(call).or_default() += 1;
        self.planned.get_mut(&call)?.pop_front()
    }
}

/// The error of a call that has no effect.
fn refusal(fault: Option<Fault>, call: Call) -> Result<(), CallError> {
    let what = format!("{call:?}: a planned fault");
    match fault {
        Some(Fault::Unavailable) => Err(CallError::Unavailable { what }),
        Some(Fault::Refused) => Err(CallError::Refused { what }),
        Some(Fault::AnswerLost | Fault::FirstEntry) | None => Ok(()),
    }
}

fn unavailable(call: Call) -> CallError {
    CallError::Unavailable {
        what: format!("{call:?}: the answer was lost as planned"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
