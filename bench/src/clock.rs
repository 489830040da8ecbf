//! The clock: the one place where the benchmark reads the time and waits.
#![expect(
    clippy::disallowed_methods,
    reason = "this is where the benchmark reads the clock and waits"
)]

use std::time::{Duration, Instant};

/// Monotonic time.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits.
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
