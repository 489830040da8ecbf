//! How long to wait before trying again. Pure: the random number is an argument.
//!
//! It must not wait itself.

use std::time::Duration;

/// SQS hides a message for at most 12 hours, counted from its receive; extensions do not reset it
/// (SQS Developer Guide, "Amazon SQS visibility timeout").
pub const HIDDEN_MAX: Duration = Duration::from_hours(12);

/// Exponential backoff with full jitter: anything from zero to `base · 2^(failures-1)`, at most
/// `cap`. Full jitter spreads a crowd of retries the widest (AWS Architecture Blog, "Exponential
/// Backoff And Jitter").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the first delay.
    pub base: Duration,
    /// Ceiling of every delay.
    pub cap: Duration,
}

impl Backoff {
    /// For calls to AWS that failed past the SDK's own retries.
    pub const CALLS: Self = Self {
        base: Duration::from_millis(200),
        cap: Duration::from_secs(20),
    };

    /// The delay after `failures` failures in a row; `unit` is uniform in [0, 1).
    pub fn delay(self, failures: u32, unit: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.cap);
        ceiling.mul_f64(unit.clamp(0.0, 1.0))
    }
}

/// What a message may still be hidden for, `held` after its receive: `wanted`, cut to what SQS
/// accepts. A second is kept back, as SQS refuses a timeout that ends late by its own clock.
pub fn hidden_at_most(wanted: Duration, held: Duration) -> Duration {
    wanted.min(HIDDEN_MAX.saturating_sub(held + Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_secs(5),
        cap: Duration::from_mins(1),
    };

    #[test]
    fn ceilings_double_up_to_the_cap() {
        let ceilings: Vec<u64> = (0..7).map(|n| BACKOFF.delay(n, 1.0).as_secs()).collect();
        assert_eq!(ceilings, [5, 5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(BACKOFF.delay(3, 0.0), Duration::ZERO);
        assert_eq!(BACKOFF.delay(3, 0.5), Duration::from_secs(10));
    }

    #[test]
    fn survives_hostile_counts() {
        assert_eq!(BACKOFF.delay(u32::MAX, 1.0), Duration::from_mins(1));
        assert_eq!(BACKOFF.delay(u32::MAX, f64::INFINITY), BACKOFF.cap);
    }

    #[test]
    fn never_hides_past_twelve_hours_from_the_receive() {
        let day = Duration::from_hours(24);
        assert_eq!(hidden_at_most(day, Duration::ZERO).as_secs(), 43_199);
        assert_eq!(hidden_at_most(day, day), Duration::ZERO);
    }
}
