//! The settings that are tried.
//!
//! Owns the grid. It is fixed before anything is run, but for the minimum, which ends at the most
//! instances the policy ever had: so no day that is held out can have chosen what is tried. What is
//! tried between minima is `refine`'s affair. It must not run anything.

use super::settings::Settings;
use crate::model::{Instances, Seconds};
use crate::policy::{Forecast, Hold, Policy, StepLimit};

/// From nearly none to the longest that a minute's billing or a boot could ever justify.
const HOLDS: [Hold; 7] = [
    Hold::Auto,
    Hold::For(Seconds(60.0)),
    Hold::For(Seconds(120.0)),
    Hold::For(Seconds(300.0)),
    Hold::For(Seconds(600.0)),
    Hold::For(Seconds(1200.0)),
    Hold::For(Seconds(2700.0)),
];
/// Those that steps and minima are tried with, beside the policy's own: with a floor, and with steps
/// that are rarely reached, the others differ little.
const HOLDS_BESIDE: [Hold; 2] = [HOLDS[0], HOLDS[1]];
const FORECASTS: [Forecast; 2] = [Forecast::Auto, Forecast::Off];
const SCALE_INS: [StepLimit; 3] = [
    StepLimit::Unlimited,
    StepLimit::Percent(50.0),
    StepLimit::Percent(20.0),
];
const SCALE_OUTS: [StepLimit; 2] = [StepLimit::Unlimited, StepLimit::Percent(100.0)];
const MINIMA: [u32; 10] = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500];

/// The policy's own settings first, then the defaults, then the grid around the policy's own; each
/// once, and none that the policy's bounds and budget forbid. `peak` is the most instances that the
/// policy's own settings ever had.
pub(super) fn candidates(policy: &Policy, peak: Instances) -> Vec<Settings> {
    let own = Settings::of(policy);
    let mut all = vec![own];
    let mut add = |settings: Settings| {
        if is_allowed(&settings, policy) && !all.contains(&settings) {
            all.push(settings);
        }
    };
    add(Settings::defaults(own.min));
    for hold in HOLDS {
        for forecast in FORECASTS {
            add(Settings {
                hold,
                forecast,
                ..own
            });
        }
    }
    let minima = MINIMA.into_iter().filter(|min| *min < peak.0);
    let minima: Vec<u32> = minima.chain([peak.0]).collect();
    for hold in [own.hold].into_iter().chain(HOLDS_BESIDE) {
        for scale_in in SCALE_INS {
            add(Settings {
                hold,
                scale_in,
                ..own
            });
        }
        for scale_out in SCALE_OUTS {
            add(Settings {
                hold,
                scale_out,
                ..own
            });
        }
        for forecast in FORECASTS {
            for min in minima.iter().copied().map(Instances) {
                add(Settings {
                    hold,
                    forecast,
                    min,
                    ..own
                });
            }
        }
    }
    all
}

/// What `policy::parse` would accept.
fn is_allowed(settings: &Settings, policy: &Policy) -> bool {
    let a_day = f64::from(settings.min.0) * 24.0;
    settings.min <= policy.fleet.max
        && policy
            .instance_hours_per_day
            .is_none_or(|budget| a_day <= budget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::testing;

    #[test]
    fn tries_the_policys_own_and_the_defaults_and_each_once() {
        let mut policy = testing::policy(60.0);
        policy.hold = Hold::For(Seconds(77.0));
        policy.scale_out = StepLimit::Count(Instances(5));
        let all = candidates(&policy, Instances(30));
        assert_eq!(all[0], Settings::of(&policy));
        assert_eq!(all[1], Settings::defaults(Instances(0)));
        assert!((40..=90).contains(&all.len()), "{}", all.len());
        for (place, settings) in all.iter().enumerate() {
            assert!(!all[..place].contains(settings), "{settings:?} twice");
        }
    }

    #[test]
    fn no_minimum_is_above_the_peak_the_max_or_the_budget() {
        let mut policy = testing::policy(60.0);
        let largest = |policy: &Policy, peak| {
            let all = candidates(policy, Instances(peak));
            all.iter().map(|settings| settings.min.0).max()
        };
        assert_eq!(largest(&policy, 30), Some(30));
        assert_eq!(largest(&policy, 0), Some(0));
        policy.fleet.max = Instances(9);
        assert_eq!(largest(&policy, 30), Some(5));
        policy.instance_hours_per_day = Some(48.0);
        assert_eq!(largest(&policy, 30), Some(2));
    }
}
