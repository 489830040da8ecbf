//! AWS target tracking on backlog per instance, as AWS's own recipe for SQS has it.

use super::cloudwatch::{LATE_SECONDS, Points};
use super::setting::{Facts, Parameter, Setting, Typed};
use super::{Look, floor, whole};
use crate::model::Observation;
use crate::sim::Scaler;

pub(super) const PARAMETERS: [Parameter; 5] = [
    Parameter {
        name: "TargetValue",
        unit: "messages",
        documented: "acceptable latency × slots ÷ service time",
        is_swept: true,
    },
    Parameter {
        name: "Period",
        unit: "s",
        documented: "60",
        is_swept: false,
    },
    Parameter {
        name: "AlarmHigh EvaluationPeriods",
        unit: "",
        documented: "3",
        is_swept: false,
    },
    Parameter {
        name: "AlarmLow EvaluationPeriods",
        unit: "",
        documented: "15",
        is_swept: false,
    },
    Parameter {
        name: "metric published after",
        unit: "s",
        documented: "none; 60",
        is_swept: false,
    },
];

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

/// Messages an instance in service, a point a minute, published late; 3 above the target scale out, 15 more than
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
    points: Points,
    above: u32,
    below: u32,
}

impl TargetTracking {
    const POINTS_OUT: u32 = 3;
    const POINTS_IN: u32 = 15;
    const BELOW: f64 = 0.9;

    /// AWS's recipe. How scale-in repeats is not documented; this reading is the kinder one, on
    /// most arrivals both cheaper and less late.
    pub(super) fn documented(facts: &Facts) -> Self {
        let target = facts.acceptable_backlog();
        Self::new(target, Counted::Visible, ScaleIn::AfreshEachTime).late_by(LATE_SECONDS)
    }

    /// Both counts, and both readings of how scale-in repeats.
    pub(super) fn rules(facts: &Facts) -> Vec<Self> {
        let mut rules = Vec::new();
        for counted in [Counted::Visible, Counted::VisibleAndInFlight] {
            for scale_in in [ScaleIn::EveryPoint, ScaleIn::AfreshEachTime] {
                let rule = Self::new(facts.acceptable_backlog(), counted, scale_in);
                rules.push(rule.late_by(LATE_SECONDS));
            }
        }
        rules
    }

    /// With both alarms at rest, and points published at once.
    pub fn new(target: f64, counted: Counted, scale_in: ScaleIn) -> Self {
        Self {
            target,
            counted,
            scale_in,
            points: Points::late_by(0.0),
            above: 0,
            below: 0,
        }
    }

    /// With points published so long after their minute.
    #[must_use]
    pub fn late_by(mut self, seconds: f64) -> Self {
        self.points = Points::late_by(seconds);
        self
    }

    fn messages(&self, look: &Look) -> f64 {
        match self.counted {
            Counted::Visible => look.visible,
            Counted::VisibleAndInFlight => look.backlog(),
        }
    }

    /// A new point of the metric; the group as it is now.
    fn point(&mut self, point: &Look, now: &Look) -> u32 {
        let have = now.have();
        if have == 0 {
            (self.above, self.below) = (0, 0);
            return u32::from(point.visible > 0.0);
        }
        if point.in_service == 0 {
            return have;
        }
        let messages = self.messages(point);
        let metric = messages / f64::from(point.in_service);
        let counted = |breaches: bool, points: u32| if breaches { points + 1 } else { 0 };
        self.above = counted(metric > self.target, self.above);
        self.below = counted(metric < Self::BELOW * self.target, self.below);
        if self.above >= Self::POINTS_OUT {
            // Warming instances count towards the size, not towards the metric.
            return whole(messages / self.target).max(have);
        }
        if self.below >= Self::POINTS_IN && now.pending == 0 {
            if self.scale_in == ScaleIn::AfreshEachTime {
                self.below = 0;
            }
            return self.fewer(point, have);
        }
        have
    }

    fn fewer(&self, point: &Look, have: u32) -> u32 {
        if have == 1 {
            return u32::from(point.backlog() > 0.0);
        }
        let in_service = f64::from(point.in_service);
        let metric = self.messages(point) / in_service;
        let spare = in_service * (1.0 - metric / self.target);
        have - floor(spare).min(have / 2)
    }
}

impl Scaler for TargetTracking {
    fn size(&mut self, seen: &Observation) -> u32 {
        let now = Look::of(seen);
        match self.points.new_at(&now) {
            Some(point) => self.point(&point, &now),
            None => now.have(),
        }
    }
}

impl Typed for TargetTracking {
    fn values(&self) -> Vec<f64> {
        vec![
            self.target,
            Points::PERIOD_SECONDS,
            f64::from(Self::POINTS_OUT),
            f64::from(Self::POINTS_IN),
            self.points.late_seconds(),
        ]
    }

    fn variant(&self) -> Option<String> {
        let counted = match self.counted {
            Counted::Visible => "visible",
            Counted::VisibleAndInFlight => "visible and in flight",
        };
        let scale_in = match self.scale_in {
            ScaleIn::EveryPoint => "in each minute",
            ScaleIn::AfreshEachTime => "in each 15 minutes",
        };
        Some(format!("{counted}, {scale_in}"))
    }

    fn with_swept(&self, target: f64) -> Setting {
        Setting::TargetTracking(Self {
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
    #[test]
    fn acts_on_the_minute_that_cloudwatch_has_published() {
        let target = |late_seconds: f64| {
            let peer = TargetTracking::new(100.0, Counted::Visible, ScaleIn::EveryPoint);
            peer.late_by(late_seconds)
        };
        let grows_at = |mut peer: TargetTracking| {
            (0..20)
                .map(|look| f64::from(look) * 15.0)
                .find(|at| peer.size(&seen(*at, (1500, 0), (10, 0))) > 10)
        };
        assert_eq!(grows_at(target(0.0)), Some(120.0));
        assert_eq!(grows_at(target(60.0)), Some(180.0));
    }

    #[test]
    fn starts_the_first_for_one_message_and_ends_the_last_with_an_empty_queue() {
        let mut peer = TargetTracking::new(100.0, Counted::Visible, ScaleIn::EveryPoint);
        assert_eq!(peer.size(&seen(0.0, (0, 0), (0, 0))), 0);
        assert_eq!(peer.size(&seen(60.0, (1, 0), (0, 0))), 1);
        for minute in 2..16 {
            assert_eq!(
                peer.size(&seen(f64::from(minute) * 60.0, (0, 1), (1, 0))),
                1
            );
        }
        assert_eq!(peer.size(&seen(960.0, (0, 1), (1, 0))), 1, "it is busy");
        assert_eq!(peer.size(&seen(1020.0, (0, 0), (1, 0))), 0);
    }
}
