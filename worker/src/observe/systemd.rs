//! What systemd is told: ready, alive, leaving, and in a line what the worker does.
//!
//! A worker whose loops hang stops saying that it is alive, and is restarted (`WatchdogSec=`). It
//! must not claim anything that [`Observer`] does not know.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Observer;

/// How often the status line is renewed, at the least often.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// A drain may outlast `TimeoutStopSec=`, 90 s by default: each turn asks for so much more
/// (`sd_notify(3)`, `EXTEND_TIMEOUT_USEC`).
const LEAVE_TO_DRAIN: Duration = Duration::from_secs(30);

/// Whether a service manager listens.
pub(super) fn is_watching() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Tells systemd until told to stop.
pub(super) async fn run(observer: Observer, stop: CancellationToken) {
    let begun = tokio::select! {
        () = stop.cancelled() => return,
        worker = observer.begun() => worker,
    };
    tell(&[NotifyState::Ready, NotifyState::Status(&words(&observer))]);
    // Half the watchdog's time, as sd_watchdog_enabled(3) recommends.
    let watchdog = sd_notify::watchdog_enabled();
    let every = watchdog.map_or(STATUS_EVERY, |limit| (limit / 2).min(STATUS_EVERY));
    let mut turn = tokio::time::interval(every.max(Duration::from_millis(1)));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told_to_stop = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = begun.drain.begun(), if !told_to_stop => {
                told_to_stop = true;
                tell(&[NotifyState::Stopping]);
            }
            _ = turn.tick() => {}
        }
        let line = words(&observer);
        let mut states = vec![NotifyState::Status(&line)];
        let hung = observer.hung();
        if hung.is_empty() && watchdog.is_some() {
            states.push(NotifyState::Watchdog);
        }
        if hung.is_empty() && told_to_stop {
            let micros = u32::try_from(LEAVE_TO_DRAIN.as_micros()).unwrap_or(u32::MAX);
            states.push(NotifyState::ExtendTimeoutUsec(micros));
        }
        tell(&states);
    }
}

fn words(observer: &Observer) -> String {
    let hung = observer.hung();
    if !hung.is_empty() {
        return format!("hangs: {}", hung.join("; "));
    }
    let Some(status) = observer.status() else {
        return "starting".into();
    };
    let state = match (&status.draining, status.paused) {
        (Some(draining), _) => format!("leaving after {}", draining.cause),
        (None, true) => "paused".into(),
        (None, false) => "working".into(),
    };
    format!(
        "{state}: {} of {} slots busy, {} jobs done, {} attempts failed",
        status.busy_slots, status.slots, status.completed_total, status.failed_total
    )
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
