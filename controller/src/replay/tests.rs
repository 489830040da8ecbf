use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::clock::Clock;
use crate::drive::{self, Ports};
use crate::journal::{MemoryLedger, Outcome, Part, Snapshot};
use crate::model::{Instances, Messages, Phase, Seconds};
use crate::testing::{self, FakeFleet, START};

const FLEET: &str = "thumbnails";

/// A fleet whose rounds are recorded.
struct Scene {
    policy: Arc<Policy>,
    fleet: Arc<FakeFleet>,
    ledger: Arc<MemoryLedger>,
    ports: Ports,
    /// For numbers that vary and are the same in each run.
    seed: u64,
}

impl Scene {
    fn new() -> Self {
        let quiet = testing::sighting(FLEET, 0, Vec::new());
        let fleet = Arc::new(FakeFleet::showing(quiet));
        let ledger = Arc::new(MemoryLedger::default());
        let mut policy = testing::policy(FLEET);
        policy.hold = crate::policy::Hold::For(Seconds(30.0));
        policy.instance_hours_per_day = Some(100.0);
        Self {
            policy: Arc::new(policy),
            ports: Ports {
                observe: fleet.clone(),
                act: fleet.clone(),
                ledger: ledger.clone(),
                clock: Clock::manual(START),
                token: "first".to_owned(),
            },
            fleet,
            ledger,
            seed: 7,
        }
    }

    /// A number below `below`, by a linear congruence (Knuth's MMIX).
    fn any(&mut self, below: u64) -> u64 {
        self.seed = (self.seed)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    /// Lets the fleet look different: ten minutes of a rush, then ten of quiet, over and over.
    fn vary(&mut self, nth: u64) {
        let rush = (nth / 40).is_multiple_of(2);
        let at_most = |scene: &mut Self, most| if rush { scene.any(most) } else { 0 };
        let workers = self.any(6);
        let mut roster: Vec<_> = (0..workers)
            .map(|id| (id, at_most(self, 5)))
            .map(|(id, busy)| testing::worker(&format!("i-{id}"), u32::try_from(busy).unwrap()))
            .collect();
        for member in &mut roster {
            if let Some(report) = &mut member.report {
                report.service_seconds_mean = Some(4.0 + self.any(1000) as f64 / 70.0);
                report.completed_total = if rush { 13 * nth } else { 0 };
            }
        }
        if rush && self.any(4) == 0 {
            roster.push(testing::member("i-new", Phase::Pending));
        }
        let mut sighting = testing::sighting(FLEET, at_most(self, 900), roster);
        let queue = &mut sighting.observation.queues[0];
        queue.in_flight = Some(Messages(at_most(self, 20)));
        queue.oldest_age_seconds = Some(at_most(self, 600) as f64 / 3.0);
        if at_most(self, 9) == 8 {
            queue.visible = None;
        }
        self.fleet.show(sighting);
    }

    async fn round(&mut self) -> Round {
        let round = drive::round(Arc::clone(&self.policy), self.ports.clone()).await;
        let millis = 14_000 + self.any(2000);
        self.ports
            .clock
            .advance(Seconds(millis as f64 / 1000.0 + 1e-5));
        round
    }

    /// Rounds as a fleet sees them in a bad hour: failures of every sort, and another controller
    /// that takes over.
    async fn rounds(&mut self, count: u64) {
        for nth in 0..count {
            self.vary(nth);
            match nth % 17 {
                3 => self.fleet.fail_observe("connection refused"),
                7 => self.fleet.fail_make_after(0, "throttled"),
                11 => self.fleet.fail_publish("no such endpoint"),
                _ => {}
            }
            if nth == count / 2 {
                drive::stand_down(&self.policy, &self.ports).await;
                self.ports.token = "second".to_owned();
            }
            self.round().await;
        }
    }
}

/// A ledger with what `ledger` has, after a way through the table: as JSON, and back.
async fn through_the_table(ledger: &MemoryLedger) -> MemoryLedger {
    let copy = MemoryLedger::default();
    for round in everything(ledger).await {
        let json = serde_json::to_string(&round).unwrap();
        copy.record(&serde_json::from_str(&json).unwrap())
            .await
            .unwrap();
    }
    let mut before = UnixSeconds(START.0 + 1e6);
    while let Some(snapshot) = ledger.snapshot(FLEET, before).await.unwrap() {
        before = snapshot.at;
        let json = serde_json::to_string(&snapshot.history).unwrap();
        let snapshot = Snapshot {
            history: serde_json::from_str(&json).unwrap(),
            ..snapshot
        };
        copy.keep_snapshot(FLEET, &snapshot).await.unwrap();
    }
    copy
}

async fn everything(ledger: &MemoryLedger) -> Vec<Round> {
    let all = Reading::After(UnixSeconds(0.0));
    ledger.rounds(FLEET, all, 10_000).await.unwrap()
}

fn always() -> Span {
    since(0.0)
}

fn since(seconds: f64) -> Span {
    Span {
        from: UnixSeconds(START.0 + seconds),
        to: UnixSeconds(START.0 + 1e6),
    }
}

/// How often each finding comes, by a short name.
fn counted(all: &[Replayed]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        let name = match &one.finding {
            Finding::OtherVerdict(_) => "OtherVerdict".to_owned(),
            other => format!("{other:?}"),
        };
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn counts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected.map(|(name, n)| (name.to_owned(), n)).into()
}

#[tokio::test]
async fn a_recorded_journal_replays_to_the_same_verdicts() {
    let mut scene = Scene::new();
    scene.rounds(300).await;
    let recorded = everything(&scene.ledger).await;
    let failed_at = |part| {
        let at = |round: &&Round| matches!(&round.outcome, Outcome::Failed { step, .. } if *step == part);
        recorded.iter().filter(at).count()
    };
    let (unseen, half_done) = (failed_at(Part::Observe), failed_at(Part::Act));
    assert!(unseen > 10 && half_done > 5, "{unseen} {half_done}");
    let actions = recorded.iter().filter_map(|r| r.verdict.as_ref());
    let actions: std::collections::BTreeSet<_> =
        actions.map(|v| v["action"].as_str().unwrap()).collect();
    assert_eq!(actions.len(), 3, "grow, shrink and hold: {actions:?}");

    let table = through_the_table(&scene.ledger).await;
    let replayed = replay(&scene.policy, &table, always()).await.unwrap();
    let undecided = ("NotCompared(Undecided)", unseen);
    let same = ("Same", recorded.len() - unseen);
    assert_eq!(counted(&replayed), counts([undecided, same]));

    // From the midst, what lies between is run through from a snapshot.
    let later = replay(&scene.policy, &table, since(3000.0)).await.unwrap();
    let late = recorded.iter().filter(|r| r.at.0 >= START.0 + 3000.0);
    assert_eq!(later.len(), late.count());
    assert!(later.iter().all(|one| !one.finding.differs()));
    let compared = later.iter().filter(|one| one.finding == Finding::Same);
    assert!(compared.count() > 50);
}

#[tokio::test]
async fn a_verdict_or_a_history_that_is_another_is_found() {
    let mut scene = Scene::new();
    scene.rounds(20).await;
    let mut rounds = everything(&scene.ledger).await;
    let decided = |round: &Round| round.history_to.is_some();
    let (first, last) = (
        rounds.iter().position(decided).unwrap(),
        rounds.iter().rposition(decided).unwrap(),
    );
    rounds[first].verdict.as_mut().unwrap()["desired"] = 33.into();
    rounds[last].history_to = Some("0123456789abcdef".to_owned());
    for round in [&rounds[first], &rounds[last]] {
        scene.ledger.record(round).await.unwrap();
    }
    let replayed = replay(&scene.policy, &*scene.ledger, always())
        .await
        .unwrap();
    let Finding::OtherVerdict(now) = &replayed[first].finding else {
        panic!("{:?}", replayed[first].finding);
    };
    assert_ne!(now["desired"], 33);
    assert_eq!(replayed[last].finding, Finding::OtherHistory);
    let differ = replayed.iter().filter(|one| one.finding.differs()).count();
    assert_eq!(differ, 2, "the others do not follow from what was forged");
}

#[tokio::test]
async fn rounds_of_another_policy_or_version_are_not_compared() {
    let mut scene = Scene::new();
    scene.rounds(2).await;
    let mut other = testing::policy(FLEET);
    other.fleet.max = Instances(7);
    let own = std::mem::replace(&mut scene.policy, Arc::new(other.clone()));
    scene.rounds(3).await;
    let mut rounds = everything(&scene.ledger).await;
    rounds[4].version = "0.0.1".to_owned();
    scene.ledger.record(&rounds[4]).await.unwrap();

    let mine = replay(&own, &*scene.ledger, always()).await.unwrap();
    let expected = [
        ("NotCompared(OtherPolicy)", 2),
        ("NotCompared(OtherVersion)", 1),
        ("Same", 2),
    ];
    assert_eq!(counted(&mine), counts(expected));
    let theirs = replay(&other, &*scene.ledger, always()).await.unwrap();
    let expected = [
        // What the first round of a policy starts from, only the one before could tell.
        ("NotCompared(HistoryUnknown)", 1),
        ("NotCompared(OtherPolicy)", 2),
        ("NotCompared(OtherVersion)", 1),
        ("Same", 1),
    ];
    assert_eq!(counted(&theirs), counts(expected));
}

#[tokio::test]
async fn a_round_that_was_not_recorded_is_missed_until_the_next_snapshot() {
    let mut scene = Scene::new();
    for _ in 0..120 {
        scene.round().await;
    }
    let table = MemoryLedger::default();
    for (nth, round) in everything(&scene.ledger).await.iter().enumerate() {
        if nth != 30 {
            table.record(round).await.unwrap();
        }
    }
    let mut before = UnixSeconds(START.0 + 1e6);
    let mut snapshots = Vec::new();
    while let Some(snapshot) = scene.ledger.snapshot(FLEET, before).await.unwrap() {
        before = snapshot.at;
        table.keep_snapshot(FLEET, &snapshot).await.unwrap();
        snapshots.push(snapshot.at);
    }
    assert_eq!(snapshots.len(), 2, "one at once, one a quarter later");
    let replayed = replay(&scene.policy, &table, always()).await.unwrap();
    let unknown = Finding::NotCompared(Obstacle::HistoryUnknown);
    for (nth, one) in replayed.iter().enumerate() {
        let missed = nth >= 30 && one.round.at <= snapshots[0];
        let expected = if missed { &unknown } else { &Finding::Same };
        assert_eq!(&one.finding, expected, "round {nth}");
    }
}

#[tokio::test]
async fn a_row_with_its_history_in_it_is_replayed_too() {
    let mut scene = Scene::new();
    scene.rounds(2).await;
    let mut rounds = everything(&scene.ledger).await;
    let table = MemoryLedger::default();
    let second = &mut rounds[1];
    let snapshot = scene.ledger.snapshot(FLEET, second.at).await.unwrap();
    second.history = Some(snapshot.unwrap().history);
    (second.history_from, second.history_to) = (None, None);
    table.record(second).await.unwrap();
    let replayed = replay(&scene.policy, &table, always()).await.unwrap();
    assert_eq!(counted(&replayed), counts([("Same", 1)]));
}

#[test]
fn a_row_whose_history_has_another_shape_is_read_without_it() {
    let policy = testing::policy(FLEET);
    let mut row = serde_json::to_value(Round::begin(&policy, START)).unwrap();
    row["history"] = serde_json::json!({ "version": "of stone", "last": [] });
    let round: Round = serde_json::from_value(row).unwrap();
    assert_eq!(round, Round::begin(&policy, START));
}
