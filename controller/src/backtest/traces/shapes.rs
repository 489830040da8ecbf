//! How arrivals go up and down: what each generator makes, step by step.
//!
//! Owns levels in any unit, since they are scaled to the mean afterwards. It must not draw counts.

use std::f64::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Poisson};

use super::keys::Keys;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;
/// 1 January 1970 was a Thursday.
const THURSDAY: f64 = 3.0;

/// When, and how finely.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) steps: usize,
    pub(super) step_seconds: f64,
    /// Unix seconds.
    pub(super) starts_at: f64,
    /// Messages a second on average.
    pub(super) mean: f64,
}

/// What a generator makes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Steady,
    Daily(Daily),
    FlashCrowd(Crowds),
    Batch(Batches),
    Ci(Pushes),
    OnOff(Periods),
    Drift(Drift),
}

/// A raised cosine a day.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Daily {
    low: f64,
    peak_seconds: f64,
    weekend: f64,
}

/// Steep rises that fade by halves.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crowds {
    height: f64,
    every_seconds: f64,
    rise_seconds: f64,
    fade_seconds: f64,
}

/// Pulses at full hours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Batches {
    share: f64,
    every_seconds: f64,
    within_seconds: f64,
}

/// Bursts of heavy-tailed size, in office hours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pushes {
    jobs: f64,
    tail: f64,
    from_seconds: f64,
    until_seconds: f64,
    rest: f64,
}

/// Exponential times on and off.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Periods {
    on_seconds: f64,
    off_seconds: f64,
    low: f64,
}

/// From one level to another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drift {
    level: f64,
    longer: f64,
}

impl Shape {
    /// The shape of this name with its keys; none if there is no such name.
    pub(super) fn read(name: &str, keys: &mut Keys<'_>) -> Option<Self> {
        Some(match name {
            "steady" => Self::Steady,
            "day" => Self::Daily(Daily::read(keys)),
            "week" => Self::Daily(Daily {
                weekend: keys.number("weekend", 0.4, 0.0..=10.0),
                ..Daily::read(keys)
            }),
            "flash-crowd" => Self::FlashCrowd(Crowds {
                height: keys.number("height", 12.0, 0.0..=1000.0),
                every_seconds: keys.span("every", DAY, MINUTE..=366.0 * DAY),
                rise_seconds: keys.span("rise", 5.0 * MINUTE, 1.0..=DAY),
                fade_seconds: keys.span("fade", 20.0 * MINUTE, 1.0..=DAY),
            }),
            "batch" => Self::Batch(Batches::read(keys)),
            "ci" => Self::Ci(Pushes::read(keys)),
            "on-off" => Self::OnOff(Periods {
                on_seconds: keys.span("on", 10.0 * MINUTE, 1.0..=30.0 * DAY),
                off_seconds: keys.span("off", 30.0 * MINUTE, 1.0..=30.0 * DAY),
                low: keys.number("low", 0.0, 0.0..=1.0),
            }),
            "drift" => Self::Drift(Drift {
                level: keys.number("level", 3.0, 0.01..=100.0),
                longer: keys.number("longer", 1.0, 0.01..=100.0),
            }),
            _ => return None,
        })
    }

    /// A level for each step.
    pub(super) fn levels(&self, frame: &Frame, chance: &mut ChaCha8Rng) -> Vec<f64> {
        let by_middle = |level: &dyn Fn(f64) -> f64| frame.middles().map(level).collect();
        match self {
            Self::Steady => vec![1.0; frame.steps],
            Self::Daily(daily) => by_middle(&|at| daily.level(frame.starts_at + at)),
            Self::FlashCrowd(crowds) => crowds.levels(frame, chance),
            Self::Batch(batches) => batches.levels(frame),
            Self::Ci(pushes) => pushes.levels(frame, chance),
            Self::OnOff(periods) => periods.levels(frame, chance),
            Self::Drift(drift) => by_middle(&|at| on_the_way(drift.level, at / frame.seconds())),
        }
    }

    /// How much longer than at first jobs of each step take.
    pub(super) fn service_factors(&self, frame: &Frame) -> impl Iterator<Item = f64> {
        let longer = if let Self::Drift(drift) = self {
            drift.longer
        } else {
            1.0
        };
        let seconds = frame.seconds();
        frame
            .middles()
            .map(move |at| on_the_way(longer, at / seconds))
    }

    /// Whether jobs become longer or shorter.
    pub(super) fn changes_service(&self) -> bool {
        matches!(self, Self::Drift(drift) if (drift.longer - 1.0).abs() > 0.0)
    }
}

impl Frame {
    fn seconds(&self) -> f64 {
        self.steps as f64 * self.step_seconds
    }

    /// Each step's middle, in seconds from the begin.
    fn middles(&self) -> impl Iterator<Item = f64> + use<> {
        let step_seconds = self.step_seconds;
        (0..self.steps).map(move |step| (step as f64 + 0.5) * step_seconds)
    }

    /// Adds `amount`, spread evenly from one moment to another, to the steps between them.
    fn spread(&self, levels: &mut [f64], (from, until): (f64, f64), amount: f64) {
        let first = whole(from / self.step_seconds);
        let last = whole((until / self.step_seconds).ceil()).min(levels.len());
        for (step, level) in levels.iter_mut().enumerate().take(last).skip(first) {
            let begin = step as f64 * self.step_seconds;
            let within = until.min(begin + self.step_seconds) - from.max(begin);
            *level += amount * within.max(0.0) / (until - from);
        }
    }
}

impl Daily {
    fn read(keys: &mut Keys<'_>) -> Self {
        Self {
            low: keys.number("low", 0.2, 0.0..=1.0),
            peak_seconds: keys.span("peak", 15.0 * HOUR, 0.0..=DAY),
            weekend: 1.0,
        }
    }

    fn level(&self, at: f64) -> f64 {
        let cosine = (TAU * (at - self.peak_seconds).rem_euclid(DAY) / DAY).cos();
        let level = self.low + (1.0 - self.low) * f64::midpoint(1.0, cosine);
        if is_weekend(at) {
            level * self.weekend
        } else {
            level
        }
    }
}

impl Crowds {
    fn levels(&self, frame: &Frame, chance: &mut ChaCha8Rng) -> Vec<f64> {
        /// A millionth is left of a crowd.
        const HALVES: f64 = 20.0;
        let mut levels = vec![1.0; frame.steps];
        let crowds = (frame.seconds() / self.every_seconds).round().max(1.0);
        let apart = frame.seconds() / crowds;
        for crowd in 0..whole(crowds) {
            let begin = (crowd as f64 + chance.random::<f64>()) * apart;
            let height = self.height * chance.random_range(0.7..1.3);
            let top = begin + self.rise_seconds;
            let gone = top + HALVES * self.fade_seconds;
            let last = whole(gone / frame.step_seconds).min(frame.steps);
            let first = whole(begin / frame.step_seconds).min(last);
            for (level, step) in levels[first..last].iter_mut().zip(first..) {
                let at = (step as f64 + 0.5) * frame.step_seconds;
                *level += height
                    * if at < top {
                        ((at - begin) / self.rise_seconds).max(0.0)
                    } else {
                        ((top - at) / self.fade_seconds).exp2()
                    };
            }
        }
        levels
    }
}

impl Batches {
    fn read(keys: &mut Keys<'_>) -> Self {
        let batches = Self {
            share: keys.number("share", 0.8, 0.0..=1.0),
            every_seconds: keys.span("every", HOUR, MINUTE..=DAY),
            within_seconds: keys.span("within", MINUTE, 1.0..=DAY),
        };
        if batches.within_seconds > batches.every_seconds {
            let found = format!("{} s", batches.within_seconds);
            keys.wrong(
                "within",
                found,
                "at most the time from batch to batch, every",
            );
        }
        batches
    }

    fn levels(&self, frame: &Frame) -> Vec<f64> {
        let evenly = (1.0 - self.share) * frame.step_seconds / self.every_seconds;
        let mut levels = vec![evenly; frame.steps];
        // The first begins before or with the trace.
        let mut begin = -frame.starts_at.rem_euclid(self.every_seconds);
        while begin < frame.seconds() {
            let until = begin + self.within_seconds;
            if until > 0.0 {
                frame.spread(&mut levels, (begin, until), self.share);
            }
            begin += self.every_seconds;
        }
        levels
    }
}

impl Pushes {
    fn read(keys: &mut Keys<'_>) -> Self {
        let pushes = Self {
            jobs: keys.number("jobs", 50.0, 1.0..=1e6),
            tail: keys.number("tail", 1.5, 1.05..=10.0),
            from_seconds: keys.span("from", 8.0 * HOUR, 0.0..=DAY),
            until_seconds: keys.span("until", 18.0 * HOUR, 0.0..=DAY),
            rest: keys.number("rest", 0.1, 0.0..=1.0),
        };
        if pushes.from_seconds >= pushes.until_seconds {
            let found = format!("{} s after midnight", pushes.until_seconds);
            keys.wrong("until", found, "a time of day later than from");
        }
        pushes
    }

    fn levels(&self, frame: &Frame, chance: &mut ChaCha8Rng) -> Vec<f64> {
        /// Times the mean; a push cannot have any number of jobs.
        const LARGEST: f64 = 100.0;
        let least = (self.tail - 1.0) / self.tail;
        let paces: Vec<f64> = frame
            .middles()
            .map(|at| self.pace(frame.starts_at + at))
            .collect();
        let pace: f64 = paces.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let pushes = frame.mean * frame.seconds() / self.jobs;
        let mut jobs = |pace_here: f64| {
            let pushes = Poisson::new(pushes * pace_here / pace);
            let pushes = pushes.map_or(0.0, |poisson| poisson.sample(chance));
            let jobs =
                |_| (least * (1.0 - chance.random::<f64>()).powf(-1.0 / self.tail)).min(LARGEST);
            (0..whole(pushes)).map(jobs).sum()
        };
        paces.iter().map(|pace_here| jobs(*pace_here)).collect()
    }

    fn pace(&self, at: f64) -> f64 {
        let office = self.from_seconds..self.until_seconds;
        if !is_weekend(at) && office.contains(&at.rem_euclid(DAY)) {
            1.0
        } else {
            self.rest
        }
    }
}

impl Periods {
    fn levels(&self, frame: &Frame, chance: &mut ChaCha8Rng) -> Vec<f64> {
        let mut levels = vec![self.low * frame.step_seconds; frame.steps];
        let mut begin = 0.0;
        let mut spent = |mean_seconds: f64| {
            let spent: f64 = Exp1.sample(chance);
            mean_seconds * spent.max(1e-3)
        };
        while begin < frame.seconds() {
            let until = begin + spent(self.on_seconds);
            let high = (1.0 - self.low) * (until - begin);
            frame.spread(&mut levels, (begin, until), high);
            begin = until + spent(self.off_seconds);
        }
        levels
    }
}

/// From 1 to `end`, `part` of the way gone.
fn on_the_way(end: f64, part: f64) -> f64 {
    1.0 + (end - 1.0) * part
}

fn is_weekend(at: f64) -> bool {
    ((at / DAY).floor() + THURSDAY).rem_euclid(7.0) >= 5.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate"
)]
fn whole(x: f64) -> usize {
    x as usize
}
