//! Arrivals made up from a few words and a seed: `flash-crowd,days=2,seed=7`.
//!
//! Owns the generators' names, keys and defaults, and how a shape becomes counts. What the shapes
//! look like is `shapes`' affair.
//!
//! The same text gives the same trace on any machine: chance comes from named streams of the
//! seed, and rates are rounded to single precision before they are drawn from, so that the last
//! digits of a sine or an exponential, in which machines differ, have no say.

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

use super::found::{Wrong, one, shown};
use super::grid::STEPS_MAX;
use super::keys::Keys;
use super::shapes::{Frame, Shape};
use crate::model::UnixSeconds;
use crate::policy::Problems;
use crate::sim::Trace;
use crate::sim::chance::{Stream, stream};

const OPTION: &str = "--generate";
const DAY_SECONDS: f64 = 86_400.0;

/// Each generator: its name, its own keys at their defaults, and what it makes. All take
/// `days=7,seed=1,mean=1,step=1m,noise=poisson` too, and `service`, the mean time a job takes.
pub const GENERATORS: [(&str, &str, &str); 8] = [
    ("steady", "", "as many at all times"),
    (
        "day",
        "low=0.2,peak=15h",
        "more by day: at night the share `low` of the level at `peak`, a time of day in UTC",
    ),
    (
        "week",
        "low=0.2,peak=15h,weekend=0.4",
        "as day; on Saturday and Sunday the share `weekend` of a weekday's",
    ),
    (
        "flash-crowd",
        "height=12,every=1d,rise=5m,fade=20m",
        "steady, and crowds about `height` times as high, one in each `every` at a random moment: \
         up within `rise`, half gone after each `fade`",
    ),
    (
        "batch",
        "share=0.8,every=1h,within=1m",
        "the `share` of messages comes at the full hour, or at each `every`, `within` a while",
    ),
    (
        "ci",
        "jobs=50,tail=1.5,from=8h,until=18h,rest=0.1",
        "pushes that each fan out into `jobs` on average, heavy-tailed (Pareto, index `tail`), on \
         weekdays `from` to `until` UTC, and at `rest` times that pace else",
    ),
    (
        "on-off",
        "on=10m,off=30m,low=0",
        "on for a random time of mean `on`, then off for one of mean `off`, where the share `low` \
         of the level remains",
    ),
    (
        "drift",
        "level=3,longer=1",
        "a steady change to `level` times as many at the end, and jobs `longer` times as long",
    ),
];

/// A trace to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Generator {
    text: String,
    shape: Shape,
    common: Common,
}

/// What all generators take.
#[derive(Clone, Debug, PartialEq)]
struct Common {
    days: f64,
    seed: u64,
    /// Messages a second on average.
    mean: f64,
    step_seconds: f64,
    noise: Noise,
    service_seconds: Option<f64>,
}

/// How counts spread around what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// As many senders that do not know of each other make them.
    Poisson,
    /// Not at all; counts are fractions.
    None,
}

impl Generator {
    /// The trace, beginning at a moment: days and hours are UTC's.
    ///
    /// `mean` messages a second are expected exactly; with Poisson noise, and only then, those
    /// that come differ from it by chance.
    pub fn trace(&self, starts_at: UnixSeconds) -> Trace {
        let common = &self.common;
        let frame = Frame {
            steps: common.steps(),
            step_seconds: common.step_seconds,
            starts_at: starts_at.0,
            mean: common.mean,
        };
        let levels = self
            .shape
            .levels(&frame, &mut stream(common.seed, Stream::Shape));
        let sum: f64 = levels.iter().sum();
        let expected = common.mean * common.step_seconds * levels.len() as f64;
        let scale = if sum > 0.0 { expected / sum } else { 0.0 };
        let mut chance = stream(common.seed, Stream::Noise);
        let counts = levels
            .iter()
            .map(|level| common.noise.count(level * scale, &mut chance));
        Trace {
            step_seconds: common.step_seconds,
            counts: counts.collect(),
            service_seconds: common.service_seconds.map_or_else(Vec::new, |seconds| {
                let longer = self.shape.service_factors(&frame);
                longer.map(|factor| Some(seconds * factor)).collect()
            }),
        }
    }
}

impl Common {
    fn read(keys: &mut Keys<'_>) -> Self {
        let common = Self {
            days: keys.number("days", 7.0, 0.001..=3660.0),
            seed: keys.whole("seed", 1),
            mean: keys.number("mean", 1.0, 0.0..=1e6),
            step_seconds: keys.span("step", 60.0, 1.0..=DAY_SECONDS),
            noise: keys.word(
                "noise",
                &[("poisson", Noise::Poisson), ("none", Noise::None)],
            ),
            service_seconds: keys.span_if_given("service", 0.001..=30.0 * DAY_SECONDS),
        };
        if !(1..=STEPS_MAX).contains(&common.steps()) {
            let found = format!("{} days in steps of {} s", common.days, common.step_seconds);
            keys.wrong("step", found, "1 to 50,000,000 steps in all");
        }
        common
    }

    fn steps(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float casts saturate"
        )]
        let steps = (self.days * DAY_SECONDS / self.step_seconds).round() as usize;
        steps
    }
}

impl Noise {
    fn count(self, expected: f64, chance: &mut ChaCha8Rng) -> f64 {
        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
        let expected = f64::from(expected as f32);
        match self {
            Self::None => expected,
            // It refuses a mean of 0, and only that among the means there are.
            Self::Poisson => Poisson::new(expected).map_or(0.0, |poisson| poisson.sample(chance)),
        }
    }
}

impl FromStr for Generator {
    type Err = Problems;

    fn from_str(text: &str) -> Result<Self, Problems> {
        let (name, rest) = text.split_once(',').unwrap_or((text, ""));
        let mut keys = Keys::split(OPTION, rest);
        let shape = Shape::read(name.trim(), &mut keys).ok_or_else(|| {
            let names = GENERATORS.map(|(name, ..)| name).join(", ");
            let wrong = Wrong {
                found: format!("the generator {}", shown(name)),
                allowed: &names,
                advice: "keys follow it, as in flash-crowd,days=2,seed=7",
            };
            one(OPTION, wrong)
        })?;
        let common = Common::read(&mut keys);
        if common.service_seconds.is_none() && shape.changes_service() {
            let found = "jobs that change, and no service time to begin with".to_owned();
            keys.wrong(
                "longer",
                found,
                "longer together with service, as in service=8s,longer=2",
            );
        }
        keys.finish()?;
        Ok(Self {
            text: text.split_whitespace().collect(),
            shape,
            common,
        })
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
