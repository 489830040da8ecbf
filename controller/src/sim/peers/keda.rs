//! KEDA's SQS scaler with Kubernetes' Horizontal Pod Autoscaler behind it, an instance for a pod.

use super::setting::{Parameter, Setting, Typed};
use super::{Look, Window, whole};
use crate::model::Observation;
use crate::sim::Scaler;

pub(super) const PARAMETERS: [Parameter; 5] = [
    Parameter {
        name: "queueLength",
        unit: "messages",
        documented: "5",
        is_swept: true,
    },
    Parameter {
        name: "pollingInterval",
        unit: "s",
        documented: "30",
        is_swept: false,
    },
    Parameter {
        name: "cooldownPeriod",
        unit: "s",
        documented: "300",
        is_swept: false,
    },
    Parameter {
        name: "stabilizationWindowSeconds",
        unit: "s",
        documented: "300",
        is_swept: false,
    },
    Parameter {
        name: "tolerance",
        unit: "",
        documented: "0.1",
        is_swept: false,
    },
];

/// How fast the autoscaler may grow, and what scale-in is held by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RampUp {
    /// No `behavior` block: to twice the size, or 4; the largest recommendation of the window
    /// rules growth as well.
    Legacy,
    /// A `behavior` block with its defaults: to twice the size, or 4 more; the window holds
    /// scale-in alone.
    Behavior,
}

/// Visible and in flight are counted (`scaleOnInFlight`, the default), as an `AverageValue`.
///
/// Two loops: every 30 s KEDA decides between none and one, with a cool-down of 300 s to none,
/// from any size; every 15 s the autoscaler decides the rest, with a tolerance of a tenth and a
/// scale-in window of 300 s. It is off while the size is zero.
#[derive(Clone, Debug)]
pub struct Keda {
    /// `queueLength`: messages an instance is meant to carry.
    pub queue_length: f64,
    /// How growth is limited.
    pub ramp_up: RampUp,
    /// `cooldownPeriod`: from the last message to none.
    pub cooldown_seconds: f64,
    /// `stabilizationWindowSeconds`, of scaling down.
    pub window_seconds: f64,
    polled_at: f64,
    active_at: f64,
    window: Window,
}

impl Keda {
    const POLLING_SECONDS: f64 = 30.0;
    /// The default of `cooldownPeriod`, and of the stabilization window.
    const DOWN_SECONDS: f64 = 300.0;
    const TOLERANCE: f64 = 0.1;
    const QUEUE_LENGTH: f64 = 5.0;

    /// As the scaler's page has it.
    pub(super) fn documented() -> Self {
        Self::new(Self::QUEUE_LENGTH, RampUp::Legacy)
    }

    /// Both ramps; and the faster one with a minute in place of five on the way down, and with
    /// half an hour.
    pub(super) fn rules() -> Vec<Self> {
        let rule = |ramp_up, down_seconds| Self {
            cooldown_seconds: down_seconds,
            window_seconds: down_seconds,
            ..Self::new(Self::QUEUE_LENGTH, ramp_up)
        };
        vec![
            rule(RampUp::Legacy, Self::DOWN_SECONDS),
            rule(RampUp::Behavior, Self::DOWN_SECONDS),
            rule(RampUp::Behavior, 60.0),
            rule(RampUp::Behavior, 1800.0),
        ]
    }

    /// Never active yet.
    pub fn new(queue_length: f64, ramp_up: RampUp) -> Self {
        Self {
            queue_length,
            ramp_up,
            cooldown_seconds: Self::DOWN_SECONDS,
            window_seconds: Self::DOWN_SECONDS,
            polled_at: f64::NEG_INFINITY,
            active_at: f64::NEG_INFINITY,
            window: Window::default(),
        }
    }

    /// KEDA's own loop: `Some` where it sets the size itself.
    fn poll(&mut self, look: &Look) -> Option<u32> {
        if look.at - self.polled_at < Self::POLLING_SECONDS {
            return None;
        }
        self.polled_at = look.at;
        if look.backlog() > 0.0 {
            self.active_at = look.at;
            return (look.have() == 0).then_some(1);
        }
        (look.at - self.active_at >= self.cooldown_seconds).then_some(0)
    }

    /// The autoscaler's loop.
    fn sync(&mut self, look: &Look) -> u32 {
        let (have, backlog) = (look.have(), look.backlog());
        let ratio = backlog / (self.queue_length * f64::from(have));
        let recommended = if (1.0 - ratio).abs() <= Self::TOLERANCE {
            have
        } else {
            whole(backlog / self.queue_length)
        };
        let held = (self.window).largest(look.at, self.window_seconds, recommended);
        let (wanted, most) = match self.ramp_up {
            RampUp::Legacy => (held, (2 * have).max(4)),
            RampUp::Behavior => (
                recommended.max(held.min(have)),
                (2 * have).max(have.saturating_add(4)),
            ),
        };
        wanted.min(most).max(1)
    }
}

impl Scaler for Keda {
    fn size(&mut self, seen: &Observation) -> u32 {
        let look = Look::of(seen);
        match self.poll(&look) {
            Some(0) => {
                self.window.clear();
                0
            }
            Some(size) => size,
            None if look.have() == 0 => 0,
            None => self.sync(&look),
        }
    }
}

impl Typed for Keda {
    fn values(&self) -> Vec<f64> {
        vec![
            self.queue_length,
            Self::POLLING_SECONDS,
            self.cooldown_seconds,
            self.window_seconds,
            Self::TOLERANCE,
        ]
    }

    fn variant(&self) -> Option<String> {
        (self.ramp_up == RampUp::Behavior).then(|| "behavior block".to_owned())
    }

    fn with_swept(&self, queue_length: f64) -> Setting {
        Setting::Keda(Self {
            queue_length,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    /// Sizes at looks 15 s apart, with instances that are there at once.
    fn ramp(ramp_up: RampUp, backlog: u64, looks: u32) -> Vec<u32> {
        let mut peer = Keda::new(1.0, ramp_up);
        let mut sizes = vec![0];
        for look in 0..looks {
            let have = *sizes.last().expect("one");
            sizes.push(peer.size(&seen(f64::from(look) * 15.0, (backlog, 0), (have, 0))));
        }
        sizes
    }

    #[test]
    fn ramps_by_doubling_with_a_first_step_to_4_or_by_4() {
        assert_eq!(ramp(RampUp::Legacy, 1000, 6), [0, 1, 4, 8, 16, 32, 64]);
        assert_eq!(ramp(RampUp::Behavior, 1000, 6), [0, 1, 5, 10, 20, 40, 80]);
    }

    #[test]
    fn an_extra_tenth_gets_nobody() {
        let mut peer = Keda::new(4.0, RampUp::Legacy);
        assert_eq!(peer.size(&seen(0.0, (43, 0), (10, 0))), 10);
        let mut peer = Keda::new(4.0, RampUp::Legacy);
        assert_eq!(peer.size(&seen(0.0, (45, 0), (10, 0))), 12);
    }

    #[test]
    fn an_empty_queue_for_the_cool_down_ends_all_at_once() {
        let mut peer = Keda::new(1.0, RampUp::Legacy);
        assert_eq!(peer.size(&seen(0.0, (0, 9), (9, 0))), 9);
        let mut now = 15.0;
        while peer.size(&seen(now, (0, 0), (9, 0))) > 0 {
            now += 15.0;
        }
        assert_eq!(now.to_bits(), 300.0_f64.to_bits());
        assert_eq!(peer.size(&seen(now + 15.0, (5, 0), (0, 0))), 0);
        assert_eq!(peer.size(&seen(now + 30.0, (5, 0), (0, 0))), 1);
    }
}
