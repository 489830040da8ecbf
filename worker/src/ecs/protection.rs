//! Scale-in protection: on before the first message, renewed long before it runs out, off at last.
//!
//! It must not hold a job up: what cannot be renewed is tried again beside the work.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::agent::Agent;
use crate::chance;
use crate::clock::pause;
use crate::retry::Backoff;

/// A third of the hour that protection is asked for: two renewals may fail altogether.
const RENEW_EVERY: Duration = Duration::from_mins(20);

/// A worker waits this long for its first protection before it takes jobs without.
///
/// The agent answers within a second, and is asked about ten times in a minute; what lasts longer
/// is a missing permission, which no waiting heals. A fleet that does nothing for want of it would
/// be the worse fault: a task that ECS stops unprotected still gets SIGTERM, and hands back within
/// its `stopTimeout` what it cannot finish.
pub const GRANT_LIMIT: Duration = Duration::from_mins(1);

/// Protection is taken off in this time or runs out by itself.
const TAKE_OFF_LIMIT: Duration = Duration::from_secs(15);

/// Between attempts: soon again, as the first message waits for it.
const RETRY: Backoff = Backoff {
    base: Duration::from_millis(500),
    cap: Duration::from_secs(20),
};

/// Keeps the task protected until told to stop; `granted` turns true with the first success.
pub async fn keep(agent: Agent, granted: watch::Sender<bool>, stop: CancellationToken) {
    let mut failures: u32 = 0;
    loop {
        let wait = match agent.protect().await {
            Ok(()) => {
                if !granted.send_replace(true) || failures > 0 {
                    tracing::info!("the task is protected from scale-in");
                }
                failures = 0;
                RENEW_EVERY
            }
            Err(error) => {
                failures += 1;
                if failures.is_power_of_two() {
                    tracing::warn!(%error, failures, "the task could not be protected from scale-in");
                }
                RETRY.delay(failures, chance::unit())
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause(wait) => {}
        }
    }
}

/// Takes the protection off; a failure costs nothing, for the task ends now.
pub async fn take_off(agent: &Agent) {
    match tokio::time::timeout(TAKE_OFF_LIMIT, agent.unprotect()).await {
        Ok(Ok(())) => tracing::info!("scale-in protection taken off"),
        Ok(Err(error)) => tracing::warn!(%error, "scale-in protection could not be taken off"),
        Err(_) => tracing::warn!("scale-in protection could not be taken off in time"),
    }
}
