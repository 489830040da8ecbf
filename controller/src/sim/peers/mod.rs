//! What people use today, rule by rule, to compare with.
//!
//! Owns the peers' rules, their parameters and where each value is from. Each is fed the same
//! observations as the judgement and works on instances where its own world has pods, agents or
//! tasks. A rule must not know more than its product does: no message's age, no objective; a
//! service time only where one is typed in.

mod agent_scaler;
pub mod cloudwatch;
mod keda;
mod nomad;
mod proportional;
mod setting;
mod static_peak;
mod step_scaling;
mod target_tracking;
mod worker_pod_autoscaler;

pub use agent_scaler::{AgentScaler, Leaving};
pub use keda::{Keda, RampUp};
pub use nomad::Nomad;
pub use proportional::Proportional;
pub use setting::{Facts, Parameter, Peer, Setting};
pub use static_peak::StaticPeak;
pub use step_scaling::StepScaling;
pub use target_tracking::{Counted, ScaleIn, TargetTracking};
pub use worker_pod_autoscaler::WorkerPodAutoscaler;

use std::collections::VecDeque;

use crate::model::Observation;

/// What every peer looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Look {
    at: f64,
    visible: f64,
    in_flight: f64,
    desired: u32,
    in_service: u32,
    pending: u32,
    terminating: u32,
}

impl Look {
    /// The simulation's observations know every number.
    fn of(seen: &Observation) -> Self {
        let (mut visible, mut in_flight) = (0, 0);
        for queue in &seen.queues {
            visible += queue.visible.unwrap_or_default().0;
            in_flight += queue.in_flight.unwrap_or_default().0;
        }
        Self {
            at: seen.at.0,
            visible: visible as f64,
            in_flight: in_flight as f64,
            desired: seen.fleet.desired.unwrap_or_default().0,
            in_service: seen.fleet.in_service.unwrap_or_default().0,
            pending: seen.fleet.pending.unwrap_or_default().0,
            terminating: seen.fleet.terminating.unwrap_or_default().0,
        }
    }

    fn backlog(&self) -> f64 {
        self.visible + self.in_flight
    }

    fn have(&self) -> u32 {
        self.in_service + self.pending
    }
}

/// A loop with a clock of its own, as far as looks allow.
#[derive(Clone, Debug)]
struct Every {
    seconds: f64,
    due_at: Option<f64>,
}

impl Every {
    fn seconds(seconds: f64) -> Self {
        Self {
            seconds,
            due_at: None,
        }
    }

    /// Whether the loop has come round since the last look.
    fn is_due(&mut self, at: f64) -> bool {
        let due_at = self.due_at.unwrap_or(at);
        let missed = ((at - due_at) / self.seconds).floor();
        let is_due = missed >= 0.0;
        self.due_at = Some(due_at + (missed + 1.0).max(0.0) * self.seconds);
        is_due
    }
}

/// Recommendations of late, the latest with them.
#[derive(Clone, Debug, Default)]
struct Window {
    recommended: VecDeque<(f64, u32)>,
}

impl Window {
    /// Adds one, and gives the largest of the last `seconds`.
    fn largest(&mut self, at: f64, seconds: f64, recommended: u32) -> u32 {
        // One that is no larger and older than the latest will never be the largest again.
        while self
            .recommended
            .back()
            .is_some_and(|(_, size)| *size <= recommended)
        {
            self.recommended.pop_back();
        }
        self.recommended.push_back((at, recommended));
        while self
            .recommended
            .front()
            .is_some_and(|(then, _)| *then < at - seconds)
        {
            self.recommended.pop_front();
        }
        self.recommended
            .front()
            .map_or(recommended, |(_, size)| *size)
    }

    fn clear(&mut self) {
        self.recommended.clear();
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and NaN becomes 0"
)]
fn whole(x: f64) -> u32 {
    // Rounding in the last place is no instance.
    (x - 1e-9).ceil() as u32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and NaN becomes 0"
)]
fn floor(x: f64) -> u32 {
    (x + 1e-9).floor() as u32
}

/// What a peer would see of a queue and a group.
#[cfg(test)]
fn seen(
    at: f64,
    (visible, in_flight): (u64, u64),
    (in_service, pending): (u32, u32),
) -> Observation {
    use crate::model::{FleetObservation, Instances, Messages, QueueObservation, UnixSeconds};
    Observation {
        at: UnixSeconds(at),
        queues: vec![QueueObservation {
            visible: Some(Messages(visible)),
            in_flight: Some(Messages(in_flight)),
            ..QueueObservation::default()
        }],
        fleet: FleetObservation {
            desired: Some(Instances(in_service + pending)),
            in_service: Some(Instances(in_service)),
            pending: Some(Instances(pending)),
            terminating: Some(Instances(0)),
        },
        workers: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_of_20_s_comes_round_thrice_a_minute_at_looks_15_s_apart() {
        let mut every = Every::seconds(20.0);
        let looks = (0..9).map(|look| f64::from(look) * 15.0);
        let due: Vec<bool> = looks.map(|at| every.is_due(at)).collect();
        let minute = [true, false, true, true];
        assert_eq!(due[..4], minute);
        assert_eq!(due[4..8], minute);
        assert!(due[8]);
    }
}
