//! The queue and the fleet together, moment by moment.
//!
//! Messages start in the order in which they become visible; the slot that has been free longest
//! takes the next one the moment it is there. What is seen of it is as SQS, the group and the
//! workers tell it. It must not decide a size.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::collections::binary_heap::PeekMut;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::chance::{Stream, stream};
use super::fleet::{Fleet, Free};
use super::instance::{Ending, Job};
use super::load::Load;
use super::queue::{Message, Queue};
use super::score::{Look, Score};
use super::setup::{QUEUE, Setup};
use crate::model::{
    FleetObservation, Instances, Messages, Observation, QueueObservation, UnixSeconds,
};

/// Where all messages are at a moment: those that arrived wait, run or are finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that have arrived.
    pub arrived: u64,
    /// In the queue: visible, delayed, or invisible after an attempt that failed.
    pub waiting: u64,
    /// In a slot.
    pub running: u64,
    /// Done.
    pub finished: u64,
}

/// A queue and a fleet at one moment.
#[derive(Debug)]
pub struct World<'a> {
    setup: &'a Setup,
    load: &'a Load,
    queue: Queue<'a>,
    pub(super) fleet: Fleet<'a>,
    /// Seconds that each message waited which started, in order.
    waits: Vec<f32>,
    looks: Vec<Look>,
    /// Counts that were so and will be seen, where they are seen late.
    to_be_seen: VecDeque<Counted>,
    noise: ChaCha8Rng,
    failures: ChaCha8Rng,
    work_seconds: f64,
}

/// What SQS's counts were at a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    at: f64,
    visible: u64,
    in_flight: u64,
    delayed: u64,
}

impl<'a> World<'a> {
    /// No fleet yet, and a load to come.
    pub fn new(setup: &'a Setup, load: &'a Load) -> Self {
        Self {
            setup,
            load,
            queue: Queue::new(load, setup.conditions.delay_seconds),
            fleet: Fleet::new(setup),
            waits: Vec::with_capacity(load.arrivals.len()),
            looks: Vec::new(),
            to_be_seen: VecDeque::new(),
            noise: stream(setup.seed, Stream::Counts),
            failures: stream(setup.seed, Stream::Failures),
            work_seconds: 0.0,
        }
    }

    /// Lets time pass until `now`: every message whose turn comes starts, spot notices are served.
    pub fn advance(&mut self, now: f64) {
        while let Some(notice) = self.fleet.next_notice(now) {
            self.start_until(notice);
            for cut in self.fleet.serve_notice() {
                self.queue.hand_back(cut.message, cut.at);
            }
        }
        self.start_until(now);
        self.queue.send_until(now);
        self.fleet.let_go(now);
    }

    /// Everything was sent and has started.
    pub fn is_empty(&self) -> bool {
        self.queue.is_done()
    }

    /// What a controller would see: the queue's counts as SQS gives them, the group's instances,
    /// and the sum of the workers' reports, fresh as of the look.
    pub fn observe(&mut self, now: f64) -> Observation {
        let headcount = self.fleet.headcount(now);
        let counts = self.queue.counts(now);
        self.looks.push(Look {
            billed: headcount.in_service + headcount.pending + headcount.terminating,
            in_service: headcount.in_service,
            waiting: counts.visible,
        });
        let seen = self.seen(Counted {
            at: now,
            visible: counts.visible,
            in_flight: headcount.busy_slots + counts.hidden,
            delayed: counts.delayed,
        });
        let visible = self.counted(seen.visible);
        let in_flight = self.counted(seen.in_flight);
        let oldest =
            (self.setup.seen.oldest_age).then(|| self.queue.oldest_age_seconds(now).unwrap_or(0.0));
        Observation {
            at: UnixSeconds(self.setup.starts_at.0 + now),
            queues: vec![QueueObservation {
                name: QUEUE.to_owned(),
                visible: Some(visible),
                in_flight: Some(in_flight),
                delayed: Some(Messages(seen.delayed)),
                oldest_age_seconds: oldest,
            }],
            fleet: FleetObservation {
                desired: Some(Instances(self.fleet.desired)),
                in_service: Some(Instances(headcount.in_service)),
                pending: Some(Instances(headcount.pending)),
                terminating: Some(Instances(headcount.terminating)),
            },
            workers: if self.setup.seen.reports {
                self.fleet.reported(now)
            } else {
                None
            },
        }
    }

    /// Sets the size: launches what is missing, lets go of what is too much.
    pub fn resize(&mut self, now: f64, size: u32) {
        self.fleet.resize(now, size);
    }

    /// Where all messages are.
    pub fn tally(&mut self, now: f64) -> Tally {
        let counts = self.queue.counts(now);
        let (running, finished) = self.fleet.running_and_finished(now);
        Tally {
            arrived: counts.sent,
            waiting: counts.visible + counts.delayed + counts.hidden,
            running,
            finished,
        }
    }

    /// The bill and the waits.
    pub fn finish(self, now: f64) -> Score {
        let lives = self.fleet.lives(now);
        let launches = self.fleet.instances.len();
        Score {
            billed_hours: lives.billed / 3600.0,
            work_hours: self.work_seconds / f64::from(self.setup.slots) / 3600.0,
            boot_hours: lives.boot / 3600.0,
            lived_hours: lives.lived / 3600.0,
            messages: self.load.arrivals.len(),
            launches: u32::try_from(launches).unwrap_or(u32::MAX),
            peak_instances: self.fleet.peak,
            interval_seconds: self.setup.interval_seconds,
            looks: self.looks,
            waits: self.waits,
        }
    }

    fn start_until(&mut self, until: f64) {
        while let Some(next) = self.queue.next()
            && next.visible_at <= until
            && let Some(mut soonest) = self.fleet.free.peek_mut()
        {
            let Reverse(free) = *soonest;
            let instance = &mut self.fleet.instances[free.instance];
            if instance.is_leaving() {
                PeekMut::pop(soonest);
                continue;
            }
            let start = next.visible_at.max(free.at);
            if start > until {
                break;
            }
            let job = attempt(self.load, &mut self.failures, self.setup, next.message);
            let at = instance.start(free.slot, start, job);
            *soonest = Reverse(Free { at, ..free });
            self.queue.take(next);
            self.work_seconds += job.seconds;
            if next.is_fresh {
                #[expect(clippy::cast_possible_truncation, reason = "a millisecond will do")]
                self.waits.push((start - next.visible_at) as f32);
            }
            if job.ending == Ending::Failure {
                let visible_at = at + self.setup.conditions.visibility_seconds;
                self.queue.give_back(next.message, at, visible_at);
            }
        }
    }

    /// The counts as they are, or as they were, where they come late; none before the first.
    fn seen(&mut self, counted: Counted) -> Counted {
        let late_seconds = self.setup.conditions.counts_late_seconds;
        if late_seconds <= 0.0 {
            return counted;
        }
        self.to_be_seen.push_back(counted);
        while (self.to_be_seen.get(1)).is_some_and(|next| next.at <= counted.at - late_seconds) {
            self.to_be_seen.pop_front();
        }
        let newest = self.to_be_seen.front().copied().unwrap_or_default();
        if newest.at <= counted.at - late_seconds {
            newest
        } else {
            Counted::default()
        }
    }

    fn counted(&mut self, messages: u64) -> Messages {
        if self.setup.count_noise <= 0.0 || messages == 0 {
            return Messages(messages);
        }
        let off: f64 = StandardNormal.sample(&mut self.noise);
        let counted = messages as f64 * (1.0 + self.setup.count_noise * off);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float casts saturate"
        )]
        let counted = counted.round().max(0.0) as u64;
        Messages(counted)
    }
}

/// How long an attempt at a message's job takes, and how it ends.
#[inline]
fn attempt(load: &Load, failures: &mut ChaCha8Rng, setup: &Setup, message: Message) -> Job {
    let failing_share = setup.conditions.failing_share;
    let fails = failing_share > 0.0 && failures.random::<f64>() < failing_share;
    Job {
        message,
        seconds: f64::from(load.service_seconds[message]),
        ending: if fails {
            Ending::Failure
        } else {
            Ending::Success
        },
    }
}
