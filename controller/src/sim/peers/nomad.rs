//! Nomad's autoscaler with its `target-value` strategy on an AWS group.

use super::setting::{Facts, Parameter, Setting, Typed};
use super::{Look, whole};
use crate::model::Observation;
use crate::sim::Scaler;

pub(super) const PARAMETERS: [Parameter; 7] = [
    Parameter {
        name: "target",
        unit: "messages",
        documented: "none; objective × slots ÷ service time",
        is_swept: true,
    },
    Parameter {
        name: "threshold",
        unit: "",
        documented: "0.01",
        is_swept: false,
    },
    Parameter {
        name: "evaluation_interval",
        unit: "s",
        documented: "10",
        is_swept: false,
    },
    Parameter {
        name: "cooldown",
        unit: "s",
        documented: "300",
        is_swept: false,
    },
    Parameter {
        name: "cooldown_on_scale_up",
        unit: "s",
        documented: "as cooldown",
        is_swept: false,
    },
    Parameter {
        name: "max_scale_up",
        unit: "instances",
        documented: "unlimited (0)",
        is_swept: false,
    },
    Parameter {
        name: "max_scale_down",
        unit: "instances",
        documented: "unlimited (0)",
        is_swept: false,
    },
];

/// Visible and in flight over the group's size, over a target; the size is multiplied by that,
/// unless it is within the threshold of one.
///
/// The metric must be for an instance, or the size would be multiplied by itself: the query
/// divides, by one where there is none. An evaluation is due every 10 s, so at every look. It is
/// skipped while the group's last activity goes on. A growth is watched for 150 s; one that
/// is complete by then is followed by the cool-down, one that is not by none.
#[derive(Clone, Debug)]
pub struct Nomad {
    /// `target`: messages, visible and in flight, an instance is meant to carry.
    pub target: f64,
    /// `threshold`: how far from the target nothing is done, in parts of it.
    pub threshold: f64,
    /// `cooldown`, after scaling in.
    pub cooldown_seconds: f64,
    /// `cooldown_on_scale_up`.
    pub cooldown_on_scale_up_seconds: f64,
    /// `max_scale_up`: instances at a time.
    pub max_scale_up: Option<u32>,
    /// `max_scale_down`: instances at a time.
    pub max_scale_down: Option<u32>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Idle,
    ScalingUp { since: f64 },
    Cooldown { until: f64 },
}

impl Nomad {
    const EVALUATION_SECONDS: f64 = 10.0;
    const COOLDOWN_SECONDS: f64 = 300.0;
    const THRESHOLD: f64 = 0.01;
    /// 15 attempts, 10 s apart, to see the group at its size.
    const WATCHED_SECONDS: f64 = 150.0;

    /// The defaults.
    pub fn new(target: f64) -> Self {
        Self {
            target,
            threshold: Self::THRESHOLD,
            cooldown_seconds: Self::COOLDOWN_SECONDS,
            cooldown_on_scale_up_seconds: Self::COOLDOWN_SECONDS,
            max_scale_up: None,
            max_scale_down: None,
            state: State::Idle,
        }
    }

    pub(super) fn documented(facts: &Facts) -> Self {
        Self::new(facts.acceptable_backlog())
    }

    /// The defaults, and with cool-downs of half a minute in place of five.
    pub(super) fn rules(facts: &Facts) -> Vec<Self> {
        let prompt = Self {
            cooldown_seconds: 30.0,
            cooldown_on_scale_up_seconds: 30.0,
            ..Self::documented(facts)
        };
        vec![Self::documented(facts), prompt]
    }

    /// Whether it may evaluate now.
    fn is_idle(&mut self, look: &Look) -> bool {
        let is_ready = look.pending == 0 && look.terminating == 0;
        self.state = match self.state {
            State::ScalingUp { since } if look.at - since > Self::WATCHED_SECONDS => State::Idle,
            State::ScalingUp { .. } if look.pending == 0 => State::Cooldown {
                until: look.at + self.cooldown_on_scale_up_seconds,
            },
            State::Cooldown { until } if look.at >= until => State::Idle,
            state => state,
        };
        self.state == State::Idle && is_ready
    }

    fn wanted(&self, look: &Look) -> u32 {
        let have = look.desired;
        let factor = look.backlog() / f64::from(have.max(1)) / self.target;
        if have == 0 {
            return whole(factor);
        }
        if (1.0 - self.threshold..=1.0 + self.threshold).contains(&factor) {
            return have;
        }
        let wanted = whole(f64::from(have) * factor);
        let most = have.saturating_add(self.max_scale_up.unwrap_or(u32::MAX));
        let least = have.saturating_sub(self.max_scale_down.unwrap_or(u32::MAX));
        wanted.clamp(least, most)
    }
}

impl Scaler for Nomad {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        if !self.is_idle(&look) {
            return look.desired;
        }
        let wanted = self.wanted(&look);
        if wanted > look.desired {
            self.state = State::ScalingUp { since: look.at };
        } else if wanted < look.desired {
            self.state = State::Cooldown {
                until: look.at + self.cooldown_seconds,
            };
        }
        wanted
    }
}

impl Typed for Nomad {
    fn values(&self) -> Vec<f64> {
        vec![
            self.target,
            self.threshold,
            Self::EVALUATION_SECONDS,
            self.cooldown_seconds,
            self.cooldown_on_scale_up_seconds,
            f64::from(self.max_scale_up.unwrap_or(0)),
            f64::from(self.max_scale_down.unwrap_or(0)),
        ]
    }

    fn with_swept(&self, target: f64) -> Setting {
        Setting::Nomad(Self {
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
    fn multiplies_the_size_by_the_metric_over_the_target() {
        // 60 messages on 4 instances are 15 each, 1.5 times the target of 10: 6 instances.
        assert_eq!(Nomad::new(10.0).size(&seen(0.0, (50, 10), (4, 0))), 6);
        // 13 on 4: a factor of 0.325, 1.3 instances, 2.
        assert_eq!(Nomad::new(10.0).size(&seen(0.0, (9, 4), (4, 0))), 2);
        assert_eq!(Nomad::new(10.0).size(&seen(0.0, (0, 0), (4, 0))), 0);
    }

    #[test]
    fn a_hundredth_either_way_is_left_alone() {
        // 1010 on 100 is a factor of 1.01; 1011 is more, and 102 instances.
        assert_eq!(Nomad::new(10.0).size(&seen(0.0, (1010, 0), (100, 0))), 100);
        assert_eq!(Nomad::new(10.0).size(&seen(0.0, (1011, 0), (100, 0))), 102);
    }

    #[test]
    fn from_none_it_starts_what_the_whole_queue_asks() {
        assert_eq!(Nomad::new(10.0).size(&seen(0.0, (41, 0), (0, 0))), 5);
        assert_eq!(Nomad::new(10.0).size(&seen(0.0, (0, 0), (0, 0))), 0);
    }

    #[test]
    fn steps_are_limited_where_asked() {
        let mut peer = Nomad::new(10.0);
        (peer.max_scale_up, peer.max_scale_down) = (Some(3), Some(2));
        assert_eq!(peer.clone().size(&seen(0.0, (900, 0), (4, 0))), 7);
        assert_eq!(peer.size(&seen(0.0, (0, 0), (4, 0))), 2);
    }

    #[test]
    fn growth_waits_until_it_is_there_then_cools_down() {
        let mut peer = Nomad::new(10.0);
        assert_eq!(peer.size(&seen(0.0, (60, 0), (4, 0))), 6);
        assert_eq!(peer.size(&seen(60.0, (900, 0), (4, 2))), 6, "it goes on");
        assert_eq!(peer.size(&seen(120.0, (900, 0), (6, 0))), 6, "it is there");
        assert_eq!(
            peer.size(&seen(405.0, (900, 0), (6, 0))),
            6,
            "300 s are not over"
        );
        assert_eq!(peer.size(&seen(420.0, (900, 0), (6, 0))), 90);
    }

    #[test]
    fn growth_that_takes_too_long_cools_down_not_at_all() {
        let mut peer = Nomad::new(10.0);
        assert_eq!(peer.size(&seen(0.0, (60, 0), (4, 0))), 6);
        assert_eq!(
            peer.size(&seen(165.0, (900, 0), (4, 2))),
            6,
            "still not ready"
        );
        assert_eq!(peer.size(&seen(180.0, (900, 0), (6, 0))), 90);
    }

    #[test]
    fn shrinking_cools_down_at_once() {
        let mut peer = Nomad::new(10.0);
        assert_eq!(peer.size(&seen(0.0, (20, 0), (4, 0))), 2);
        assert_eq!(peer.size(&seen(285.0, (900, 0), (2, 0))), 2);
        assert_eq!(peer.size(&seen(300.0, (900, 0), (2, 0))), 90);
    }
}
