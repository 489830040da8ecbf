//! How many jobs a worker runs at a time when it finds out by itself. Pure: times are arguments.
//!
//! It climbs: while every slot is taken, it measures for a while, tries a quarter more, and keeps
//! them if the jobs done a second grew by at least half as much; that is, if the jobs did not take
//! much longer for it. Otherwise it goes back, stays for some time, and tries a quarter less, which
//! it keeps if the jobs done a second stay. So it settles on the fewest slots that do the most.

use std::time::Duration;

use tokio::time::Instant;

/// A measurement takes at least this long.
const WINDOW_MIN: Duration = Duration::from_secs(2);

/// And this many jobs for each slot.
const ENDS_PER_SLOT: u32 = 4;

/// With no slot idle for more than this share of it: otherwise it says nothing about more slots.
const IDLE_SHARE_MAX: f64 = 0.1;

/// More slots are kept if throughput grew by this share of what they could have brought.
const GAIN_MIN: f64 = 0.5;

/// Fewer slots are kept if throughput fell by no more than this.
const LOSS_MAX: f64 = 0.05;

/// Measurements between a trial that failed and the next.
const REST_WINDOWS: u32 = 5;

/// Finds the number of slots.
#[derive(Clone, Debug)]
pub(crate) struct AutoSlots {
    slots: u32,
    max: u32,
    window: Window,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Measuring where it stands; after so many measurements it tries more (or fewer) slots.
    Stay { rest: u32, next: Direction },
    /// Measuring a trial against what was before.
    Try {
        direction: Direction,
        slots_before: u32,
        rate_before: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    More,
    Fewer,
}

#[derive(Clone, Debug)]
struct Window {
    began: Instant,
    ends: u32,
    busy_seconds: f64,
    running: usize,
    as_of: Instant,
}

impl Window {
    fn new(now: Instant, running: usize) -> Self {
        Self {
            began: now,
            ends: 0,
            busy_seconds: 0.0,
            running,
            as_of: now,
        }
    }

    fn seconds(&self) -> f64 {
        self.as_of
            .saturating_duration_since(self.began)
            .as_secs_f64()
    }
}

impl AutoSlots {
    /// Begins with `slots`; goes up to `max`.
    pub(crate) fn new(slots: u32, max: u32, now: Instant) -> Self {
        Self {
            slots: slots.clamp(1, max.max(1)),
            max: max.max(1),
            window: Window::new(now, 0),
            stage: Stage::Stay {
                rest: 0,
                next: Direction::More,
            },
        }
    }

    /// Slots at present.
    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    /// Takes note that `running` jobs run from `now` on.
    pub(crate) fn running(&mut self, running: usize, now: Instant) {
        let window = &mut self.window;
        let since = now.saturating_duration_since(window.as_of).as_secs_f64();
        let busy = window.running.min(self.slots as usize);
        window.busy_seconds += since * busy as f64;
        window.as_of = now;
        window.running = running;
    }

    /// Takes note that a job ended at `now` and `running` go on; the slots may have changed after.
    pub(crate) fn ended(&mut self, running: usize, now: Instant) {
        self.running(running, now);
        self.window.ends += 1;
        let length = now.saturating_duration_since(self.window.began);
        if length < WINDOW_MIN || self.window.ends < ENDS_PER_SLOT.saturating_mul(self.slots) {
            return;
        }
        let window = std::mem::replace(&mut self.window, Window::new(now, running));
        let seconds = window.seconds();
        let busy_share = window.busy_seconds / (seconds * f64::from(self.slots));
        if busy_share >= 1.0 - IDLE_SHARE_MAX {
            self.measured(f64::from(window.ends) / seconds);
        } else if let Stage::Try { slots_before, .. } = self.stage {
            // The crowd is over before the trial said anything.
            self.slots = slots_before;
            self.stage = Stage::Stay {
                rest: 0,
                next: Direction::More,
            };
        }
    }

    /// A full measurement: so many jobs a second.
    fn measured(&mut self, rate: f64) {
        match self.stage {
            Stage::Stay { rest, next } if rest > 0 => {
                let rest = rest - 1;
                self.stage = Stage::Stay { rest, next };
            }
            Stage::Stay { next, .. } => self.try_out(next, rate),
            Stage::Try {
                direction,
                slots_before,
                rate_before,
            } => self.judge(direction, slots_before, rate / rate_before),
        }
    }

    fn try_out(&mut self, direction: Direction, rate_before: f64) {
        let step = (self.slots / 4).max(1);
        let slots = match direction {
            Direction::More => self.slots.saturating_add(step).min(self.max),
            Direction::Fewer => self.slots.saturating_sub(step).max(1),
        };
        if slots == self.slots {
            self.rest(direction.other());
            return;
        }
        self.stage = Stage::Try {
            direction,
            slots_before: self.slots,
            rate_before,
        };
        self.slots = slots;
    }

    fn judge(&mut self, direction: Direction, slots_before: u32, grew_to: f64) {
        let could = f64::from(self.slots) / f64::from(slots_before) - 1.0;
        let pays = match direction {
            Direction::More => grew_to - 1.0 >= GAIN_MIN * could,
            Direction::Fewer => grew_to >= 1.0 - LOSS_MAX,
        };
        if pays {
            self.stage = Stage::Stay {
                rest: 0,
                next: direction,
            };
        } else {
            self.slots = slots_before;
            self.rest(direction.other());
        }
    }

    fn rest(&mut self, next: Direction) {
        self.stage = Stage::Stay {
            rest: REST_WINDOWS,
            next,
        };
    }
}

impl Direction {
    fn other(self) -> Self {
        match self {
            Self::More => Self::Fewer,
            Self::Fewer => Self::More,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs jobs that take as long as `service` says for so many slots, always with more to do, and
    /// returns the slots that most of the later jobs had.
    fn settle(start: u32, max: u32, service: impl Fn(u32) -> f64) -> u32 {
        let begin = crate::clock::Clock::system().instant();
        let mut auto = AutoSlots::new(start, max, begin);
        let mut at = 0.0;
        let mut had = std::collections::BTreeMap::<u32, u32>::new();
        for job in 0..40_000 {
            let slots = auto.slots();
            auto.running(slots as usize, begin + Duration::from_secs_f64(at));
            at += service(slots) / f64::from(slots);
            let now = begin + Duration::from_secs_f64(at);
            auto.ended(slots as usize - 1, now);
            if job > 20_000 {
                *had.entry(slots).or_default() += 1;
            }
        }
        let most = had.into_iter().max_by_key(|(_, jobs)| *jobs);
        most.map_or(0, |(slots, _)| slots)
    }

    #[test]
    fn waiting_jobs_get_as_many_slots_as_allowed() {
        assert_eq!(settle(2, 64, |_| 0.1), 64);
    }

    #[test]
    fn computing_jobs_get_a_slot_a_core() {
        // Four cores: a fifth job only makes all of them slower.
        let four = |slots: u32| 0.1 * f64::from(slots.max(4)) / 4.0;
        for start in [1, 4, 32] {
            let slots = settle(start, 64, four);
            assert!((4..=5).contains(&slots), "{start} → {slots}");
        }
    }

    #[test]
    fn slots_that_are_not_all_taken_are_not_changed() {
        let begin = crate::clock::Clock::system().instant();
        let mut auto = AutoSlots::new(4, 64, begin);
        for second in 1..1000 {
            let now = begin + Duration::from_secs(second);
            auto.running(2, now);
            auto.ended(1, now);
            assert_eq!(auto.slots(), 4);
        }
    }

    #[test]
    fn latency_that_rises_with_a_strained_backend_is_given_way_to() {
        // Beyond ten, the backend slows everybody down.
        let strained = |slots: u32| 0.05 * (f64::from(slots) / 10.0).max(1.0).powi(2);
        let slots = settle(2, 100, strained);
        assert!((8..=12).contains(&slots), "{slots}");
    }
}
