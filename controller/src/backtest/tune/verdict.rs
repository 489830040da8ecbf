//! Whether to change a policy, and why.
//!
//! Owns what counts as sure. It sees sums alone, and must not know what a setting means.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::choose::{OWN, Trial, choose};
use super::held_out::{HeldOut, cross_validate, saved_share, saving_interval};
use super::luck::chance_of_luck;
use super::table::Sums;

/// Whether to change the policy, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Change it: it costs less and keeps the objective, on days not seen too.
    Cheaper,
    /// Change it: as it stands it misses the objective, which the change keeps, on days not seen
    /// too.
    KeepsObjective,
    /// Keep it: nothing that was tried is better by more than noise.
    AsGoodAsAny,
    /// Keep it: a saving shows, but luck may show it too, or it is gone on days not seen.
    NotSure,
    /// Keep it: what is best on days seen misses the objective on days not seen.
    LateOnUnseenDays,
    /// Keep it: nothing that was tried keeps the objective.
    NothingKeepsObjective,
}

impl Verdict {
    /// Whether it says to change the policy.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Cheaper | Self::KeepsObjective)
    }
}

/// All that the tables say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weighed {
    /// The best on all days, whether it is to be used or not.
    pub(super) best: usize,
    /// What came of choosing without the days it is judged by.
    pub(super) held_out: HeldOut,
    /// The share of hours that the best saves, 90 % sure.
    pub(super) saving_interval: [f64; 2],
    /// How often, at most, the best of so many would look as good by luck, 0 to 1.
    pub(super) luck: f64,
    /// What to do.
    pub(super) verdict: Verdict,
}

/// A saving that luck would show more often is not sure; as sure as the interval, which is 90 %.
const LUCK_MAX: f64 = 0.1;

/// Weighs the trials; the policy's own settings come first.
pub(super) fn weigh(
    trials: &[Trial],
    blocks: &[Range<usize>],
    late_share_max: f64,
    chance: &mut ChaCha8Rng,
) -> Weighed {
    let all_days: Vec<usize> = blocks.iter().cloned().flatten().collect();
    let own = &trials[OWN].days;
    let choice = choose(trials, &all_days, late_share_max);
    let best = choice.unwrap_or(OWN);
    let held_out = cross_validate(trials, blocks, late_share_max);
    let saving_interval = saving_interval(own, &trials[best].days, chance);
    let luck = chance_of_luck(trials, best);
    let keeps = |days: &[Sums]| Sums::of(days).late_share() <= late_share_max;
    let saves_unseen = saved_share(&Sums::of(own), &Sums::of(&held_out.days)) > 0.0;
    let verdict = if choice.is_none() {
        Verdict::NothingKeepsObjective
    } else if best == OWN {
        Verdict::AsGoodAsAny
    } else if !keeps(&held_out.days) {
        Verdict::LateOnUnseenDays
    } else if !keeps(own) {
        Verdict::KeepsObjective
    } else if saves_unseen && saving_interval[0] > 0.0 && luck <= LUCK_MAX {
        Verdict::Cheaper
    } else {
        Verdict::NotSure
    };
    Weighed {
        best,
        held_out,
        saving_interval,
        luck,
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Parts;
    use super::super::testing::{Days, noise, trial};
    use super::*;
    use crate::sim::chance::{Stream, stream};

    fn verdict(trials: &[Trial], seed: u64) -> Verdict {
        let blocks = Parts::of(10.0 * 86_400.0).blocks();
        weigh(trials, &blocks, 0.01, &mut stream(seed, Stream::Resampling)).verdict
    }

    #[test]
    fn a_true_saving_is_worth_a_change() {
        let trials = [
            trial(0, Days(noise(100.0, 1), [2; 10])),
            trial(1, Days(noise(80.0, 2), [4; 10])),
        ];
        assert_eq!(verdict(&trials, 1), Verdict::Cheaper);
    }

    #[test]
    fn the_best_of_seventy_equals_is_no_reason_for_a_change() {
        let changes = |seed: &u64| {
            let mut trials = vec![trial(0, Days(noise(100.0, 1_000 + seed), [0; 10]))];
            trials.extend((1..70).map(|n| trial(2, Days(noise(100.0, seed * 100 + n), [0; 10]))));
            verdict(&trials, *seed).is_change()
        };
        // A tenth, by what luck is allowed.
        let wrong = (10..50).filter(changes).count();
        assert!(wrong <= 4, "{wrong} of 40");
    }

    #[test]
    fn says_why_nothing_is_to_be_changed() {
        let own = trial(0, Days([100.0; 10], [2; 10]));
        let dearer = trial(1, Days([110.0; 10], [0; 10]));
        assert_eq!(
            verdict(&[own.clone(), dearer.clone()], 1),
            Verdict::AsGoodAsAny
        );
        let unlucky = trial(1, Days([60.0; 10], [0, 0, 0, 0, 0, 0, 0, 0, 0, 90]));
        let verdict_of_unlucky = verdict(&[own, unlucky], 1);
        assert_eq!(
            verdict_of_unlucky,
            Verdict::AsGoodAsAny,
            "not within a standard error"
        );
        let late = trial(0, Days([100.0; 10], [50; 10]));
        let later = trial(1, Days([50.0; 10], [70; 10]));
        assert_eq!(
            verdict(&[late.clone(), later], 1),
            Verdict::NothingKeepsObjective
        );
        assert_eq!(verdict(&[late, dearer], 1), Verdict::KeepsObjective);
    }

    #[test]
    fn a_choice_that_fails_on_days_not_seen_is_not_recommended() {
        // Each of two cheap ones fails on one of its days; whichever day is held out, the one that
        // fails on it alone looks in time.
        let mut first = [0; 10];
        first[2] = 99;
        let mut second = [0; 10];
        second[7] = 99;
        let trials = [
            trial(0, Days([100.0; 10], [11; 10])),
            trial(1, Days([60.0; 10], first)),
            trial(1, Days([61.0; 10], second)),
        ];
        assert_eq!(verdict(&trials, 1), Verdict::LateOnUnseenDays);
    }
}
