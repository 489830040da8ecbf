//! The clock of the cloud over HTTP: the only place that reads it.

#![expect(
    clippy::disallowed_methods,
    reason = "the models take `now` as an argument; here it is read for them"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::cloud::Time;

/// Wall time at the start, then steady: it never goes back, whatever happens to the host's clock.
#[derive(Debug)]
pub(super) struct Clock {
    started: Time,
    since: Instant,
    skipped_micros: AtomicU64,
}

impl Clock {
    pub(super) fn start() -> Self {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            started: Time::default() + epoch.unwrap_or_default(),
            since: Instant::now(),
            skipped_micros: AtomicU64::new(0),
        }
    }

    pub(super) fn now(&self) -> Time {
        let skipped = Duration::from_micros(self.skipped_micros.load(Ordering::Relaxed));
        self.started + self.since.elapsed() + skipped
    }

    /// The cloud's time jumps ahead.
    pub(super) fn skip(&self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.skipped_micros.fetch_add(micros, Ordering::Relaxed);
    }
}
