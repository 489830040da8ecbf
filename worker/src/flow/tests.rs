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

#[test]
fn poll_that_brings_nothing_uses_up_no_start() {
    let now = Clock::system().instant();
    let mut flow = Flow::new(4, Some(StartRate::new(1.0)), &[Share::default()]);
    let poll = flow.next_poll(now).unwrap();
    flow.answered(poll, Some(0));
    let poll = flow.next_poll(now).unwrap();
    flow.answered(poll, Some(1));
    assert_eq!(flow.next_poll(now), None);
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
