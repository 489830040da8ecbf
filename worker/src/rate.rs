//! How many jobs may start a second. Pure: `now` is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket of starts: it fills at a steady rate and holds a second's worth, at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartRate {
    per_second: f64,
    held: f64,
    burst: f64,
    as_of: Option<Instant>,
}

impl StartRate {
    /// A full bucket; `per_second` is above zero.
    pub(crate) fn new(per_second: f64) -> Self {
        let burst = per_second.floor().max(1.0);
        Self {
            per_second,
            held: burst,
            burst,
            as_of: None,
        }
    }

    /// The most that may start at once.
    pub(crate) fn burst(&self) -> usize {
        usize::try_from(crate::clock::whole(self.burst)).unwrap_or(usize::MAX)
    }

    /// How many jobs may start at `now`.
    pub(crate) fn available(&mut self, now: Instant) -> usize {
        let since = self
            .as_of
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.as_of = Some(now);
        self.held = (self.held + since.as_secs_f64() * self.per_second).min(self.burst);
        // A hair of rounding must not cost a start that is due.
        usize::try_from(crate::clock::whole(self.held + 1e-9)).unwrap_or(0)
    }

    /// Takes so many starts.
    pub(crate) fn take(&mut self, starts: usize) {
        self.held -= starts as f64;
    }

    /// Gives back what was taken and did not start.
    pub(crate) fn give_back(&mut self, starts: usize) {
        self.held = (self.held + starts as f64).min(self.burst);
    }

    /// When the next job may start, if none may now.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        let short = 1.0 - self.held;
        let wait = Duration::from_secs_f64((short / self.per_second).clamp(0.0, 1e9));
        (short > 1e-9).then_some(self.as_of? + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_keep_to_the_rate_after_a_burst_of_one_second() {
        let now = crate::clock::Clock::system().instant();
        let mut rate = StartRate::new(5.0);
        let mut started = 0;
        for tenth in 0..100 {
            let at = now + Duration::from_millis(100 * tenth);
            let may = rate.available(at);
            rate.take(may);
            started += may;
        }
        // A bucket of five, and five a second for 9.9 s.
        assert_eq!(started, 5 + 49);
    }

    #[test]
    fn slow_rate_says_when_the_next_may_start() {
        let now = crate::clock::Clock::system().instant();
        let mut rate = StartRate::new(0.1);
        assert_eq!(rate.available(now), 1);
        assert_eq!(rate.next_at(), None);
        rate.take(1);
        assert_eq!(rate.available(now), 0);
        assert_eq!(rate.next_at(), Some(now + Duration::from_secs(10)));
        assert_eq!(rate.available(now + Duration::from_secs(10)), 1);
    }

    #[test]
    fn what_did_not_start_is_given_back_but_never_hoarded() {
        let now = crate::clock::Clock::system().instant();
        let mut rate = StartRate::new(2.0);
        assert_eq!(rate.available(now), 2);
        rate.take(2);
        rate.give_back(5);
        assert_eq!(rate.available(now), 2);
    }
}
