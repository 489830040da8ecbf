//! What CloudWatch tells: a point a minute, published late.
//!
//! Owns the delay. SQS publishes its metrics once a minute (SQS developer guide, "Monitoring with
//! CloudWatch"), a group does so on a best-effort basis, and a point is there some time after its
//! minute. It must not know what is made of a point.

use std::collections::VecDeque;

use super::Look;

/// From a minute's end to its point, as it is seen in practice; AWS names no figure.
pub const LATE_SECONDS: f64 = 60.0;

/// The points of a queue and its group, on their way to whoever reads them.
#[derive(Clone, Debug)]
pub(super) struct Points {
    late_seconds: f64,
    sampled_at: f64,
    on_their_way: VecDeque<Look>,
}

impl Points {
    pub(super) const PERIOD_SECONDS: f64 = 60.0;

    pub(super) fn late_by(late_seconds: f64) -> Self {
        Self {
            late_seconds,
            sampled_at: f64::NEG_INFINITY,
            on_their_way: VecDeque::new(),
        }
    }

    pub(super) fn late_seconds(&self) -> f64 {
        self.late_seconds
    }

    /// The point that is new at this look: what was there when its minute ended.
    pub(super) fn new_at(&mut self, look: &Look) -> Option<Look> {
        if look.at - self.sampled_at >= Self::PERIOD_SECONDS {
            self.sampled_at = look.at;
            self.on_their_way.push_back(*look);
        }
        let is_there = |point: &Look| point.at + self.late_seconds <= look.at;
        self.on_their_way.pop_front_if(|point| is_there(point))
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    fn points(late_seconds: f64, until: u32) -> Vec<(u32, u32)> {
        let mut points = Points::late_by(late_seconds);
        let mut seen_at = Vec::new();
        for at in (0..=until).step_by(15) {
            let look = Look::of(&seen(f64::from(at), (u64::from(at), 0), (1, 0)));
            if let Some(point) = points.new_at(&look) {
                seen_at.push((at, super::super::floor(point.visible)));
            }
        }
        seen_at
    }

    #[test]
    fn a_point_a_minute_is_seen_as_late_as_it_is_published() {
        assert_eq!(points(0.0, 130), [(0, 0), (60, 60), (120, 120)]);
        assert_eq!(points(60.0, 190), [(60, 0), (120, 60), (180, 120)]);
        assert_eq!(points(80.0, 170), [(90, 0), (150, 60)]);
    }
}
