//! One queue: where each of its messages stands, and when that changes by itself.
//!
//! Every operation costs O(log n). Checks of a request's form, and what spans two queues, belong to
//! the parent module.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::{ApiError, ApiResult, Time};
use super::duplicates::RecentSends;
use super::groups::{Groups, Standing};
use super::message::Message;
use super::receipt::Receipt;
use super::settings::{QueueSettings, Settings};

/// A message may stay hidden this long in all, counted from its receive ("Amazon SQS visibility
/// timeout", Developer Guide).
pub(super) const VISIBILITY_MAX: Duration = Duration::from_hours(12);

/// Messages that may be in flight at once ("Amazon SQS message quotas").
pub(super) const IN_FLIGHT_MAX: usize = 120_000;

/// The queue's metric of age passes over messages received this often ("Available CloudWatch
/// metrics for Amazon SQS", `ApproximateAgeOfOldestMessage`).
const AGE_RECEIVES_MAX: u32 = 3;

/// A message's place in its queue, in order of arrival.
pub(super) type Key = u64;

/// A queue and its messages.
#[derive(Debug)]
pub(super) struct Queue {
    /// Told apart in receipt handles.
    id: u32,
    pub(super) arn: String,
    pub(super) settings: QueueSettings,
    pub(super) tags: Settings,
    pub(super) created_at: Time,
    pub(super) modified_at: Time,
    pub(super) purged_at: Option<Time>,
    pub(super) totals: Totals,
    messages: BTreeMap<Key, Entry>,
    /// Visible messages, in the order in which they became visible; on a FIFO queue, in the order in
    /// which they came.
    visible: BTreeSet<(u64, Key)>,
    /// Delayed and in-flight messages by the moment at which they become visible.
    hidden: BTreeSet<(Time, Key)>,
    /// All messages by the moment at which they were sent.
    by_age: BTreeSet<(Time, Key)>,
    in_flight: usize,
    next: u64,
    fifo: Option<Box<Fifo>>,
}

/// What a FIFO queue keeps besides.
#[derive(Debug, Default)]
struct Fifo {
    groups: Groups,
    recent: RecentSends,
}

/// What happened to a queue's messages since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages sent to the queue.
    pub sent: u64,
    /// Messages that came from another queue whose dead-letter queue this is.
    pub moved_in: u64,
    /// Messages handed out, each receive counted.
    pub received: u64,
    /// Receives that found nothing.
    pub empty_receives: u64,
    /// Messages deleted by a consumer.
    pub deleted: u64,
    /// Messages that went to the dead-letter queue.
    pub moved_out: u64,
    /// Messages that reached the end of their retention.
    pub expired: u64,
    /// Messages that a purge removed.
    pub purged: u64,
    /// The bytes of the bodies sent.
    pub sent_bytes: u64,
}

/// How many messages a queue holds, by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ready to be received.
    pub visible: u64,
    /// Received, and neither deleted nor visible again.
    pub in_flight: u64,
    /// Sent, and not yet visible for the first time.
    pub delayed: u64,
}

/// A message that a receive hands out.
#[derive(Clone, Debug)]
pub struct Received {
    /// The handle of this very receive.
    pub receipt_handle: String,
    /// The message, with this receive counted.
    pub message: Message,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    state: State,
    /// The number of the last receive; handles of earlier ones are void.
    receive: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Visible { turn: u64 },
    Delayed { until: Time },
    InFlight { until: Time, since: Time },
}

impl Queue {
    pub(super) fn new(id: u32, arn: String, settings: QueueSettings, now: Time) -> Self {
        Self {
            id,
            fifo: settings.fifo.map(|_| Box::default()),
            arn,
            settings,
            tags: Settings::new(),
            created_at: now,
            modified_at: now,
            purged_at: None,
            totals: Totals::default(),
            messages: BTreeMap::new(),
            visible: BTreeSet::new(),
            hidden: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            next: 0,
        }
    }

    /// Lets happen what is due: hidden messages become visible, old ones expire.
    pub(super) fn settle(&mut self, now: Time) {
        while let Some(&(until, key)) = self.hidden.first()
            && until <= now
        {
            self.move_to_visible(key);
        }
        while let Some(&(sent_at, key)) = self.by_age.first()
            && sent_at + self.settings.retention <= now
        {
            self.remove(key);
            self.totals.expired += 1;
        }
    }

    /// When a message becomes visible by itself, if any is hidden.
    pub(super) fn next_visible_at(&self) -> Option<Time> {
        self.hidden.first().map(|(until, _)| *until)
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            visible: self.visible.len() as u64,
            in_flight: self.in_flight as u64,
            delayed: (self.hidden.len() - self.in_flight) as u64,
        }
    }

    /// The age of the oldest message that was received fewer than three times; on a FIFO queue, where
    /// no message goes to the back, of the oldest.
    pub(super) fn oldest_age(&self, now: Time) -> Option<Duration> {
        let counts = |key: &Key| {
            self.fifo.is_some() || self.messages[key].message.receive_count < AGE_RECEIVES_MAX
        };
        self.by_age
            .iter()
            .find(|(_, key)| counts(key))
            .map(|(sent_at, _)| now.since(*sent_at))
    }

    /// Takes a message, or finds that it was sent before; gives it as the sender is told of it.
    pub(super) fn send(
        &mut self,
        mut message: Message,
        now: Time,
        delay: Option<Duration>,
    ) -> Message {
        if let (Some(fifo), Some(settings)) = (&mut self.fifo, self.settings.fifo) {
            if let Some(first) = fifo.recent.find(now, &message, settings) {
                message.id = first.id;
                message.sequence_number = first.sequence_number;
                return message;
            }
            message.sequence_number = Some(sequence_number(self.next).into());
            fifo.recent.note(now, &message, settings);
        }
        self.totals.sent += 1;
        self.totals.sent_bytes += message.body.len() as u64;
        let delay = delay.unwrap_or(self.settings.delay);
        self.insert(message.clone(), now + delay, now);
        message
    }

    /// Takes in a message that was received too often elsewhere. "For FIFO queues, the enqueue
    /// timestamp resets when the message is moved to a dead-letter queue" ("Setting-up dead-letter
    /// queue retention", SQS Developer Guide).
    pub(super) fn take_in(&mut self, mut message: Message, now: Time) {
        self.totals.moved_in += 1;
        if self.fifo.is_some() {
            message.sent_at = now;
        }
        self.insert(message, now, now);
    }

    /// Puts settings in the old ones' place. "For FIFO queues, the per-queue delay setting is
    /// retroactive" ("Amazon SQS delay queues", SQS Developer Guide).
    pub(super) fn set(&mut self, settings: QueueSettings) {
        let delay = settings.delay;
        let stays = delay == self.settings.delay || self.fifo.is_none();
        self.settings = settings;
        if stays {
            return;
        }
        for (key, entry) in &mut self.messages {
            if let State::Delayed { until } = &mut entry.state {
                self.hidden.remove(&(*until, *key));
                *until = entry.message.sent_at + delay;
                self.hidden.insert((*until, *key));
            }
        }
    }

    fn insert(&mut self, message: Message, visible_at: Time, now: Time) {
        let key = self.take_turn();
        self.by_age.insert((message.sent_at, key));
        let state = if visible_at > now {
            self.hidden.insert((visible_at, key));
            State::Delayed { until: visible_at }
        } else {
            self.visible.insert((key, key));
            State::Visible { turn: key }
        };
        let entry = Entry {
            message,
            state,
            receive: 0,
        };
        self.messages.insert(key, entry);
        self.note_standing(key);
    }

    /// Hands out up to `max` messages and hides them for `hide`: those visible for longest; on a FIFO
    /// queue those whose group's turn it is.
    pub(super) fn receive(&mut self, now: Time, max: usize, hide: Duration) -> Vec<Received> {
        let mut out = Vec::new();
        for key in self.take_visible(max) {
            let receive = self.take_turn();
            let (id, until) = (self.id, now + hide);
            let entry = self.entry_mut(key);
            entry.state = State::InFlight { until, since: now };
            entry.receive = receive;
            entry.message.receive_count += 1;
            entry.message.first_received_at.get_or_insert(now);
            let receipt = Receipt {
                queue: id,
                message: key,
                receive,
            };
            out.push(Received {
                receipt_handle: receipt.to_string(),
                message: entry.message.clone(),
            });
            self.hidden.insert((until, key));
            self.in_flight += 1;
            self.note_standing(key);
        }
        self.totals.received += out.len() as u64;
        out
    }

    /// Takes messages out of the visible ones, in the order in which they are handed out.
    fn take_visible(&mut self, max: usize) -> Vec<Key> {
        let Some(fifo) = &self.fifo else {
            let pop = || self.visible.pop_first().map(|(_, key)| key);
            return std::iter::from_fn(pop).take(max).collect();
        };
        let keys: Vec<Key> = fifo.groups.in_turn().take(max).collect();
        for key in &keys {
            self.visible.remove(&(*key, *key));
        }
        keys
    }

    /// Takes out the messages whose turn it is that were received too often already.
    pub(super) fn take_dead(&mut self, max_receive_count: u32, up_to: usize) -> Vec<Message> {
        let worn = |key: &Key| self.messages[key].message.receive_count >= max_receive_count;
        let keys = match &self.fifo {
            None => passed_over(self.visible.iter().map(|(_, key)| *key), worn, up_to),
            Some(fifo) => passed_over(fifo.groups.in_turn(), worn, up_to),
        };
        let mut dead = Vec::new();
        for key in keys {
            self.totals.moved_out += 1;
            let mut message = self.remove(key);
            message.dead_letter_source = Some(Arc::from(self.arn.as_str()));
            dead.push(message);
        }
        dead
    }

    /// Deletes the message of this handle. A handle of an earlier receive, or of a message that is
    /// gone, is accepted and deletes nothing. A FIFO queue refuses a handle whose time is up: "if a
    /// consumer whose message processing time is longer than the visibility timeout tries to delete the
    /// processed messages, the action fails with an error" (`ReceiveMessage`,
    /// `ReceiveRequestAttemptId`).
    pub(super) fn delete(&mut self, handle: &str) -> ApiResult<()> {
        let receipt = self.receipt(handle)?;
        let Some(entry) = self.messages.get(&receipt.message) else {
            return Ok(());
        };
        let latest = entry.receive == receipt.receive;
        let in_flight = matches!(entry.state, State::InFlight { .. });
        if self.fifo.is_some() && !(latest && in_flight) {
            let why = "The receipt handle has expired.";
            return Err(ApiError::invalid_parameter("ReceiptHandle", handle, why));
        }
        if latest {
            self.remove(receipt.message);
            self.totals.deleted += 1;
        }
        Ok(())
    }

    /// Hides the message of this handle for `timeout` from now; with zero it is visible at once.
    pub(super) fn hide(&mut self, handle: &str, timeout: Duration, now: Time) -> ApiResult<()> {
        let receipt = self.receipt(handle)?;
        let entry = self
            .messages
            .get_mut(&receipt.message)
            .filter(|entry| entry.receive == receipt.receive)
            .ok_or_else(|| {
                ApiError::invalid_parameter(
                    "ReceiptHandle",
                    handle,
                    "Message does not exist or is not available for visibility timeout change.",
                )
            })?;
        let State::InFlight { until, since } = entry.state else {
            return Err(ApiError::new(
                "MessageNotInflight",
                "The message is not in flight: its visibility timeout has ended.",
            ));
        };
        if now.since(since) + timeout > VISIBILITY_MAX {
            return Err(ApiError::invalid_parameter(
                "VisibilityTimeout",
                timeout.as_secs(),
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].",
            ));
        }
        if timeout.is_zero() {
            self.move_to_visible(receipt.message);
            return Ok(());
        }
        let later = now + timeout;
        entry.state = State::InFlight {
            until: later,
            since,
        };
        self.hidden.remove(&(until, receipt.message));
        self.hidden.insert((later, receipt.message));
        Ok(())
    }

    /// Puts a second copy of the message of this handle beside it, to be received after `delay`: the
    /// copy that a server kept which was away when the message was received or deleted.
    pub(super) fn duplicate(&mut self, handle: &str, delay: Duration, now: Time) -> ApiResult<()> {
        let receipt = self.receipt(handle)?;
        let entry = self.messages.get(&receipt.message);
        let copy = entry.map(|entry| entry.message.clone()).ok_or_else(|| {
            ApiError::invalid_parameter("ReceiptHandle", handle, "Message does not exist.")
        })?;
        self.insert(copy, now + delay, now);
        Ok(())
    }

    /// Lets the next `count` visible messages come after all others.
    pub(super) fn misplace(&mut self, count: usize) {
        for _ in 0..count.min(self.visible.len()) {
            if let Some(&(_, key)) = self.visible.first() {
                self.move_to_visible(key);
            }
        }
    }

    /// Removes every message.
    pub(super) fn purge(&mut self, now: Time) {
        self.totals.purged += self.messages.len() as u64;
        self.messages.clear();
        self.visible.clear();
        self.hidden.clear();
        self.by_age.clear();
        if let Some(fifo) = &mut self.fifo {
            fifo.groups.clear();
        }
        self.in_flight = 0;
        self.purged_at = Some(now);
    }

    pub(super) fn in_flight_is_full(&self) -> bool {
        self.in_flight >= IN_FLIGHT_MAX
    }

    fn receipt(&self, handle: &str) -> ApiResult<Receipt> {
        handle
            .parse::<Receipt>()
            .ok()
            .filter(|receipt| receipt.queue == self.id)
            .ok_or_else(|| {
                ApiError::new(
                    "ReceiptHandleIsInvalid",
                    format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
                )
            })
    }

    fn move_to_visible(&mut self, key: Key) {
        // What comes again goes to the back, but on a FIFO queue to its old place.
        let turn = if self.fifo.is_some() {
            key
        } else {
            self.take_turn()
        };
        let before = std::mem::replace(&mut self.entry_mut(key).state, State::Visible { turn });
        self.leave(before, key);
        self.visible.insert((turn, key));
        self.note_standing(key);
    }

    /// Tells a FIFO queue's groups where a message stands now.
    fn note_standing(&mut self, key: Key) {
        let Some(fifo) = &mut self.fifo else {
            return;
        };
        let entry = &self.messages[&key];
        if let Some(group) = &entry.message.group_id {
            fifo.groups.set(group, key, entry.state.standing());
        }
    }

    fn remove(&mut self, key: Key) -> Message {
        let entry = self
            .messages
            .remove(&key)
            .expect("invariant: every key in an index has its message");
        self.leave(entry.state, key);
        self.by_age.remove(&(entry.message.sent_at, key));
        if let (Some(fifo), Some(group)) = (&mut self.fifo, &entry.message.group_id) {
            fifo.groups.remove(group, key);
        }
        entry.message
    }

    /// Takes a message out of the index that its state keeps it in.
    fn leave(&mut self, state: State, key: Key) {
        match state {
            State::Visible { turn } => {
                self.visible.remove(&(turn, key));
            }
            State::Delayed { until } => {
                self.hidden.remove(&(until, key));
            }
            State::InFlight { until, .. } => {
                self.hidden.remove(&(until, key));
                self.in_flight -= 1;
            }
        }
    }

    fn entry_mut(&mut self, key: Key) -> &mut Entry {
        self.messages
            .get_mut(&key)
            .expect("invariant: every key in an index has its message")
    }

    fn take_turn(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl State {
    fn standing(self) -> Standing {
        match self {
            Self::Visible { .. } => Standing::Visible,
            Self::Delayed { .. } => Standing::Delayed,
            Self::InFlight { .. } => Standing::InFlight,
        }
    }
}

/// Of the messages whose turn it is, those that are `worn`, until `up_to` are found that are not.
fn passed_over(
    in_turn: impl Iterator<Item = Key>,
    worn: impl Fn(&Key) -> bool,
    up_to: usize,
) -> Vec<Key> {
    let looked_at = in_turn.scan(0, |alive, key| {
        let is_worn = worn(&key);
        *alive += usize::from(!is_worn);
        (*alive <= up_to).then_some((key, is_worn))
    });
    looked_at
        .filter_map(|(key, is_worn)| is_worn.then_some(key))
        .collect()
}

/// Twenty digits, as those of SQS are, growing with the place in the queue.
fn sequence_number(place: Key) -> String {
    const FIRST: u128 = 18_849_496_460_467_696_128;
    (FIRST + u128::from(place) * 256).to_string()
}
