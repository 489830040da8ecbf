//! One simulated instance: its slots, its bill and what its worker would report.

use std::collections::VecDeque;

use super::queue::Message;

/// A worker reports the mean service time of the jobs it finished in the last five minutes.
const REPORTED_SECONDS: f64 = 300.0;
/// EC2 bills a minute at least.
const BILLED_MIN_SECONDS: f64 = 60.0;

/// One instance, from launch to end.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) launched: f64,
    /// When its worker takes the first job.
    pub(super) ready: f64,
    slots: Vec<Slot>,
    /// When it is gone, once it was told to leave.
    ends: Option<f64>,
    /// Jobs finished, as of the last [`Instance::settle`].
    pub(super) finished: u64,
    /// (finished at, seconds it took) of late.
    recent: VecDeque<(f64, f64)>,
}

/// What an instance's life comes to, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Life {
    /// From launch to end.
    pub(super) lived: f64,
    /// A minute at least.
    pub(super) billed: f64,
    /// From launch to the first job.
    pub(super) boot: f64,
}

impl Life {
    pub(super) fn add(&mut self, other: Self) {
        self.lived += other.lived;
        self.billed += other.billed;
        self.boot += other.boot;
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    free_at: f64,
    running: Option<Job>,
}

/// What a slot runs until it is free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Job {
    pub(super) message: Message,
    pub(super) seconds: f64,
    pub(super) ending: Ending,
}

/// How an attempt at a job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Success,
    /// It fails, or is cut short: its message has gone back.
    Failure,
}

/// A job that was cut short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    pub(super) message: Message,
    pub(super) at: f64,
}

impl Instance {
    pub(super) fn launch(now: f64, boot_seconds: f64, slots: u32) -> Self {
        let slot = Slot {
            free_at: now + boot_seconds,
            running: None,
        };
        Self {
            launched: now,
            ready: now + boot_seconds,
            slots: vec![slot; slots as usize],
            ends: None,
            finished: 0,
            recent: VecDeque::new(),
        }
    }

    /// Starts a job in a slot that is free; says when it is free again.
    #[inline]
    pub(super) fn start(&mut self, slot: usize, at: f64, job: Job) -> f64 {
        self.settle_slot(slot, at);
        let free_at = at + job.seconds;
        self.slots[slot] = Slot {
            free_at,
            running: Some(job),
        };
        free_at
    }

    /// Takes no more jobs; ends once those it runs are done, at once while it boots.
    pub(super) fn leave(&mut self, now: f64) {
        self.ends = Some(if self.is_booting(now) {
            now
        } else {
            self.done_at().max(now)
        });
    }

    /// Takes no more jobs, and ends at `last` at the latest; gives the jobs that are cut short.
    pub(super) fn leave_by(&mut self, now: f64, last: f64) -> Vec<Cut> {
        let mut cut = Vec::new();
        for slot in &mut self.slots {
            if let Some(job) = &mut slot.running
                && slot.free_at > last
            {
                cut.push(Cut {
                    message: job.message,
                    at: last,
                });
                job.ending = Ending::Failure;
                slot.free_at = last;
            }
        }
        self.leave(now);
        cut
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.ends.is_some()
    }

    pub(super) fn is_gone(&self, now: f64) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    pub(super) fn is_booting(&self, now: f64) -> bool {
        self.ready > now
    }

    pub(super) fn slots(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Slots that run a job.
    pub(super) fn busy(&self, now: f64) -> u32 {
        let is_busy = |slot: &&Slot| slot.running.is_some() && slot.free_at > now;
        u32::try_from(self.slots.iter().filter(is_busy).count()).unwrap_or(u32::MAX)
    }

    /// Its life if it lasts until `until`, or as long as its jobs need.
    pub(super) fn life(&self, until: f64) -> Life {
        let last = self.ends.unwrap_or_else(|| {
            if self.is_booting(until) {
                until
            } else {
                self.done_at().max(until)
            }
        });
        let lived = last - self.launched;
        Life {
            lived,
            billed: lived.max(BILLED_MIN_SECONDS),
            boot: lived.min(self.ready - self.launched),
        }
    }

    /// Counts what has finished by `now` and forgets what its worker no longer reports.
    pub(super) fn settle(&mut self, now: f64) {
        for slot in 0..self.slots.len() {
            self.settle_slot(slot, now);
        }
        self.forget(now);
    }

    #[inline]
    fn forget(&mut self, now: f64) {
        let is_past = |(at, _): &(f64, f64)| *at <= now - REPORTED_SECONDS;
        while self.recent.front().is_some_and(is_past) {
            self.recent.pop_front();
        }
    }

    /// Mean seconds of the jobs finished of late, where there were any; settle first.
    pub(super) fn reported_mean(&self) -> Option<f64> {
        let seconds: f64 = self.recent.iter().map(|(_, seconds)| seconds).sum();
        (!self.recent.is_empty()).then(|| seconds / self.recent.len() as f64)
    }

    /// Frees what only reports needed.
    pub(super) fn bury(&mut self) {
        self.recent = VecDeque::new();
        self.slots = Vec::new();
    }

    fn settle_slot(&mut self, slot: usize, now: f64) {
        let Slot { free_at, running } = self.slots[slot];
        if let Some(job) = running
            && free_at <= now
        {
            self.slots[slot].running = None;
            if job.ending == Ending::Success {
                self.finished += 1;
                self.recent.push_back((free_at, job.seconds));
                self.forget(free_at);
            }
        }
    }

    fn done_at(&self) -> f64 {
        let free_at = self.slots.iter().map(|slot| slot.free_at);
        free_at.fold(self.launched, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(seconds: f64) -> Job {
        Job {
            message: 0,
            seconds,
            ending: Ending::Success,
        }
    }

    #[test]
    fn bills_from_launch_to_the_end_of_the_last_job_and_a_minute_at_least() {
        let mut instance = Instance::launch(0.0, 120.0, 2);
        instance.start(0, 130.0, job(50.0));
        instance.start(1, 130.0, job(10.0));
        assert_eq!(instance.busy(150.0), 1);
        instance.leave(150.0);
        assert!(!instance.is_gone(179.0));
        assert!(instance.is_gone(180.0));
        assert!((instance.life(150.0).billed - 180.0).abs() < 1e-9);

        let mut cancelled = Instance::launch(0.0, 120.0, 2);
        cancelled.leave(15.0);
        assert!(cancelled.is_gone(15.0));
        assert!((cancelled.life(15.0).billed - 60.0).abs() < 1e-9);
    }

    #[test]
    fn reports_the_mean_of_what_finished_in_the_last_five_minutes() {
        let mut instance = Instance::launch(0.0, 0.0, 1);
        instance.start(0, 0.0, job(10.0));
        instance.settle(5.0);
        assert_eq!(instance.reported_mean(), None);
        instance.start(0, 10.0, job(30.0));
        instance.settle(40.0);
        assert_eq!(instance.reported_mean(), Some(20.0));
        assert_eq!(instance.finished, 2);
        instance.settle(320.0);
        assert_eq!(instance.reported_mean(), Some(30.0));
    }

    #[test]
    fn gives_back_what_it_cannot_finish_before_it_is_reclaimed() {
        let mut instance = Instance::launch(0.0, 0.0, 2);
        instance.start(0, 0.0, job(100.0));
        instance.start(
            1,
            0.0,
            Job {
                message: 7,
                ..job(500.0)
            },
        );
        let cut = instance.leave_by(50.0, 170.0);
        assert_eq!(
            cut,
            [Cut {
                message: 7,
                at: 170.0
            }]
        );
        assert!(instance.is_gone(170.0) && !instance.is_gone(169.0));
        instance.settle(170.0);
        assert_eq!(instance.finished, 1);
    }
}
