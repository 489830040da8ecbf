//! What is simulated: the fleet, the queue, what is seen of them, and what makes life hard.
//!
//! Owns names, units and defaults. It must not simulate.

use crate::model::UnixSeconds;

/// The queue's name in what is seen; a policy to be simulated must name it.
pub const QUEUE: &str = "simulated";

/// What is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Slots an instance has.
    pub slots: u32,
    /// Mean time from launch to the first job.
    pub boot_seconds: f64,
    /// Between looks.
    pub interval_seconds: f64,
    /// The most instances there can be.
    pub max: u32,
    /// Relative standard deviation of SQS's counts; 0 for exact ones.
    pub count_noise: f64,
    /// What is seen besides the counts.
    pub seen: SeenToo,
    /// What the clock says when the load begins; schedules go by it.
    pub starts_at: UnixSeconds,
    /// What is not as one would wish.
    pub conditions: Conditions,
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

/// What is not as one would wish; by default, everything is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Standard deviation of the boot time in parts of its mean; boots are lognormal.
    pub boot_spread: f64,
    /// How old SQS's counts are when they are seen.
    pub counts_late_seconds: f64,
    /// From sending a message to its being visible (`DelaySeconds`). Waits begin after it.
    pub delay_seconds: f64,
    /// The share of attempts at a job that fail, 0 to less than 1; a failed one takes its whole
    /// time, and its message comes back when its visibility timeout is over.
    pub failing_share: f64,
    /// Seconds a failed attempt's message stays invisible after it. SQS's default is 30.
    pub visibility_seconds: f64,
    /// Spot reclaims an instance-hour. Two minutes' notice: the worker takes no more, finishes what
    /// it can and hands the rest back; the group replaces it at the next look, as it does with
    /// capacity rebalancing.
    pub reclaims_per_hour: f64,
    /// A time in which capacity is short.
    pub shortage: Option<Shortage>,
}

/// A time in which the group cannot launch what it wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shortage {
    /// When it begins, in seconds from the load's begin.
    pub from_seconds: f64,
    /// When it ends.
    pub until_seconds: f64,
    /// No launch takes the group above so many instances.
    pub instances: u32,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            boot_spread: 0.0,
            counts_late_seconds: 0.0,
            delay_seconds: 0.0,
            failing_share: 0.0,
            visibility_seconds: 30.0,
            reclaims_per_hour: 0.0,
            shortage: None,
        }
    }
}

impl Conditions {
    /// The most instances a launch may lead to.
    pub(super) fn launchable(&self, now: f64) -> u32 {
        self.shortage
            .filter(|shortage| (shortage.from_seconds..shortage.until_seconds).contains(&now))
            .map_or(u32::MAX, |shortage| shortage.instances)
    }
}
