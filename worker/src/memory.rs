//! The ports in memory: a queue, job records and reports that behave as SQS and DynamoDB do.
//!
//! For tests, the worker's and others': time is tokio's, so that a paused clock rules it, and calls
//! can be made to fail. They must not be kinder than the real ones; the conformance suite says so.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use tokio::sync::Notify;
use tokio::time::Instant;
use weir_protocol::{JobRecord, Report};

use crate::aws::CallError;
use crate::clock::{Clock, whole};
use crate::jobs::{Jobs, JobsError};
use crate::lease::{self, Claim, Claimed, Finish, Held};
use crate::queue::{Buried, Entries, EntryError, Message, Outgoing, Queue, Visibility};
use crate::report::Reports;

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

/// A standard queue in memory.
#[derive(Debug)]
pub struct MemoryQueue {
    name: String,
    clock: Clock,
    state: Mutex<QueueState>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct QueueState {
    stored: Vec<Stored>,
    dead: Option<Vec<Outgoing>>,
    next_id: u64,
    faults: Faults,
}

#[derive(Debug)]
struct Stored {
    id: String,
    content: Outgoing,
    sent_at_millis: u64,
    visible_at: Instant,
    receive_count: u32,
    receipt: Option<String>,
}

impl MemoryQueue {
    /// An empty queue with a dead-letter queue.
    pub fn new(name: impl Into<String>, clock: Clock) -> Self {
        Self {
            name: name.into(),
            clock,
            state: Mutex::new(QueueState {
                dead: Some(Vec::new()),
                ..QueueState::default()
            }),
            arrived: Notify::new(),
        }
    }

    /// The same without a dead-letter queue.
    pub fn without_dead_letter_queue(name: impl Into<String>, clock: Clock) -> Self {
        let queue = Self::new(name, clock);
        lock(&queue.state).dead = None;
        queue
    }

    /// Makes the next calls of a kind fail, one for each fault.
    pub fn plan_faults(&self, call: Call, faults: impl IntoIterator<Item = Fault>) {
        let mut state = lock(&self.state);
        state.faults.planned.entry(call).or_default().extend(faults);
    }

    /// How often a call was made.
    pub fn calls(&self, call: Call) -> u64 {
        lock(&self.state)
            .faults
            .calls
            .get(&call)
            .copied()
            .unwrap_or(0)
    }

    /// Messages not deleted.
    pub fn len(&self) -> usize {
        lock(&self.state).stored.len()
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that could be received now.
    pub fn visible(&self) -> usize {
        let now = self.clock.instant();
        let state = lock(&self.state);
        state.stored.iter().filter(|m| m.visible_at <= now).count()
    }

    /// What lies in the dead-letter queue.
    pub fn dead_letters(&self) -> Vec<Outgoing> {
        lock(&self.state).dead.clone().unwrap_or_default()
    }

    /// Makes every message visible at once, as a duplicate delivery does.
    pub fn redeliver_all(&self) {
        let now = self.clock.instant();
        for message in &mut lock(&self.state).stored {
            message.visible_at = now;
        }
        self.arrived.notify_waiters();
    }

    fn take(&self, max: usize, visibility: Duration) -> Vec<Message> {
        let now = self.clock.instant();
        let mut state = lock(&self.state);
        let due = state.stored.iter_mut().filter(|m| m.visible_at <= now);
        due.take(max)
            .map(|message| message.deliver(now + visibility))
            .collect()
    }

    fn next_visible_at(&self) -> Option<Instant> {
        lock(&self.state).stored.iter().map(|m| m.visible_at).min()
    }

    /// Applies `change` to each receipt's message, playing the planned fault of `call`.
    fn each<'a>(
        &self,
        call: Call,
        receipts: impl Iterator<Item = &'a str>,
        mut change: impl FnMut(&mut QueueState, usize, Instant),
    ) -> Result<Entries<()>, CallError> {
        let now = self.clock.instant();
        let mut state = lock(&self.state);
        let fault = state.faults.next(call);
        refusal(fault, call)?;
        let answers = receipts
            .enumerate()
            .map(|(entry, receipt)| {
                if entry == 0 && fault == Some(Fault::FirstEntry) {
                    let detail = "a planned fault".into();
                    return Err(EntryError::Unavailable { detail });
                }
                let mut stored = state.stored.iter();
                let found = stored.position(|m| m.receipt.as_deref() == Some(receipt));
                let Some(index) = found else {
                    let detail = "the handle is spent".into();
                    return Err(EntryError::Gone { detail });
                };
                change(&mut state, index, now);
                Ok(())
            })
            .collect();
        match fault {
            Some(Fault::AnswerLost) => Err(unavailable(call)),
            _ => Ok(answers),
        }
    }
}

impl Stored {
    fn deliver(&mut self, visible_at: Instant) -> Message {
        self.receive_count += 1;
        self.visible_at = visible_at;
        let receipt = format!("{}#{}", self.id, self.receive_count);
        self.receipt = Some(receipt.clone());
        Message {
            id: self.id.clone(),
            receipt,
            body: self.content.body.clone(),
            attributes: self.content.attributes.clone(),
            receive_count: self.receive_count,
            sent_at_millis: Some(self.sent_at_millis),
            group: self.content.group.clone(),
            trace_header: self.content.trace_header.clone(),
        }
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    fn name(&self) -> &str {
        &self.name
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError> {
        let fault = lock(&self.state).faults.next(Call::Receive);
        refusal(fault, Call::Receive)?;
        let until = self.clock.instant() + wait;
        loop {
            let arrived = self.arrived.notified();
            let messages = self.take(max, visibility);
            if fault == Some(Fault::AnswerLost) {
                return Err(unavailable(Call::Receive));
            }
            if !messages.is_empty() || self.clock.instant() >= until {
                return Ok(messages);
            }
            let look_again = self.next_visible_at().map_or(until, |at| at.min(until));
            // Either a message arrived or it is time to look again: both lead back to the look.
            let _ = tokio::time::timeout_at(look_again, arrived).await;
        }
    }

    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError> {
        let receipts = receipts.iter().map(String::as_str);
        self.each(Call::Delete, receipts, |state, index, _| {
            state.stored.remove(index);
        })
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        let mut wanted = changes.iter().map(|change| change.hidden_for);
        let receipts = changes.iter().map(|change| change.receipt.as_str());
        let answers = self.each(Call::ChangeVisibility, receipts, |state, index, now| {
            let receipt = state.stored[index].receipt.clone();
            let mut of_receipt = changes.iter();
            let change = of_receipt.find(|change| Some(&change.receipt) == receipt.as_ref());
            let hidden_for = change.map_or(Duration::ZERO, |change| change.hidden_for);
            state.stored[index].visible_at = now + hidden_for;
        });
        if wanted.any(|hidden_for| hidden_for.is_zero()) {
            self.arrived.notify_waiters();
        }
        answers
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        let (now, unix) = (self.clock.instant(), self.clock.unix_seconds());
        let mut state = lock(&self.state);
        let fault = state.faults.next(Call::Send);
        refusal(fault, Call::Send)?;
        let mut ids = Vec::new();
        for (entry, content) in messages.iter().enumerate() {
            if entry == 0 && fault == Some(Fault::FirstEntry) {
                let detail = "a planned fault".into();
                ids.push(Err(EntryError::Unavailable { detail }));
                continue;
            }
            state.next_id += 1;
            let id = format!("message-{}", state.next_id);
            ids.push(Ok(id.clone()));
            state.stored.push(Stored {
                id,
                content: content.clone(),
                sent_at_millis: whole(unix * 1000.0).unsigned_abs(),
                visible_at: now + content.delay,
                receive_count: 0,
                receipt: None,
            });
        }
        drop(state);
        self.arrived.notify_waiters();
        match fault {
            Some(Fault::AnswerLost) => Err(unavailable(Call::Send)),
            _ => Ok(ids),
        }
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        let mut state = lock(&self.state);
        let fault = state.faults.next(Call::Bury);
        refusal(fault, Call::Bury)?;
        let Some(dead) = &mut state.dead else {
            return Ok(Buried::NoDeadLetterQueue);
        };
        dead.push(message.clone());
        match fault {
            Some(Fault::AnswerLost) => Err(unavailable(Call::Bury)),
            _ => Ok(Buried::Sent),
        }
    }
}

/// Job records in memory.
#[derive(Debug, Default)]
pub struct MemoryJobs {
    state: Mutex<JobsState>,
}

#[derive(Debug, Default)]
struct JobsState {
    records: BTreeMap<String, JobRecord>,
    commits: Vec<(String, String)>,
    writes: Vec<TransactWriteItem>,
    faults: Faults,
}

impl MemoryJobs {
    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next calls of a kind fail, one for each fault.
    pub fn plan_faults(&self, call: Call, faults: impl IntoIterator<Item = Fault>) {
        let mut state = lock(&self.state);
        state.faults.planned.entry(call).or_default().extend(faults);
    }

    /// How often a call was made.
    pub fn calls(&self, call: Call) -> u64 {
        lock(&self.state)
            .faults
            .calls
            .get(&call)
            .copied()
            .unwrap_or(0)
    }

    /// All records, by job id.
    pub fn records(&self) -> BTreeMap<String, JobRecord> {
        lock(&self.state).records.clone()
    }

    /// Every completion that was committed, as job id and token, in order.
    pub fn commits(&self) -> Vec<(String, String)> {
        lock(&self.state).commits.clone()
    }

    /// Every handler's write that was committed.
    pub fn writes(&self) -> Vec<TransactWriteItem> {
        lock(&self.state).writes.clone()
    }

    /// Puts a record, as another worker would have.
    pub fn put(&self, record: JobRecord) {
        lock(&self.state)
            .records
            .insert(record.job_id.clone(), record);
    }

    /// Applies `change`, playing the planned fault of `call`.
    fn change<T>(
        &self,
        call: Call,
        change: impl FnOnce(&mut JobsState) -> T,
    ) -> Result<T, JobsError> {
        let mut state = lock(&self.state);
        let fault = state.faults.next(call);
        if fault == Some(Fault::Refused) && call == Call::Finish {
            let detail = "a planned fault".into();
            return Err(JobsError::WriteRefused { detail });
        }
        refusal(fault, call)?;
        let answer = change(&mut state);
        match fault {
            Some(Fault::AnswerLost) => Err(unavailable(call).into()),
            _ => Ok(answer),
        }
    }
}

#[async_trait]
impl Jobs for MemoryJobs {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError> {
        self.change(Call::Claim, |state| {
            match lease::claim(state.records.get(&claim.job_id), claim) {
                Ok(record) => {
                    state.records.insert(claim.job_id.clone(), record.clone());
                    Claimed::Mine(Box::new(record))
                }
                Err(claimed) => claimed,
            }
        })
    }

    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError> {
        self.change(Call::Extend, |state| match state.records.get_mut(job_id) {
            Some(record) if lease::rules(Some(record), token) => {
                record.lease_until = Some(lease_until);
                Held::Yes
            }
            _ => Held::Lost,
        })
    }

    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        self.change(Call::Finish, |state| {
            match lease::finish(state.records.get(&finish.job_id), finish) {
                Ok(record) => {
                    if matches!(finish.ending, lease::Ending::Succeeded { .. }) {
                        let commit = (finish.job_id.clone(), finish.token.clone());
                        state.commits.push(commit);
                        state.writes.extend(writes.iter().cloned());
                    }
                    state.records.insert(finish.job_id.clone(), record);
                    Held::Yes
                }
                Err(held) => held,
            }
        })
    }

    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError> {
        Ok(lock(&self.state).records.get(job_id).cloned())
    }
}

/// Reports in memory: all that were written, in order, and those that would be read now.
#[derive(Debug, Default)]
pub struct MemoryReports {
    state: Mutex<ReportsState>,
}

#[derive(Debug, Default)]
struct ReportsState {
    written: Vec<Report>,
    present: BTreeMap<(String, String), Report>,
}

impl MemoryReports {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything written so far.
    pub fn written(&self) -> Vec<Report> {
        lock(&self.state).written.clone()
    }

    /// What would be read now.
    pub fn present(&self) -> Vec<Report> {
        lock(&self.state).present.values().cloned().collect()
    }
}

#[async_trait]
impl Reports for MemoryReports {
    async fn put(&self, report: &Report) -> Result<(), CallError> {
        let mut state = lock(&self.state);
        let key = (report.fleet.clone(), report.instance_id.clone());
        state.present.insert(key, report.clone());
        state.written.push(report.clone());
        Ok(())
    }

    async fn delete(&self, fleet: &str, instance_id: &str) -> Result<(), CallError> {
        let key = (fleet.to_owned(), instance_id.to_owned());
        lock(&self.state).present.remove(&key);
        Ok(())
    }
}
