//! What must hold of every verdict, over arbitrary observations: bounds, steps, hold on unknown,
//! determinism, monotony, calm under constant load; and a file of hostile input.

#[path = "judgement/complaints.rs"]
mod complaints;
#[path = "judgement/hostile.rs"]
mod hostile;
#[path = "judgement/load.rs"]
mod load;
#[path = "judgement/queues.rs"]
mod queues;

use proptest::prelude::*;
use weir_controller::check::check;
use weir_controller::decide::{History, decide};
use weir_controller::model::{
    Action, FleetObservation, Instances, Messages, Observation, QueueObservation, UnixSeconds,
    Verdict, WorkersObservation,
};
use weir_controller::policy::{self, Hold, Policy, StepLimit};
use weir_controller::reason::Reason;

fn base() -> Policy {
    let text = "version: 1\nname: t\nqueues: [{ name: q }]\n\
                fleet: { auto_scaling_group: g, max: 40 }\nobjective: { start_within: 60s }\n\
                worker: { slots: 4, service_time: 8s, boot_time: 90s }\n";
    policy::parse("test", text).expect("a policy")
}

fn policies() -> impl Strategy<Value = Policy> {
    let step = prop_oneof![
        Just(StepLimit::Unlimited),
        (1.0..300.0).prop_map(StepLimit::Percent),
        (1_u32..20).prop_map(|n| StepLimit::Count(Instances(n))),
    ];
    let hold = prop_oneof![
        Just(Hold::Auto),
        (0.0..600.0).prop_map(|s| Hold::For(seconds(s)))
    ];
    let budget = prop::option::of(100.0..1000.0);
    let bounds = (0_u32..4, 4_u32..60);
    let times = (1.0..1200.0, 0.1..400.0, 0.0..400.0, 1_u32..9);
    (bounds, times, step.clone(), step, hold, budget).prop_map(
        |((min, max), (objective, service, boot, slots), scale_out, scale_in, hold, budget)| {
            let mut policy = base();
            policy.fleet.min = Instances(min);
            policy.fleet.max = Instances(max);
            policy.objective.start_within = seconds(objective);
            policy.queues[0].objective = policy.objective;
            policy.worker.service_time = seconds(service);
            policy.worker.boot_time = seconds(boot);
            policy.worker.slots = slots;
            Policy {
                scale_out,
                scale_in,
                hold,
                instance_hours_per_day: budget,
                ..policy
            }
        },
    )
}

fn seconds(s: f64) -> weir_controller::model::Seconds {
    weir_controller::model::Seconds(s)
}

/// Mostly plausible numbers, some of them unknown, some monstrous.
fn count() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        8 => (0_u64..5000).prop_map(Some),
        2 => Just(Some(0)),
        1 => Just(None),
        1 => Just(Some(u64::MAX)),
    ]
}

fn size() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![
        12 => (0_u32..70).prop_map(Some),
        1 => Just(None),
        1 => Just(Some(u32::MAX)),
    ]
}

fn number() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        6 => (0.0..500.0).prop_map(Some),
        2 => Just(None),
        1 => prop_oneof![
            Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(f64::MAX), Just(0.0)
        ].prop_map(Some),
    ]
}

fn at() -> impl Strategy<Value = f64> {
    prop_oneof![
        10 => -30.0..90.0,
        1 => -1e7..1e7,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::MIN), Just(0.0)],
    ]
}

prop_compose! {
    fn observations()(
        elapsed in at(), counts in [count(), count(), count()], age in number(),
        sizes in [size(), size(), size(), size()],
        workers in prop::option::of((count(), size(), size(), number(), number(), size())),
    ) -> (f64, Observation) {
        let [visible, in_flight, delayed] = counts.map(|n| n.map(Messages));
        let [desired, in_service, pending, terminating] = sizes.map(|n| n.map(Instances));
        let queue = QueueObservation {
            name: "q".to_owned(), visible, in_flight, delayed, oldest_age_seconds: age,
        };
        let workers = workers.map(|(completed_total, busy_slots, slots, service, boot, reporting)| {
            WorkersObservation {
                completed_total, busy_slots, slots, reporting,
                service_seconds_mean: service, boot_seconds_mean: boot,
            }
        });
        (elapsed, Observation {
            at: UnixSeconds(0.0),
            queues: vec![queue],
            fleet: FleetObservation { desired, in_service, pending, terminating },
            workers,
        })
    }
}

/// Judges a sequence, each at its offset from the one before.
fn judge(policy: &Policy, sequence: &[(f64, Observation)]) -> Vec<(Observation, Verdict)> {
    let mut history = History::default();
    let mut now = 1.7e9;
    let mut verdicts = Vec::new();
    for (elapsed, observation) in sequence {
        let at = now + elapsed;
        if at.is_finite() && at.abs() < 1e11 {
            now = at;
        }
        let observation = Observation {
            at: UnixSeconds(at),
            ..observation.clone()
        };
        let decision = decide(policy, &observation, &history);
        history = decision.history;
        verdicts.push((observation, decision.verdict));
    }
    verdicts
}

fn present(observation: &Observation) -> Option<u32> {
    let fleet = observation.fleet;
    let launched = || Some(fleet.in_service?.0.saturating_add(fleet.pending?.0));
    fleet.desired.map(|n| n.0).or_else(launched)
}

fn step(limit: StepLimit, present: u32) -> f64 {
    match limit {
        StepLimit::Unlimited => f64::INFINITY,
        StepLimit::Count(n) => f64::from(n.0),
        StepLimit::Percent(percent) => (f64::from(present) * percent / 100.0).max(1.0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_sequence_breaks_a_guarantee(
        policy in policies(),
        sequence in prop::collection::vec(observations(), 1..40),
    ) {
        for (observation, verdict) in judge(&policy, &sequence) {
            let (min, max) = (policy.fleet.min.0, policy.fleet.max.0);
            prop_assert!(!verdict.trail.is_empty());
            prop_assert!(verdict.backlog_per_instance_target.is_finite());
            prop_assert!(verdict.backlog_per_instance_target > 0.0);
            prop_assert!(verdict.backlog_per_instance.is_none_or(f64::is_finite));
            let Some(present) = present(&observation) else {
                prop_assert_eq!(verdict.desired, None);
                prop_assert_eq!(verdict.action, Action::Hold);
                continue;
            };
            let desired = verdict.desired.expect("the present size is known").0;
            if (min..=max).contains(&present) {
                prop_assert!((min..=max).contains(&desired), "{present} to {desired}");
            }
            let change = f64::from(desired) - f64::from(present);
            prop_assert!(change <= step(policy.scale_out, present), "{present} to {desired}");
            prop_assert!(-change <= step(policy.scale_in, present), "{present} to {desired}");
            let queue = &observation.queues[0];
            let known = queue.visible.is_some() && queue.in_flight.is_some()
                && observation.at.0.is_finite() && observation.fleet.desired.is_some();
            prop_assert!(known || desired >= present, "shrinks on unknown");
            let said = serde_json::to_string(&verdict).expect("verdicts are JSON");
            prop_assert!(!said.contains("NaN"), "{said}");
            let checked = check(&policy, &observation, verdict);
            let failed = checked.trail.iter()
                .any(|step| matches!(step.reason, Reason::Breach(_)));
            prop_assert!(!failed, "{:?}", checked.trail);
        }
    }

    #[test]
    fn the_same_sequence_gives_the_same_verdicts(
        policy in policies(),
        sequence in prop::collection::vec(observations(), 1..20),
    ) {
        let json = |verdicts: Vec<(Observation, Verdict)>| {
            let lines = verdicts.iter().map(|(_, v)| serde_json::to_string(v).expect("JSON"));
            lines.collect::<Vec<_>>()
        };
        prop_assert_eq!(json(judge(&policy, &sequence)), json(judge(&policy, &sequence)));
    }

    #[test]
    fn a_replay_through_json_gives_the_same_verdicts(
        policy in policies(),
        sequence in prop::collection::vec(load::plausible(), 1..30),
    ) {
        let mut kept = History::default();
        let mut stored = History::default();
        for observation in &sequence {
            let a = decide(&policy, observation, &kept);
            let b = decide(&policy, observation, &stored);
            prop_assert_eq!(&a.verdict, &b.verdict);
            kept = a.history;
            let text = serde_json::to_string(&b.history).expect("JSON");
            stored = serde_json::from_str(&text).expect("a history");
        }
    }

    #[test]
    fn more_backlog_never_means_fewer_instances(
        policy in policies(),
        visible in 0_u64..20_000, more in 0_u64..20_000, in_flight in 0_u64..200,
        size in 0_u32..40, pending in 0_u32..10,
    ) {
        let look = |visible| {
            let observation = load::observation(1.7e9, (visible, in_flight), (size, pending.min(size)));
            decide(&policy, &observation, &History::default()).verdict.desired
        };
        prop_assert!(look(visible) <= look(visible + more));
    }
}
