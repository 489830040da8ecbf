//! A queue in memory: delivery, visibility, spent handles and a dead-letter queue as on SQS; order
//! and lock by group where it is a FIFO queue.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fifo::{self, RecentSends, Standing};
use super::{Call, Fault, Faults, lock, refusal, unavailable};
use crate::aws::CallError;
use crate::clock::{Clock, whole};
use crate::queue::{
    Buried, Entries, EntryError, FIFO_SUFFIX, Message, Outgoing, Queue, Visibility,
};

/// A queue in memory: a FIFO queue if its name ends in `.fifo`, its dead-letter queue then one too.
#[derive(Debug)]
pub struct MemoryQueue {
    name: String,
    clock: Clock,
    dead_letters: Option<Arc<MemoryQueue>>,
    state: Mutex<QueueState>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct QueueState {
    stored: Vec<Stored>,
    next_id: u64,
    faults: Faults,
    recent: RecentSends,
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
    /// An empty queue with a dead-letter queue, which has none itself.
    pub fn new(name: impl Into<String>, clock: Clock) -> Self {
        let name = name.into();
        let dead = match name.strip_suffix(FIFO_SUFFIX) {
            Some(stem) => format!("{stem}-dead{FIFO_SUFFIX}"),
            None => format!("{name}-dead"),
        };
        let dead = Self::without_dead_letter_queue(dead, clock);
        Self {
            dead_letters: Some(Arc::new(dead)),
            ..Self::without_dead_letter_queue(name, clock)
        }
    }

    /// The same without a dead-letter queue.
    pub fn without_dead_letter_queue(name: impl Into<String>, clock: Clock) -> Self {
        Self {
            name: name.into(),
            clock,
            dead_letters: None,
            state: Mutex::default(),
            arrived: Notify::new(),
        }
    }

    /// The dead-letter queue.
    pub fn dead_letter_queue(&self) -> Option<Arc<MemoryQueue>> {
        self.dead_letters.clone()
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
        self.in_turn(&lock(&self.state), self.clock.instant()).len()
    }

    /// What lies in the dead-letter queue.
    pub fn dead_letters(&self) -> Vec<Outgoing> {
        let dead = self.dead_letters.as_deref();
        dead.map(MemoryQueue::contents).unwrap_or_default()
    }

    /// What was sent and is not deleted, hidden or not.
    pub fn contents(&self) -> Vec<Outgoing> {
        let state = lock(&self.state);
        state.stored.iter().map(|m| m.content.clone()).collect()
    }

    /// Makes every message visible at once, as a duplicate delivery does.
    pub fn redeliver_all(&self) {
        let now = self.clock.instant();
        for message in &mut lock(&self.state).stored {
            message.visible_at = now;
        }
        self.arrived.notify_waiters();
    }

    /// Keeps a message and gives it an id, or says in SQS's words why it is not taken.
    fn store(&self, content: &Outgoing) -> Result<String, &'static str> {
        let (now, unix) = (self.clock.instant(), self.clock.unix_seconds());
        let mut state = lock(&self.state);
        let id = format!("{}-message-{}", self.name, state.next_id + 1);
        if self.is_fifo() {
            fifo::check(content)?;
            if let Some(first) = state.recent.repeated(now, content, &id) {
                return Ok(first);
            }
        } else if content.deduplication_id.is_some() {
            return Err(fifo::NOT_FOR_THIS_TYPE);
        }
        state.next_id += 1;
        state.stored.push(Stored {
            id: id.clone(),
            content: content.clone(),
            sent_at_millis: whole(unix * 1000.0).unsigned_abs(),
            visible_at: now + content.delay,
            receive_count: 0,
            receipt: None,
        });
        drop(state);
        self.arrived.notify_waiters();
        Ok(id)
    }

    fn take(&self, max: usize, visibility: Duration) -> Vec<Message> {
        let now = self.clock.instant();
        let mut state = lock(&self.state);
        let in_turn = self.in_turn(&state, now).into_iter().take(max);
        in_turn
            .map(|place| state.stored[place].deliver(now + visibility))
            .collect()
    }

    /// The places of the messages that can be received now, in the order in which they would come.
    fn in_turn(&self, state: &QueueState, now: Instant) -> Vec<usize> {
        if self.is_fifo() {
            let stored = state.stored.iter();
            return fifo::in_turn(stored.map(|message| message.in_group(now)));
        }
        let stored = state.stored.iter().enumerate();
        stored
            .filter(|(_, message)| message.visible_at <= now)
            .map(|(place, _)| place)
            .collect()
    }

    /// When a message becomes visible by itself. One that is visible and does not come waits for its
    /// group.
    fn next_visible_at(&self) -> Option<Instant> {
        let now = self.clock.instant();
        let state = lock(&self.state);
        let hidden = state.stored.iter().map(|m| m.visible_at);
        hidden.filter(|at| *at > now).min()
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
                // What is not in flight cannot be renewed (`ChangeMessageVisibility`). A late delete
                // counts on a standard queue and is refused on a FIFO queue (`ReceiveMessage`,
                // `ReceiveRequestAttemptId`).
                let late_counts = call == Call::Delete && !self.is_fifo();
                if state.stored[index].visible_at <= now && !late_counts {
                    let detail = "the message is not in flight".into();
                    return Err(EntryError::Gone { detail });
                }
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
    /// The message's group, and where it stands in it.
    fn in_group(&self, now: Instant) -> (&str, Standing) {
        let standing = if self.visible_at <= now {
            Standing::Visible
        } else if self.receipt.is_some() {
            Standing::InFlight
        } else {
            Standing::Delayed
        };
        let group = self.content.group.as_deref();
        (group.unwrap_or_default(), standing)
    }

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
            receive_count: Some(self.receive_count),
            sent_at_millis: Some(self.sent_at_millis),
            group: self.content.group.clone(),
            trace_header: self.content.trace_header.clone(),
            came_from: None,
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
        let answers = self.each(Call::Delete, receipts, |state, index, _| {
            state.stored.remove(index);
        });
        // The rest of a FIFO queue's group may go on.
        self.arrived.notify_waiters();
        answers
    }

    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError> {
        let receipts = changes.iter().map(|change| change.receipt.as_str());
        let answers = self.each(Call::ChangeVisibility, receipts, |state, index, now| {
            let receipt = state.stored[index].receipt.clone();
            let mut of_receipt = changes.iter();
            let change = of_receipt.find(|change| Some(&change.receipt) == receipt.as_ref());
            let hidden_for = change.map_or(Duration::ZERO, |change| change.hidden_for);
            state.stored[index].visible_at = now + hidden_for;
        });
        // A poll that waits learns that a message may now come earlier.
        self.arrived.notify_waiters();
        answers
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError> {
        let fault = lock(&self.state).faults.next(Call::Send);
        refusal(fault, Call::Send)?;
        let mut ids = Vec::new();
        for (entry, content) in messages.iter().enumerate() {
            if entry == 0 && fault == Some(Fault::FirstEntry) {
                let detail = "a planned fault".into();
                ids.push(Err(EntryError::Unavailable { detail }));
                continue;
            }
            let stored = self.store(content);
            ids.push(stored.map_err(|why| EntryError::Refused { detail: why.into() }));
        }
        match fault {
            Some(Fault::AnswerLost) => Err(unavailable(Call::Send)),
            _ => Ok(ids),
        }
    }

    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError> {
        let fault = lock(&self.state).faults.next(Call::Bury);
        refusal(fault, Call::Bury)?;
        let Some(dead) = &self.dead_letters else {
            return Ok(Buried::NoDeadLetterQueue);
        };
        if let Err(why) = dead.store(message) {
            let what = format!("SendMessage on queue {}: {why}", dead.name);
            return Err(CallError::Refused { what });
        }
        match fault {
            Some(Fault::AnswerLost) => Err(unavailable(Call::Bury)),
            _ => Ok(Buried::Sent),
        }
    }
}
