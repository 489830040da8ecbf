//! What people use today, rule by rule, to compare with.
//!
//! Owns the peers' rules and constants. Each is fed the same observations as the judgement.

use std::collections::VecDeque;

use super::run::Scaler;
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

/// Recommendations of late; the largest holds scale-in back.
#[derive(Clone, Debug, Default)]
struct Window {
    recommended: VecDeque<(f64, u32)>,
}

impl Window {
    fn largest(&mut self, at: f64, seconds: f64, recommended: u32) -> u32 {
        self.recommended.push_back((at, recommended));
        while self
            .recommended
            .front()
            .is_some_and(|(then, _)| *then < at - seconds)
        {
            self.recommended.pop_front();
        }
        let sizes = self.recommended.iter().map(|(_, size)| *size);
        sizes.max().unwrap_or(recommended)
    }
}

/// The home-made Lambda: backlog over a typed-in target, scale-in held back for a while.
#[derive(Clone, Debug)]
pub struct Proportional {
    /// Messages, visible and in flight, an instance is meant to carry.
    pub target: f64,
    /// Scale-in waits so long.
    pub hold_seconds: f64,
    /// The group's max.
    pub max: u32,
    window: Window,
}

impl Proportional {
    /// With nothing recommended yet.
    pub fn new(target: f64, hold_seconds: f64, max: u32) -> Self {
        Self {
            target,
            hold_seconds,
            max,
            window: Window::default(),
        }
    }
}

impl Scaler for Proportional {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        let recommended = whole(look.backlog() / self.target).min(self.max);
        self.window.largest(look.at, self.hold_seconds, recommended)
    }
}

/// KEDA's SQS scaler with the Horizontal Pod Autoscaler behind it, an instance for a pod.
///
/// Visible and in flight are counted (`scaleOnInFlight`, the default). KEDA decides between none
/// and one, with a cool-down of 300 s to none; the autoscaler decides the rest every 15 s, with a
/// tolerance of a tenth, a doubling (at least to 4) a step, and a downscale window of 300 s.
#[derive(Clone, Debug)]
pub struct Keda {
    /// `queueLength`.
    pub queue_length: f64,
    /// `maxReplicaCount`.
    pub max: u32,
    active_at: f64,
    window: Window,
}

impl Keda {
    const COOLDOWN_SECONDS: f64 = 300.0;
    const DOWNSCALE_WINDOW_SECONDS: f64 = 300.0;
    const TOLERANCE: f64 = 0.1;

    /// Never active yet.
    pub fn new(queue_length: f64, max: u32) -> Self {
        Self {
            queue_length,
            max,
            active_at: f64::NEG_INFINITY,
            window: Window::default(),
        }
    }
}

impl Scaler for Keda {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        let (have, backlog) = (look.have(), look.backlog());
        if backlog > 0.0 {
            self.active_at = look.at;
        }
        if have == 0 {
            return u32::from(backlog > 0.0);
        }
        if look.at - self.active_at >= Self::COOLDOWN_SECONDS {
            return 0;
        }
        let ratio = backlog / (self.queue_length * f64::from(have));
        let recommended = if (1.0 - ratio).abs() <= Self::TOLERANCE {
            have
        } else {
            whole(backlog / self.queue_length).max(1)
        };
        let held = self
            .window
            .largest(look.at, Self::DOWNSCALE_WINDOW_SECONDS, recommended);
        let size = if recommended < have {
            held.min(have)
        } else {
            recommended
        };
        size.min((2 * have).max(4)).min(self.max)
    }
}

/// AWS target tracking on visible messages an instance in service, as AWS's own recipe has it.
///
/// A point a minute; 3 above the target scale out, 15 more than a tenth below it scale in, never
/// while instances warm up. Zero has no metric: one message starts the first instance (a second
/// policy's work), an empty queue ends the last.
#[derive(Clone, Debug)]
pub struct TargetTracking {
    /// `TargetValue`: visible messages an instance.
    pub target: f64,
    /// The group's max.
    pub max: u32,
    /// The group's default instance warm-up.
    pub warmup_seconds: f64,
    point_at: f64,
    above: u32,
    below: u32,
    warm_at: f64,
}

impl TargetTracking {
    const PERIOD_SECONDS: f64 = 60.0;
    const POINTS_OUT: u32 = 3;
    const POINTS_IN: u32 = 15;

    /// With both alarms at rest.
    pub fn new(target: f64, max: u32, warmup_seconds: f64) -> Self {
        Self {
            target,
            max,
            warmup_seconds,
            point_at: f64::NEG_INFINITY,
            above: 0,
            below: 0,
            warm_at: f64::NEG_INFINITY,
        }
    }

    fn scale_in(&self, look: &Look, metric: f64) -> u32 {
        let have = look.have();
        if have == 1 {
            return u32::from(look.backlog() > 0.0);
        }
        let spare = f64::from(look.in_service) * (1.0 - metric / self.target);
        // Half at the most: what many take it to do, and kind to it.
        have - floor(spare).min(have / 2)
    }
}

impl Scaler for TargetTracking {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        let have = look.have();
        if look.at - self.point_at < Self::PERIOD_SECONDS {
            return have;
        }
        self.point_at = look.at;
        if have == 0 {
            return u32::from(look.visible > 0.0);
        }
        if look.in_service == 0 {
            return have;
        }
        let metric = look.visible / f64::from(look.in_service);
        self.above = if metric > self.target {
            self.above + 1
        } else {
            0
        };
        self.below = if metric < 0.9 * self.target {
            self.below + 1
        } else {
            0
        };
        if self.above >= Self::POINTS_OUT {
            let size = whole(f64::from(look.in_service) * metric / self.target).min(self.max);
            if size > have {
                self.warm_at = look.at + self.warmup_seconds;
                return size;
            }
        }
        if self.below >= Self::POINTS_IN && look.at >= self.warm_at && look.pending == 0 {
            self.below = 0;
            return self.scale_in(&look, metric);
        }
        have
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and NaN becomes 0"
)]
fn whole(x: f64) -> u32 {
    x.ceil() as u32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and NaN becomes 0"
)]
fn floor(x: f64) -> u32 {
    x.floor() as u32
}
