//! The home-made function: backlog over a typed-in target, scale-in held back for a while.

use super::{Look, Window, whole};
use crate::model::Observation;
use crate::sim::Scaler;

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
