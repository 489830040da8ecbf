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
        let busy = self.busy_groups();
        let late = |waiting: &Waiting| now.saturating_duration_since(waiting.since) >= PATIENCE;
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
        let busy = self.busy_groups();
        let held_up = |group: &Group| busy.contains(group);
        let free = self.waiting.values();
        let free = free.filter(|waiting| !waiting.group.as_ref().is_some_and(held_up));
        let overdue = free.map(|waiting| waiting.since + PATIENCE).min();
        let gathered = self.scant_since.map(|since| since + GATHER);
        let may_start = self.rate.as_ref().and_then(StartRate::next_at);
        let moments = [overdue, gathered, may_start];
        moments.into_iter().flatten().min()
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
        if self.waiting.values().all(|waiting| waiting.group.is_none()) {
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
            .map(|((_, ticket), _)| ticket);
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// A flow and its moment.
    struct Bench {
        flow: Flow,
        now: Instant,
    }

    impl Bench {
        fn new(slots: usize, shares: &[Share]) -> Self {
            Self {
                flow: Flow::new(slots, None, shares),
                now: Clock::system().instant(),
            }
        }

        fn one_queue(slots: usize) -> Self {
            Self::new(slots, &[Share::default()])
        }

        fn poll(&mut self) -> Option<Poll> {
            self.flow.next_poll(self.now)
        }

        /// Answers a poll with so many messages.
        fn bring(&mut self, poll: Poll, messages: usize) {
            self.flow.answered(poll, Some(messages));
            for _ in 0..messages {
                self.flow.arrived(poll.feed, None, self.now);
            }
        }

        fn start_all(&mut self) -> Vec<Ticket> {
            std::iter::from_fn(|| self.flow.next_start(self.now)).collect()
        }

        fn end(&mut self, ticket: Ticket) {
            self.flow.ended(ticket, PutBack::No, self.now);
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
        }

        /// Jobs have taken this long lately.
        fn used_to(&mut self, service: Duration) {
            for _ in 0..100 {
                self.flow.arrived(0, None, self.now);
                let ticket = self.flow.next_start(self.now).unwrap();
                self.pass(service);
                self.end(ticket);
            }
        }
    }

    #[test]
    fn idle_worker_keeps_one_poll_open_for_as_many_as_it_can_start() {
        let mut bench = Bench::one_queue(4);
        let poll = bench.poll().unwrap();
        assert_eq!((poll.ask, poll.kind), (4, PollKind::Alone));
        assert_eq!(bench.poll(), None);
        bench.bring(poll, 0);
        assert_eq!(Bench::one_queue(64).poll().unwrap().ask, 10);
        assert!(bench.poll().is_some());
        assert_eq!(bench.poll(), None);
    }

    #[test]
    fn full_polls_add_pollers_and_an_empty_one_takes_them_away() {
        let mut bench = Bench::one_queue(64);
        for pollers in 1..=4 {
            let polls: Vec<Poll> = std::iter::from_fn(|| bench.poll()).collect();
            assert_eq!(polls.len(), pollers);
            let mut polls = polls.into_iter();
            bench.bring(polls.next().unwrap(), 10);
            for poll in polls {
                bench.bring(poll, 1);
            }
            for ticket in bench.start_all() {
                bench.end(ticket);
            }
        }
        let poll = bench.poll().unwrap();
        bench.bring(poll, 0);
        assert!(bench.poll().is_some());
        assert_eq!(bench.poll(), None);
    }

    #[test]
    fn long_jobs_are_never_fetched_ahead() {
        let mut bench = Bench::one_queue(2);
        bench.used_to(Duration::from_secs(30));
        let poll = bench.poll().unwrap();
        bench.bring(poll, 2);
        let running = bench.start_all();
        assert_eq!(bench.poll(), None);
        bench.end(running[0]);
        // One slot is free: worth a moment's wait for the other, and no more.
        assert_eq!(bench.poll(), None);
        bench.now = bench.flow.look_again().unwrap();
        assert_eq!(bench.poll().unwrap().ask, 1);
    }

    #[test]
    fn short_jobs_are_fetched_in_tens_though_the_slots_are_few() {
        let mut bench = Bench::one_queue(2);
        bench.used_to(10 * MILLISECOND);
        let poll = bench.poll().unwrap();
        assert_eq!(poll.ask, 10);
        bench.bring(poll, 10);
        bench.start_all();
        assert_eq!(bench.poll().unwrap().ask, 10);
    }

    #[test]
    fn slots_that_hang_end_the_fetching_ahead_and_what_waits_goes_back() {
        let mut bench = Bench::one_queue(2);
        bench.used_to(10 * MILLISECOND);
        let poll = bench.poll().unwrap();
        bench.bring(poll, 10);
        bench.start_all();
        bench.pass(AHEAD + MILLISECOND);
        assert_eq!(bench.poll(), None);
        assert!(bench.flow.overdue(bench.now).is_empty());
        bench.now = bench.flow.look_again().unwrap();
        assert_eq!(bench.flow.overdue(bench.now).len(), 8);
        assert_eq!(bench.flow.running(), 2);
    }

    #[test]
    fn failed_poll_rests_its_queue_alone() {
        let mut bench = Bench::new(4, &[Share::default(); 2]);
        let (first, second) = (bench.poll().unwrap(), bench.poll().unwrap());
        bench.flow.answered(first, None);
        bench.bring(second, 0);
        assert_eq!(bench.poll().map(|poll| poll.feed), Some(1));
        assert_eq!(bench.poll(), None);
        bench.flow.rested(0);
        assert_eq!(bench.poll().map(|poll| poll.feed), Some(0));
    }

    /// Serves queues that never run dry with jobs of a second each, and counts the starts of each.
    fn starts(slots: usize, shares: &[Share], jobs: usize) -> Vec<usize> {
        let mut bench = Bench::new(slots, shares);
        let mut feeds = BTreeMap::new();
        let mut starts = vec![0; shares.len()];
        let mut running: std::collections::VecDeque<Ticket> = std::collections::VecDeque::new();
        while starts.iter().sum::<usize>() < jobs {
            while let Some(poll) = bench.poll() {
                bench.flow.answered(poll, Some(poll.ask));
                for _ in 0..poll.ask {
                    let ticket = bench.flow.arrived(poll.feed, None, bench.now);
                    feeds.insert(ticket, poll.feed);
                }
            }
            for ticket in bench.start_all() {
                starts[feeds[&ticket]] += 1;
                running.push_back(ticket);
            }
            let overdue = bench.flow.overdue(bench.now);
            assert!(overdue.is_empty(), "fetched in vain: {overdue:?}");
            bench.pass(Duration::from_secs(1) / u32::try_from(slots).unwrap());
            if running.len() == slots {
                bench.end(running.pop_front().unwrap());
            }
        }
        starts
    }

    #[test]
    fn queues_of_one_priority_share_by_weight() {
        let share = |weight| Share {
            weight,
            priority: 0,
        };
        let starts = starts(4, &[share(3), share(1)], 4000);
        let part = starts[0] as f64 / 4000.0;
        assert!((part - 0.75).abs() < 0.05, "{starts:?}");
    }

    #[test]
    fn lower_priority_waits_but_gets_one_start_in_ten_at_the_least() {
        let share = |priority| Share {
            weight: 1,
            priority,
        };
        for slots in [1, 4, 16] {
            let starts = starts(slots, &[share(0), share(1)], 4000);
            assert!(starts[0] > 8 * starts[1], "{slots} slots: {starts:?}");
            assert!(starts[1] * 15 > 4000, "{slots} slots: {starts:?}");
        }
    }

    #[test]
    fn fifo_groups_run_one_at_a_time_in_order_while_others_go_on() {
        let mut bench = Bench::one_queue(4);
        let now = bench.now;
        let mut arrive = |group: &str| bench.flow.arrived(0, Some(group.into()), now);
        let a = [arrive("a"), arrive("a"), arrive("a")];
        let b = arrive("b");
        assert_eq!(bench.start_all(), [a[0], b]);
        // Two slots are free for other groups, whatever waits of this one.
        assert_eq!(bench.flow.room(now), 2);
        bench.pass(2 * PATIENCE);
        assert!(bench.flow.overdue(bench.now).is_empty());
        bench.end(a[0]);
        assert_eq!(bench.start_all(), [a[1]]);
        let behind = bench.flow.ended(a[1], PutBack::Yes, bench.now);
        assert_eq!(behind, [a[2]]);
        assert!(bench.start_all().is_empty());
    }

    #[test]
    fn fifo_group_goes_back_whole() {
        let mut bench = Bench::one_queue(1);
        let now = bench.now;
        bench.flow.arrived(0, Some("a".into()), now);
        let b = bench.flow.arrived(0, Some("b".into()), now);
        assert_eq!(bench.start_all().len(), 1);
        bench.pass(PATIENCE / 2);
        let b_too = bench.flow.arrived(0, Some("b".into()), bench.now);
        bench.pass(PATIENCE / 2);
        assert_eq!(bench.flow.overdue(bench.now), [b, b_too]);
    }

    #[test]
    fn rate_limit_bounds_what_is_fetched() {
        let rate = StartRate::new(3.0);
        let now = Clock::system().instant();
        let mut flow = Flow::new(64, Some(rate), &[Share::default()]);
        let poll = flow.next_poll(now).unwrap();
        assert_eq!(poll.ask, 3);
        flow.answered(poll, Some(3));
        assert_eq!(flow.next_poll(now), None);
        let next = flow.look_again().unwrap();
        assert!(next <= now + Duration::from_millis(334));
        assert_eq!(flow.next_poll(next), None, "it gathers for a moment");
        let poll = flow.next_poll(next + GATHER).unwrap();
        assert_eq!(poll.ask, 1);
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Answer { which: usize, messages: usize },
        Fail { which: usize },
        End { which: usize },
        Pass { milliseconds: u64 },
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (any::<usize>(), 0..=10_usize)
                .prop_map(|(which, messages)| Event::Answer { which, messages }),
            any::<usize>().prop_map(|which| Event::Fail { which }),
            any::<usize>().prop_map(|which| Event::End { which }),
            (0..3000_u64).prop_map(|milliseconds| Event::Pass { milliseconds }),
        ]
    }

    proptest! {
        /// Whatever happens: no more run than slots, no more are at hand than the rules allow, and a
        /// worker with a free slot is never without an open poll for long.
        #[test]
        fn never_holds_too_much_and_never_falls_asleep(
            slots in 1..40_usize,
            queues in 1..4_usize,
            events in prop::collection::vec(event(), 1..200),
        ) {
            let shares: Vec<Share> = (0..queues)
                .map(|queue| Share { weight: 1, priority: u32::try_from(queue).unwrap() })
                .collect();
            let mut bench = Bench::new(slots, &shares);
            let mut polls: Vec<Poll> = Vec::new();
            let mut running: Vec<Ticket> = Vec::new();
            for event in events {
                match event {
                    Event::Answer { which, messages } if !polls.is_empty() => {
                        let poll = polls.swap_remove(which % polls.len());
                        bench.bring(poll, messages.min(poll.ask));
                    }
                    Event::Fail { which } if !polls.is_empty() => {
                        let poll = polls.swap_remove(which % polls.len());
                        bench.flow.answered(poll, None);
                        bench.flow.rested(poll.feed);
                    }
                    Event::End { which } if !running.is_empty() => {
                        let ticket = running.swap_remove(which % running.len());
                        bench.end(ticket);
                    }
                    Event::Pass { milliseconds } => bench.pass(Duration::from_millis(milliseconds)),
                    _ => {}
                }
                running.extend(bench.start_all());
                bench.flow.overdue(bench.now);
                polls.extend(std::iter::from_fn(|| bench.poll()));
                if bench.flow.look_again().is_some_and(|at| at <= bench.now + GATHER) {
                    bench.pass(GATHER);
                    polls.extend(std::iter::from_fn(|| bench.poll()));
                }
                let at_hand = bench.flow.waiting.len() + running.len();
                prop_assert!(running.len() <= slots);
                prop_assert!(at_hand <= slots + AHEAD_MAX + queues);
                let free = at_hand < slots;
                prop_assert!(!free || !polls.is_empty(), "asleep with a free slot");
            }
        }
    }
}
