//! Several queues on one fleet: whatever their objectives, weights and priorities, each keeps its
//! own.

use proptest::prelude::*;
use weir_controller::decide::{History, decide};
use weir_controller::model::{
    Instances, Messages, Observation, QueueObservation, Verdict, WorkersObservation,
};
use weir_controller::policy::{Policy, Queue};

use crate::load;

/// One queue: its objective in seconds, weight, priority; and what is seen of it.
#[derive(Clone, Debug)]
struct Line {
    objective: f64,
    weight: f64,
    priority: i32,
    visible: u64,
    in_flight: u64,
    age: Option<f64>,
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let age = prop::option::of(0.0..900.0_f64);
    let counts = (0_u64..20_000, 0_u64..100, age);
    let line = (20.0..2000.0_f64, 0.1..20.0_f64, -2..3_i32, counts);
    let line = line.prop_map(
        |(objective, weight, priority, (visible, in_flight, age))| Line {
            objective,
            weight,
            priority,
            visible,
            in_flight,
            age,
        },
    );
    prop::collection::vec(line, 2..6)
}

fn policy(lines: &[Line]) -> Policy {
    let mut policy = super::base();
    policy.fleet.max = Instances(2000);
    policy.queues = lines
        .iter()
        .enumerate()
        .map(|(nth, line)| {
            let mut queue = Queue {
                name: format!("q{nth}"),
                weight: line.weight,
                priority: line.priority,
                ..policy.queues[0].clone()
            };
            queue.objective.start_within = super::seconds(line.objective);
            queue
        })
        .collect();
    policy
}

fn seen(policy: &Policy, lines: &[Line], size: u32) -> Observation {
    let mut observation = load::observation(1.7e9, (0, 0), (size, 0));
    let queues = policy.queues.iter().zip(lines);
    let queues = queues.map(|(queue, line)| QueueObservation {
        name: queue.name.clone(),
        visible: Some(Messages(line.visible)),
        in_flight: Some(Messages(line.in_flight)),
        delayed: Some(Messages(0)),
        oldest_age_seconds: line.age,
    });
    observation.queues = queues.collect();
    // Or slots would be learned from what is in flight.
    observation.workers = (size > 0).then(|| WorkersObservation {
        slots: Some(policy.worker.slots * size),
        reporting: Some(size),
        ..WorkersObservation::default()
    });
    observation
}

/// The verdict on a first look.
fn judge(policy: &Policy, lines: &[Line], size: u32) -> Verdict {
    decide(policy, &seen(policy, lines, size), &History::default()).verdict
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_queue_s_own_need_is_within_the_fleet_s(lines in lines(), size in 0_u32..200) {
        let policy = policy(&lines);
        let all = judge(&policy, &lines, size).desired;
        for (queue, line) in policy.queues.iter().zip(&lines) {
            let alone = Policy { queues: vec![queue.clone()], ..policy.clone() };
            let one = judge(&alone, std::slice::from_ref(line), size).desired;
            prop_assert!(one <= all, "{}: {one:?} of {all:?}", queue.name);
        }
    }

    #[test]
    fn more_backlog_in_any_queue_never_means_fewer_instances(
        lines in lines(), size in 0_u32..200, nth in any::<prop::sample::Index>(), more in 1_u64..20_000,
    ) {
        let policy = policy(&lines);
        let before = judge(&policy, &lines, size).desired;
        let mut longer = lines.clone();
        longer[nth.index(lines.len())].visible += more;
        let after = judge(&policy, &longer, size).desired;
        prop_assert!(before <= after, "{before:?} to {after:?}");
    }

    #[test]
    fn a_shorter_objective_never_means_fewer_instances(
        lines in lines(), size in 0_u32..200, nth in any::<prop::sample::Index>(), part in 0.2..1.0_f64,
    ) {
        let before = judge(&policy(&lines), &lines, size).desired;
        let mut tighter = lines.clone();
        tighter[nth.index(lines.len())].objective *= part;
        let after = judge(&policy(&tighter), &tighter, size).desired;
        prop_assert!(before <= after, "{before:?} to {after:?}");
    }

    #[test]
    fn bounds_and_trail_hold_for_many_queues(
        looks in prop::collection::vec((lines(), 0_u32..60), 1..12), max in 1_u32..50,
    ) {
        let mut policy = policy(&looks[0].0);
        policy.fleet.max = Instances(max);
        let mut history = History::default();
        for (nth, (lines, size)) in looks.iter().enumerate() {
            let size = (*size).min(max);
            let mut observation = seen(&policy, lines, size);
            observation.at.0 += nth as f64 * 15.0;
            let decision = decide(&policy, &observation, &history);
            history = decision.history;
            let desired = decision.verdict.desired.expect("the present size is known").0;
            prop_assert!(desired <= max);
            prop_assert!(!decision.verdict.trail.is_empty());
            let missing = lines.len() < policy.queues.len();
            prop_assert!(!missing || desired >= size, "shrinks with a queue unseen");
        }
    }
}
