//! Step scaling on visible messages, as CDK's `QueueProcessingEc2Service` and
//! `QueueProcessingFargateService` have it, an instance for a task.

use super::Look;
use super::cloudwatch::{LATE_SECONDS, Points};
use super::setting::{Parameter, Setting, Typed};
use crate::model::Observation;
use crate::sim::Scaler;

pub(super) const PARAMETERS: [Parameter; 8] = [
    Parameter {
        name: "scalingSteps[1].lower",
        unit: "messages",
        documented: "100",
        is_swept: true,
    },
    Parameter {
        name: "scalingSteps[2].lower",
        unit: "messages",
        documented: "500",
        is_swept: false,
    },
    Parameter {
        name: "scalingSteps[0].change",
        unit: "tasks",
        documented: "-1",
        is_swept: false,
    },
    Parameter {
        name: "scalingSteps[1].change",
        unit: "tasks",
        documented: "+1",
        is_swept: false,
    },
    Parameter {
        name: "scalingSteps[2].change",
        unit: "tasks",
        documented: "+5",
        is_swept: false,
    },
    Parameter {
        name: "period",
        unit: "s",
        documented: "300",
        is_swept: false,
    },
    Parameter {
        name: "minScalingCapacity",
        unit: "tasks",
        documented: "1",
        is_swept: false,
    },
    Parameter {
        name: "metric published after",
        unit: "s",
        documented: "none; 60",
        is_swept: false,
    },
];

/// The period's largest count of visible messages (`Maximum`, CDK's statistic for it), one
/// evaluation period: none takes a task away, from the first bound on one is added, from the
/// second on five.
///
/// In-flight messages do not count, and between none and the first bound nothing happens. There
/// is never less than one task. The service's other policy, 50 % of processor time, is left out:
/// a simulated job has no processor time. So is `maxScalingCapacity`, by default 2 tasks: the
/// fleet's max takes its place.
#[derive(Clone, Debug)]
pub struct StepScaling {
    /// `scalingSteps`: from how many visible messages on a task is added, and from how many on
    /// more.
    pub lower: [f64; 2],
    /// `scalingSteps`: how many are added, from each of the bounds on.
    pub added: [u32; 2],
    /// `scalingSteps`: how many leave an empty queue.
    pub removed: u32,
    /// The metric's `period`, in whole minutes.
    pub period_seconds: f64,
    /// `minScalingCapacity`.
    pub min: u32,
    points: Points,
    minutes: f64,
    largest: f64,
}

impl StepScaling {
    /// The documented second bound, over the first.
    const BOUNDS_RATIO: f64 = 5.0;

    /// CDK's defaults, with points published so long after their minute.
    pub fn late_by(late_seconds: f64) -> Self {
        Self {
            lower: [100.0, 500.0],
            added: [1, 5],
            removed: 1,
            period_seconds: 300.0,
            min: 1,
            points: Points::late_by(late_seconds),
            minutes: 0.0,
            largest: 0.0,
        }
    }

    pub(super) fn documented() -> Self {
        Self::late_by(LATE_SECONDS)
    }

    /// As documented; with a period of one minute; and that with steps four times as large, for
    /// fleets that are.
    pub(super) fn rules() -> Vec<Self> {
        let prompt = Self {
            period_seconds: 60.0,
            ..Self::documented()
        };
        let large = Self {
            added: [4, 20],
            removed: 4,
            ..prompt.clone()
        };
        vec![Self::documented(), prompt, large]
    }

    /// A period is over.
    fn step(&self, have: u32, visible: f64) -> u32 {
        if visible <= 0.0 {
            have.saturating_sub(self.removed)
        } else if visible >= self.lower[1] {
            have.saturating_add(self.added[1])
        } else if visible >= self.lower[0] {
            have.saturating_add(self.added[0])
        } else {
            have
        }
    }
}

impl Scaler for StepScaling {
    fn size(&mut self, seen: &Observation) -> u32 {
        let now = Look::of(seen);
        let mut size = now.have();
        if let Some(point) = self.points.new_at(&now) {
            self.minutes += 1.0;
            self.largest = self.largest.max(point.visible);
            if self.minutes * Points::PERIOD_SECONDS >= self.period_seconds {
                size = self.step(size, self.largest);
                (self.minutes, self.largest) = (0.0, 0.0);
            }
        }
        size.max(self.min)
    }
}

impl Typed for StepScaling {
    fn values(&self) -> Vec<f64> {
        vec![
            self.lower[0],
            self.lower[1],
            -f64::from(self.removed),
            f64::from(self.added[0]),
            f64::from(self.added[1]),
            self.period_seconds,
            f64::from(self.min),
            self.points.late_seconds(),
        ]
    }

    fn with_swept(&self, lower: f64) -> Setting {
        Setting::StepScaling(Self {
            lower: [lower, lower * Self::BOUNDS_RATIO],
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    /// The size after a period in which so many were visible, of 10 tasks.
    fn after(visible: u64) -> u32 {
        let mut peer = StepScaling::late_by(0.0);
        (0..5)
            .map(|minute| peer.size(&seen(f64::from(minute) * 60.0, (visible, 40), (10, 0))))
            .last()
            .expect("five")
    }

    #[test]
    fn steps_as_cdk_documents_them() {
        let table = [
            (0, 9),
            (1, 10),
            (99, 10),
            (100, 11),
            (499, 11),
            (500, 15),
            (90_000, 15),
        ];
        for (visible, size) in table {
            assert_eq!(after(visible), size, "{visible} visible");
        }
    }

    #[test]
    fn one_step_a_period_by_its_largest_minute() {
        let mut peer = StepScaling::late_by(0.0);
        let visible = [0, 0, 120, 0, 0, 0, 0, 0, 0, 0];
        let sizes: Vec<u32> = (0_u32..)
            .zip(visible)
            .map(|(minute, visible)| {
                peer.size(&seen(f64::from(minute) * 60.0, (visible, 0), (4, 0)))
            })
            .collect();
        assert_eq!(sizes, [4, 4, 4, 4, 5, 4, 4, 4, 4, 3]);
    }

    #[test]
    fn takes_the_only_worker_of_a_long_job_never_below_one() {
        let mut peer = StepScaling::late_by(0.0);
        peer.period_seconds = 60.0;
        // Issue 9242 of CDK: visible 0 with one in flight is an empty queue to it.
        assert_eq!(peer.size(&seen(0.0, (0, 2), (2, 0))), 1);
        assert_eq!(peer.size(&seen(60.0, (0, 1), (1, 0))), 1);
        assert_eq!(peer.size(&seen(75.0, (0, 0), (0, 0))), 1);
    }

    #[test]
    fn the_second_bound_moves_with_the_first() {
        let Setting::StepScaling(peer) = StepScaling::documented().with_swept(10.0) else {
            panic!("another peer");
        };
        assert_eq!(peer.lower.map(f64::to_bits), [10.0, 50.0].map(f64::to_bits));
    }
}
