//! The fleet: who works, what boots, what leaves, and the bill.
//!
//! * An instance is billed from its launch to its end, a minute at least. EC2 bills from
//!   *running*, which comes some seconds later and includes the boot of system and worker; billing
//!   from launch is the worst case for whoever launches.
//! * An instance that leaves takes no more jobs, finishes those it runs, and is billed till then.
//! * Who leaves: as in `leave`, the idle, then the booting, then the least busy whose jobs are
//!   known to be short; among equals the one that has been there longest.
//!
//! It must not know why a size is wanted, nor hand out messages.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};

use super::chance::{Stream, stream};
use super::instance::{Cut, Instance, Life};
use super::setup::Setup;
use crate::leave::DRAINABLE;
use crate::model::WorkersObservation;

/// From a spot notice to the instance's end (EC2 user guide, "Spot Instance interruption notices").
const NOTICE_SECONDS: f64 = 120.0;

/// All instances there ever were.
#[derive(Debug)]
pub(super) struct Fleet<'a> {
    setup: &'a Setup,
    pub(super) instances: Vec<Instance>,
    /// Indices of those that are there.
    present: Vec<usize>,
    /// When each slot is free. Slots of instances that leave are taken out when they turn up.
    pub(super) free: BinaryHeap<Reverse<Free>>,
    /// When spot notices come.
    notices: BinaryHeap<Reverse<Free>>,
    pub(super) desired: u32,
    pub(super) peak: u32,
    /// Of instances that are gone.
    gone: Life,
    finished: u64,
    boots: ChaCha8Rng,
    reclaims: ChaCha8Rng,
}

/// Something that becomes so at a time: a slot is free, or an instance gets notice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Free {
    pub(super) at: f64,
    pub(super) instance: usize,
    pub(super) slot: usize,
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

/// The group's instances at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Headcount {
    pub(super) in_service: u32,
    pub(super) pending: u32,
    pub(super) terminating: u32,
    pub(super) busy_slots: u64,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(setup: &'a Setup) -> Self {
        Self {
            setup,
            instances: Vec::new(),
            present: Vec::new(),
            free: BinaryHeap::new(),
            notices: BinaryHeap::new(),
            desired: 0,
            peak: 0,
            gone: Life::default(),
            finished: 0,
            boots: stream(setup.seed, Stream::Boots),
            reclaims: stream(setup.seed, Stream::Reclaims),
        }
    }

    /// Sets the size: launches what is missing, as far as there is capacity, lets go of what is
    /// too much.
    pub(super) fn resize(&mut self, now: f64, size: u32) {
        let size = size.min(self.setup.max);
        let mut staying = self.staying();
        let have = u32::try_from(staying.len()).unwrap_or(u32::MAX);
        for _ in have..size.min(self.setup.conditions.launchable(now)) {
            self.launch(now);
        }
        if size < have {
            staying.sort_by_key(|index| {
                let instance = &self.instances[*index];
                // Indices ascend with launches.
                (instance.busy(now), instance.is_booting(now), *index)
            });
            let may_leave = |index: &usize| {
                let instance = &self.instances[*index];
                instance.busy(now) == 0
                    || (instance.reported_mean()).is_some_and(|mean| mean <= DRAINABLE.0)
            };
            staying.retain(may_leave);
            for index in staying.into_iter().take((have - size) as usize) {
                self.instances[index].leave(now);
            }
        }
        self.desired = size;
        self.peak = self.peak.max(self.staying_count());
    }

    /// One instance leaves, and desired capacity is one lower; nothing where it is gone already.
    pub(super) fn release(&mut self, now: f64, index: usize) {
        if self.dismiss(now, index) {
            self.desired = self.desired.saturating_sub(1);
        }
    }

    /// One instance leaves, desired capacity stays; says whether it was there to leave.
    pub(super) fn dismiss(&mut self, now: f64, index: usize) -> bool {
        let leaves = (self.instances.get_mut(index)).filter(|instance| !instance.is_leaving());
        let Some(instance) = leaves else {
            return false;
        };
        instance.leave(now);
        true
    }

    /// The next spot notice by `until`.
    pub(super) fn next_notice(&self, until: f64) -> Option<f64> {
        let Reverse(notice) = self.notices.peek()?;
        (notice.at <= until).then_some(notice.at)
    }

    /// Serves the notice that is due; gives the jobs that will be cut short.
    pub(super) fn serve_notice(&mut self) -> Vec<Cut> {
        let Some(Reverse(notice)) = self.notices.pop() else {
            return Vec::new();
        };
        let instance = &mut self.instances[notice.instance];
        if instance.is_gone(notice.at) {
            return Vec::new();
        }
        instance.leave_by(notice.at, notice.at + NOTICE_SECONDS)
    }

    pub(super) fn headcount(&self, now: f64) -> Headcount {
        let mut headcount = Headcount::default();
        for index in &self.present {
            let instance = &self.instances[*index];
            headcount.busy_slots += u64::from(instance.busy(now));
            if instance.is_leaving() {
                headcount.terminating += 1;
            } else if instance.is_booting(now) {
                headcount.pending += 1;
            } else {
                headcount.in_service += 1;
            }
        }
        headcount
    }

    /// Those that are there, oldest first.
    pub(super) fn present(&self) -> impl Iterator<Item = (usize, &Instance)> {
        (self.present.iter()).map(|index| (*index, &self.instances[*index]))
    }

    /// As a round adds the workers' reports up: those that drain count for what they finished and
    /// how long it took, not as capacity. What is finished runs backward when a worker leaves.
    pub(super) fn reported(&mut self, now: f64) -> Option<WorkersObservation> {
        let (mut reporting, mut busy_slots, mut completed) = (0, 0, 0);
        let (mut means, mut mean_sum) = (0_u32, 0.0);
        let (mut reporters, mut boot_sum) = (0_u32, 0.0);
        for index in &self.present {
            let instance = &mut self.instances[*index];
            if instance.is_booting(now) {
                continue;
            }
            reporters += 1;
            boot_sum += instance.ready - instance.launched;
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
        let boot_seconds_mean = if self.setup.conditions.boot_spread > 0.0 {
            boot_sum / f64::from(reporters.max(1))
        } else {
            self.setup.boot_seconds
        };
        (reporters > 0).then(|| WorkersObservation {
            completed_total: Some(completed),
            busy_slots: Some(busy_slots),
            slots: Some(reporting * self.setup.slots),
            service_seconds_mean: (means > 0).then(|| mean_sum / f64::from(means)),
            boot_seconds_mean: Some(boot_seconds_mean),
            reporting: Some(reporting),
        })
    }

    /// Buries those whose end has come.
    pub(super) fn let_go(&mut self, now: f64) {
        let (instances, gone, finished) = (&mut self.instances, &mut self.gone, &mut self.finished);
        self.present.retain(|index| {
            let instance = &mut instances[*index];
            let is_gone = instance.is_gone(now);
            if is_gone {
                gone.add(instance.life(now));
                instance.settle(now);
                *finished += instance.finished;
                instance.bury();
            }
            !is_gone
        });
    }

    /// Jobs that run, and jobs done.
    pub(super) fn running_and_finished(&mut self, now: f64) -> (u64, u64) {
        let (mut running, mut finished) = (0, self.finished);
        for index in &self.present {
            let instance = &mut self.instances[*index];
            instance.settle(now);
            running += u64::from(instance.busy(now));
            finished += instance.finished;
        }
        (running, finished)
    }

    /// All lives, those that are there lasting until `now` or as long as their jobs need.
    pub(super) fn lives(&self, now: f64) -> Life {
        let mut lives = self.gone;
        for index in &self.present {
            lives.add(self.instances[*index].life(now));
        }
        lives
    }

    fn staying(&self) -> Vec<usize> {
        let stays = |index: &usize| !self.instances[*index].is_leaving();
        self.present.iter().copied().filter(stays).collect()
    }

    fn staying_count(&self) -> u32 {
        let stays = |index: &&usize| !self.instances[**index].is_leaving();
        u32::try_from(self.present.iter().filter(stays).count()).unwrap_or(u32::MAX)
    }

    fn launch(&mut self, now: f64) {
        let boot_seconds = self.boot_seconds();
        let instance = Instance::launch(now, boot_seconds, self.setup.slots);
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
        let per_hour = self.setup.conditions.reclaims_per_hour;
        if per_hour > 0.0 {
            let hours: f64 = Exp1.sample(&mut self.reclaims);
            self.notices.push(Reverse(Free {
                at: now + hours / per_hour * 3600.0,
                instance: index,
                slot: 0,
            }));
        }
    }

    /// Lognormal around the mean, where boots spread.
    fn boot_seconds(&mut self) -> f64 {
        let (mean, spread) = (self.setup.boot_seconds, self.setup.conditions.boot_spread);
        if spread <= 0.0 {
            return mean;
        }
        let variance = (spread * spread).ln_1p();
        let off: f64 = StandardNormal.sample(&mut self.boots);
        mean * (variance.sqrt() * off - variance / 2.0).exp()
    }
}
