//! Which settings are best on given days.
//!
//! Owns the rule. It sees sums alone, and must not know what a setting means.
//!
//! The cheapest that keeps the objective, with precautions against noise and against any price:
//!
//! * What differs from the policy must keep the objective by a standard error over days. Where the
//!   policy itself is too close to call, what is no later than the policy will do as well, and where
//!   its share is above what is allowed, a clear cure that costs no more goes first.
//! * Of all that are as good as the cheapest, within a standard error of the difference or a
//!   hundredth of the cost, the one with the fewest changes is chosen: the one-standard-error rule
//!   (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 7.10), with the
//!   policy as it stands for the simplest model.
//! * A miss that is too close to call is worth no clearly higher cost, and a clear one no more than
//!   so many times the cost.

use super::standing::{Lateness, Standing, error_of_sum};
use super::table::Sums;

/// A setting's runs, seen as a choice.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trial {
    /// In how many settings it differs from the policy; none for the policy's own.
    pub(super) changes: usize,
    /// What it came to, day by day.
    pub(super) days: Vec<Sums>,
}

/// The policy's own settings come first among trials.
pub(super) const OWN: usize = 0;

/// A saving below this share of the cost is not worth a change.
const WORTH_SHARE: f64 = 0.01;

/// What a choice is to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Terms {
    /// The share of messages that may start late, 0 to 1.
    pub(super) late_share_max: f64,
    /// So many times the policy's cost may be paid to keep an objective that it misses; `None` for
    /// any price, and then for a miss that is too close to call too.
    pub(super) cost_times_max: Option<f64>,
}

impl Terms {
    /// The same at any price.
    pub(super) fn at_any_cost(self) -> Self {
        Self {
            cost_times_max: None,
            ..self
        }
    }

    /// Whether a policy so late is to be cured of it.
    fn is_to_be_cured(self, own: Lateness) -> bool {
        match own.standing(self.late_share_max) {
            Standing::Kept => false,
            Standing::Missed => true,
            Standing::TooCloseToCall => {
                !own.keeps(self.late_share_max) && self.cost_times_max.is_none()
            }
        }
    }
}

/// What is best on given days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// This, by its place; the policy's own where nothing is better.
    Best(usize),
    /// The policy as it stands: it misses the objective, and all that keeps it costs more than is
    /// allowed.
    TooDear,
    /// The policy as it stands: it misses the objective, as does all that was tried.
    NothingKeeps,
}

impl Choice {
    /// What is used then.
    pub(super) fn place(self) -> usize {
        match self {
            Self::Best(place) => place,
            Self::TooDear | Self::NothingKeeps => OWN,
        }
    }
}

/// The best trial on the days named.
pub(super) fn choose(trials: &[Trial], days: &[usize], terms: Terms) -> Choice {
    let view = View { trials, days };
    let max = terms.late_share_max;
    let own = view.lateness(OWN);
    if terms.is_to_be_cured(own) {
        return view.cured(terms);
    }
    let [clearly, _] = view.keepers(max);
    if own.standing(max) == Standing::Kept {
        return Choice::Best(view.best(&clearly).unwrap_or(OWN));
    }
    // A policy that may keep the objective is left for nothing that clearly costs more.
    let is_no_dearer = |place: &usize| view.is_as_good(*place, OWN);
    if !own.keeps(max)
        && let Some(best) = view.best(&clearly).filter(is_no_dearer)
    {
        return Choice::Best(best);
    }
    let no_later = view.places(|_, late| {
        let is_no_later = late.share <= own.share && late.keeps(max);
        is_no_later || late.standing(max) == Standing::Kept
    });
    Choice::Best(view.best(&no_later).filter(is_no_dearer).unwrap_or(OWN))
}

/// The cheapest that keeps the objective at any price: by a standard error, or where nothing does,
/// by its share alone.
pub(super) fn cheapest_cure(trials: &[Trial], days: &[usize], terms: Terms) -> Option<usize> {
    let view = View { trials, days };
    let [clearly, closely] = view.keepers(terms.late_share_max);
    view.best(&clearly).or_else(|| view.best(&closely))
}

/// Trials on some days.
struct View<'a> {
    trials: &'a [Trial],
    days: &'a [usize],
}

impl View<'_> {
    /// The best that keeps the objective within the cost that is allowed, clearly if it can be.
    fn cured(&self, terms: Terms) -> Choice {
        let times = terms.cost_times_max.unwrap_or(f64::INFINITY);
        let hours_max = times * self.hours(OWN);
        let keepers = self.keepers(terms.late_share_max);
        for keepers in &keepers {
            let affordable: Vec<usize> = keepers
                .iter()
                .copied()
                .filter(|place| self.hours(*place) <= hours_max)
                .collect();
            if let Some(best) = self.best(&affordable) {
                return Choice::Best(best);
            }
        }
        if keepers.iter().all(Vec::is_empty) {
            Choice::NothingKeeps
        } else {
            Choice::TooDear
        }
    }

    /// What keeps the objective clearly, and what keeps it by its share alone.
    fn keepers(&self, late_share_max: f64) -> [Vec<usize>; 2] {
        [
            self.places(|_, late| late.standing(late_share_max) == Standing::Kept),
            self.places(|_, late| late.keeps(late_share_max)),
        ]
    }

    /// The cheapest of these, or of those as good the one with the fewest changes.
    fn best(&self, places: &[usize]) -> Option<usize> {
        let by_hours = |a: &usize, b: &usize| self.hours(*a).total_cmp(&self.hours(*b));
        let cheapest = places.iter().copied().min_by(by_hours)?;
        let as_good = places.iter().copied();
        let as_good = as_good.filter(|place| self.is_as_good(*place, cheapest));
        as_good.min_by(|a, b| {
            let fewest = self.trials[*a].changes.cmp(&self.trials[*b].changes);
            fewest.then_with(|| by_hours(a, b))
        })
    }

    /// Whether one costs no more than another, but for noise and what is not worth a change.
    fn is_as_good(&self, place: usize, than: usize) -> bool {
        let day_by_day = |day: &usize| {
            let day_of = |place: usize| self.trials[place].days[*day].instance_hours;
            day_of(place) - day_of(than)
        };
        let excess = self.days.iter().map(day_by_day);
        let noise = error_of_sum(excess.clone());
        excess.sum::<f64>() <= noise.max(WORTH_SHARE * self.hours(than))
    }

    fn places(&self, is_wanted: impl Fn(usize, Lateness) -> bool) -> Vec<usize> {
        let places = 0..self.trials.len();
        places
            .filter(|place| is_wanted(*place, self.lateness(*place)))
            .collect()
    }

    fn hours(&self, place: usize) -> f64 {
        self.sums(place).map(|day| day.instance_hours).sum()
    }

    fn lateness(&self, place: usize) -> Lateness {
        Lateness::of(self.sums(place))
    }

    fn sums(&self, place: usize) -> impl Iterator<Item = &Sums> + Clone {
        self.days
            .iter()
            .map(move |day| &self.trials[place].days[*day])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Days, trial};
    use super::*;

    const ALL: [usize; 4] = [0, 1, 2, 3];
    const TERMS: Terms = Terms {
        late_share_max: 0.01,
        cost_times_max: Some(2.0),
    };

    fn best(trials: &[Trial]) -> Choice {
        choose(trials, &ALL, TERMS)
    }

    #[test]
    fn chooses_the_cheapest_that_keeps_the_objective() {
        let trials = [
            trial(0, Days([10.0, 12.0, 11.0, 10.0], [0, 0, 0, 0])),
            trial(1, Days([8.0, 10.0, 9.0, 8.0], [2, 3, 2, 3])),
            trial(1, Days([5.0, 5.0, 5.0, 5.0], [20, 20, 30, 20])),
        ];
        assert_eq!(best(&trials), Choice::Best(1));
        let more = Terms {
            late_share_max: 0.05,
            ..TERMS
        };
        assert_eq!(
            choose(&trials, &ALL, more),
            Choice::Best(2),
            "where more may be late"
        );
        assert_eq!(best(&trials[..1]), Choice::Best(OWN));
    }

    #[test]
    fn stays_where_a_saving_is_within_its_noise() {
        let noisy = [
            trial(0, Days([10.0, 10.0, 10.0, 10.0], [0; 4])),
            trial(1, Days([4.0, 13.0, 12.0, 9.0], [0; 4])),
        ];
        assert_eq!(best(&noisy), Choice::Best(OWN));
        let small = [
            trial(0, Days([10.0, 10.0, 10.0, 10.0], [0; 4])),
            trial(1, Days([9.95, 9.95, 9.95, 9.95], [0; 4])),
        ];
        assert_eq!(best(&small), Choice::Best(OWN), "nor for half a hundredth");
    }

    #[test]
    fn of_equals_the_one_with_the_fewest_changes() {
        let trials = [
            trial(0, Days([10.0; 4], [0; 4])),
            trial(3, Days([7.95; 4], [0; 4])),
            trial(1, Days([8.0; 4], [0; 4])),
        ];
        assert_eq!(best(&trials), Choice::Best(2));
    }

    #[test]
    fn what_keeps_the_objective_by_luck_is_not_chosen() {
        // 36 of 4000 late, all on one day: 0.9 %, give or take 0.9.
        let trials = [
            trial(0, Days([10.0; 4], [0; 4])),
            trial(1, Days([8.0; 4], [0, 36, 0, 0])),
        ];
        assert_eq!(best(&trials), Choice::Best(OWN));
        let evenly = [trials[0].clone(), trial(1, Days([8.0; 4], [9, 9, 9, 9]))];
        assert_eq!(best(&evenly), Choice::Best(1));
    }

    #[test]
    fn a_policy_that_misses_the_objective_is_left_for_a_dearer_one() {
        let trials = [
            trial(0, Days([10.0; 4], [30; 4])),
            trial(1, Days([13.0; 4], [5; 4])),
            trial(1, Days([15.0; 4], [0; 4])),
        ];
        assert_eq!(best(&trials), Choice::Best(1));
        assert_eq!(best(&trials[..1]), Choice::NothingKeeps);
    }

    #[test]
    fn only_the_days_named_count() {
        let trials = [
            trial(0, Days([10.0, 10.0, 10.0, 99.0], [0; 4])),
            trial(1, Days([11.0, 11.0, 11.0, 1.0], [0; 4])),
        ];
        assert_eq!(choose(&trials, &[0, 1, 2], TERMS), Choice::Best(OWN));
        assert_eq!(choose(&trials, &[3], TERMS), Choice::Best(1));
    }

    /// 46 of 4000 late, all on one day: 1.15 %, give or take 1.15.
    const CLOSE: [u64; 4] = [0, 46, 0, 0];

    #[test]
    fn a_miss_too_close_to_call_is_not_worth_a_clearly_higher_cost() {
        let trials = [
            trial(0, Days([10.0; 4], CLOSE)),
            trial(1, Days([10.5; 4], [0; 4])),
        ];
        assert_eq!(best(&trials), Choice::Best(OWN));
        let as_dear = [trials[0].clone(), trial(1, Days([10.05; 4], [0; 4]))];
        assert_eq!(best(&as_dear), Choice::Best(1), "for half a hundredth");
        let at_any_cost = choose(&trials, &ALL, TERMS.at_any_cost());
        assert_eq!(at_any_cost, Choice::Best(1));
        assert_eq!(cheapest_cure(&trials, &ALL, TERMS), Some(1));
    }

    #[test]
    fn where_the_policy_is_too_close_to_call_what_is_no_later_will_do() {
        let own = trial(0, Days([10.0; 4], CLOSE));
        let no_later = trial(1, Days([8.0; 4], [0, 36, 0, 0]));
        assert_eq!(best(&[own.clone(), no_later.clone()]), Choice::Best(1));
        let late_too = trial(1, Days([8.0; 4], [0, 44, 0, 0]));
        assert_eq!(best(&[own, late_too.clone()]), Choice::Best(OWN));
        let keeps = trial(0, Days([10.0; 4], [0, 30, 0, 0]));
        assert_eq!(best(&[keeps, no_later]), Choice::Best(OWN), "but later");
    }

    #[test]
    fn a_clear_cure_that_costs_no_more_goes_before_a_cheaper_unclear_one() {
        let trials = [
            trial(0, Days([10.0; 4], CLOSE)),
            trial(1, Days([8.0; 4], [0, 36, 0, 0])),
            trial(1, Days([9.0; 4], [1; 4])),
        ];
        assert_eq!(best(&trials), Choice::Best(2));
    }

    #[test]
    fn a_clear_miss_is_cured_within_the_cost_that_is_allowed() {
        let own = trial(0, Days([10.0; 4], [30; 4]));
        let twice = trial(1, Days([20.0; 4], [0; 4]));
        let thrice = trial(1, Days([30.0; 4], [0; 4]));
        let closely = trial(1, Days([15.0; 4], [0, 36, 0, 0]));
        let all = [own.clone(), thrice.clone(), twice.clone(), closely.clone()];
        assert_eq!(best(&all), Choice::Best(2), "clearly, if it can be");
        let all = [own.clone(), thrice.clone(), closely];
        assert_eq!(best(&all), Choice::Best(2), "else closely");
        let all = [own, thrice];
        assert_eq!(best(&all), Choice::TooDear);
        assert_eq!(Choice::TooDear.place(), OWN);
        assert_eq!(choose(&all, &ALL, TERMS.at_any_cost()), Choice::Best(1));
        assert_eq!(cheapest_cure(&all, &ALL, TERMS), Some(1));
    }
}
