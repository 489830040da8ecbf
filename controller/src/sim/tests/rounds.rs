//! Whole rounds on the simulation come to what the judgement alone comes to.

use std::sync::Arc;

use super::super::testing::{bursty, policy, setup};
use super::super::{Judged, Look, Setup, SimulatedFleet, World, run};
use crate::clock::Clock;
use crate::drive::{Ports, round};
use crate::journal::{MemoryLedger, Outcome};
use crate::model::Seconds;
use crate::testing::START;

#[tokio::test]
async fn whole_rounds_through_the_ports_give_the_same_run() {
    let policy = policy(300.0);
    let setup = Setup {
        starts_at: START,
        ..setup()
    };
    let load = bursty(5);
    let alone = run(&setup, &load, &mut Judged::new(&policy));
    // Rounds run in tasks of their own, so what they work on lives for ever.
    let (setup, load): (&'static _, &'static _) =
        (Box::leak(Box::new(setup)), Box::leak(Box::new(load)));
    let fleet = Arc::new(SimulatedFleet::new(World::new(setup, load), START));
    let ports = Ports {
        observe: fleet.clone(),
        act: fleet.clone(),
        ledger: Arc::new(MemoryLedger::default()),
        clock: Clock::manual(START),
        token: "ours".to_owned(),
    };
    let policy = Arc::new(policy);
    let mut changes = 0;
    for _ in 0..alone.looks.len() {
        let round = round(Arc::clone(&policy), ports.clone()).await;
        let Outcome::Done { changes: made } = round.outcome else {
            panic!("{:?}", round.outcome);
        };
        changes += made.len();
        ports.clock.advance(Seconds(setup.interval_seconds));
    }
    let now = ports.clock.now().0 - START.0;
    drop(ports);
    let fleet = Arc::into_inner(fleet).expect("nobody else has it");
    let driven = fleet.into_world().finish(now);
    assert!(changes > 20, "nothing was tested: {changes}");
    let first =
        |driven: &[Look], alone: &[Look]| driven.iter().zip(alone).position(|(d, a)| d != a);
    assert_eq!(
        first(&driven.looks, &alone.looks),
        None,
        "looks that differ"
    );
    assert_eq!(driven.looks.len(), alone.looks.len());
    assert_eq!(driven.launches, alone.launches);
    assert!(driven.waits == alone.waits, "waits differ");
}
