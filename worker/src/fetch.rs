//! Takes messages from the queues and starts them, as [`crate::flow`] says.
//!
//! It must not be cut short in a poll: SQS may have given messages to it already, which would stay
//! hidden for nothing. A drain or a pause waits for the open polls and hands back what they bring.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::auto_slots::AutoSlots;
use crate::aws::CallError;
use crate::chance;
use crate::clock::pause;
use crate::control::Control;
use crate::execute::{Floor, execute};
use crate::flow::{Flow, Poll, PollKind, PutBack, Share, Ticket};
use crate::heartbeat::HoldId;
use crate::observe::Fate;
use crate::queue::Message;
use crate::rate::StartRate;
use crate::retry::Backoff;

/// A poll for whose room other queues wait is answered within this time.
const IN_TURN_WAIT: Duration = Duration::from_secs(1);

/// One queue of a worker: its floor, and its claim to the slots.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) floor: Arc<Floor>,
    pub(crate) share: Share,
}

/// Polls until the drain begins. Each message runs on its own task in `running`, so that a slow
/// one holds up nothing but its slot.
pub(crate) async fn run(lines: Vec<Line>, control: Control, running: TaskTracker) {
    let Some(first) = lines.first() else {
        return;
    };
    let settings = first.floor.settings;
    let draining = first.floor.draining.clone();
    let mut changed = control.watch();
    let (ended, mut ends) = mpsc::unbounded_channel();
    let shares: Vec<Share> = lines.iter().map(|line| line.share).collect();
    let rate = settings.starts_per_second.map(StartRate::new);
    let auto = settings
        .slots_max
        .map(|max| AutoSlots::new(control.slots(), max, first.floor.clock.instant()));
    let mut fetcher = Fetcher {
        flow: Flow::new(control.slots() as usize, rate, &shares),
        failures: vec![0; lines.len()],
        lines,
        polls: FuturesUnordered::new(),
        rests: FuturesUnordered::new(),
        at_hand: BTreeMap::new(),
        auto,
        control,
        running,
        ended,
    };
    while !draining.is_cancelled() {
        fetcher.step();
        let look_again = at_last(fetcher.look_again());
        tokio::select! {
            biased;
            () = draining.cancelled() => {}
            Some(end) = ends.recv() => fetcher.end(end),
            Some(answer) = fetcher.polls.next() => fetcher.answered(answer),
            Some(feed) = fetcher.rests.next() => fetcher.flow.rested(feed),
            Ok(()) = changed.changed() => {}
            () = look_again => {}
        }
    }
    fetcher.leave().await;
}

/// Waits for a moment, or for ever.
async fn at_last(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// What a poll brought.
struct Answer {
    poll: Poll,
    brought: Result<Vec<Message>, CallError>,
    at: Instant,
}

/// A job's message has left.
#[derive(Clone, Copy, Debug)]
struct End {
    ticket: Ticket,
    put_back: PutBack,
}

/// Says that a job's message has left even if its task dies.
struct EndOnDrop {
    ticket: Ticket,
    put_back: PutBack,
    ended: mpsc::UnboundedSender<End>,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        let end = End {
            ticket: self.ticket,
            put_back: self.put_back,
        };
        // Nobody counts slots any more once the worker leaves.
        let _ = self.ended.send(end);
    }
}

/// A message that waits for a slot.
struct AtHand {
    feed: usize,
    message: Message,
    hold: HoldId,
}

struct Fetcher {
    flow: Flow,
    lines: Vec<Line>,
    polls: FuturesUnordered<BoxFuture<'static, Answer>>,
    rests: FuturesUnordered<BoxFuture<'static, usize>>,
    /// Polls that failed in a row, by queue.
    failures: Vec<u32>,
    at_hand: BTreeMap<Ticket, AtHand>,
    auto: Option<AutoSlots>,
    control: Control,
    running: TaskTracker,
    ended: mpsc::UnboundedSender<End>,
}

impl Fetcher {
    /// Does all that the flow allows at this moment.
    fn step(&mut self) {
        self.flow.set_slots(self.control.slots() as usize);
        if self.control.is_paused() {
            let all = self.flow.clear_waiting();
            self.hand_back(all);
            return;
        }
        let now = self.now();
        while let Some(ticket) = self.flow.next_start(now) {
            self.start(ticket);
        }
        if let Some(auto) = &mut self.auto {
            auto.running(self.flow.running(), now);
        }
        let overdue = self.flow.overdue(now);
        self.hand_back(overdue);
        while let Some(poll) = self.flow.next_poll(now) {
            self.poll(poll);
        }
    }

    /// Starts a message, unless SQS has given it to somebody else meanwhile.
    fn start(&mut self, ticket: Ticket) {
        let mut end = EndOnDrop {
            ticket,
            put_back: PutBack::Yes,
            ended: self.ended.clone(),
        };
        let Some(AtHand {
            feed,
            message,
            hold,
        }) = self.at_hand.remove(&ticket)
        else {
            return;
        };
        let floor = Arc::clone(&self.lines[feed].floor);
        if !floor.holds.is_kept(hold) {
            tracing::info!(
                job_id = message.job_id(),
                "delivered elsewhere before it began"
            );
            floor.holds.forget(hold);
            return;
        }
        // In a box, as a task is moved several times on its way.
        self.running.spawn(Box::pin(async move {
            end.put_back = execute(floor, message, hold).await;
            drop(end);
        }));
    }

    fn poll(&mut self, poll: Poll) {
        let floor = Arc::clone(&self.lines[poll.feed].floor);
        let settings = floor.settings;
        let wait = match poll.kind {
            PollKind::Alone | PollKind::Quiet => settings.poll_wait,
            PollKind::InTurn => settings.poll_wait.min(IN_TURN_WAIT),
        };
        let answer = async move {
            let awaited = floor.observer.waits_for_handler();
            let can_work = tokio::select! {
                biased;
                () = floor.draining.cancelled() => false,
                () = floor.handler.ready() => true,
            };
            drop(awaited);
            let brought = if can_work {
                let poll = floor.queue.receive(poll.ask, wait, settings.visibility);
                poll.await
            } else {
                Ok(Vec::new())
            };
            let at = floor.clock.instant();
            Answer { poll, brought, at }
        };
        self.polls.push(answer.boxed());
    }

    fn answered(&mut self, answer: Answer) {
        let Answer { poll, brought, at } = answer;
        match brought {
            Ok(messages) => {
                self.failures[poll.feed] = 0;
                self.flow.answered(poll, Some(messages.len()));
                for message in messages {
                    self.arrived(poll.feed, message, at);
                }
            }
            Err(error) => {
                self.flow.answered(poll, None);
                let failures = &mut self.failures[poll.feed];
                *failures += 1;
                let queue = self.lines[poll.feed].floor.queue.name();
                tracing::warn!(%error, queue, failures = *failures, "could not receive");
                let rest = Backoff::CALLS.delay(*failures, chance::unit());
                let rested = async move {
                    pause(rest).await;
                    poll.feed
                };
                self.rests.push(rested.boxed());
            }
        }
    }

    fn arrived(&mut self, feed: usize, message: Message, at: Instant) {
        let floor = &self.lines[feed].floor;
        // On a standard queue a group is a tenant, for SQS to be fair to; it orders nothing.
        let group = message.group.clone().filter(|_| floor.queue.is_fifo());
        let receipt = message.receipt.clone();
        let hold = floor
            .holds
            .hold(receipt, group.clone(), at, floor.settings.visibility);
        let ticket = self.flow.arrived(feed, group, at);
        let at_hand = AtHand {
            feed,
            message,
            hold,
        };
        self.at_hand.insert(ticket, at_hand);
    }

    fn end(&mut self, end: End) {
        let now = self.now();
        let behind = self.flow.ended(end.ticket, end.put_back, now);
        self.hand_back(behind);
        if let Some(auto) = &mut self.auto {
            auto.ended(self.flow.running(), now);
            self.control.set_slots(auto.slots());
        }
    }

    fn hand_back(&mut self, tickets: Vec<Ticket>) {
        for ticket in tickets {
            if let Some(at_hand) = self.at_hand.remove(&ticket) {
                let job_id = at_hand.message.job_id();
                tracing::info!(job_id, "handed back unstarted");
                let floor = &self.lines[at_hand.feed].floor;
                floor.saw(Fate::HandedBack);
                floor.holds.let_go(at_hand.hold, Duration::ZERO);
            }
        }
    }

    /// Hands back what has not started, and what the open polls bring.
    async fn leave(mut self) {
        let all = self.flow.clear_waiting();
        self.hand_back(all);
        while let Some(answer) = self.polls.next().await {
            self.answered(answer);
            let all = self.flow.clear_waiting();
            self.hand_back(all);
        }
    }

    /// When there may be something to do though nothing happens.
    fn look_again(&self) -> Option<Instant> {
        let moment = self.flow.look_again();
        moment.filter(|_| !self.control.is_paused())
    }

    fn now(&self) -> Instant {
        self.lines[0].floor.clock.instant()
    }
}
