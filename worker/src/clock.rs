//! The clock: the one place where the worker reads the time and waits.
//!
//! It must not decide anything: what a time means is for the callers to say.
#![expect(
    clippy::disallowed_methods,
    reason = "this is where the worker reads the clock and waits"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Two clocks: the wall's, in Unix seconds, which other machines can compare with their own; and a
/// monotonic one for intervals, which nobody can set back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Option<(f64, Instant)>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { anchor: None }
    }

    /// A clock that starts at `unix_seconds` and moves with tokio's: paused in tests.
    pub fn starting_at(unix_seconds: f64) -> Self {
        Self {
            anchor: Some((unix_seconds, Instant::now())),
        }
    }

    /// Wall time, Unix seconds.
    pub fn unix_seconds(self) -> f64 {
        match self.anchor {
            Some((start, since)) => start + since.elapsed().as_secs_f64(),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |since| since.as_secs_f64()),
        }
    }

    /// Monotonic time.
    pub fn instant(self) -> Instant {
        Instant::now()
    }
}

/// A number without its fraction, as DynamoDB's TTL wants its seconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast cuts the fraction, saturates, and makes zero of NaN: all of it wanted"
)]
pub fn whole(number: f64) -> i64 {
    number as i64
}

/// Waits.
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
