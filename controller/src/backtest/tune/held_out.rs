//! How well the choice does on days it has not seen, and how sure a saving is.
//!
//! Owns the cross-validation and the resampling. It must not know what a setting means.

use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::choose::{Terms, Trial, choose};
use super::table::Sums;

/// What the whole procedure came to on days held out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeldOut {
    /// For each block, what was chosen on all others.
    pub(super) chosen: Vec<usize>,
    /// Each day by what was chosen without it.
    pub(super) days: Vec<Sums>,
}

/// Holds out each block once: chooses on the others, and looks what came of it on the block. Where
/// nothing is to be changed by the others, the policy's own settings stand.
pub(super) fn cross_validate(trials: &[Trial], blocks: &[Range<usize>], terms: Terms) -> HeldOut {
    let mut chosen = Vec::new();
    let mut days = Vec::new();
    for (block, others) in blocks.iter().zip(all_others(blocks)) {
        let choice = choose(trials, &others, terms).place();
        days.extend_from_slice(&trials[choice].days[block.clone()]);
        chosen.push(choice);
    }
    HeldOut { chosen, days }
}

/// For each block, the days of all others.
pub(super) fn all_others(blocks: &[Range<usize>]) -> Vec<Vec<usize>> {
    let others_of = |block: &Range<usize>| {
        let others = blocks.iter().filter(|other| *other != block);
        others.cloned().flatten().collect()
    };
    blocks.iter().map(others_of).collect()
}

/// How often days are drawn anew.
const DRAWS: usize = 2000;

/// The share of one's hours that another saves, from the 5th to the 95th of a hundred: 90 % sure,
/// over days drawn anew with replacement (the percentile bootstrap; Efron and Tibshirani, An
/// Introduction to the Bootstrap, chapter 13).
pub(super) fn saving_interval(from: &[Sums], to: &[Sums], chance: &mut ChaCha8Rng) -> [f64; 2] {
    let count = from.len();
    let mut shares: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let days: Vec<usize> = (0..count).map(|_| chance.random_range(0..count)).collect();
            let over = |table: &[Sums]| Sums::of(days.iter().map(|day| &table[*day]));
            saved_share(&over(from), &over(to))
        })
        .collect();
    shares.sort_unstable_by(f64::total_cmp);
    [shares[DRAWS / 20], shares[DRAWS - 1 - DRAWS / 20]]
}

/// The share of `from`'s hours that `to` saves; negative where it costs more.
pub(super) fn saved_share(from: &Sums, to: &Sums) -> f64 {
    if from.instance_hours > 0.0 {
        1.0 - to.instance_hours / from.instance_hours
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::choose::OWN;
    use super::super::table::Parts;
    use super::super::testing::{Days, noise, trial};
    use super::*;
    use crate::sim::chance::{Stream, stream};

    const MAX: f64 = 0.01;
    const TERMS: Terms = Terms {
        late_share_max: MAX,
        cost_times_max: Some(2.0),
    };

    fn blocks(days: usize) -> Vec<Range<usize>> {
        Parts::of(days as f64 * 86_400.0).blocks()
    }

    #[test]
    fn a_true_best_is_chosen_without_any_day_and_saves_on_all() {
        let trials = [
            trial(0, Days(noise(100.0, 1), [0; 10])),
            trial(1, Days(noise(70.0, 2), [3; 10])),
            trial(1, Days(noise(50.0, 3), [30; 10])),
        ];
        let held_out = cross_validate(&trials, &blocks(10), TERMS);
        assert_eq!(held_out.chosen, [1; 10]);
        assert_eq!(held_out.days, trials[1].days);
        let chance = &mut stream(1, Stream::Resampling);
        let [low, high] = saving_interval(&trials[0].days, &held_out.days, chance);
        let share = saved_share(&Sums::of(&trials[0].days), &Sums::of(&held_out.days));
        assert!(low < share && share < high, "{low} {share} {high}");
        assert!(low > 0.15 && high < 0.45, "{low} {high}");
    }

    #[test]
    fn what_fails_on_a_day_held_out_shows_as_late() {
        // Cheap and in time but on the last day, which is far too late.
        let trials = [
            trial(0, Days([10.0; 10], [0; 10])),
            trial(1, Days([5.0; 10], [0, 0, 0, 0, 0, 0, 0, 0, 0, 500])),
        ];
        let held_out = cross_validate(&trials, &blocks(10), TERMS);
        assert_eq!(held_out.chosen[9], 1, "chosen by those who did not see it");
        assert!(Sums::of(&held_out.days).late_share() > MAX);
    }

    #[test]
    fn where_nothing_keeps_the_objective_the_policy_stands() {
        let trials = [
            trial(0, Days([10.0; 10], [30; 10])),
            trial(1, Days([5.0; 10], [50; 10])),
        ];
        assert_eq!(
            cross_validate(&trials, &blocks(10), TERMS).chosen,
            [OWN; 10]
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let from = trial(0, Days(noise(100.0, 1), [0; 10])).days;
        let to = trial(1, Days(noise(90.0, 2), [0; 10])).days;
        let draw = |seed| {
            let interval = saving_interval(&from, &to, &mut stream(seed, Stream::Resampling));
            interval.map(f64::to_bits)
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
