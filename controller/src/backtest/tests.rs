//! Bound, peers and judgement beside each other on one load.

use super::bound;
use super::sweep::{Allowed, Rule, Sweep};
use crate::sim::testing::{bursty, policy, setup};
use crate::sim::{Judged, run};

#[test]
fn nobody_in_time_is_cheaper_than_the_bound() {
    let (setup, load, objectives) = (setup(), bursty(1), [60.0, 300.0, 600.0]);
    let bounds =
        objectives.map(|objective| bound::hours(&load, setup.slots, objective, setup.boot_seconds));
    let work_hours = load.work_seconds() / f64::from(setup.slots) / 3600.0;
    assert!(bounds.is_sorted_by(|a, b| a >= b), "{bounds:?}");
    assert!(bounds[2] >= work_hours, "{bounds:?} {work_hours}");
    let mut in_time = 0;
    for rule in Rule::ALL.into_iter().step_by(2) {
        let mut sweep = Sweep::new(rule, &setup, &load, &objectives);
        for (objective, bound) in bounds.into_iter().enumerate() {
            let allowed = Allowed {
                objective,
                late_share_max: 0.0,
            };
            if let Some(best) = sweep.cheapest(allowed) {
                in_time += 1;
                let name = rule.name();
                assert!(best.billed_hours >= bound, "{name} {best:?} under {bound}");
            }
        }
    }
    assert!(in_time > 5, "nearly nobody was in time: {in_time}");
    for (objective, bound) in objectives.into_iter().zip(bounds) {
        let policy = policy(objective);
        let ours = run(&setup, &load, &mut Judged::new(&policy));
        assert!(ours.billed_hours >= bound || ours.late_share(objective) > 0.0);
    }
}

#[test]
fn a_tuned_peer_keeps_what_is_allowed_and_a_larger_target_would_not() {
    let (setup, load, objectives) = (setup(), bursty(3), [60.0, 300.0]);
    let rule = Rule::Proportional(600.0);
    let mut sweep = Sweep::new(rule, &setup, &load, &objectives);
    let allowed = Allowed {
        objective: 1,
        late_share_max: 0.01,
    };
    let best = sweep.cheapest(allowed).expect("a setting");
    assert!(best.late_shares[1] <= 0.01 && best.late_shares[0] >= best.late_shares[1]);
    let later = sweep.points.values().filter(|p| p.late_shares[1] > 0.01);
    assert!(
        later
            .min_by(|a, b| a.target.total_cmp(&b.target))
            .is_some_and(|p| {
                p.target < best.target * 1.1 && p.billed_hours <= best.billed_hours * 1.02
            })
    );
    let dearer = best.billed_hours * 1.3;
    let near = |sweep: &Sweep<'_>| {
        let costs = sweep.points.values().map(|point| point.billed_hours);
        costs
            .filter(|hours| (hours / dearer - 1.0).abs() < 0.05)
            .count()
    };
    let before = near(&sweep);
    sweep.explore(dearer);
    assert!(near(&sweep) > before + 2, "{before} then {}", near(&sweep));
}
