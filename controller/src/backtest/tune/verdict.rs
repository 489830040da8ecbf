//! Whether to change a policy, and why.
//!
//! Owns what counts as sure. It sees sums alone, and must not know what a setting means.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::choose::{Choice, OWN, Terms, Trial, cheapest_cure, choose};
use super::held_out::{HeldOut, cross_validate, saved_share, saving_interval};
use super::luck::chance_of_luck;
use super::standing::{Lateness, Standing};
use super::table::Sums;

/// Whether to change the policy, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Change it: it costs less and keeps the objective, on days not seen too. Where the policy is
    /// too close to the objective to call, the change may be so too, but it is no later.
    Cheaper,
    /// Change it: as it stands it misses the objective, which the change keeps, on days not seen
    /// too, within the cost that is allowed.
    KeepsObjective,
    /// Keep it: nothing that was tried is better by more than noise.
    AsGoodAsAny,
    /// Keep it: a saving shows, but luck may show it too, or it is gone on days not seen.
    NotSure,
    /// Keep it: what is best on days seen misses the objective on days not seen.
    LateOnUnseenDays,
    /// Keep it: nothing that was tried keeps the objective.
    NothingKeepsObjective,
    /// Keep it: it misses the objective by less than a standard error, and nothing that was tried
    /// is less late without clearly costing more.
    TooCloseToCall,
    /// Keep it: it misses the objective, and what keeps it costs more times as much than a change
    /// may of itself.
    TooDear,
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
    /// What keeps an objective that is missed, where what is to be done does not clearly keep it.
    pub(super) cure: Option<Cured>,
}

/// The cheapest that keeps the objective at any price.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cured {
    /// Which.
    pub(super) place: usize,
    /// What came of choosing so without the days it is judged by.
    pub(super) held_out: HeldOut,
}

/// A saving that luck would show more often is not sure; as sure as the interval, which is 90 %.
const LUCK_MAX: f64 = 0.1;

/// Weighs the trials; the policy's own settings come first.
pub(super) fn weigh(
    trials: &[Trial],
    blocks: &[Range<usize>],
    terms: Terms,
    chance: &mut ChaCha8Rng,
) -> Weighed {
    let all_days: Vec<usize> = blocks.iter().cloned().flatten().collect();
    let choice = choose(trials, &all_days, terms);
    let best = choice.place();
    let held_out = cross_validate(trials, blocks, terms);
    let saving_interval = saving_interval(&trials[OWN].days, &trials[best].days, chance);
    let luck = chance_of_luck(trials, best);
    let case = Case {
        max: terms.late_share_max,
        own: Lateness::of(trials[OWN].days.iter()),
        best: Lateness::of(trials[best].days.iter()),
        unseen: Lateness::of(held_out.days.iter()),
        is_saving_sure: {
            let all = |days: &[Sums]| Sums::of(days);
            let unseen = saved_share(&all(&trials[OWN].days), &all(&held_out.days));
            unseen > 0.0 && saving_interval[0] > 0.0 && luck <= LUCK_MAX
        },
    };
    let verdict = case.verdict(choice);
    let used = if verdict.is_change() { best } else { OWN };
    let used_late = Lateness::of(trials[used].days.iter());
    let is_open = used_late.standing(case.max) != Standing::Kept && !case.own.keeps(case.max);
    let cure = is_open.then(|| cheapest_cure(trials, &all_days, terms));
    let cure = cure.flatten().filter(|place| *place != best);
    Weighed {
        best,
        held_out,
        saving_interval,
        luck,
        verdict,
        cure: cure.map(|place| Cured {
            place,
            held_out: cross_validate(trials, blocks, terms.at_any_cost()),
        }),
    }
}

/// How late it is, and whether that saves.
struct Case {
    /// The share of messages that may be late.
    max: f64,
    /// The policy as it stands.
    own: Lateness,
    /// The best on all days.
    best: Lateness,
    /// What was chosen without the days it is judged by.
    unseen: Lateness,
    /// Whether the best saves by more than noise, on days not seen too.
    is_saving_sure: bool,
}

impl Case {
    fn verdict(&self, choice: Choice) -> Verdict {
        match choice {
            Choice::NothingKeeps => Verdict::NothingKeepsObjective,
            Choice::TooDear => Verdict::TooDear,
            Choice::Best(OWN) if self.own.keeps(self.max) => Verdict::AsGoodAsAny,
            Choice::Best(OWN) => Verdict::TooCloseToCall,
            Choice::Best(_) => self.verdict_on_change(),
        }
    }

    fn verdict_on_change(&self) -> Verdict {
        let is_close = self.own.standing(self.max) == Standing::TooCloseToCall;
        let is_no_later = is_close && self.unseen.share <= self.own.share;
        let keeps_unseen = self.unseen.keeps(self.max);
        if !keeps_unseen && !is_no_later {
            return Verdict::LateOnUnseenDays;
        }
        if self.own.keeps(self.max) || is_close {
            // A miss that is no clear one is no reason of its own for what is no clear cure.
            let is_cure = !self.own.keeps(self.max)
                && keeps_unseen
                && self.best.standing(self.max) == Standing::Kept;
            return match (self.is_saving_sure, is_cure) {
                (true, _) => Verdict::Cheaper,
                (false, true) => Verdict::KeepsObjective,
                (false, false) => Verdict::NotSure,
            };
        }
        Verdict::KeepsObjective
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Parts;
    use super::super::testing::{Days, noise, trial};
    use super::*;
    use crate::sim::chance::{Stream, stream};

    const TERMS: Terms = Terms {
        late_share_max: 0.01,
        cost_times_max: Some(2.0),
    };

    fn weighed(trials: &[Trial], terms: Terms, seed: u64) -> Weighed {
        let blocks = Parts::of(10.0 * 86_400.0).blocks();
        weigh(
            trials,
            &blocks,
            terms,
            &mut stream(seed, Stream::Resampling),
        )
    }

    fn verdict(trials: &[Trial], seed: u64) -> Verdict {
        weighed(trials, TERMS, seed).verdict
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

    /// A little more than 1 % late, nearly all of it on two of ten days.
    const CLOSE: [u64; 10] = [0, 60, 0, 2, 0, 0, 52, 0, 1, 0];

    #[test]
    fn a_miss_too_close_to_call_is_left_and_its_cure_is_named() {
        let trials = [
            trial(0, Days([10.0; 10], CLOSE)),
            trial(1, Days([100.0; 10], [0; 10])),
        ];
        let close = weighed(&trials, TERMS, 1);
        assert_eq!((close.verdict, close.best), (Verdict::TooCloseToCall, OWN));
        let cure = close.cure.expect("a cure");
        assert_eq!(cure.place, 1);
        let blocks = Parts::of(10.0 * 86_400.0).blocks();
        let chosen = cross_validate(&trials, &blocks, TERMS.at_any_cost());
        assert_eq!(cure.held_out, chosen);
        assert!(cure.held_out.chosen.contains(&1));
    }

    #[test]
    fn what_is_cheaper_and_no_later_is_worth_a_change_though_it_is_too_close_too() {
        let trials = [
            trial(0, Days(noise(10.0, 1), CLOSE)),
            trial(1, Days(noise(7.0, 2), CLOSE.map(|late| late * 3 / 4))),
            trial(1, Days([100.0; 10], [0; 10])),
        ];
        let close = weighed(&trials, TERMS, 1);
        assert_eq!((close.verdict, close.best), (Verdict::Cheaper, 1));
        assert_eq!(close.cure.map(|cure| cure.place), Some(2));
    }

    #[test]
    fn a_clear_miss_is_cured_up_to_so_many_times_the_cost_and_beyond_if_it_is_asked_for() {
        let own = trial(0, Days([10.0; 10], [30; 10]));
        let dearer = |hours| [own.clone(), trial(1, Days([hours; 10], [0; 10]))];
        assert_eq!(verdict(&dearer(20.0), 1), Verdict::KeepsObjective);
        let dear = weighed(&dearer(21.0), TERMS, 1);
        assert_eq!((dear.verdict, dear.best), (Verdict::TooDear, OWN));
        assert_eq!(dear.held_out.chosen, [OWN; 10], "nothing is changed");
        assert_eq!(dear.cure.map(|cure| cure.place), Some(1));
        let asked_for = weighed(&dearer(21.0), TERMS.at_any_cost(), 1);
        assert_eq!(asked_for.verdict, Verdict::KeepsObjective);
        assert_eq!(asked_for.cure, None, "what is to be done keeps it");
    }

    #[test]
    fn a_policy_that_keeps_its_objective_needs_no_cure() {
        let trials = [
            trial(0, Days([10.0; 10], [5; 10])),
            trial(1, Days([12.0; 10], [0; 10])),
        ];
        assert_eq!(weighed(&trials, TERMS, 1).cure, None);
    }
}
