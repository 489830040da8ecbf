//! Whether a late share keeps an objective, misses it, or is too close to it to call.
//!
//! Owns the late share's uncertainty. It must not weigh costs.

use serde::Serialize;

use super::table::Sums;

/// How a late share stands to the share that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Within it by a standard error or more.
    Kept,
    /// Above it by more than a standard error.
    Missed,
    /// Within a standard error of it: other days of the same kind may tell otherwise.
    TooCloseToCall,
}

/// A late share and its standard error over days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lateness {
    /// 0 to 1.
    pub(super) share: f64,
    /// One standard error, as a share.
    pub(super) error: f64,
}

impl Lateness {
    /// A ratio of two sums over days: its error is that of the residuals (Cochran, Sampling
    /// Techniques, section 2.11).
    pub(super) fn of<'a>(days: impl Iterator<Item = &'a Sums> + Clone) -> Self {
        let all = Sums::of(days.clone());
        let share = all.late_share();
        let residual = |day: &Sums| day.late as f64 - share * day.messages as f64;
        let messages = all.messages.max(1) as f64;
        Self {
            share,
            error: error_of_sum(days.map(residual)) / messages,
        }
    }

    /// Whether the share itself is within what is allowed, whatever its error.
    pub(super) fn keeps(self, late_share_max: f64) -> bool {
        self.share <= late_share_max
    }

    /// How it stands to what is allowed.
    pub(super) fn standing(self, late_share_max: f64) -> Standing {
        if self.share + self.error <= late_share_max {
            Standing::Kept
        } else if self.share - self.error > late_share_max {
            Standing::Missed
        } else {
            Standing::TooCloseToCall
        }
    }
}

/// The standard error of a sum of independent draws.
pub(super) fn error_of_sum(draws: impl Iterator<Item = f64> + Clone) -> f64 {
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

    fn lateness<const N: usize>(late: [u64; N]) -> Lateness {
        Lateness::of(trial(0, Days([1.0; N], late)).days.iter())
    }

    #[test]
    fn the_error_is_the_standard_error_of_the_mean_where_days_are_equal() {
        // 0, 10, 20 and 30 of a thousand: the mean is 1.5 %, the deviation 1.291 %, of 4 days.
        let lateness = lateness([0, 10, 20, 30]);
        assert!((lateness.share - 0.015).abs() < 1e-12);
        assert!((lateness.error - 0.012_910 / 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_share_within_its_error_is_too_close_to_call_on_either_side() {
        let on_one_day = lateness([0, 0, 0, 46]);
        assert!(!on_one_day.keeps(0.01));
        assert_eq!(on_one_day.standing(0.01), Standing::TooCloseToCall);
        let below = lateness([0, 0, 0, 36]);
        assert!(below.keeps(0.01));
        assert_eq!(below.standing(0.01), Standing::TooCloseToCall);
    }

    #[test]
    fn an_even_share_is_called() {
        assert_eq!(lateness([12; 4]).standing(0.01), Standing::Missed);
        assert_eq!(lateness([10; 4]).standing(0.01), Standing::Kept);
        assert_eq!(lateness([0; 4]).standing(0.0), Standing::Kept);
    }
}
