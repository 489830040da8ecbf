//! A fleet of one size, what many have before they scale.

use super::setting::{Facts, Parameter, Setting, Typed};
use super::whole;
use crate::model::Observation;
use crate::sim::Scaler;

pub(super) const PARAMETERS: [Parameter; 1] = [Parameter {
    name: "DesiredCapacity",
    unit: "instances",
    documented: "the fleet's max",
    is_swept: true,
}];

/// Always the same size, busy or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticPeak {
    /// `DesiredCapacity`.
    pub size: u32,
}

impl StaticPeak {
    /// As large as the fleet may be.
    pub(super) fn documented(facts: &Facts) -> Self {
        Self { size: facts.max }
    }
}

impl Scaler for StaticPeak {
    fn size(&mut self, _: &Observation) -> u32 {
        self.size
    }
}

impl Typed for StaticPeak {
    fn values(&self) -> Vec<f64> {
        vec![f64::from(self.size)]
    }

    fn with_swept(&self, value: f64) -> Setting {
        Setting::StaticPeak(Self { size: whole(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen;
    use super::*;

    #[test]
    fn neither_a_queue_nor_its_end_moves_it() {
        let mut peer = StaticPeak { size: 7 };
        assert_eq!(peer.size(&seen(0.0, (0, 0), (0, 0))), 7);
        assert_eq!(peer.size(&seen(15.0, (900, 14), (7, 0))), 7);
        assert_eq!(peer.size(&seen(9000.0, (0, 0), (7, 0))), 7);
    }
}
