//! When rounds run: once, or on a schedule, for several fleets side by side.
//!
//! Each fleet has a loop of its own, so that one which fails or hangs holds up no other. The
//! lease is kept from round to round, so that of two controllers one leads and the other stands
//! by, and given up at the end. What a round does is `drive`'s affair.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::drive::{self, Ports};
use crate::journal::Round;
use crate::policies::Fleets;

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

/// When rounds run, what ends them, and who is told.
pub struct Course<'a> {
    /// When.
    pub pace: Pace,
    /// Ends the loops after the rounds in progress.
    pub stop: CancellationToken,
    /// Hears of each round when it has ended.
    pub told: &'a (dyn Fn(&Round) + Sync),
}

/// Runs rounds at the course's pace for each of `fleets`, tells of each, and ends early, after the
/// rounds in progress, when it is stopped. When `fleets` changes, one that came begins, one that
/// went is let go, and one whose policy is another follows it from its next round on.
pub async fn keep(fleets: &watch::Receiver<Fleets>, ports: &Ports, course: &Course<'_>) -> Tally {
    let first = clock::monotonic();
    let mut news = fleets.clone();
    let mut may_change = true;
    let mut begun = BTreeSet::new();
    let mut loops = FuturesUnordered::new();
    let mut sum = Tally::default();
    loop {
        for name in Arc::clone(&news.borrow_and_update()).keys() {
            if begun.insert(name.clone()) {
                let beats = Beats::new(course.pace, first);
                loops.push(keep_one(name.clone(), fleets, (ports, course), beats));
            }
        }
        if loops.is_empty() && !(may_change && course.is_endless()) {
            return sum;
        }
        tokio::select! {
            biased;
            Some((name, tally, end)) = loops.next() => {
                sum.ran += tally.ran;
                sum.failed += tally.failed;
                if end == End::LetGo {
                    begun.remove(&name);
                }
            }
            changed = news.changed(), if may_change => may_change = changed.is_ok(),
            () = course.stop.cancelled(), if loops.is_empty() => return sum,
        }
    }
}

impl Course<'_> {
    fn is_endless(&self) -> bool {
        let endless = matches!(self.pace, Pace::Every { during: None, .. });
        endless && !self.stop.is_cancelled()
    }
}

/// Why a fleet's loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The course is over.
    Over,
    /// The fleet has no policy any more.
    LetGo,
}

async fn keep_one(
    name: String,
    fleets: &watch::Receiver<Fleets>,
    (ports, course): (&Ports, &Course<'_>),
    mut beats: Beats,
) -> (String, Tally, End) {
    let mut tally = Tally::default();
    let mut led = None;
    let mut end = End::Over;
    while !course.stop.is_cancelled() {
        tokio::select! {
            biased;
            () = course.stop.cancelled() => break,
            beat = beats.next() => if beat.is_none() { break },
        }
        let policy = fleets.borrow().get(&name).cloned();
        let Some(policy) = policy else {
            end = End::LetGo;
            break;
        };
        let round = drive::round(Arc::clone(&policy), ports.clone()).await;
        tally.ran += 1;
        tally.failed += usize::from(round.failed());
        if round.held_the_lease() {
            led = Some(policy);
        }
        (course.told)(&round);
    }
    if let Some(policy) = led {
        drive::stand_down(&policy, ports).await;
    }
    (name, tally, end)
}

/// The moments at which rounds begin: the first at once, the others at multiples of the interval
/// after the course's beginning. A round that takes longer skips the moments it missed; rounds
/// never run in a burst to catch up.
struct Beats {
    pace: Pace,
    first: Instant,
    has_begun: bool,
}

impl Beats {
    fn new(pace: Pace, first: Instant) -> Self {
        Self {
            pace,
            first,
            has_begun: false,
        }
    }

    /// Waits for the next moment; `None`, without a wait, after the last.
    async fn next(&mut self) -> Option<()> {
        let passed = clock::monotonic() - self.first;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let Pace::Every { interval, during } = self.pace else {
            return is_first.then_some(());
        };
        let next = if is_first {
            passed
        } else {
            next_beat(passed, interval)
        };
        if during.is_some_and(|during| next >= during) {
            return None;
        }
        tokio::time::sleep_until(self.first + next).await;
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
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::Clock;
    use crate::journal::{Claim, Ledger, MemoryLedger, Outcome};
    use crate::model::UnixSeconds;
    use crate::policy::Policy;
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

    fn fleets(names: &[&str]) -> Fleets {
        let policies = names.iter().map(|name| Arc::new(testing::policy(name)));
        Arc::new(
            policies
                .map(|policy| (policy.name.clone(), policy))
                .collect(),
        )
    }

    /// Fleets that never change.
    fn settled(names: &[&str]) -> watch::Receiver<Fleets> {
        watch::channel(fleets(names)).1
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
        let tally = keep(&settled(names), ports, &course).await;
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
        let fleets = settled(&["a"]);
        let signal = async {
            let mut beat = tokio::time::interval(Duration::from_secs(35));
            beat.tick().await;
            beat.tick().await;
            stop.cancel();
        };
        let (tally, ()) = tokio::join!(keep(&fleets, &ports, &course), signal);
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

    #[tokio::test(start_paused = true)]
    async fn fleets_come_change_and_go_while_rounds_go_on() {
        let (ports, ledger) = ports();
        let (sender, receiver) = watch::channel(fleets(&["a", "b"]));
        let rounds = Mutex::new(Vec::new());
        let stop = CancellationToken::new();
        let course = Course {
            pace: every(15, None),
            stop: stop.clone(),
            told: &|round| {
                let heard = (round.fleet.clone(), round.policy_hash.clone());
                rounds.lock().unwrap().push(heard);
            },
        };
        let edits = async {
            pass(Duration::from_secs(20)).await; // a and b have had two rounds
            let mut edited = testing::policy("b");
            edited.fleet.max.0 += 1;
            let mut next = BTreeMap::clone(&fleets(&["b", "c"]));
            next.insert("b".to_owned(), Arc::new(edited));
            sender.send_replace(Arc::new(next));
            pass(Duration::from_secs(15)).await; // c at once and at 30 s, b at 30 s
            sender.send_replace(fleets(&[]));
            pass(Duration::from_secs(30)).await; // nobody is left, and nothing ends
            sender.send_replace(fleets(&["a"]));
            pass(Duration::from_secs(1)).await;
            stop.cancel();
        };
        let (tally, ()) = tokio::join!(keep(&receiver, &ports, &course), edits);
        let rounds = rounds.into_inner().unwrap();
        let names: Vec<&str> = rounds.iter().map(|(name, _)| name.as_str()).collect();
        let of = |name: &str| names.iter().filter(|other| **other == name).count();
        assert_eq!((of("a"), of("b"), of("c")), (3, 3, 2), "{names:?}");
        assert_eq!(tally, Tally { ran: 8, failed: 0 });
        let of_b: Vec<_> = rounds.iter().filter(|(name, _)| name == "b").collect();
        assert_eq!(of_b[0], of_b[1]);
        assert_ne!(of_b[1], of_b[2], "the edited policy");
        for fleet in ["a", "b", "c"] {
            let claim = ledger.claim(fleet, "next", START).await.unwrap();
            assert!(
                matches!(claim, Claim::Held(_)),
                "{fleet}'s lease was given up"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fleet_that_comes_when_a_course_is_over_waits_for_the_next() {
        let (mut ports, _) = ports();
        ports.observe = Arc::new(Slow(Duration::from_secs(30)));
        let (sender, receiver) = watch::channel(fleets(&["a"]));
        let course = Course {
            pace: every(15, Some(20)),
            stop: CancellationToken::new(),
            told: &|_| {},
        };
        let edit = async {
            pass(Duration::from_secs(25)).await;
            sender.send_replace(fleets(&["a", "late"]));
        };
        let (tally, ()) = tokio::join!(keep(&receiver, &ports, &course), edit);
        assert_eq!(tally, Tally { ran: 1, failed: 0 });
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
