//! Whether the worker's loops make progress, told from when they last did.
//!
//! Pure but for the lock: `now` is an argument. A loop is late only after everything that bounds it
//! has passed, as what hangs on the answer is the process's life.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A poll is bounded by its wait, at most 20 s, and a margin of 10 s; as much again for a busy
/// machine.
const POLL_LIMIT: Duration = Duration::from_mins(1);

/// With room for messages, the next poll comes after a backoff of at most 20 s.
const BETWEEN_POLLS_LIMIT: Duration = Duration::from_mins(2);

/// A pass begins every second at least; its calls are bounded by 15 s on the queue, and by three
/// tries of 10 s on the table.
const HEARTBEAT_LIMIT: Duration = Duration::from_mins(1);

/// When the loops last made progress.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: Mutex<Beats>,
}

#[derive(Debug, Default)]
struct Beats {
    /// The loops run.
    working: bool,
    next_poll: u64,
    open_polls: BTreeMap<u64, Instant>,
    last_poll: Option<Instant>,
    /// Polls that wait until the handler can work.
    waiting_for_handler: usize,
    /// By queue.
    heartbeats: BTreeMap<String, Instant>,
}

/// An open poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PollId(u64);

/// What the judgement depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PulseNow {
    pub(crate) now: Instant,
    /// There is room for messages, and nothing forbids to fetch them.
    pub(crate) expects_polls: bool,
}

impl Pulse {
    pub(crate) fn begins(&self, now: Instant) {
        let mut beats = self.beats();
        beats.working = true;
        beats.last_poll = Some(now);
    }

    pub(crate) fn ends(&self) {
        self.beats().working = false;
    }

    pub(crate) fn poll_begins(&self, now: Instant) -> PollId {
        let mut beats = self.beats();
        let id = beats.next_poll;
        beats.next_poll += 1;
        beats.open_polls.insert(id, now);
        PollId(id)
    }

    pub(crate) fn poll_ends(&self, poll: PollId, now: Instant) {
        let mut beats = self.beats();
        beats.open_polls.remove(&poll.0);
        beats.last_poll = Some(now);
    }

    /// A poll waits until the handler can work, as long as what is returned lives: that may take as
    /// long as a service on the machine takes to start.
    pub(crate) fn waits_for_handler(&self) -> HandlerAwaited<'_> {
        self.beats().waiting_for_handler += 1;
        HandlerAwaited { pulse: self }
    }

    pub(crate) fn heartbeat_passed(&self, queue: &str, now: Instant) {
        let mut beats = self.beats();
        match beats.heartbeats.get_mut(queue) {
            Some(last) => *last = now,
            None => drop(beats.heartbeats.insert(queue.to_owned(), now)),
        }
    }

    /// The loops that hang, and for how long.
    pub(crate) fn hung(&self, state: PulseNow) -> Vec<String> {
        let mut beats = self.beats();
        let mut reasons = Vec::new();
        if !beats.working {
            return reasons;
        }
        if !state.expects_polls || beats.waiting_for_handler > 0 {
            // The time without room, without a handler, paused or leaving does not count.
            beats.last_poll = Some(state.now);
        }
        let oldest = beats.open_polls.values().min().copied();
        if let Some(seconds) = over(oldest, state.now, POLL_LIMIT) {
            reasons.push(format!("a poll has been open for {seconds} s"));
        } else if oldest.is_none()
            && let Some(seconds) = over(beats.last_poll, state.now, BETWEEN_POLLS_LIMIT)
        {
            reasons.push(format!("no poll for {seconds} s, though there is room"));
        }
        for (queue, last) in &beats.heartbeats {
            if let Some(seconds) = over(Some(*last), state.now, HEARTBEAT_LIMIT) {
                reasons.push(format!(
                    "no heartbeat pass over queue {queue} for {seconds} s"
                ));
            }
        }
        reasons
    }

    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Pulse::waits_for_handler`].
pub(crate) struct HandlerAwaited<'a> {
    pulse: &'a Pulse,
}

impl Drop for HandlerAwaited<'_> {
    fn drop(&mut self) {
        self.pulse.beats().waiting_for_handler -= 1;
    }
}

/// Whole seconds since `then`, if they are more than `limit`.
fn over(then: Option<Instant>, now: Instant, limit: Duration) -> Option<u64> {
    let passed = now.saturating_duration_since(then?);
    (passed > limit).then_some(passed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(now: Instant) -> PulseNow {
        PulseNow {
            now,
            expects_polls: true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn loops_that_make_progress_are_not_hung() {
        let start = Clock::starting_at(0.0).instant();
        let pulse = Pulse::default();
        pulse.begins(start);
        pulse.heartbeat_passed("jobs", start + 55 * SECOND);
        let poll = pulse.poll_begins(start + 30 * SECOND);
        assert!(pulse.hung(at(start + 90 * SECOND)).is_empty());
        pulse.poll_ends(poll, start + 90 * SECOND);
        pulse.heartbeat_passed("jobs", start + 150 * SECOND);
        assert!(pulse.hung(at(start + 200 * SECOND)).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn each_hung_loop_is_named() {
        let start = Clock::starting_at(0.0).instant();
        let pulse = Pulse::default();
        pulse.begins(start);
        pulse.heartbeat_passed("jobs", start);
        pulse.heartbeat_passed("mail", start + 60 * SECOND);
        let poll = pulse.poll_begins(start);
        let hung = pulse.hung(at(start + 61 * SECOND));
        assert_eq!(
            hung,
            [
                "a poll has been open for 61 s",
                "no heartbeat pass over queue jobs for 61 s"
            ]
        );
        pulse.poll_ends(poll, start + 62 * SECOND);
        let hung = pulse.hung(at(start + 183 * SECOND));
        assert_eq!(hung[0], "no poll for 121 s, though there is room");
        pulse.ends();
        assert!(pulse.hung(at(start + 999 * SECOND)).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn time_without_room_does_not_count() {
        let start = Clock::starting_at(0.0).instant();
        let pulse = Pulse::default();
        pulse.begins(start);
        let full = PulseNow {
            now: start + 3600 * SECOND,
            expects_polls: false,
        };
        assert!(pulse.hung(full).is_empty());
        assert!(pulse.hung(at(start + 3601 * SECOND)).is_empty());
    }
}
