//! A queue and a fleet in a few lines, to see whether verdicts come to rest.

use proptest::prelude::*;
use weir_controller::decide::{History, decide};
use weir_controller::model::{
    FleetObservation, Instances, Messages, Observation, QueueObservation, UnixSeconds,
};
use weir_controller::policy::Policy;

/// Between looks.
const EVERY: f64 = 15.0;
/// Of the fluid, between looks.
const STEPS: u32 = 200;

pub(crate) fn observation(
    at: f64,
    (visible, in_flight): (u64, u64),
    (size, pending): (u32, u32),
) -> Observation {
    Observation {
        at: UnixSeconds(at),
        queues: vec![QueueObservation {
            name: "q".to_owned(),
            visible: Some(Messages(visible)),
            in_flight: Some(Messages(in_flight)),
            delayed: Some(Messages(0)),
            oldest_age_seconds: None,
        }],
        fleet: FleetObservation {
            desired: Some(Instances(size)),
            in_service: Some(Instances(size - pending)),
            pending: Some(Instances(pending)),
            terminating: Some(Instances(0)),
        },
        workers: None,
    }
}

pub(crate) fn plausible() -> impl Strategy<Value = Observation> {
    (0_u32..10_000, 0_u64..3000, 0_u64..100, 0_u32..40, 0_u32..9).prop_map(
        |(at, visible, in_flight, size, pending)| {
            observation(
                1.7e9 + f64::from(at),
                (visible, in_flight),
                (size, pending.min(size)),
            )
        },
    )
}

/// What a fluid queue and its fleet went through.
struct Played {
    sizes: Vec<u32>,
    /// The longest any work waited once the fleet had come to rest.
    waited_max: f64,
}

/// Plays a constant stream on the fleet that the verdicts ask for: instances work after their
/// boot, and go at once.
fn play(policy: &Policy, per_second: f64, looks: u32) -> Played {
    let worker = policy.worker;
    let (slots, service) = (f64::from(worker.slots), worker.service_time.0);
    let mut history = History::default();
    // Messages in the queue and in work.
    let mut backlog: f64 = 0.0;
    let mut ready: u32 = 0;
    let mut booting: Vec<f64> = Vec::new();
    let mut played = Played {
        sizes: Vec::new(),
        waited_max: 0.0,
    };
    for look in 0..looks {
        let now = 1.7e9 + f64::from(look) * EVERY;
        let up = booting
            .iter()
            .filter(|at| **at + worker.boot_time.0 <= now)
            .count();
        booting.retain(|at| *at + worker.boot_time.0 > now);
        ready += u32::try_from(up).expect("few");
        let capacity = f64::from(ready) * slots;
        for _ in 0..STEPS {
            backlog += per_second * EVERY / f64::from(STEPS);
            backlog -= capacity.min(backlog) * EVERY / f64::from(STEPS) / service;
        }
        let in_flight = capacity.min(backlog);
        let visible = backlog - in_flight;
        if look > looks / 2 {
            played.waited_max = played.waited_max.max(visible / per_second);
        }
        let size = ready + u32::try_from(booting.len()).expect("few");
        let mut seen = observation(
            now,
            (whole(visible), whole(in_flight)),
            (size, u32::try_from(booting.len()).expect("few")),
        );
        // Without ages and reports a standing backlog is worked off now and then.
        seen.queues[0].oldest_age_seconds = Some(visible / per_second);
        let decision = decide(policy, &seen, &history);
        history = decision.history;
        let wanted = decision.verdict.desired.expect("a size").0;
        played.sizes.push(wanted);
        for _ in size..wanted {
            booting.push(now);
        }
        ready -= size.saturating_sub(wanted).min(ready);
    }
    played
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small and positive"
)]
fn whole(x: f64) -> u64 {
    x.round() as u64
}

/// A backlog that creeps up is of messages that all have time left, until none has: an objective
/// just above the reaction time is kept only by counting those that will have come by then.
#[test]
fn a_creeping_backlog_is_answered_in_time_just_above_the_reaction_time() {
    for (instances, objective, service) in [
        (10.21, 150.1, 2.0),
        (20.18, 129.4, 2.0),
        (12.0, 135.0, 2.0),
        (28.37, 154.4, 34.26),
    ] {
        let mut policy = super::base();
        policy.objective.start_within = super::seconds(objective);
        policy.queues[0].objective = policy.objective;
        policy.worker.service_time = super::seconds(service);
        let played = play(&policy, instances * 4.0 / service, 1200);
        assert!(
            played.waited_max <= objective,
            "{instances} {objective}: {}",
            played.waited_max
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    // From just above the boot on.
    #[test]
    fn a_constant_load_brings_the_fleet_to_rest(
        instances in 0.3..30.0_f64, objective in 120.0..900.0, service in 2.0..60.0,
    ) {
        let mut policy = super::base();
        policy.objective.start_within = super::seconds(objective);
        policy.queues[0].objective = policy.objective;
        policy.worker.service_time = super::seconds(service);
        let per_second = instances * 4.0 / service;
        let played = play(&policy, per_second, 1200);
        let rest = &played.sizes[600..];
        let (least, most) = (rest.iter().min().expect("some"), rest.iter().max().expect("some"));
        let turns = rest.windows(2).filter(|pair| pair[0] != pair[1]).count();
        prop_assert!(most - least <= 1 + most / 8, "{least} to {most}: {rest:?}");
        prop_assert!(turns <= 40, "{turns} changes in {} looks: {rest:?}", rest.len());
        prop_assert!(played.waited_max <= objective, "waited {}", played.waited_max);
        // Where the objective is shorter than boot and 2.5 looks, capacity is kept ahead besides.
        let fair = if objective < 127.5 { 2.0 } else { 1.25 };
        let fair = (instances * fair + 1.5).ceil();
        prop_assert!(f64::from(*most) <= fair, "{most} for {instances}");
    }
}
