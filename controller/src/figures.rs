//! The figures of a fleet that are published for dashboards, alarms and target tracking.
//!
//! Pure: from a sighting and its verdict to names and values. What is unknown is left out, so
//! that no dashboard shows a zero that nobody measured.

use crate::model::{Instances, Observation, Seconds, Verdict};
use crate::policy::Policy;
use crate::ports::Sighting;

/// One published value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The metric's name.
    pub name: &'static str,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// A figure's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Seconds,
}

/// Name of the metric that is 1 in a round whose verdict the checker refused, else 0: a defect of
/// this program, for which the fleet was held. An alarm should watch it.
pub const VERDICT_REFUSED: &str = "VerdictRefused";
/// Name of the metric that target tracking follows.
pub const BACKLOG_PER_INSTANCE: &str = "BacklogPerInstance";

/// The figures that are known.
pub fn figures(policy: &Policy, sighting: &Sighting, verdict: &Verdict) -> Vec<Figure> {
    let fleet = sighting.observation.fleet;
    let count = |instances: Instances| f64::from(instances.0);
    let wait = wait_estimate(policy, &sighting.observation);
    [
        (
            BACKLOG_PER_INSTANCE,
            verdict.backlog_per_instance,
            Unit::Count,
        ),
        (
            "BacklogPerInstanceTarget",
            Some(verdict.backlog_per_instance_target),
            Unit::Count,
        ),
        ("Desired", fleet.desired.map(count), Unit::Count),
        ("InService", fleet.in_service.map(count), Unit::Count),
        ("WaitEstimateSeconds", wait.map(|s| s.0), Unit::Seconds),
        (
            VERDICT_REFUSED,
            Some(f64::from(u8::from(verdict.refused().is_some()))),
            Unit::Count,
        ),
    ]
    .into_iter()
    .filter_map(|(name, value, unit)| {
        let value = value.filter(|value| value.is_finite())?;
        Some(Figure { name, value, unit })
    })
    .collect()
}

/// How long a message that arrives now waits before it starts: what is visible, at the rate at
/// which the slots there are free themselves (Little's law). Unknown where a queue is, or where
/// there is no slot to wait for.
pub fn wait_estimate(policy: &Policy, observation: &Observation) -> Option<Seconds> {
    let mut visible = 0.0;
    for queue in &observation.queues {
        visible += queue.visible?.0 as f64;
    }
    let workers = observation.workers;
    let slots = workers
        .and_then(|workers| workers.slots)
        .or_else(|| Some(observation.fleet.in_service?.0 * policy.worker.slots))?;
    let service_seconds = workers
        .and_then(|workers| workers.service_seconds_mean)
        .unwrap_or(policy.worker.service_time.0);
    if visible == 0.0 {
        Some(Seconds(0.0))
    } else if slots == 0 {
        None
    } else {
        Some(Seconds(visible * service_seconds / f64::from(slots)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::model::Action;
    use crate::testing;

    fn verdict(backlog_per_instance: Option<f64>) -> Verdict {
        Verdict {
            at: testing::START,
            fleet: "thumbnails".to_owned(),
            action: Action::Hold,
            desired: Some(Instances(2)),
            backlog_per_instance,
            backlog_per_instance_target: 30.0,
            trail: Vec::new(),
        }
    }

    #[test]
    fn publishes_what_is_known() {
        let policy = testing::policy("thumbnails");
        let roster = vec![testing::worker("i-1", 4), testing::worker("i-2", 4)];
        let sighting = testing::sighting("thumbnails", 80, roster);
        let all = figures(&policy, &sighting, &verdict(Some(40.0)));
        let named: Vec<_> = all
            .iter()
            .map(|figure| (figure.name, figure.value))
            .collect();
        assert_eq!(
            named,
            [
                ("BacklogPerInstance", 40.0),
                ("BacklogPerInstanceTarget", 30.0),
                ("Desired", 2.0),
                ("InService", 2.0),
                ("WaitEstimateSeconds", 80.0), // 80 messages of 8 s through 8 slots
                ("VerdictRefused", 0.0),
            ]
        );
    }

    #[test]
    fn publishes_nothing_for_what_is_unknown() {
        let policy = testing::policy("thumbnails");
        let mut sighting = testing::sighting("thumbnails", 80, Vec::new());
        sighting.observation.fleet.desired = None;
        sighting.observation.fleet.in_service = None;
        let all = figures(&policy, &sighting, &verdict(None));
        let names: Vec<_> = all.iter().map(|figure| figure.name).collect();
        assert_eq!(names, ["BacklogPerInstanceTarget", "VerdictRefused"]);
    }

    #[test]
    fn a_refused_verdict_is_one_for_an_alarm_to_see() {
        let policy = testing::policy("thumbnails");
        let sighting = testing::sighting("thumbnails", 80, Vec::new());
        let mut broken = verdict(Some(40.0));
        broken.fleet = "another".to_owned();
        let checked = check(&policy, &sighting.observation, broken);
        let of = |verdict: &Verdict| {
            let all = figures(&policy, &sighting, verdict);
            let refused = all.iter().find(|figure| figure.name == VERDICT_REFUSED);
            refused.map(|figure| (figure.value, figure.unit))
        };
        assert_eq!(of(&checked), Some((1.0, Unit::Count)));
        assert_eq!(of(&verdict(Some(40.0))), Some((0.0, Unit::Count)));
    }

    #[test]
    fn an_empty_queue_makes_nobody_wait_even_without_workers() {
        let policy = testing::policy("thumbnails");
        let wait = |visible| {
            let sighting = testing::sighting("thumbnails", visible, Vec::new());
            wait_estimate(&policy, &sighting.observation)
        };
        assert_eq!(wait(0), Some(Seconds(0.0)));
        assert_eq!(wait(1), None);
    }
}
