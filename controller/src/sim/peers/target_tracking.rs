//! AWS target tracking on backlog per instance, as AWS's own recipe for SQS has it.

use super::{Look, floor, whole};
use crate::model::Observation;
use crate::sim::Scaler;

/// What the metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Visible messages, AWS's recipe.
    Visible,
    /// Visible and in flight, what many do instead.
    VisibleAndInFlight,
}

/// How often scale-in repeats while its alarm stands. AWS does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleIn {
    /// With every point.
    EveryPoint,
    /// After another 15 points.
    AfreshEachTime,
}

/// Messages an instance in service, a point a minute; 3 above the target scale out, 15 more than
/// a tenth below it scale in, never while instances boot.
///
/// The adjustments' formulas are not published; these fit the documented examples (1.5 more
/// becomes 2, 1.5 less becomes 1). At most half leave at a time: what many take it to do, and kind
/// to it. Zero has no metric: a second policy starts the first instance for one message, and an
/// empty queue ends the last.
#[derive(Clone, Debug)]
pub struct TargetTracking {
    /// `TargetValue`: messages an instance.
    pub target: f64,
    /// What a message is.
    pub counted: Counted,
    /// How scale-in repeats.
    pub scale_in: ScaleIn,
    point_at: f64,
    above: u32,
    below: u32,
}

impl TargetTracking {
    const PERIOD_SECONDS: f64 = 60.0;
    const POINTS_OUT: u32 = 3;
    const POINTS_IN: u32 = 15;
    const BELOW: f64 = 0.9;

    /// With both alarms at rest.
    pub fn new(target: f64, counted: Counted, scale_in: ScaleIn) -> Self {
        Self {
            target,
            counted,
            scale_in,
            point_at: f64::NEG_INFINITY,
            above: 0,
            below: 0,
        }
    }

    fn messages(&self, look: &Look) -> f64 {
        match self.counted {
            Counted::Visible => look.visible,
            Counted::VisibleAndInFlight => look.backlog(),
        }
    }

    /// A new point of the metric.
    fn point(&mut self, look: &Look) -> u32 {
        let have = look.have();
        if have == 0 {
            (self.above, self.below) = (0, 0);
            return u32::from(look.visible > 0.0);
        }
        if look.in_service == 0 {
            return have;
        }
        let messages = self.messages(look);
        let metric = messages / f64::from(look.in_service);
        let counted = |breaches: bool, points: u32| if breaches { points + 1 } else { 0 };
        self.above = counted(metric > self.target, self.above);
        self.below = counted(metric < Self::BELOW * self.target, self.below);
        if self.above >= Self::POINTS_OUT {
            // Warming instances count towards the size, not towards the metric.
            return whole(messages / self.target).max(have);
        }
        if self.below >= Self::POINTS_IN && look.pending == 0 {
            if self.scale_in == ScaleIn::AfreshEachTime {
                self.below = 0;
            }
            return self.fewer(look, metric);
        }
        have
    }

    fn fewer(&self, look: &Look, metric: f64) -> u32 {
        let have = look.have();
        if have == 1 {
            return u32::from(look.backlog() > 0.0);
        }
        let spare = f64::from(look.in_service) * (1.0 - metric / self.target);
        have - floor(spare).min(have / 2)
    }
}

impl Scaler for TargetTracking {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        if look.at - self.point_at < Self::PERIOD_SECONDS {
            return look.have();
        }
        self.point_at = look.at;
        self.point(&look)
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    #[test]
    fn three_points_above_scale_out_by_the_documented_example() {
        let mut peer = TargetTracking::new(100.0, Counted::Visible, ScaleIn::EveryPoint);
        let look = |at: f64| seen(at, (1500, 50), (10, 0));
        assert_eq!(peer.size(&look(0.0)), 10);
        assert_eq!(peer.size(&look(60.0)), 10);
        assert_eq!(peer.size(&look(105.0)), 10, "no point yet");
        assert_eq!(peer.size(&look(120.0)), 15);
    }

    #[test]
    fn fifteen_points_below_scale_in_and_never_while_one_boots() {
        for (scale_in, then) in [(ScaleIn::EveryPoint, 7), (ScaleIn::AfreshEachTime, 8)] {
            let mut peer = TargetTracking::new(100.0, Counted::Visible, scale_in);
            for point in 0..14 {
                let look = seen(f64::from(point) * 60.0, (850, 0), (10, 0));
                assert_eq!(peer.size(&look), 10);
            }
            assert_eq!(peer.size(&seen(840.0, (800, 0), (9, 1))), 10);
            // Of 1.5 that are too many, one leaves.
            assert_eq!(peer.size(&seen(900.0, (650, 0), (8, 0))), 7);
            assert_eq!(peer.size(&seen(960.0, (650, 0), (8, 0))), then);
        }
    }
}
