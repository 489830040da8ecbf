//! The queue and the fleet: who waits, who works, what boots, what leaves.
//!
//! Owns the mechanics, the same for every scaler:
//! * messages start in order of arrival; the slot that has been free longest takes the next one
//!   the moment it is there;
//! * an instance is billed from its launch to its end, a minute at least. EC2 bills from
//!   *running*, which comes some seconds later and includes the boot of system and worker; billing
//!   from launch is the worst case for whoever launches;
//! * an instance that leaves takes no more jobs, finishes those it runs, and is billed till then;
//! * who leaves: the idle, then the booting, then the least busy, among equals the newest. An
//!   idle one loses nothing, a booting one has served nobody yet, a busy one drains.
//!
//! It must not decide a size.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::chance::{Stream, stream};
use super::instance::Instance;
use super::load::Load;
use super::score::Score;
use crate::model::{
    FleetObservation, Instances, Messages, Observation, QueueObservation, UnixSeconds,
    WorkersObservation,
};

/// The queue's name in what is seen; a policy to be simulated must name it.
pub const QUEUE: &str = "simulated";

/// What is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Slots an instance has.
    pub slots: u32,
    /// From launch to the first job.
    pub boot_seconds: f64,
    /// Between looks.
    pub interval_seconds: f64,
    /// The most instances there can be.
    pub max: u32,
    /// Relative standard deviation of SQS's counts; 0 for exact ones.
    pub count_noise: f64,
    /// What is seen besides the counts.
    pub seen: SeenToo,
    /// Of chance.
    pub seed: u64,
}

/// What an observation tells besides the queue's counts and the group's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenToo {
    /// Workers report.
    pub reports: bool,
    /// The oldest message's age is known.
    pub oldest_age: bool,
}

/// Where all messages are at a moment: those that arrived wait, run or are finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that have arrived.
    pub arrived: u64,
    /// In the queue.
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
    /// How many messages have arrived; those from `waits.len()` on wait.
    arrived: usize,
    /// Seconds that each message waited which started, in order.
    waits: Vec<f32>,
    /// All there ever were.
    instances: Vec<Instance>,
    /// Indices of those that are there.
    present: Vec<usize>,
    /// When each slot is free. Slots of instances that leave are taken out when they turn up.
    free: BinaryHeap<Reverse<Free>>,
    noise: ChaCha8Rng,
    desired: u32,
    /// Of instances that are gone.
    billed_seconds: f64,
    finished: u64,
    work_seconds: f64,
    peak: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Free {
    at: f64,
    instance: usize,
    slot: usize,
}

impl Eq for Free {}
impl Ord for Free {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at
            .total_cmp(&other.at)
            .then(self.instance.cmp(&other.instance))
            .then(self.slot.cmp(&other.slot))
    }
}
impl PartialOrd for Free {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> World<'a> {
    /// No fleet yet, and a load to come.
    pub fn new(setup: &'a Setup, load: &'a Load) -> Self {
        Self {
            setup,
            load,
            arrived: 0,
            waits: Vec::with_capacity(load.arrivals.len()),
            instances: Vec::new(),
            present: Vec::new(),
            free: BinaryHeap::new(),
            noise: stream(setup.seed, Stream::Counts),
            desired: 0,
            billed_seconds: 0.0,
            finished: 0,
            work_seconds: 0.0,
            peak: 0,
        }
    }

    /// Lets time pass until `now`: every message whose turn comes starts.
    pub fn advance(&mut self, now: f64) {
        while let Some(&arrived) = self.load.arrivals.get(self.waits.len())
            && arrived <= now
            && let Some(mut soonest) = self.free.peek_mut()
        {
            let Reverse(free) = *soonest;
            let instance = &mut self.instances[free.instance];
            if instance.is_leaving() {
                PeekMut::pop(soonest);
                continue;
            }
            let start = arrived.max(free.at);
            if start > now {
                break;
            }
            let service_seconds = self.load.service_seconds[self.waits.len()];
            let at = instance.start(free.slot, start, service_seconds);
            *soonest = Reverse(Free { at, ..free });
            self.work_seconds += service_seconds;
            #[expect(clippy::cast_possible_truncation, reason = "a millisecond will do")]
            self.waits.push((start - arrived) as f32);
        }
        let later = &self.load.arrivals[self.arrived..];
        self.arrived += later.iter().take_while(|at| **at <= now).count();
        self.let_go(now);
    }

    /// Nothing waits and nothing will arrive.
    pub fn is_empty(&self) -> bool {
        self.waits.len() == self.load.arrivals.len()
    }

    /// What a controller would see: the queue's counts as SQS gives them, the group's instances,
    /// and the sum of the workers' reports, fresh as of the look.
    pub fn observe(&mut self, now: f64) -> Observation {
        let (mut in_service, mut pending, mut terminating, mut in_flight) = (0, 0, 0, 0);
        for index in &self.present {
            let instance = &self.instances[*index];
            in_flight += u64::from(instance.busy(now));
            if instance.is_leaving() {
                terminating += 1;
            } else if instance.is_booting(now) {
                pending += 1;
            } else {
                in_service += 1;
            }
        }
        let waiting = self.waits.len()..self.arrived;
        let oldest = waiting
            .clone()
            .next()
            .map(|oldest| now - self.load.arrivals[oldest]);
        Observation {
            at: UnixSeconds(now),
            queues: vec![QueueObservation {
                name: QUEUE.to_owned(),
                visible: Some(self.counted(waiting.len() as u64)),
                in_flight: Some(self.counted(in_flight)),
                delayed: Some(Messages(0)),
                oldest_age_seconds: self.setup.seen.oldest_age.then_some(oldest.unwrap_or(0.0)),
            }],
            fleet: FleetObservation {
                desired: Some(Instances(self.desired)),
                in_service: Some(Instances(in_service)),
                pending: Some(Instances(pending)),
                terminating: Some(Instances(terminating)),
            },
            workers: if self.setup.seen.reports {
                self.reported(now)
            } else {
                None
            },
        }
    }

    /// Sets the size: launches what is missing, lets go of what is too much.
    pub fn resize(&mut self, now: f64, size: u32) {
        let size = size.min(self.setup.max);
        let stays = |index: &usize| !self.instances[*index].is_leaving();
        let mut staying: Vec<usize> = self.present.iter().copied().filter(stays).collect();
        let have = u32::try_from(staying.len()).unwrap_or(u32::MAX);
        for _ in have..size {
            self.launch(now);
        }
        if size < have {
            // Indices ascend with launches, so the later of two is the newer.
            staying.sort_by_key(|index| {
                let instance = &self.instances[*index];
                (
                    instance.busy(now),
                    instance.is_booting(now),
                    Reverse(*index),
                )
            });
            for index in staying.into_iter().take((have - size) as usize) {
                self.instances[index].leave(now);
            }
        }
        self.desired = size;
        self.peak = self.peak.max(size);
    }

    /// Where all messages are.
    pub fn tally(&mut self, now: f64) -> Tally {
        let (mut running, mut finished) = (0, self.finished);
        for index in &self.present {
            let instance = &mut self.instances[*index];
            instance.settle(now);
            running += u64::from(instance.busy(now));
            finished += instance.finished;
        }
        Tally {
            arrived: self.arrived as u64,
            waiting: (self.arrived - self.waits.len()) as u64,
            running,
            finished,
        }
    }

    /// The bill and the waits.
    pub fn finish(self, now: f64) -> Score {
        let bill = |index: &usize| self.instances[*index].billed_seconds(now);
        let left: f64 = self.present.iter().map(bill).sum();
        Score {
            billed_hours: (self.billed_seconds + left) / 3600.0,
            work_hours: self.work_seconds / f64::from(self.setup.slots) / 3600.0,
            messages: self.load.arrivals.len(),
            launches: u32::try_from(self.instances.len()).unwrap_or(u32::MAX),
            peak_instances: self.peak,
            waits: self.waits,
        }
    }

    fn launch(&mut self, now: f64) {
        let instance = Instance::launch(now, self.setup.boot_seconds, self.setup.slots);
        let (at, index) = (instance.ready, self.instances.len());
        self.instances.push(instance);
        self.present.push(index);
        self.free.extend((0..self.setup.slots as usize).map(|slot| {
            Reverse(Free {
                at,
                instance: index,
                slot,
            })
        }));
    }

    fn let_go(&mut self, now: f64) {
        let (instances, billed, finished) = (
            &mut self.instances,
            &mut self.billed_seconds,
            &mut self.finished,
        );
        self.present.retain(|index| {
            let instance = &mut instances[*index];
            let gone = instance.is_gone(now);
            if gone {
                *billed += instance.billed_seconds(now);
                instance.settle(now);
                *finished += instance.finished;
                instance.bury();
            }
            !gone
        });
    }

    /// As a round adds the workers' reports up: those that drain count for what they finished and
    /// how long it took, not as capacity. What is finished runs backward when a worker leaves.
    fn reported(&mut self, now: f64) -> Option<WorkersObservation> {
        let (mut reporting, mut busy_slots, mut completed) = (0, 0, 0);
        let (mut means, mut mean_sum) = (0_u32, 0.0);
        let mut is_silent = true;
        for index in &self.present {
            let instance = &mut self.instances[*index];
            if instance.is_booting(now) {
                continue;
            }
            is_silent = false;
            instance.settle(now);
            completed += instance.finished;
            if let Some(mean) = instance.reported_mean() {
                means += 1;
                mean_sum += mean;
            }
            if !instance.is_leaving() {
                reporting += 1;
                busy_slots += instance.busy(now);
            }
        }
        (!is_silent).then(|| WorkersObservation {
            completed_total: Some(completed),
            busy_slots: Some(busy_slots),
            slots: Some(reporting * self.setup.slots),
            service_seconds_mean: (means > 0).then(|| mean_sum / f64::from(means)),
            boot_seconds_mean: Some(self.setup.boot_seconds),
            reporting: Some(reporting),
        })
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
