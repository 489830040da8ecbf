//! One call for all fleets of the process: the first who asks fetches, the others of the same
//! moment take what came.

use tokio::sync::Mutex;

use super::error::Failure;
use crate::model::UnixSeconds;

/// Rounds of one tick begin within this many seconds of each other; what was fetched longer ago
/// belongs to an earlier round.
const SAME_MOMENT_SECONDS: f64 = 2.0;

/// The outcome of the latest fetch, a failure too: fleets do not queue up to fail one by one.
pub(super) struct Shared<T> {
    latest: Mutex<Option<(UnixSeconds, Result<T, Failure>)>>,
}

impl<T: Clone> Shared<T> {
    pub(super) fn new() -> Self {
        Self {
            latest: Mutex::new(None),
        }
    }

    /// What was fetched at about `now`, else what `fetch` brings.
    pub(super) async fn get(
        &self,
        now: UnixSeconds,
        fetch: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut latest = self.latest.lock().await;
        if let Some((at, outcome)) = &*latest
            && (now.0 - at.0).abs() < SAME_MOMENT_SECONDS
        {
            return outcome.clone();
        }
        let outcome = fetch.await;
        *latest = Some((now, outcome.clone()));
        outcome
    }

    /// Forgets what was fetched, since it was changed.
    pub(super) async fn forget(&self) {
        *self.latest.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_fetch_serves_a_moment_and_not_the_next() {
        let calls = AtomicU32::new(0);
        let shared = Shared::new();
        let fetch = || async { Ok(calls.fetch_add(1, Ordering::Relaxed)) };
        assert_eq!(shared.get(UnixSeconds(100.0), fetch()).await.unwrap(), 0);
        assert_eq!(shared.get(UnixSeconds(101.0), fetch()).await.unwrap(), 0);
        assert_eq!(shared.get(UnixSeconds(115.0), fetch()).await.unwrap(), 1);
        shared.forget().await;
        assert_eq!(shared.get(UnixSeconds(115.0), fetch()).await.unwrap(), 2);
    }
}
