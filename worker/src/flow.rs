//! How messages flow through a worker: which queue is asked next, for how many, and which message
//! starts when. Pure: `now` is an argument; [`crate::fetch`] does what it says.
//!
//! The rules, in order of weight:
//!
//! * A message is fetched when a slot is free for it, or when jobs are so short that it will start
//!   within [`AHEAD`]; one that still waits after [`PATIENCE`] goes back for other workers.
//! * One poller while there is nothing to do; a poll that comes back full adds one, as long as there
//!   is room for ten more; an empty one takes all but one away.
//! * Of several queues, the one with the lowest priority number goes first, equal ones share by
//!   weight. A queue that was passed over [`PASSED_OVER_MAX`] times is asked next, and a message
//!   that has waited [`WAITED_ENOUGH`] starts next, whatever their priority.
//! * Of a FIFO group one message runs at a time, in the order received; when it is put back, those
//!   behind it go back too. They take no room from other groups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::BATCH_MAX;
use crate::rate::StartRate;

/// Messages are fetched ahead of free slots as far as they will start within this time.
pub(crate) const AHEAD: Duration = Duration::from_millis(500);

/// No more messages than this are fetched ahead, however short the jobs.
pub(crate) const AHEAD_MAX: usize = 90;

/// A message that no slot took in this time is put back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A message that has waited this long is the next to start.
pub(crate) const WAITED_ENOUGH: Duration = Duration::from_secs(1);

/// A poll for fewer than ten waits this long for more room, while jobs run.
pub(crate) const GATHER: Duration = Duration::from_millis(50);

/// A queue with messages is passed over at most this often in a row.
pub(crate) const PASSED_OVER_MAX: u32 = 9;

/// The weight of the newest job in the running mean of service times.
const NEWEST: f64 = 0.1;

/// A queue's claim to the slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Its part of the slots among queues of the same priority, at least 1.
    pub weight: u32,
    /// Lower is served first.
    pub priority: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            weight: 1,
            priority: 0,
        }
    }
}

/// A poll to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    /// Which queue, by its place.
    pub(crate) feed: usize,
    /// For how many messages.
    pub(crate) ask: usize,
    /// How it goes together with others.
    pub(crate) kind: PollKind,
}

/// How a poll goes together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollKind {
    /// Room is kept for all it may bring, as long as it takes.
    Alone,
    /// The same, but other queues wait for that room: it must be answered soon.
    InTurn,
    /// It may take as long as it likes and has no room kept for it: the queue was empty.
    Quiet,
}

impl Poll {
    fn keeps(self) -> usize {
        match self.kind {
            PollKind::Alone | PollKind::InTurn => self.ask,
            PollKind::Quiet => 0,
        }
    }
}

/// Names a message at hand. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// The state of a worker's flow.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    slots: usize,
    rate: Option<StartRate>,
    feeds: Vec<Feed>,
    waiting: BTreeMap<(u32, Ticket), Waiting>,
    /// Of those, how many are of a FIFO group.
    grouped: usize,
    /// With their FIFO groups.
    running: BTreeMap<Ticket, Option<Group>>,
    next_ticket: u64,
    service: Service,
    /// Since when there has been room, but not for ten.
    scant_since: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Feed {
    share: Share,
    /// Polls under way.
    polls: usize,
    /// Room kept for them.
    kept: usize,
    pollers: usize,
    had_messages: bool,
    resting: bool,
    /// What the queue has been given, over its weight: the least is next.
    pass: f64,
    passed_over: u32,
}

/// How long jobs take, from what can be seen of it at any moment: the time spent in slots for each
/// job that ends. Jobs that have not ended count in, so that the first, short ones do not deceive.
#[derive(Clone, Copy, Debug, Default)]
struct Service {
    mean_seconds: Option<f64>,
    /// Seconds of slots since the last job's end.
    since_end: f64,
    as_of: Option<Instant>,
}

impl Service {
    /// So many jobs have run until `now`.
    fn pass(&mut self, running: usize, now: Instant) {
        self.since_end = self.seconds_since_end(running, now);
        self.as_of = Some(now);
    }

    /// One of them has ended.
    fn ended(&mut self) {
        let took = std::mem::take(&mut self.since_end);
        let mean = self.mean_seconds.unwrap_or(took);
        self.mean_seconds = Some(mean + NEWEST * (took - mean));
    }

    fn seconds_since_end(&self, running: usize, now: Instant) -> f64 {
        let passed = self
            .as_of
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.since_end + passed.as_secs_f64() * running as f64
    }

    /// The mean, or what has been spent on the next job so far if that is more.
    fn at(&self, running: usize, now: Instant) -> Option<f64> {
        let mean = self.mean_seconds?;
        Some(mean.max(self.seconds_since_end(running, now)))
    }
}

/// A FIFO group: its queue's place and its name.
type Group = (usize, String);

#[derive(Clone, Debug)]
struct Waiting {
    group: Option<Group>,
    since: Instant,
}

impl Flow {
    /// An idle flow into `slots` slots, begun no faster than `rate`.
    pub(crate) fn new(slots: usize, rate: Option<StartRate>, shares: &[Share]) -> Self {
        let feed = |share: &Share| Feed {
            share: *share,
            polls: 0,
            kept: 0,
            pollers: 1,
            had_messages: false,
            resting: false,
            pass: 0.0,
            passed_over: 0,
        };
        Self {
            slots,
            rate,
            feeds: shares.iter().map(feed).collect(),
            waiting: BTreeMap::new(),
            grouped: 0,
            running: BTreeMap::new(),
            next_ticket: 0,
            service: Service::default(),
            scant_since: None,
        }
    }

    /// From now on this many jobs run at a time; what runs goes on.
    pub(crate) fn set_slots(&mut self, slots: usize) {
        self.slots = slots;
    }

    /// Jobs that run.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// The next poll to make at `now`, noted as under way; `None` when none is to be made before
    /// something changes or [`Flow::look_again`] has come.
    pub(crate) fn next_poll(&mut self, now: Instant) -> Option<Poll> {
        let room = self.room(now);
        let Some(poll) = self.choose(room) else {
            self.scant_since = None;
            return None;
        };
        if poll.kind != PollKind::Quiet && self.is_scant(room, now) {
            return None;
        }
        self.scant_since = None;
        self.note(poll);
        Some(poll)
    }

    /// Notes a poll as under way, and whom it passes over.
    fn note(&mut self, poll: Poll) {
        if let Some(rate) = &mut self.rate {
            rate.take(poll.ask);
        }
        for (place, feed) in self.feeds.iter_mut().enumerate() {
            if place == poll.feed {
                feed.polls += 1;
                feed.kept += poll.keeps();
                feed.pass += poll.ask as f64 / f64::from(feed.share.weight.max(1));
                feed.passed_over = 0;
            } else if feed.polls == 0 && poll.kind == PollKind::InTurn {
                feed.passed_over += 1;
            }
        }
    }

    /// Takes note of a poll's answer: how many messages it brought, or `None` if it failed; then the
    /// queue rests until [`Flow::rested`].
    pub(crate) fn answered(&mut self, poll: Poll, brought: Option<usize>) {
        let pollers_max = (self.slots + AHEAD_MAX).div_ceil(BATCH_MAX);
        let joins = self.feeds.iter().filter(|feed| feed.had_messages);
        let joins = joins.map(|feed| feed.pass).reduce(f64::min);
        if let Some(rate) = &mut self.rate {
            rate.give_back(poll.ask.saturating_sub(brought.unwrap_or(0)));
        }
        let feed = &mut self.feeds[poll.feed];
        feed.polls -= 1;
        feed.kept -= poll.keeps();
        feed.resting = brought.is_none();
        let brought = brought.unwrap_or(0);
        if brought == 0 {
            feed.pollers = 1;
            feed.had_messages = false;
            return;
        }
        if !feed.had_messages {
            // What it did not ask for while it was empty is no credit.
            feed.pass = feed.pass.max(joins.unwrap_or(feed.pass));
            feed.had_messages = true;
        }
        feed.passed_over = 0;
        if brought == poll.ask {
            feed.pollers = (feed.pollers + 1).min(pollers_max);
        }
    }

    /// The queue may be asked again after a poll that failed.
    pub(crate) fn rested(&mut self, feed: usize) {
        self.feeds[feed].resting = false;
    }

    /// A message has arrived; it waits for [`Flow::next_start`].
    pub(crate) fn arrived(&mut self, feed: usize, group: Option<String>, now: Instant) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let key = (self.feeds[feed].share.priority, ticket);
        let group = group.map(|name| (feed, name));
        let since = now;
        self.grouped += usize::from(group.is_some());
        self.waiting.insert(key, Waiting { group, since });
        ticket
    }

    /// The message to start at `now`, if a slot is free for one; it counts as running.
    pub(crate) fn next_start(&mut self, now: Instant) -> Option<Ticket> {
        if self.running.len() >= self.slots {
            return None;
        }
        let key = self.first_startable(now)?;
        let group = self.waiting.remove(&key)?.group;
        self.grouped -= usize::from(group.is_some());
        self.service.pass(self.running.len(), now);
        self.running.insert(key.1, group);
        Some(key.1)
    }

    /// A job's message has left the worker. If it was put back, those of its group that wait here
    /// must be put back as well: they are returned, and waiting no more.
    pub(crate) fn ended(&mut self, ticket: Ticket, put_back: PutBack, now: Instant) -> Vec<Ticket> {
        self.service.pass(self.running.len(), now);
        let Some(group) = self.running.remove(&ticket) else {
            return Vec::new();
        };
        self.service.ended();
        if group.is_none() || put_back == PutBack::No {
            return Vec::new();
        }
        self.take_waiting(|waiting| waiting.group == group)
    }

    /// Those that have waited too long for a slot, and what waits of their FIFO groups: they wait no
    /// more. What is behind a running message of its group stays: nobody else could be given it.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<Ticket> {
        let is_late = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        if !self.oldest_wait().is_some_and(is_late) {
            return Vec::new();
        }
        let busy = self.busy_groups();
        let late = |waiting: &Waiting| is_late(waiting.since);
        let late_groups: BTreeSet<Group> = self
            .waiting
            .values()
            .filter(|waiting| late(waiting))
            .filter_map(|waiting| waiting.group.clone())
            .filter(|group| !busy.contains(group))
            .collect();
        self.take_waiting(|waiting| match &waiting.group {
            Some(group) => late_groups.contains(group),
            None => late(waiting),
        })
    }

    /// All that wait, to be put back: the worker leaves or pauses.
    pub(crate) fn clear_waiting(&mut self) -> Vec<Ticket> {
        self.take_waiting(|_| true)
    }

    /// When the flow has to be looked at again even if nothing happens.
    pub(crate) fn look_again(&self) -> Option<Instant> {
        let overdue = self.oldest_free().map(|since| since + PATIENCE);
        let gathered = self.scant_since.map(|since| since + GATHER);
        let may_start = self.rate.as_ref().and_then(StartRate::next_at);
        let moments = [overdue, gathered, may_start];
        moments.into_iter().flatten().min()
    }

    /// Since when the message waits that has waited longest: of each priority they are in order.
    fn oldest_wait(&self) -> Option<Instant> {
        let first = |feed: &Feed| {
            let of_priority = self.waiting.range((feed.share.priority, Ticket(0))..);
            of_priority.map(|(_, waiting)| waiting.since).next()
        };
        self.feeds.iter().filter_map(first).min()
    }

    /// The same of those that no running message of their group holds up.
    fn oldest_free(&self) -> Option<Instant> {
        if self.grouped == 0 {
            return self.oldest_wait();
        }
        let busy = self.busy_groups();
        let held_up = |group: &Group| busy.contains(group);
        let free = self.waiting.values();
        let free = free.filter(|waiting| !waiting.group.as_ref().is_some_and(held_up));
        free.map(|waiting| waiting.since).min()
    }

    /// How many messages may be here beyond the slots.
    fn ahead(&self, now: Instant) -> usize {
        let Some(service) = self.service.at(self.running.len(), now) else {
            return 0;
        };
        let fit = self.slots as f64 * AHEAD.as_secs_f64() / service.max(1e-6);
        let fit = crate::clock::whole(fit.min(AHEAD_MAX as f64));
        usize::try_from(fit).unwrap_or(0)
    }

    /// How many more may be fetched.
    fn room(&mut self, now: Instant) -> usize {
        let kept: usize = self.feeds.iter().map(|feed| feed.kept).sum();
        let taken = self.startable() + self.running.len() + kept;
        let room = (self.slots + self.ahead(now)).saturating_sub(taken);
        let starts = self.rate.as_mut().map(|rate| rate.available(now));
        room.min(starts.unwrap_or(room))
    }

    /// Whether it is better to wait a moment for more room; notes since when.
    fn is_scant(&mut self, room: usize, now: Instant) -> bool {
        let burst = self.rate.map_or(BATCH_MAX, |rate| rate.burst());
        let whole = BATCH_MAX.min(self.slots + self.ahead(now)).min(burst);
        let will_grow = !self.running.is_empty() || self.rate.is_some();
        if room >= whole || !will_grow {
            return false;
        }
        let since = *self.scant_since.get_or_insert(now);
        now.saturating_duration_since(since) < GATHER
    }

    /// The queue to ask and for how many, given so much room.
    fn choose(&self, room: usize) -> Option<Poll> {
        if let [only] = self.feeds.as_slice() {
            let may = room > 0 && !only.resting && only.polls < only.pollers;
            return may.then_some(Poll {
                feed: 0,
                ask: room.min(BATCH_MAX),
                kind: PollKind::Alone,
            });
        }
        self.look_into_quiet(room)
            .or_else(|| self.next_in_turn(room))
    }

    /// A queue that was empty is asked for one message: as long as a slot is free, or in turn when
    /// it has been passed over for long.
    fn look_into_quiet(&self, room: usize) -> Option<Poll> {
        let free = self.running.len() + self.startable() < self.slots
            && self.rate.is_none_or(|rate| rate.next_at().is_none());
        let starved = |feed: &Feed| room > 0 && feed.passed_over >= PASSED_OVER_MAX;
        let may = |feed: &Feed| {
            !feed.had_messages && !feed.resting && feed.polls == 0 && (free || starved(feed))
        };
        let feed = self.feeds.iter().position(may)?;
        let kind = if starved(&self.feeds[feed]) {
            PollKind::InTurn
        } else {
            PollKind::Quiet
        };
        Some(Poll { feed, ask: 1, kind })
    }

    /// Of the queues that have messages, the one whose turn it is.
    fn next_in_turn(&self, room: usize) -> Option<Poll> {
        if room == 0 {
            return None;
        }
        let order = |feed: &Feed| {
            let waited_enough = feed.passed_over >= PASSED_OVER_MAX;
            (!waited_enough, feed.share.priority)
        };
        let may = |feed: &Feed| feed.had_messages && !feed.resting && feed.polls < feed.pollers;
        let (feed, _) = self
            .feeds
            .iter()
            .enumerate()
            .filter(|(_, feed)| may(feed))
            .min_by(|(_, a), (_, b)| order(a).cmp(&order(b)).then(a.pass.total_cmp(&b.pass)))?;
        Some(Poll {
            feed,
            ask: room.min(BATCH_MAX),
            kind: PollKind::InTurn,
        })
    }

    fn busy_groups(&self) -> BTreeSet<Group> {
        self.running.values().flatten().cloned().collect()
    }

    /// How many of those that wait could start if slots were free: of a FIFO group, one.
    fn startable(&self) -> usize {
        if self.grouped == 0 {
            return self.waiting.len();
        }
        let mut seen = self.busy_groups();
        let mut may_start = |waiting: &&Waiting| match &waiting.group {
            Some(group) => seen.insert(group.clone()),
            None => true,
        };
        self.waiting.values().filter(|w| may_start(w)).count()
    }

    fn first_startable(&self, now: Instant) -> Option<(u32, Ticket)> {
        let mut busy: Option<BTreeSet<Group>> = None;
        let mut is_free = |waiting: &Waiting| match &waiting.group {
            None => true,
            Some(group) => {
                let busy = busy.get_or_insert_with(|| self.busy_groups());
                !busy.contains(group)
            }
        };
        let mut first = None;
        let mut waited: Option<(u32, Ticket)> = None;
        for (key, waiting) in &self.waiting {
            let long = now.saturating_duration_since(waiting.since) >= WAITED_ENOUGH;
            let sooner = waited.is_none_or(|(_, ticket)| key.1 < ticket);
            if (first.is_none() || (long && sooner)) && is_free(waiting) {
                first.get_or_insert(*key);
                if long {
                    waited = Some(*key);
                }
            }
            // One priority is in order already.
            if first.is_some() && self.feeds.len() == 1 {
                break;
            }
        }
        waited.or(first)
    }

    fn take_waiting(&mut self, wanted: impl Fn(&Waiting) -> bool) -> Vec<Ticket> {
        let taken = self
            .waiting
            .extract_if(.., |_, waiting| wanted(waiting))
            .map(|((_, ticket), waiting)| {
                self.grouped -= usize::from(waiting.group.is_some());
                ticket
            });
        taken.collect()
    }
}

/// Whether a message that leaves will come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutBack {
    /// It was put back.
    Yes,
    /// It is settled, or somebody else's.
    No,
}

#[cfg(test)]
mod tests;
