//! When rounds run: once, or on a schedule, for several fleets side by side.
//!
//! Each fleet has a loop of its own, so that one which fails or hangs holds up no other. The
//! lease is kept from round to round, so that of two controllers one leads and the other stands
//! by, and given up at the end. What a round does is `drive`'s affair.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::drive::{self, Ports};
use crate::journal::Round;
use crate::policy::Policy;

/// When rounds run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One round a fleet.
    Once,
    /// Again and again.
    Every {
        /// From the beginning of a round to the beginning of the next.
        interval: Duration,
        /// No round begins later than this; for ever where there is none.
        during: Option<Duration>,
    },
}

/// How the rounds went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rounds that ran.
    pub ran: usize,
    /// Of those, how many failed.
    pub failed: usize,
}

/// Runs rounds at `pace` for each of `policies`, tells `told` of each, and ends early, after the
/// rounds in progress, when `stop` is cancelled.
pub async fn keep(policies: &[Arc<Policy>], ports: &Ports, course: &Course<'_>) -> Tally {
    let loops = policies
        .iter()
        .map(|policy| keep_one(policy, ports, course));
    let tallies = join_all(loops).await;
    tallies.iter().fold(Tally::default(), |sum, one| Tally {
        ran: sum.ran + one.ran,
        failed: sum.failed + one.failed,
    })
}

/// When rounds run, what ends them, and who is told.
pub struct Course<'a> {
    /// When.
    pub pace: Pace,
    /// Ends the loops after the rounds in progress.
    pub stop: CancellationToken,
    /// Hears of each round when it has ended.
    pub told: &'a (dyn Fn(&Round) + Sync),
}

async fn keep_one(policy: &Arc<Policy>, ports: &Ports, course: &Course<'_>) -> Tally {
    let mut tally = Tally::default();
    let mut beats = Beats::new(course.pace);
    let mut leading = false;
    while !course.stop.is_cancelled() {
        tokio::select! {
            biased;
            () = course.stop.cancelled() => break,
            beat = beats.next() => if beat.is_none() { break },
        }
        let round = drive::round(Arc::clone(policy), ports.clone()).await;
        tally.ran += 1;
        tally.failed += usize::from(round.failed());
        leading |= round.held_the_lease();
        (course.told)(&round);
    }
    if leading {
        drive::stand_down(policy, ports).await;
    }
    tally
}

/// The moments at which rounds begin: multiples of the interval after the first. A round that
/// takes longer skips the moments it missed; rounds never run in a burst to catch up.
struct Beats {
    pace: Pace,
    first: Option<Instant>,
}

impl Beats {
    fn new(pace: Pace) -> Self {
        Self { pace, first: None }
    }

    /// Waits for the next moment; `None`, without a wait, after the last.
    async fn next(&mut self) -> Option<()> {
        let now = clock::monotonic();
        let Some(first) = self.first else {
            self.first = Some(now);
            return Some(());
        };
        let Pace::Every { interval, during } = self.pace else {
            return None;
        };
        let next = next_beat(now - first, interval);
        if during.is_some_and(|during| next >= during) {
            return None;
        }
        tokio::time::sleep_until(first + next).await;
        Some(())
    }
}

/// The first multiple of `interval` after `passed`.
fn next_beat(passed: Duration, interval: Duration) -> Duration {
    let beats = passed.as_nanos() / interval.as_nanos().max(1) + 1;
    interval.saturating_mul(u32::try_from(beats).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::Clock;
    use crate::journal::{Claim, Ledger, MemoryLedger, Outcome};
    use crate::model::UnixSeconds;
    use crate::ports::{Observe, PortError, Sighting};
    use crate::testing::{self, FakeFleet, START};

    fn ports() -> (Ports, Arc<MemoryLedger>) {
        let fleet = Arc::new(FakeFleet::showing(testing::sighting("any", 0, Vec::new())));
        let ledger = Arc::new(MemoryLedger::default());
        let ports = Ports {
            observe: fleet.clone(),
            act: fleet,
            ledger: ledger.clone(),
            clock: Clock::manual(START),
            token: "ours".to_owned(),
        };
        (ports, ledger)
    }

    fn policies(names: &[&str]) -> Vec<Arc<Policy>> {
        names
            .iter()
            .map(|name| Arc::new(testing::policy(name)))
            .collect()
    }

    fn every(interval: u64, during: Option<u64>) -> Pace {
        Pace::Every {
            interval: Duration::from_secs(interval),
            during: during.map(Duration::from_secs),
        }
    }

    async fn run(names: &[&str], ports: &Ports, pace: Pace) -> (Tally, Vec<Round>) {
        let rounds = Mutex::new(Vec::new());
        let course = Course {
            pace,
            stop: CancellationToken::new(),
            told: &|round| rounds.lock().unwrap().push(round.clone()),
        };
        let tally = keep(&policies(names), ports, &course).await;
        (tally, rounds.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn once_is_one_round_a_fleet_and_gives_the_lease_up() {
        let (ports, ledger) = ports();
        let (tally, _) = run(&["a", "b"], &ports, Pace::Once).await;
        assert_eq!(tally, Tally { ran: 2, failed: 0 });
        let claim = ledger.claim("a", "next", START).await.unwrap();
        assert!(matches!(claim, Claim::Held(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_minutes_task_runs_four_rounds_and_ends_after_the_last() {
        let (ports, _) = ports();
        let begun = clock::monotonic();
        let (tally, _) = run(&["a"], &ports, every(15, Some(55))).await;
        assert_eq!(tally.ran, 4);
        assert_eq!(
            begun.elapsed(),
            Duration::from_secs(45),
            "no wait after the last"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn slow_rounds_skip_the_moments_they_missed() {
        let (mut ports, _) = ports();
        ports.observe = Arc::new(Slow(Duration::from_secs(20)));
        let (tally, _) = run(&["a"], &ports, every(15, Some(55))).await;
        assert_eq!(
            tally.ran, 2,
            "at 0 s and at 30 s, until 50 s; 60 s is too late"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_ends_the_loop_after_the_round_in_progress() {
        let (mut ports, ledger) = ports();
        ports.observe = Arc::new(Slow(Duration::from_secs(10)));
        let stop = CancellationToken::new();
        let course = Course {
            pace: every(15, None),
            stop: stop.clone(),
            told: &|_| {},
        };
        let policies = policies(&["a"]);
        let signal = async {
            let mut beat = tokio::time::interval(Duration::from_secs(35));
            beat.tick().await;
            beat.tick().await;
            stop.cancel();
        };
        let (tally, ()) = tokio::join!(keep(&policies, &ports, &course), signal);
        assert_eq!(
            tally,
            Tally { ran: 3, failed: 0 },
            "the third began at 30 s and ended"
        );
        let claim = ledger.claim("a", "next", START).await.unwrap();
        assert!(matches!(claim, Claim::Held(_)), "the lease was given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fleet_that_fails_or_hangs_stops_no_other() {
        let (mut ports, _) = ports();
        ports.observe = Arc::new(Uneven(ports.observe.clone()));
        let names = ["failing", "good", "hanging", "panicking"];
        let (tally, rounds) = run(&names, &ports, every(15, Some(55))).await;
        let of = |name: &str| rounds.iter().filter(|round| round.fleet == name).count();
        assert_eq!(of("good"), 4);
        assert_eq!(of("failing"), 4);
        assert_eq!(of("hanging"), 1);
        assert_eq!(tally.failed, rounds.iter().filter(|r| r.failed()).count());
        let good = |round: &&Round| round.fleet == "good";
        let done = |round: &Round| matches!(round.outcome, Outcome::Done { .. });
        assert!(rounds.iter().filter(good).all(done));
    }

    struct Slow(Duration);

    #[async_trait]
    impl Observe for Slow {
        async fn observe(&self, _: &Policy, now: UnixSeconds) -> Result<Sighting, PortError> {
            pass(self.0).await;
            let mut sighting = testing::sighting("a", 0, Vec::new());
            sighting.observation.at = now;
            Ok(sighting)
        }
    }

    struct Uneven(Arc<dyn Observe>);

    #[async_trait]
    impl Observe for Uneven {
        async fn observe(&self, policy: &Policy, now: UnixSeconds) -> Result<Sighting, PortError> {
            match policy.name.as_str() {
                "failing" => Err(PortError::Refused {
                    what: "no such queue".to_owned(),
                }),
                "panicking" => panic!("a defect, on purpose"),
                "hanging" => {
                    pass(Duration::from_secs(100)).await;
                    Err(PortError::Refused {
                        what: "no answer".to_owned(),
                    })
                }
                _ => self.0.observe(policy, now).await,
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "time is paused: this moves it on"
    )]
    async fn pass(span: Duration) {
        tokio::time::sleep(span).await;
    }
}
