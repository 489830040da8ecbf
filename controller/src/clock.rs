//! The only place in the controller that reads the time of day.
//!
//! Everything else takes `now` as an argument. This module must not wait: schedules belong to
//! the loops that keep them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::{Seconds, UnixSeconds};

/// Tells the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands until it is moved, for tests and simulations. Clones share it.
    Manual(Arc<Mutex<UnixSeconds>>),
}

impl Clock {
    /// A clock that stands at `at`.
    pub fn manual(at: UnixSeconds) -> Self {
        Self::Manual(Arc::new(Mutex::new(at)))
    }

    /// The time now.
    pub fn now(&self) -> UnixSeconds {
        match self {
            Self::System => system_now(),
            Self::Manual(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a manual clock on; the machine's clock moves by itself.
    pub fn advance(&self, by: Seconds) {
        if let Self::Manual(at) = self {
            at.lock().unwrap_or_else(PoisonError::into_inner).0 += by.0;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the file whose job the clock is"
)]
fn system_now() -> UnixSeconds {
    // Before 1970 only where the clock is broken; a lease and a trust check then say so.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixSeconds(since.as_secs_f64())
}

/// The time by the clock that never jumps, for measuring spans; paused where a test pauses it.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the file whose job the clock is"
)]
pub fn monotonic() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// A moment as RFC 3339 in UTC with milliseconds, as the journal's sort keys are written.
pub fn rfc3339(at: UnixSeconds) -> String {
    format!("{:.3}", timestamp(at))
}

/// A moment to the millisecond; what lies beyond all calendars is the epoch.
pub fn timestamp(at: UnixSeconds) -> jiff::Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; a moment that far off is not a moment"
    )]
    let milliseconds = (at.0 * 1000.0).round() as i64;
    jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_moved_and_is_shared_by_its_clones() {
        let clock = Clock::manual(UnixSeconds(100.0));
        let other = clock.clone();
        clock.advance(Seconds(15.0));
        assert_eq!(other.now(), UnixSeconds(115.0));
        assert_eq!(other.now(), UnixSeconds(115.0));
    }

    #[test]
    fn moments_sort_as_text_the_way_they_sort_in_time() {
        assert_eq!(
            rfc3339(UnixSeconds(1_700_000_000.0)),
            "2023-11-14T22:13:20.000Z"
        );
        assert!(rfc3339(UnixSeconds(1_700_000_000.25)) < rfc3339(UnixSeconds(1_700_000_001.0)));
    }
}
