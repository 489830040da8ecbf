//! What people use today, rule by rule, to compare with.
//!
//! Owns the peers' rules and constants. Each is fed the same observations as the judgement, with
//! exact counts, and works on instances where its own world has pods or tasks. It must not know a
//! message's age, an objective or a service time: these rules do not.

mod keda;
mod proportional;
mod target_tracking;

pub use keda::{Keda, RampUp};
pub use proportional::Proportional;
pub use target_tracking::{Counted, ScaleIn, TargetTracking};

use std::collections::VecDeque;

use crate::model::Observation;

/// What every peer looks at.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: f64,
    visible: f64,
    in_flight: f64,
    in_service: u32,
    pending: u32,
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
            in_service: seen.fleet.in_service.unwrap_or_default().0,
            pending: seen.fleet.pending.unwrap_or_default().0,
        }
    }

    fn backlog(&self) -> f64 {
        self.visible + self.in_flight
    }

    fn have(&self) -> u32 {
        self.in_service + self.pending
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
