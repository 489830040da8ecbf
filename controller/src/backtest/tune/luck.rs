//! How often the best of many would look as good by luck.
//!
//! Owns the test for having searched. Of seventy settings that are all equal, the best looks better
//! than it is; so its saving is held against the largest of all settings' savings, over days drawn
//! anew and with each setting's own saving taken away (White, A Reality Check for Data Snooping,
//! Econometrica 68, 2000; in units of each one's standard error, as Romano and Wolf have it,
//! Econometrica 73, 2005).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::choose::{OWN, Trial, WORTH_SHARE};
use super::table::Sums;

/// How often days are drawn anew.
const DRAWS: u32 = 2000;

/// The share of draws in which some setting's saving against the policy's own strays as far from
/// its mean as the best one's mean is from nothing, and far enough to be worth a change; 0 to 1.
pub(super) fn chance_of_luck(trials: &[Trial], best: usize, chance: &mut ChaCha8Rng) -> f64 {
    let savings: Vec<Saving> = (trials.iter())
        .map(|trial| Saving::of(&trials[OWN], trial))
        .collect();
    let days = trials[OWN].days.len();
    let Saving { mean, error, .. } = savings[best];
    if mean <= 0.0 {
        return 1.0;
    }
    let hours = Sums::of(&trials[OWN].days).instance_hours / days as f64;
    let at_stake = Stray {
        hours: WORTH_SHARE * hours,
        errors: mean / error,
    };
    let as_good = (0..DRAWS).filter(|_| {
        let drawn: Vec<usize> = (0..days).map(|_| chance.random_range(0..days)).collect();
        let strays = |saving: &Saving| saving.strays(&drawn).reaches(&at_stake);
        savings.iter().any(strays)
    });
    f64::from(u32::try_from(as_good.count()).unwrap_or(DRAWS)) / f64::from(DRAWS)
}

/// How far a mean is above another.
struct Stray {
    /// A day.
    hours: f64,
    /// In standard errors.
    errors: f64,
}

impl Stray {
    fn reaches(&self, at_stake: &Self) -> bool {
        self.hours >= at_stake.hours && self.errors >= at_stake.errors
    }
}

/// Instance-hours saved against the policy's own settings, a day.
struct Saving {
    days: Vec<f64>,
    mean: f64,
    /// The mean's standard error.
    error: f64,
}

impl Saving {
    fn of(own: &Trial, trial: &Trial) -> Self {
        let days = own.days.iter().zip(&trial.days);
        let days: Vec<f64> = days
            .map(|(own, day)| own.instance_hours - day.instance_hours)
            .collect();
        let (mean, error) = mean_and_error(days.iter().copied());
        Self { days, mean, error }
    }

    /// How far its mean over these days is above its mean; in standard errors as these days show
    /// them, since few days show errors too small as often as the real ones do.
    fn strays(&self, drawn: &[usize]) -> Stray {
        let (mean, error) = mean_and_error(drawn.iter().map(|day| self.days[*day]));
        let hours = mean - self.mean;
        Stray {
            hours,
            errors: hours / error,
        }
    }
}

fn mean_and_error(draws: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = draws.clone().count() as f64;
    let mean = draws.clone().sum::<f64>() / count;
    let squares: f64 = draws.map(|draw| (draw - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Days, noise, trial};
    use super::*;
    use crate::sim::chance::{Stream, stream};

    fn luck(trials: &[Trial], best: usize) -> f64 {
        chance_of_luck(trials, best, &mut stream(1, Stream::Resampling))
    }

    #[test]
    fn a_saving_on_every_day_is_no_luck() {
        let trials = [
            trial(0, Days(noise(100.0, 1), [0; 10])),
            trial(1, Days(noise(70.0, 2), [0; 10])),
        ];
        assert!(luck(&trials, 1) < 0.01);
        let even = [
            trial(0, Days([100.0; 10], [0; 10])),
            trial(1, Days([99.0; 10], [0; 10])),
        ];
        assert!(luck(&even, 1) < 0.01, "without any noise");
        assert!(luck(&even, OWN) > 0.99, "nothing is saved by no change");
    }

    #[test]
    fn the_best_of_many_is_held_against_all_of_them() {
        let hours = noise(97.0, 5);
        let mut trials = vec![
            trial(0, Days([100.0; 10], [0; 10])),
            trial(1, Days(hours, [0; 10])),
        ];
        let alone = luck(&trials, 1);
        trials.extend((100..170).map(|n| trial(1, Days(noise(100.0, n), [0; 10]))));
        let among_many = luck(&trials, 1);
        assert!(
            among_many > 2.0 * alone && among_many > 0.2,
            "{alone} {among_many}"
        );
    }
}
