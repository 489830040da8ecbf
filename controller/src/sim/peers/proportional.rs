//! The home-made function: backlog over a typed-in target, scale-in held back for a while.

use super::setting::{Facts, Parameter, Setting, Typed};
use super::{Look, Window, whole};
use crate::model::Observation;
use crate::sim::Scaler;

pub(super) const PARAMETERS: [Parameter; 2] = [
    Parameter {
        name: "target",
        unit: "messages",
        documented: "none; objective × slots ÷ service time",
        is_swept: true,
    },
    Parameter {
        name: "hold",
        unit: "s",
        documented: "none; 300",
        is_swept: false,
    },
];

/// Visible and in-flight messages over a target, at every look; the largest size that was
/// recommended within the hold.
#[derive(Clone, Debug)]
pub struct Proportional {
    /// Messages, visible and in flight, an instance is meant to carry.
    pub target: f64,
    /// Scale-in waits so long.
    pub hold_seconds: f64,
    window: Window,
}

impl Proportional {
    const HOLD_SECONDS: f64 = 300.0;
    /// What people type in, from hasty to patient.
    const HOLDS_SECONDS: [f64; 5] = [120.0, 300.0, 600.0, 1800.0, 7200.0];

    /// AWS's recipe for the target, Kubernetes' window for the hold.
    pub(super) fn documented(facts: &Facts) -> Self {
        Self::new(facts.acceptable_backlog(), Self::HOLD_SECONDS)
    }

    /// Every hold.
    pub(super) fn rules(facts: &Facts) -> Vec<Self> {
        Self::HOLDS_SECONDS
            .map(|hold_seconds| Self::new(facts.acceptable_backlog(), hold_seconds))
            .to_vec()
    }

    /// With nothing recommended yet.
    pub fn new(target: f64, hold_seconds: f64) -> Self {
        Self {
            target,
            hold_seconds,
            window: Window::default(),
        }
    }
}

impl Scaler for Proportional {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        let recommended = whole(look.backlog() / self.target);
        self.window.largest(look.at, self.hold_seconds, recommended)
    }
}

impl Typed for Proportional {
    fn values(&self) -> Vec<f64> {
        vec![self.target, self.hold_seconds]
    }

    fn with_swept(&self, target: f64) -> Setting {
        Setting::Proportional(Self {
            target,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    #[test]
    fn holds_the_largest_of_the_window() {
        let mut peer = Proportional::new(10.0, 60.0);
        assert_eq!(peer.size(&seen(0.0, (40, 11), (0, 0))), 6);
        assert_eq!(peer.size(&seen(45.0, (0, 11), (6, 0))), 6);
        assert_eq!(peer.size(&seen(60.0, (0, 5), (6, 0))), 6);
        assert_eq!(peer.size(&seen(75.0, (0, 5), (6, 0))), 2);
        assert_eq!(peer.size(&seen(120.0, (0, 0), (2, 0))), 1);
    }
}
