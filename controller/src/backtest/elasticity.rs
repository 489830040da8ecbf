//! How closely supply followed demand: SPEC's elasticity metrics.
//!
//! By N. Herbst et al., "Ready for Rain? A View from SPEC Research on the Future of Cloud
//! Metrics", SPEC-RG-2016-01, section on elasticity. Secondary figures: with time to wait, fewer
//! instances than needed at a moment are no fault as long as messages start in time. It must not
//! know where either curve is from.

use std::cmp::Ordering;

/// Demand and supply at the same moments, equally far apart.
#[derive(Clone, Copy, Debug)]
pub struct Curves<'a> {
    /// The fewest instances that will do. Rounded up, since a fleet comes in whole ones.
    pub needed: &'a [f64],
    /// Instances that were there.
    pub supplied: &'a [f64],
}

/// SPEC's metrics, in parts and not in percent. All are 0 where supply equals demand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Elasticity {
    /// Accuracy, theta under: instances missing in parts of those needed, the mean over time;
    /// 0 to 1.
    pub under_share: f64,
    /// Accuracy, theta over: instances too many in parts of those needed, the mean over time;
    /// 0 or more. Where none is needed, in parts of one.
    pub over_share: f64,
    /// Timeshare, tau under: how much of the time there were fewer than needed; 0 to 1.
    pub under_time: f64,
    /// Timeshare, tau over: how much of the time there were more than needed; 0 to 1.
    pub over_time: f64,
    /// Instability, nu: how often supply moved another way than demand from one moment to the
    /// next; 0 to 1.
    pub instability: f64,
}

/// The metrics of a supply. Moments of which one curve knows nothing do not count; of no moments,
/// all are 0.
pub fn of(curves: &Curves<'_>) -> Elasticity {
    let moments: Vec<(f64, f64)> = (curves.needed.iter())
        .zip(curves.supplied)
        .map(|(needed, supplied)| (whole(*needed), *supplied))
        .collect();
    let mean = |of: fn(f64, f64) -> f64| {
        let sum: f64 = moments
            .iter()
            .map(|(needed, supplied)| of(*needed, *supplied))
            .sum();
        sum / moments.len().max(1) as f64
    };
    Elasticity {
        under_share: mean(|needed, supplied| (needed - supplied).max(0.0) / needed.max(1.0)),
        over_share: mean(|needed, supplied| (supplied - needed).max(0.0) / needed.max(1.0)),
        under_time: mean(|needed, supplied| f64::from(u8::from(supplied < needed))),
        over_time: mean(|needed, supplied| f64::from(u8::from(supplied > needed))),
        instability: instability(&moments),
    }
}

/// The share of moves, from each moment to the next, in which the curves' signs differ.
fn instability(moments: &[(f64, f64)]) -> f64 {
    let differ = |pair: &&[(f64, f64)]| {
        let (needed, supplied) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        sign(needed) != sign(supplied)
    };
    let moves = moments.windows(2);
    moves.clone().filter(differ).count() as f64 / moves.len().max(1) as f64
}

/// Whole instances that are at least so many; a trace of rounding is not one more.
fn whole(instances: f64) -> f64 {
    const ROUNDING: f64 = 1e-6;
    (instances - ROUNDING).ceil().max(0.0)
}

fn sign(change: f64) -> Option<Ordering> {
    change.partial_cmp(&0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches_figures_worked_by_hand() {
        let elasticity = of(&Curves {
            needed: &[2.0, 1.2, 0.0, 4.0],
            supplied: &[1.0, 3.0, 1.0, 4.0],
        });
        let expected = Elasticity {
            under_share: 0.5 / 4.0,
            over_share: (0.5 + 1.0) / 4.0,
            under_time: 0.25,
            over_time: 0.5,
            // 2, 2, 0, 4 against 1, 3, 1, 4: only one moves, then both down, then both up.
            instability: 1.0 / 3.0,
        };
        assert_eq!(elasticity, expected);
    }

    #[test]
    fn of_no_time_everything_is_nothing() {
        let nothing = Curves {
            needed: &[],
            supplied: &[1.0],
        };
        assert_eq!(of(&nothing), Elasticity::default());
    }

    fn whole_numbers() -> impl Strategy<Value = Vec<(u32, u32)>> {
        prop::collection::vec((1_u32..50, 0_u32..50), 1..100)
    }

    fn curves(moments: &[(u32, u32)], times: u32) -> (Vec<f64>, Vec<f64>) {
        let times = |(needed, supplied): &(u32, u32)| {
            (f64::from(needed * times), f64::from(supplied * times))
        };
        moments.iter().map(times).unzip()
    }

    proptest! {
        #[test]
        fn shares_are_shares_and_time_is_split(moments in whole_numbers()) {
            let (needed, supplied) = curves(&moments, 1);
            let found = of(&Curves { needed: &needed, supplied: &supplied });
            for share in [found.under_share, found.under_time, found.over_time, found.instability] {
                prop_assert!((0.0..=1.0).contains(&share), "{found:?}");
            }
            prop_assert!(found.over_share >= 0.0 && found.under_share <= found.under_time);
            let equal = moments.iter().filter(|(needed, supplied)| needed == supplied).count();
            let time = found.under_time + found.over_time + equal as f64 / moments.len() as f64;
            prop_assert!((time - 1.0).abs() < 1e-9);
        }

        #[test]
        fn supply_that_equals_demand_is_without_fault(
            tenths in prop::collection::vec(0_u32..500, 0..100),
        ) {
            let needed: Vec<f64> = tenths.iter().map(|tenths| f64::from(*tenths) / 10.0).collect();
            let supplied: Vec<f64> = needed.iter().map(|needed| needed.ceil()).collect();
            let found = of(&Curves { needed: &needed, supplied: &supplied });
            prop_assert_eq!(found, Elasticity::default());
        }

        #[test]
        fn a_fleet_so_many_times_as_large_scores_the_same(
            moments in whole_numbers(), times in 2_u32..20,
        ) {
            let (needed, supplied) = curves(&moments, 1);
            let small = of(&Curves { needed: &needed, supplied: &supplied });
            let (needed, supplied) = curves(&moments, times);
            let large = of(&Curves { needed: &needed, supplied: &supplied });
            prop_assert!((small.under_share - large.under_share).abs() < 1e-9);
            prop_assert!((small.over_share - large.over_share).abs() < 1e-9);
            prop_assert_eq!(small.instability.to_bits(), large.instability.to_bits());
            prop_assert_eq!(small.under_time.to_bits(), large.under_time.to_bits());
        }
    }
}
