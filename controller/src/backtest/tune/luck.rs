//! How often the best of many would look as good by luck.
//!
//! Owns the test for having searched. Of seventy settings that are all equal, the best looks better
//! than it is; so the chance that one of them looks so good by luck is taken as many times as there
//! are settings (Bonferroni's bound). Settings are much alike, so that it errs on the safe side.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::choose::{OWN, Trial};

/// The chance, at most, that one of the trials saves as much against the policy's own settings as
/// the best, if in truth none saves anything: Student's, paired by days; 0 to 1.
pub(super) fn chance_of_luck(trials: &[Trial], best: usize) -> f64 {
    let days = trials[OWN].days.iter().zip(&trials[best].days);
    let saved: Vec<f64> = days
        .map(|(own, best)| own.instance_hours - best.instance_hours)
        .collect();
    let count = saved.len() as f64;
    let mean = saved.iter().sum::<f64>() / count;
    if mean <= 0.0 {
        return 1.0;
    }
    let squares: f64 = saved.iter().map(|hours| (hours - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    if error <= 0.0 {
        return 0.0;
    }
    let student = StudentsT::new(0.0, 1.0, count - 1.0).expect("invariant: there are days");
    let others = (trials.len() - 1) as f64;
    (others * student.sf(mean / error)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Days, noise, trial};
    use super::*;

    #[test]
    fn a_saving_on_every_day_is_no_luck() {
        let trials = [
            trial(0, Days(noise(100.0, 1), [0; 10])),
            trial(1, Days(noise(70.0, 2), [0; 10])),
        ];
        assert!(chance_of_luck(&trials, 1) < 0.001);
        let even = [
            trial(0, Days([100.0; 10], [0; 10])),
            trial(1, Days([99.0; 10], [0; 10])),
        ];
        assert!(chance_of_luck(&even, 1) < 1e-9, "without any noise");
        assert!(chance_of_luck(&even, OWN) > 0.99, "no change saves nothing");
    }

    #[test]
    fn one_of_two_is_students_chance() {
        // A mean of 1 and a standard deviation of 2 over four days: t is 1, with 3 degrees of
        // freedom, which is reached in 19.55 of 100 cases.
        let saved = [-1.0, 0.0, 2.0, 3.0];
        let mean: f64 = saved.iter().sum::<f64>() / 4.0;
        let squares: f64 = saved.iter().map(|hours| (hours - mean).powi(2)).sum();
        let scale = (12.0 / squares).sqrt();
        let hours = saved.map(|hours| 9.0 - (hours - mean) * scale);
        let trials = [
            trial(0, Days([10.0; 4], [0; 4])),
            trial(1, Days(hours, [0; 4])),
        ];
        assert!((chance_of_luck(&trials, 1) - 0.1955).abs() < 1e-4);
    }

    #[test]
    fn the_best_of_many_is_held_against_all_of_them() {
        let mut trials = vec![
            trial(0, Days([100.0; 10], [0; 10])),
            trial(1, Days(noise(97.0, 5), [0; 10])),
        ];
        let alone = chance_of_luck(&trials, 1);
        trials.extend((100..107).map(|n| trial(1, Days(noise(100.0, n), [0; 10]))));
        let among_many = chance_of_luck(&trials, 1);
        assert!(
            (among_many - (8.0 * alone).min(1.0)).abs() < 1e-12,
            "{alone} {among_many}"
        );
    }
}
