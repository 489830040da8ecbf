//! Late and noisy counts: what `GetQueueAttributes` calls approximate, made as bad as configured.
//!
//! "It can take at least one minute after the producers stop sending for the values to reach
//! eventual consistency" (`GetQueueAttributes`).

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::super::Time;
use super::Counts;

/// How far reported counts may be from the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountLag {
    /// Reports say what was true this long ago.
    pub delay: Duration,
    /// Each count is off by up to this share of itself, either way.
    pub noise: f64,
}

impl CountLag {
    /// Counts are true.
    pub const EXACT: CountLag = CountLag {
        delay: Duration::ZERO,
        noise: 0.0,
    };
}

impl Default for CountLag {
    fn default() -> Self {
        Self::EXACT
    }
}

/// The counts of one queue in the recent past, oldest first.
#[derive(Debug, Default)]
pub(super) struct LaggedCounts {
    past: VecDeque<(Time, Counts)>,
}

impl LaggedCounts {
    /// Notes what is true now. A tenth of the delay is resolution enough.
    pub(super) fn note(&mut self, now: Time, counts: Counts, lag: &CountLag) {
        let fine = lag.delay / 10;
        if self
            .past
            .back()
            .is_none_or(|(at, _)| now.since(*at) >= fine)
        {
            self.past.push_back((now, counts));
        }
        // The newest entry that is old enough is the one to report; what is older can go.
        while self.past.len() > 1 && self.past[1].0 + lag.delay <= now {
            self.past.pop_front();
        }
    }

    /// What is reported now: the past as it was, blurred. A queue younger than the delay holds
    /// nothing yet.
    pub(super) fn report(
        &mut self,
        now: Time,
        counts: Counts,
        lag: &CountLag,
        rng: &mut ChaCha8Rng,
    ) -> Counts {
        self.note(now, counts, lag);
        let seen = match self.past.front() {
            Some((at, counts)) if *at + lag.delay <= now => *counts,
            _ => Counts::default(),
        };
        let mut blur = |count: u64| {
            let off = rng.random_range(-1.0..=1.0) * lag.noise;
            // Rounded and never negative, so the cast keeps the value.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let blurred = (count as f64 * (1.0 + off)).round().max(0.0) as u64;
            blurred
        };
        Counts {
            visible: blur(seen.visible),
            in_flight: blur(seen.in_flight),
            delayed: blur(seen.delayed),
        }
    }
}
