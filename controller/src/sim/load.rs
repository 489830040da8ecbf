//! Messages to come: a trace's counts, scaled, a moment for each message and its job's length.
//!
//! Owns what a trace is and what is drawn from it. It must not know what becomes of a message.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};

use super::chance::{Stream, stream};

/// Arrivals counted in steps of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// A step's length.
    pub step_seconds: f64,
    /// Arrivals in each step; fractions where the trace was scaled.
    pub counts: Vec<f64>,
    /// Mean seconds a job takes that arrives in the step, where the trace tells; as long as
    /// `counts`, or empty where it tells nothing.
    pub service_seconds: Vec<Option<f64>>,
}

/// Messages to come, in order of arrival. A message's job takes the same time whoever runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// How long arrivals are watched, in seconds.
    pub seconds: f64,
    /// When each message arrives, in seconds, ascending.
    pub arrivals: Vec<f64>,
    /// How long each message's job takes, to a part in ten million: many millions are in memory.
    pub service_seconds: Vec<f32>,
}

/// How long jobs take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Service {
    /// Mean seconds a job takes, where the trace does not tell.
    pub seconds_mean: f64,
    /// How they spread around their mean.
    pub spread: Spread,
    /// A change of all means at a time.
    pub drift: Option<Drift>,
}

/// How jobs' lengths spread around their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// All the same.
    Fixed,
    /// Exponential: standard deviation equal to the mean.
    Exponential,
    /// Lognormal, with this standard deviation in parts of the mean.
    Lognormal(f64),
}

/// Jobs become longer or shorter from a moment on, as after a deploy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Seconds from the load's begin; jobs sent from then on.
    pub at_seconds: f64,
    /// Times as long as before.
    pub factor: f64,
}

impl Service {
    /// Exponential service times of one mean.
    pub fn exponential(seconds_mean: f64) -> Self {
        Self {
            seconds_mean,
            spread: Spread::Exponential,
            drift: None,
        }
    }

    /// The mean of a job sent at a time, by the trace's own where it tells.
    fn mean_at(&self, trace: &Trace, at: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float casts saturate"
        )]
        let step = (at / trace.step_seconds) as usize;
        let told = trace.service_seconds.get(step).copied().flatten();
        let mean = told.unwrap_or(self.seconds_mean);
        match self.drift {
            Some(drift) if at >= drift.at_seconds => mean * drift.factor,
            _ => mean,
        }
    }
}

impl Spread {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Exponential => "exponential",
            Self::Lognormal(_) => "lognormal",
        }
    }

    /// A job's length in parts of its mean.
    fn sample(self, chance: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Fixed => 1.0,
            Self::Exponential => Exp1.sample(chance),
            Self::Lognormal(spread) => {
                let variance = (spread * spread).ln_1p();
                let off: f64 = StandardNormal.sample(chance);
                (variance.sqrt() * off - variance / 2.0).exp()
            }
        }
    }
}

impl Load {
    /// A trace's messages, each with its job's length.
    pub fn draw(trace: &Trace, service: &Service, seed: u64) -> Self {
        let arrivals = trace.arrivals(seed);
        let mut chance = stream(seed, Stream::Service);
        let mut length = |at: &f64| {
            let seconds = service.spread.sample(&mut chance) * service.mean_at(trace, *at);
            #[expect(clippy::cast_possible_truncation, reason = "to a part in ten million")]
            let seconds = seconds as f32;
            seconds
        };
        let service_seconds = arrivals.iter().map(&mut length).collect();
        Self {
            seconds: trace.seconds(),
            arrivals,
            service_seconds,
        }
    }

    /// When each message arrives and how long its job takes.
    pub fn jobs(&self) -> impl Iterator<Item = (f64, f64)> {
        let seconds = self
            .service_seconds
            .iter()
            .map(|seconds| f64::from(*seconds));
        self.arrivals.iter().copied().zip(seconds)
    }

    /// All jobs' lengths, added up.
    pub fn work_seconds(&self) -> f64 {
        self.jobs()
            .map(|(_, seconds)| seconds)
            .fold(0.0, |sum, seconds| sum + seconds)
    }
}

impl Trace {
    /// Its first `days`, or all of it where it is shorter.
    #[must_use]
    pub fn first_days(mut self, days: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float casts saturate"
        )]
        let steps = (days * 86_400.0 / self.step_seconds) as usize;
        self.counts.truncate(steps);
        self.service_seconds.truncate(steps);
        self
    }

    /// Scaled so that `per_second` messages arrive on average.
    #[must_use]
    pub fn scaled_to(mut self, per_second: f64) -> Self {
        let mean = self.counts.iter().sum::<f64>() / self.seconds();
        if mean > 0.0 {
            for count in &mut self.counts {
                *count *= per_second / mean;
            }
        }
        self
    }

    /// Its length.
    pub fn seconds(&self) -> f64 {
        self.step_seconds * self.counts.len() as f64
    }

    /// A moment for each message, in order: a step's messages fall anywhere in it, and the
    /// fractions of scaled counts are carried over, so that none is lost by rounding.
    pub fn arrivals(&self, seed: u64) -> Vec<f64> {
        let mut chance = stream(seed, Stream::Arrivals);
        let mut carried: f64 = chance.random();
        let mut arrivals = Vec::new();
        for (index, count) in self.counts.iter().enumerate() {
            carried += count;
            let begin = index as f64 * self.step_seconds;
            let first = arrivals.len();
            while carried >= 1.0 {
                carried -= 1.0;
                arrivals.push(begin + chance.random::<f64>() * self.step_seconds);
            }
            arrivals[first..].sort_by(f64::total_cmp);
        }
        arrivals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loses_no_message_to_rounding() {
        let trace = Trace {
            step_seconds: 60.0,
            counts: vec![0.3; 1000],
            service_seconds: Vec::new(),
        };
        let arrivals = trace.arrivals(1);
        assert!((299..=301).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted_by(|a, b| a <= b));
        assert_eq!(arrivals, trace.arrivals(1));
        assert_ne!(arrivals, trace.arrivals(2));
    }
}
