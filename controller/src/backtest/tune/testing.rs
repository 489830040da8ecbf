//! Trials made up by hand, a thousand messages a day.

use rand::RngExt;

use super::choose::Trial;
use super::table::Sums;
use crate::sim::chance::{Stream, stream};

/// Instance-hours and late messages, day by day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Days<const N: usize>(pub(super) [f64; N], pub(super) [u64; N]);

pub(super) fn trial<const N: usize>(changes: usize, days: Days<N>) -> Trial {
    let sums = |(instance_hours, late)| Sums {
        instance_hours,
        messages: 1000,
        late,
    };
    Trial {
        changes,
        days: days.0.into_iter().zip(days.1).map(sums).collect(),
    }
}

/// Ten days whose hours are this much on average, spread by a fifth.
pub(super) fn noise(mean: f64, seed: u64) -> [f64; 10] {
    let mut chance = stream(seed, Stream::Shape);
    std::array::from_fn(|_| mean * chance.random_range(0.8..1.2))
}
