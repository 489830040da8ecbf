//! Between the minima of the grid.
//!
//! Owns which minimum is tried next, so that keeping an objective costs as little as it can. It must
//! not run anything.
//!
//! With all else equal, a higher minimum costs more and is less late. So between one that does not
//! clearly keep the objective and one that does, the cheapest that does is found by halving. All
//! minima are as good as tried; those that cannot be the cheapest are spared. That is why it leaks
//! nothing from days that are held out: each choice halves for itself, on its own days alone, and
//! what another's halving has tried beside is dearer, or too late.

use super::choose::{OWN, Terms, Trial, cheapest_cure};
use super::settings::Settings;
use super::standing::{Lateness, Standing};
use crate::model::Instances;

/// Halving ends where the next minimum would be nearer than this share of the one that keeps.
const CLOSE_SHARE: f64 = 0.05;

/// The settings to be tried next, for the days named; `None` where nothing between can be cheaper,
/// or where the policy keeps its objective there. Settings and trials in the same order.
pub(super) fn between(
    (settings, trials): (&[Settings], &[Trial]),
    days: &[usize],
    terms: Terms,
) -> Option<Settings> {
    let lateness = |place: usize| Lateness::of(days.iter().map(|day| &trials[place].days[*day]));
    let is_kept = |place: usize| lateness(place).standing(terms.late_share_max) == Standing::Kept;
    if lateness(OWN).keeps(terms.late_share_max) {
        return None;
    }
    let cure = cheapest_cure(trials, days, terms).filter(|cure| is_kept(*cure))?;
    let high = settings[cure];
    let is_below = |place: &usize| {
        let one = settings[*place];
        one.min < high.min
            && Settings {
                min: high.min,
                ..one
            } == high
            && !is_kept(*place)
    };
    let below = (0..trials.len()).filter(is_below);
    let low = below.map(|place| settings[place].min).max()?;
    let gap = high.min.0 - low.0;
    let is_close = f64::from(gap) <= CLOSE_SHARE * f64::from(high.min.0);
    let next = Settings {
        min: Instances(low.0 + gap / 2),
        ..high
    };
    (gap > 1 && !is_close && !settings.contains(&next)).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Days, trial};
    use super::*;

    const DAYS: [usize; 4] = [0, 1, 2, 3];
    const TERMS: Terms = Terms {
        late_share_max: 0.01,
        cost_times_max: Some(2.0),
    };

    /// Late until there are so many at least.
    fn tried(minima: &[u32], kept_from: u32) -> (Vec<Settings>, Vec<Trial>) {
        let minima = minima.iter().copied();
        let one = |min: u32| {
            let late = if min < kept_from { 30 } else { 0 };
            let hours = 10.0 + f64::from(min);
            let trial = trial(usize::from(min > 0), Days([hours; 4], [late; 4]));
            (Settings::defaults(Instances(min)), trial)
        };
        minima.map(one).unzip()
    }

    fn found_from(minima: &[u32], kept_from: u32) -> (u32, usize) {
        let (mut settings, mut trials) = tried(minima, kept_from);
        let mut rounds = 0;
        while let Some(next) = between((&settings, &trials), &DAYS, TERMS) {
            assert!(!settings.contains(&next), "{next:?} twice");
            let (more, trial) = tried(&[next.min.0], kept_from);
            settings.extend(more);
            trials.extend(trial);
            rounds += 1;
        }
        let cure = cheapest_cure(&trials, &DAYS, TERMS).expect("a cure");
        (settings[cure].min.0, rounds)
    }

    #[test]
    fn the_smallest_minimum_that_keeps_the_objective_is_found_by_halving() {
        assert_eq!(found_from(&[0, 1, 2, 5, 10, 20], 13), (13, 3));
        assert_eq!(found_from(&[0, 1, 2, 5, 10, 20], 3), (3, 1));
        assert_eq!(found_from(&[0, 1, 2, 5], 1), (1, 0));
    }

    #[test]
    fn it_ends_where_it_is_as_good_as_there() {
        let (found, rounds) = found_from(&[0, 200, 500], 300);
        assert!((300..=315).contains(&found), "{found}");
        assert!(rounds <= 6, "{rounds}");
    }

    #[test]
    fn a_policy_that_keeps_its_objective_needs_none() {
        let (settings, trials) = tried(&[0, 20], 0);
        assert_eq!(between((&settings, &trials), &DAYS, TERMS), None);
    }

    #[test]
    fn where_nothing_keeps_it_there_is_nothing_between() {
        let (settings, trials) = tried(&[0, 20], 50);
        assert_eq!(between((&settings, &trials), &DAYS, TERMS), None);
    }

    #[test]
    fn only_the_days_named_are_looked_at() {
        let (settings, mut trials) = tried(&[0, 20], 20);
        trials[OWN].days[0].late = 0;
        assert_eq!(between((&settings, &trials), &[0], TERMS), None);
        assert!(between((&settings, &trials), &[1], TERMS).is_some());
    }
}
