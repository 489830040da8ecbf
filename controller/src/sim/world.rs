//! The queue and the fleet: who waits, who works, what boots, what leaves.
//!
//! Owns the mechanics: first in, first out; a slot takes the next message the moment it is free;
//! an instance is billed from its launch to its end, a minute at least. An instance that leaves
//! finishes what it runs. It must not decide a size.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::score::Score;
use crate::model::{
    FleetObservation, Instances, Messages, Observation, QueueObservation, UnixSeconds,
    WorkersObservation,
};

/// Reports tell the mean service time of the last five minutes.
const REPORTED_SECONDS: f64 = 300.0;
/// EC2 bills a minute at least.
const BILLED_MIN_SECONDS: f64 = 60.0;

/// What is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Slots an instance has.
    pub slots: u32,
    /// Mean service time; exponential.
    pub service_seconds: f64,
    /// From launch to the first job.
    pub boot_seconds: f64,
    /// The objective, for the score.
    pub objective_seconds: f64,
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

/// What an observation tells besides the queue's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenToo {
    /// Workers report.
    pub reports: bool,
    /// The oldest message's age is known.
    pub oldest_age: bool,
}

/// A queue and a fleet at one moment.
#[derive(Debug)]
pub struct World<'a> {
    setup: &'a Setup,
    arrivals: &'a [f64],
    next: usize,
    queue: VecDeque<f64>,
    instances: Vec<Instance>,
    /// Indices of instances that are there.
    present: Vec<usize>,
    /// When each slot is free.
    free: BinaryHeap<Reverse<Free>>,
    service: ChaCha8Rng,
    noise: ChaCha8Rng,
    desired: u32,
    waits: Vec<f32>,
    recent: VecDeque<Recent>,
    billed_seconds: f64,
    work_seconds: f64,
    launches: u32,
    peak: u32,
}

#[derive(Debug)]
struct Instance {
    launched: f64,
    ready: f64,
    leaving: bool,
    started: u64,
    /// When each slot is free.
    slots: Vec<f64>,
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

/// What started between two looks, for the reports' mean.
#[derive(Clone, Copy, Debug)]
struct Recent {
    at: f64,
    service_seconds: f64,
    jobs: u32,
}

impl Instance {
    fn busy(&self, now: f64) -> u32 {
        if self.ready > now {
            return 0;
        }
        let busy = self.slots.iter().filter(|free| **free > now).count();
        u32::try_from(busy).unwrap_or(u32::MAX)
    }

    fn done_at(&self) -> f64 {
        self.slots.iter().copied().fold(self.launched, f64::max)
    }
}

impl<'a> World<'a> {
    /// Empty, with `arrivals` (seconds, ascending) to come.
    pub fn new(setup: &'a Setup, arrivals: &'a [f64]) -> Self {
        Self {
            setup,
            arrivals,
            next: 0,
            queue: VecDeque::new(),
            instances: Vec::new(),
            present: Vec::new(),
            free: BinaryHeap::new(),
            service: ChaCha8Rng::seed_from_u64(setup.seed.wrapping_add(1)),
            noise: ChaCha8Rng::seed_from_u64(setup.seed.wrapping_add(2)),
            desired: 0,
            waits: Vec::with_capacity(arrivals.len()),
            recent: VecDeque::new(),
            billed_seconds: 0.0,
            work_seconds: 0.0,
            launches: 0,
            peak: 0,
        }
    }

    /// Lets time pass until `now`: every message whose turn comes starts.
    pub fn advance(&mut self, now: f64) {
        let mut recent = Recent {
            at: now,
            service_seconds: 0.0,
            jobs: 0,
        };
        loop {
            if self.queue.is_empty() {
                self.receive(now, 1);
            }
            let (Some(&arrived), Some(Reverse(free))) =
                (self.queue.front(), self.free.peek().copied())
            else {
                break;
            };
            let instance = &self.instances[free.instance];
            let stale = instance.leaving || instance.slots[free.slot].total_cmp(&free.at).is_ne();
            let start = arrived.max(free.at);
            if !stale && start > now {
                break;
            }
            self.free.pop();
            if stale {
                continue;
            }
            self.queue.pop_front();
            let service = self.start(arrived, start, free);
            recent.service_seconds += service;
            recent.jobs += 1;
        }
        self.receive(now, usize::MAX);
        self.recent.push_back(recent);
        while self
            .recent
            .front()
            .is_some_and(|recent| recent.at < now - REPORTED_SECONDS)
        {
            self.recent.pop_front();
        }
        self.let_go(now);
    }

    /// Nothing waits and nothing will arrive.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.next == self.arrivals.len()
    }

    /// What a controller would see.
    pub fn observe(&mut self, now: f64) -> Observation {
        let mut fleet = FleetObservation {
            desired: Some(Instances(self.desired)),
            ..FleetObservation::default()
        };
        let (mut in_service, mut pending, mut terminating) = (0, 0, 0);
        let (mut in_flight, mut busy_slots, mut completed) = (0, 0, 0);
        for index in &self.present {
            let instance = &self.instances[*index];
            let busy = instance.busy(now);
            in_flight += u64::from(busy);
            if instance.leaving {
                terminating += 1;
            } else if instance.ready > now {
                pending += 1;
            } else {
                in_service += 1;
                busy_slots += busy;
                completed += instance.started - u64::from(busy);
            }
        }
        fleet.in_service = Some(Instances(in_service));
        fleet.pending = Some(Instances(pending));
        fleet.terminating = Some(Instances(terminating));
        let workers = WorkersObservation {
            completed_total: Some(completed),
            busy_slots: Some(busy_slots),
            slots: Some(in_service * self.setup.slots),
            service_seconds_mean: self.reported_mean(),
            ..WorkersObservation::default()
        };
        let oldest = self.queue.front().map_or(0.0, |arrived| now - arrived);
        Observation {
            at: UnixSeconds(now),
            queues: vec![QueueObservation {
                name: "simulated".to_owned(),
                visible: Some(self.counted(self.queue.len() as u64)),
                in_flight: Some(self.counted(in_flight)),
                delayed: Some(Messages(0)),
                oldest_age_seconds: self.setup.seen.oldest_age.then_some(oldest),
            }],
            fleet,
            workers: (self.setup.seen.reports && in_service > 0).then_some(workers),
        }
    }

    /// Sets the size: launches what is missing, lets go of the booting, idle, newest first.
    pub fn resize(&mut self, now: f64, size: u32) {
        let size = size.min(self.setup.max);
        let staying: Vec<usize> = self
            .present
            .iter()
            .copied()
            .filter(|index| !self.instances[*index].leaving)
            .collect();
        let have = u32::try_from(staying.len()).unwrap_or(u32::MAX);
        for _ in have..size {
            self.launch(now);
        }
        if size < have {
            let mut ranked = staying;
            ranked.sort_by(|a, b| {
                let (a, b) = (&self.instances[*a], &self.instances[*b]);
                a.busy(now)
                    .cmp(&b.busy(now))
                    .then(b.launched.total_cmp(&a.launched))
            });
            for index in ranked.into_iter().take((have - size) as usize) {
                let instance = &mut self.instances[index];
                instance.leaving = true;
                let booting = instance.ready > now;
                for free in &mut instance.slots {
                    *free = if booting { now } else { free.max(now) };
                }
            }
        }
        self.desired = size;
        self.peak = self.peak.max(size);
    }

    /// The bill and the waits; what never started is late.
    pub fn finish(self, now: f64) -> Score {
        let left: f64 = self
            .present
            .iter()
            .map(|index| billed(&self.instances[*index], now))
            .sum();
        let score = Score::of_waits(
            self.waits,
            self.arrivals.len(),
            self.setup.objective_seconds,
        );
        Score {
            billed_hours: (self.billed_seconds + left) / 3600.0,
            work_hours: self.work_seconds / f64::from(self.setup.slots) / 3600.0,
            launches: self.launches,
            peak_instances: self.peak,
            ..score
        }
    }

    fn receive(&mut self, now: f64, most: usize) {
        let arrived = self.arrivals[self.next..]
            .iter()
            .take(most)
            .take_while(|at| **at <= now)
            .count();
        self.queue
            .extend(&self.arrivals[self.next..self.next + arrived]);
        self.next += arrived;
    }

    fn start(&mut self, arrived: f64, start: f64, free: Free) -> f64 {
        let chance: f64 = self.service.random();
        let service = -self.setup.service_seconds * (1.0 - chance).ln();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a wait to the microsecond will do"
        )]
        self.waits.push((start - arrived) as f32);
        self.work_seconds += service;
        let instance = &mut self.instances[free.instance];
        instance.slots[free.slot] = start + service;
        instance.started += 1;
        self.free.push(Reverse(Free {
            at: start + service,
            ..free
        }));
        service
    }

    fn launch(&mut self, now: f64) {
        let ready = now + self.setup.boot_seconds;
        let instance = self.instances.len();
        self.present.push(instance);
        self.instances.push(Instance {
            launched: now,
            ready,
            leaving: false,
            started: 0,
            slots: vec![ready; self.setup.slots as usize],
        });
        for slot in 0..self.setup.slots as usize {
            self.free.push(Reverse(Free {
                at: ready,
                instance,
                slot,
            }));
        }
        self.launches += 1;
    }

    fn let_go(&mut self, now: f64) {
        let (instances, bill) = (&self.instances, &mut self.billed_seconds);
        self.present.retain(|index| {
            let instance = &instances[*index];
            let gone = instance.leaving && instance.done_at() <= now;
            if gone {
                *bill += billed(instance, instance.done_at());
            }
            !gone
        });
    }

    fn reported_mean(&self) -> Option<f64> {
        let jobs: u32 = self.recent.iter().map(|recent| recent.jobs).sum();
        let seconds: f64 = self
            .recent
            .iter()
            .map(|recent| recent.service_seconds)
            .sum();
        (jobs > 0).then(|| seconds / f64::from(jobs))
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

fn billed(instance: &Instance, until: f64) -> f64 {
    (until.max(instance.done_at()) - instance.launched).max(BILLED_MIN_SECONDS)
}
