mod alarm;

use async_trait::async_trait;

use super::*;
use crate::figures::Figure;
use crate::journal::{MemoryLedger, Reading, SNAPSHOT_EVERY};
use crate::model::{Instances, Phase};
use crate::ports::{Change, DryRun};
use crate::testing::{self, FakeFleet, START};

struct Scene {
    policy: Arc<Policy>,
    fleet: Arc<FakeFleet>,
    ledger: Arc<MemoryLedger>,
    ports: Ports,
}

/// A thousand messages and nobody there: every round's verdict is to grow.
fn rush() -> Scene {
    scene(testing::sighting("thumbnails", 1000, Vec::new()))
}

fn scene(sighting: Sighting) -> Scene {
    let fleet = Arc::new(FakeFleet::showing(sighting));
    let ledger = Arc::new(MemoryLedger::default());
    Scene {
        policy: Arc::new(testing::policy("thumbnails")),
        ports: Ports {
            observe: fleet.clone(),
            act: fleet.clone(),
            ledger: ledger.clone(),
            clock: Clock::manual(START),
            token: "ours".to_owned(),
        },
        fleet,
        ledger,
    }
}

impl Scene {
    async fn round(&self) -> Round {
        round(Arc::clone(&self.policy), self.ports.clone()).await
    }

    async fn recorded(&self) -> Vec<Round> {
        let all = self.ledger.rounds("thumbnails", Reading::Newest, 10).await;
        all.unwrap()
    }

    async fn history(&self) -> History {
        self.ledger.carried("thumbnails").await.unwrap().history
    }

    /// With the ledger replaced by one that meddles.
    fn meddled(mut self, meddle: Meddle) -> Self {
        let inner = Arc::clone(&self.ledger);
        self.ports.ledger = Arc::new(Meddling { inner, meddle });
        self
    }
}

fn stopped_at(round: &Round) -> (Part, &str, &[String]) {
    match &round.outcome {
        Outcome::Failed { step, why, changes } => (*step, why, changes),
        other => panic!("not failed: {other:?}"),
    }
}

/// A ledger at which something happens on the way.
struct Meddling {
    inner: Arc<MemoryLedger>,
    meddle: Meddle,
}

#[derive(Clone, Copy, PartialEq)]
enum Meddle {
    /// Another controller takes the lease over while this one decides.
    TakeOverBeforeActing,
    /// Another takes it over and gives it up again: nobody holds it, and yet it is lost.
    TakeOverAndLeave,
    Claim,
    History,
    RecordAhead,
    RecordOutcome,
    Snapshot,
    Remember,
}

fn broken() -> PortError {
    PortError::Unavailable {
        what: "the table does not answer".to_owned(),
        source: "injected".into(),
    }
}

#[async_trait]
impl Ledger for Meddling {
    async fn claim(&self, fleet: &str, token: &str, now: UnixSeconds) -> Result<Claim, PortError> {
        if self.meddle == Meddle::Claim {
            return Err(broken());
        }
        self.inner.claim(fleet, token, now).await
    }

    async fn renew(&self, lease: &Lease, now: UnixSeconds) -> Result<Option<Lease>, PortError> {
        if matches!(
            self.meddle,
            Meddle::TakeOverBeforeActing | Meddle::TakeOverAndLeave
        ) {
            let much_later = UnixSeconds(now.0 + 600.0);
            let taken = self.inner.claim(&lease.fleet, "theirs", much_later).await?;
            let Claim::Held(theirs) = taken else {
                panic!("an ended lease can be taken");
            };
            if self.meddle == Meddle::TakeOverAndLeave {
                self.inner.release(&theirs).await?;
            }
        }
        self.inner.renew(lease, now).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), PortError> {
        self.inner.release(lease).await
    }

    async fn carried(&self, fleet: &str) -> Result<Carried, PortError> {
        if self.meddle == Meddle::History {
            return Err(broken());
        }
        self.inner.carried(fleet).await
    }

    async fn remember(&self, lease: &Lease, carried: &Carried) -> Result<Standing, PortError> {
        if self.meddle == Meddle::Remember {
            return Err(broken());
        }
        self.inner.remember(lease, carried).await
    }

    async fn keep_snapshot(&self, fleet: &str, snapshot: &Snapshot) -> Result<(), PortError> {
        if self.meddle == Meddle::Snapshot {
            return Err(broken());
        }
        self.inner.keep_snapshot(fleet, snapshot).await
    }

    async fn snapshot(
        &self,
        fleet: &str,
        before: UnixSeconds,
    ) -> Result<Option<Snapshot>, PortError> {
        self.inner.snapshot(fleet, before).await
    }

    async fn record(&self, round: &Round) -> Result<(), PortError> {
        let ahead = round.outcome == Outcome::Intended;
        let fails = match self.meddle {
            Meddle::RecordAhead => ahead,
            Meddle::RecordOutcome => !ahead,
            _ => false,
        };
        if fails {
            return Err(broken());
        }
        self.inner.record(round).await
    }

    async fn rounds(
        &self,
        fleet: &str,
        reading: Reading,
        limit: usize,
    ) -> Result<Vec<Round>, PortError> {
        self.inner.rounds(fleet, reading, limit).await
    }
}

#[tokio::test]
async fn a_round_grows_the_fleet_and_records_why() {
    let scene = rush();
    let round = scene.round().await;
    let Outcome::Done { changes } = &round.outcome else {
        panic!("{round:?}");
    };
    assert_eq!(changes.len(), 1);
    let verdict = round.verdict.as_ref().unwrap();
    assert_eq!(verdict["action"], "grow");
    let desired = u32::try_from(verdict["desired"].as_u64().unwrap()).unwrap();
    assert_eq!(
        scene.fleet.made(),
        [Change::Resize {
            desired: Instances(desired)
        }]
    );
    assert_eq!(scene.fleet.published(), 1);
    assert_eq!(scene.recorded().await, [round]);
}

#[tokio::test]
async fn history_is_carried_from_round_to_round() {
    let scene = rush();
    let first = scene.round().await;
    scene.ports.clock.advance(Seconds(15.0));
    let second = scene.round().await;
    assert_eq!(first.history_from, Some(fingerprint(&History::default())));
    assert_ne!(first.history_to, first.history_from, "what was learnt");
    assert_eq!(second.history_from, first.history_to);
}

#[tokio::test]
async fn the_history_lies_in_a_snapshot_now_and_then_and_in_no_round() {
    let scene = rush();
    let mut taken = Vec::new();
    for minute in 0..40_i32 {
        let round = scene.round().await;
        assert_eq!(round.history, None, "a round's row stays small");
        scene.ports.clock.advance(Seconds(0.001));
        let now = scene.ports.clock.now();
        let newest = scene.ledger.snapshot("thumbnails", now).await.unwrap();
        if newest.as_ref().unwrap().at == round.at {
            taken.push(f64::from(minute));
            assert_eq!(newest.unwrap().history, scene.history().await);
        }
        scene.ports.clock.advance(Seconds(60.0));
    }
    let every = SNAPSHOT_EVERY.0 / 60.0;
    assert_eq!(taken, [0.0, every, 2.0 * every]);
}

#[tokio::test]
async fn another_policy_takes_a_snapshot_of_its_own_at_once() {
    let mut scene = rush();
    scene.round().await;
    scene.ports.clock.advance(Seconds(15.0));
    let mut policy = testing::policy("thumbnails");
    policy.fleet.max = Instances(7);
    scene.policy = Arc::new(policy);
    let round = scene.round().await;
    let carried = scene.ledger.carried("thumbnails").await.unwrap();
    assert_eq!(carried.snapshot, Some(Stamp::of(&round)));
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_changed_and_the_next_round_starts_clean() {
    let scene = rush();
    scene.fleet.fail_observe("connection refused");
    let round = scene.round().await;
    let (step, why, changes) = stopped_at(&round);
    assert_eq!((step, changes.len()), (Part::Observe, 0));
    assert!(why.contains("connection refused"), "{why}");
    assert_eq!(scene.fleet.made(), []);
    assert_eq!(scene.fleet.published(), 0);
    assert_eq!(scene.recorded().await, [round], "the reason is kept");
    assert_eq!(scene.history().await, History::default());

    scene.ports.clock.advance(Seconds(15.0));
    let next = scene.round().await;
    assert!(!next.failed(), "{next:?}");
    assert_eq!(scene.fleet.made().len(), 1);
}

#[tokio::test]
async fn a_change_that_fails_ends_the_round_and_says_what_was_changed_before() {
    // Asked for ten, two came, nothing to do: give up eight, then let the idle go.
    let roster = vec![testing::worker("i-1", 0), testing::worker("i-2", 0)];
    let mut sighting = testing::sighting("thumbnails", 0, roster);
    sighting.observation.fleet.desired = Some(Instances(10));
    let scene = scene(sighting);
    let lease = Lease {
        fleet: "thumbnails".to_owned(),
        token: "ours".to_owned(),
        until: UnixSeconds(START.0 + 60.0),
    };
    let plan = plan_to_zero(&scene).await;
    assert_eq!(plan.len(), 3, "{plan:?}");
    scene
        .ledger
        .claim("thumbnails", "ours", START)
        .await
        .unwrap();
    scene.fleet.fail_make_after(2, "throttled");
    let stopped = carry_out(&scene.policy, &scene.ports, lease, &plan)
        .await
        .unwrap_err();
    assert_eq!(stopped.part, Part::Act);
    assert!(stopped.why.contains("throttled"), "{}", stopped.why);
    assert_eq!(stopped.changes.len(), 2);
    assert_eq!(scene.fleet.made(), plan[..2]);
}

async fn plan_to_zero(scene: &Scene) -> Plan {
    let sighting = scene.fleet.observe(&scene.policy, START).await.unwrap();
    let decided = decide(&scene.policy, &sighting.observation, &History::default());
    let to_zero = Verdict {
        action: crate::model::Action::Shrink,
        desired: Some(Instances(0)),
        ..decided.verdict
    };
    plan(&scene.policy, &to_zero, &sighting)
}

#[tokio::test]
async fn a_failed_change_leaves_no_trace_in_the_history() {
    let scene = rush();
    scene.fleet.fail_make_after(0, "throttled");
    let round = scene.round().await;
    assert_eq!(stopped_at(&round).0, Part::Act);
    assert_eq!(scene.history().await, History::default());
    assert_eq!(scene.fleet.published(), 0);
}

#[tokio::test]
async fn a_lease_lost_between_deciding_and_acting_changes_nothing() {
    for meddle in [Meddle::TakeOverBeforeActing, Meddle::TakeOverAndLeave] {
        let scene = rush().meddled(meddle);
        let round = scene.round().await;
        let (step, why, _) = stopped_at(&round);
        assert_eq!(step, Part::Lease);
        assert!(why.contains("another controller"), "{why}");
        assert_eq!(scene.fleet.made(), []);
        assert_eq!(scene.history().await, History::default());
    }
}

#[tokio::test]
async fn a_ledger_that_fails_before_acting_stops_the_round() {
    let cases = [
        (Meddle::Claim, Part::Lease),
        (Meddle::History, Part::History),
        (Meddle::RecordAhead, Part::Journal),
    ];
    for (meddle, part) in cases {
        let scene = rush().meddled(meddle);
        let round = scene.round().await;
        assert_eq!(stopped_at(&round).0, part);
        assert_eq!(scene.fleet.made(), [], "{part}");
    }
}

#[tokio::test]
async fn a_ledger_that_fails_after_acting_leaves_a_note() {
    for meddle in [Meddle::RecordOutcome, Meddle::Snapshot, Meddle::Remember] {
        let scene = rush().meddled(meddle);
        let round = scene.round().await;
        assert!(!round.failed(), "{round:?}");
        assert_eq!(round.notes.len(), 1, "{:?}", round.notes);
        assert!(round.notes[0].contains("the table does not answer"));
        assert_eq!(scene.fleet.made().len(), 1);
    }
}

#[tokio::test]
async fn a_plan_is_recorded_before_it_is_carried_out() {
    let scene = rush().meddled(Meddle::RecordOutcome);
    scene.round().await;
    let recorded = scene.recorded().await;
    assert_eq!(recorded[0].outcome, Outcome::Intended);
    assert_eq!(recorded[0].plan, scene.fleet.made());
}

#[tokio::test]
async fn figures_that_cannot_be_published_are_a_note() {
    let scene = rush();
    scene.fleet.fail_publish("no such endpoint");
    let round = scene.round().await;
    assert!(!round.failed());
    assert!(
        round.notes[0].contains("no such endpoint"),
        "{:?}",
        round.notes
    );
    assert_eq!(scene.recorded().await, [round]);
}

#[tokio::test]
async fn of_two_controllers_exactly_one_acts() {
    let scene = rush();
    let mut theirs = scene.ports.clone();
    theirs.token = "theirs".to_owned();
    let (a, b) = tokio::join!(scene.round(), round(Arc::clone(&scene.policy), theirs));
    let stood_by = |round: &Round| matches!(round.outcome, Outcome::StoodBy { .. });
    assert_eq!(
        [&a, &b].into_iter().filter(|r| stood_by(r)).count(),
        1,
        "{a:?} {b:?}"
    );
    assert_eq!(scene.fleet.made().len(), 1);
    assert_eq!(scene.fleet.published(), 1);
    assert_eq!(
        scene.recorded().await.len(),
        1,
        "standing by is not worth a record"
    );
}

#[tokio::test]
async fn a_controller_that_died_is_replaced_when_its_lease_has_ended() {
    let scene = rush();
    scene
        .ledger
        .claim("thumbnails", "dead", START)
        .await
        .unwrap();
    assert!(matches!(
        scene.round().await.outcome,
        Outcome::StoodBy { .. }
    ));
    scene.ports.clock.advance(Seconds(66.0));
    let round = scene.round().await;
    assert!(matches!(round.outcome, Outcome::Done { .. }), "{round:?}");
    assert_eq!(scene.fleet.made().len(), 1);
}

#[tokio::test]
async fn who_stands_down_makes_room_at_once() {
    let scene = rush();
    scene.round().await;
    stand_down(&scene.policy, &scene.ports).await;
    let claim = scene
        .ledger
        .claim("thumbnails", "next", START)
        .await
        .unwrap();
    assert!(matches!(claim, Claim::Held(_)));
}

#[tokio::test]
async fn a_preview_makes_no_change_and_writes_nothing() {
    let scene = rush();
    let judged = preview(&scene.policy, &scene.ports).await.unwrap();
    assert!(!judged.plan.is_empty());
    assert_eq!(scene.fleet.made(), []);
    assert_eq!(scene.fleet.published(), 0);
    assert_eq!(scene.recorded().await, []);
    assert_eq!(scene.history().await, History::default());
    let claim = scene
        .ledger
        .claim("thumbnails", "another", START)
        .await
        .unwrap();
    assert!(matches!(claim, Claim::Held(_)), "no lease was taken");
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_does_not() {
    let mut scene = rush();
    scene.ports.act = Arc::new(DryRun);
    let round = scene.round().await;
    let Outcome::Done { changes } = &round.outcome else {
        panic!("{round:?}");
    };
    assert!(
        changes[0].starts_with("would set desired capacity"),
        "{changes:?}"
    );
    assert_eq!(scene.fleet.made(), []);
    assert_eq!(scene.fleet.published(), 0);
}

#[tokio::test]
async fn a_defect_in_one_round_is_a_failed_round() {
    struct Defective;
    #[async_trait]
    impl Observe for Defective {
        async fn observe(&self, _: &Policy, _: UnixSeconds) -> Result<Sighting, PortError> {
            panic!("a defect, on purpose");
        }
    }
    let mut scene = rush();
    scene.ports.observe = Arc::new(Defective);
    let round = scene.round().await;
    let (_, why, changes) = stopped_at(&round);
    assert!(why.contains("defect"), "{why}");
    assert!(changes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_without_an_answer_is_given_up_before_the_lease_ends() {
    struct Hanging;
    #[async_trait]
    impl Act for Hanging {
        async fn make(&self, _: &Policy, _: &Change) -> Result<String, PortError> {
            std::future::pending().await
        }
        async fn publish(&self, _: &Policy, _: UnixSeconds, _: &[Figure]) -> Result<(), PortError> {
            Ok(())
        }
    }
    let mut scene = rush();
    scene.ports.act = Arc::new(Hanging);
    let round = scene.round().await;
    let (step, why, _) = stopped_at(&round);
    assert_eq!(step, Part::Act);
    assert!(why.contains("before the lease ran out"), "{why}");
}

#[tokio::test]
async fn the_lease_is_renewed_in_a_long_plan() {
    struct Slow(Arc<FakeFleet>, Clock);
    #[async_trait]
    impl Act for Slow {
        async fn make(&self, policy: &Policy, change: &Change) -> Result<String, PortError> {
            self.1.advance(Seconds(25.0));
            self.0.make(policy, change).await
        }
        async fn publish(&self, _: &Policy, _: UnixSeconds, _: &[Figure]) -> Result<(), PortError> {
            Ok(())
        }
    }
    let roster = (1..=6).map(|nth| testing::member(&format!("i-{nth}"), Phase::InService));
    let mut scene = scene(testing::sighting("thumbnails", 0, roster.collect()));
    scene.ports.act = Arc::new(Slow(scene.fleet.clone(), scene.ports.clock.clone()));
    let Claim::Held(lease) = scene
        .ledger
        .claim("thumbnails", "ours", START)
        .await
        .unwrap()
    else {
        panic!("the lease is free");
    };
    let plan = plan_to_zero(&scene).await;
    let (lease, changes) = carry_out(&scene.policy, &scene.ports, lease, &plan)
        .await
        .unwrap();
    assert_eq!(changes.len(), 6);
    assert!(lease.until.0 > scene.ports.clock.now().0, "held to the end");
}
