//! Which settings are best on given days.
//!
//! Owns the rule. It sees sums alone, and must not know what a setting means.
//!
//! The cheapest that keeps the objective, with two precautions against noise. What differs from the
//! policy must keep the objective by a standard error over days. And of all that are as good as the
//! cheapest, within a standard error of the difference or a hundredth of the cost, the one with the
//! fewest changes is chosen: the one-standard-error rule (Hastie, Tibshirani and Friedman, The
//! Elements of Statistical Learning, section 7.10), with the policy as it stands for the simplest
//! model.

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

/// The best trial on the days named, by its place; `None` where none keeps the objective.
pub(super) fn choose(trials: &[Trial], days: &[usize], late_share_max: f64) -> Option<usize> {
    let late = |trial: &Trial| Lateness::of(trial, days);
    let keeps = |trial: &Trial| late(trial).share <= late_share_max;
    let keeps_surely = |trial: &Trial| {
        let late = late(trial);
        let margin = if trial.changes == 0 { 0.0 } else { late.error };
        late.share + margin <= late_share_max
    };
    let of = |keeps: &dyn Fn(&Trial) -> bool| -> Vec<usize> {
        let places = 0..trials.len();
        places.filter(|place| keeps(&trials[*place])).collect()
    };
    let mut keepers = of(&keeps_surely);
    if keepers.is_empty() {
        keepers = of(&keeps);
    }
    let hours = |place: &usize| on(&trials[*place], days).instance_hours;
    let by_hours = |a: &usize, b: &usize| hours(a).total_cmp(&hours(b));
    let best = keepers.iter().copied().min_by(by_hours)?;
    let is_as_good = |place: &usize| {
        let excess = Excess::of(&trials[*place], &trials[best], days);
        excess.hours <= excess.error.max(WORTH_SHARE * hours(&best))
    };
    keepers.into_iter().filter(is_as_good).min_by(|a, b| {
        let fewest = trials[*a].changes.cmp(&trials[*b].changes);
        fewest.then_with(|| by_hours(a, b))
    })
}

/// A trial's sums over the days named.
pub(super) fn on(trial: &Trial, days: &[usize]) -> Sums {
    Sums::of(days.iter().map(|day| &trial.days[*day]))
}

/// A late share and its standard error.
struct Lateness {
    share: f64,
    error: f64,
}

impl Lateness {
    /// A ratio of two sums over days: its error is that of the residuals (Cochran, Sampling
    /// Techniques, section 2.11).
    fn of(trial: &Trial, days: &[usize]) -> Self {
        let all = on(trial, days);
        let share = all.late_share();
        let residual = |day: &usize| {
            let day = &trial.days[*day];
            day.late as f64 - share * day.messages as f64
        };
        let messages = all.messages.max(1) as f64;
        Self {
            share,
            error: error_of_sum(days.iter().map(residual)) / messages,
        }
    }
}

/// How much more hours one trial cost than another, and the standard error of it.
struct Excess {
    hours: f64,
    error: f64,
}

impl Excess {
    fn of(trial: &Trial, than: &Trial, days: &[usize]) -> Self {
        let excess = |day: &usize| trial.days[*day].instance_hours - than.days[*day].instance_hours;
        Self {
            hours: days.iter().map(excess).sum(),
            error: error_of_sum(days.iter().map(excess)),
        }
    }
}

/// The standard error of a sum of independent draws.
fn error_of_sum(draws: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = draws.clone().count() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let mean = draws.clone().sum::<f64>() / count;
    let squares: f64 = draws.map(|draw| (draw - mean).powi(2)).sum();
    (count * squares / (count - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Days, trial};
    use super::*;

    const ALL: [usize; 4] = [0, 1, 2, 3];
    const MAX: f64 = 0.01;

    #[test]
    fn chooses_the_cheapest_that_keeps_the_objective() {
        let trials = [
            trial(0, Days([10.0, 12.0, 11.0, 10.0], [0, 0, 0, 0])),
            trial(1, Days([8.0, 10.0, 9.0, 8.0], [2, 3, 2, 3])),
            trial(1, Days([5.0, 5.0, 5.0, 5.0], [20, 20, 30, 20])),
        ];
        assert_eq!(choose(&trials, &ALL, MAX), Some(1));
        assert_eq!(
            choose(&trials, &ALL, 0.05),
            Some(2),
            "where more may be late"
        );
        assert_eq!(choose(&trials[..1], &ALL, MAX), Some(OWN));
    }

    #[test]
    fn stays_where_a_saving_is_within_its_noise() {
        let noisy = [
            trial(0, Days([10.0, 10.0, 10.0, 10.0], [0; 4])),
            trial(1, Days([4.0, 13.0, 12.0, 9.0], [0; 4])),
        ];
        assert_eq!(choose(&noisy, &ALL, MAX), Some(OWN));
        let small = [
            trial(0, Days([10.0, 10.0, 10.0, 10.0], [0; 4])),
            trial(1, Days([9.95, 9.95, 9.95, 9.95], [0; 4])),
        ];
        assert_eq!(
            choose(&small, &ALL, MAX),
            Some(OWN),
            "nor for half a hundredth"
        );
    }

    #[test]
    fn of_equals_the_one_with_the_fewest_changes() {
        let trials = [
            trial(0, Days([10.0; 4], [0; 4])),
            trial(3, Days([7.95; 4], [0; 4])),
            trial(1, Days([8.0; 4], [0; 4])),
        ];
        assert_eq!(choose(&trials, &ALL, MAX), Some(2));
    }

    #[test]
    fn what_keeps_the_objective_by_luck_is_not_chosen() {
        // 36 of 4000 late, all on one day: 0.9 %, give or take 0.9.
        let trials = [
            trial(0, Days([10.0; 4], [0; 4])),
            trial(1, Days([8.0; 4], [0, 36, 0, 0])),
        ];
        assert_eq!(choose(&trials, &ALL, MAX), Some(OWN));
        let evenly = [trials[0].clone(), trial(1, Days([8.0; 4], [9, 9, 9, 9]))];
        assert_eq!(choose(&evenly, &ALL, MAX), Some(1));
    }

    #[test]
    fn a_policy_that_misses_the_objective_is_left_for_a_dearer_one() {
        let trials = [
            trial(0, Days([10.0; 4], [30; 4])),
            trial(1, Days([13.0; 4], [5; 4])),
            trial(1, Days([15.0; 4], [0; 4])),
        ];
        assert_eq!(choose(&trials, &ALL, MAX), Some(1));
        assert_eq!(choose(&trials[..1], &ALL, MAX), None);
    }

    #[test]
    fn only_the_days_named_count() {
        let trials = [
            trial(0, Days([10.0, 10.0, 10.0, 99.0], [0; 4])),
            trial(1, Days([11.0, 11.0, 11.0, 1.0], [0; 4])),
        ];
        assert_eq!(choose(&trials, &[0, 1, 2], MAX), Some(OWN));
        assert_eq!(choose(&trials, &[3], MAX), Some(1));
    }
}
