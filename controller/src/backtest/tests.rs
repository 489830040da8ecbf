//! Bound, peers and judgement beside each other on one load.

use super::bound;
use super::sweep::{self, Allowed, Sweep};
use crate::sim::peers::{Facts, Peer, Setting};
use crate::sim::testing::{bursty, policy, setup};
use crate::sim::{Judged, Load, Setup, run};

/// What whoever runs [`setup`] with a load of [`bursty`] knows.
fn facts(objective_seconds: f64) -> Facts {
    Facts {
        objective_seconds,
        service_seconds: 30.0,
        slots: 2,
        max: 200,
    }
}

fn rules(objective_seconds: f64) -> impl Iterator<Item = Setting> {
    let rules = move |peer: Peer| peer.rules(&facts(objective_seconds));
    Peer::ALL.into_iter().flat_map(rules)
}

#[test]
fn nobody_in_time_is_cheaper_than_the_bound() {
    let (setup, load, objectives) = (setup(), bursty(1), [60.0, 300.0, 600.0]);
    let bounds =
        objectives.map(|objective| bound::hours(&load, setup.slots, objective, setup.boot_seconds));
    let work_hours = load.work_seconds() / f64::from(setup.slots) / 3600.0;
    assert!(bounds.is_sorted_by(|a, b| a >= b), "{bounds:?}");
    assert!(bounds[2] >= work_hours, "{bounds:?} {work_hours}");
    let mut in_time = 0;
    for (nth, rule) in rules(300.0).enumerate() {
        let objective = nth % objectives.len();
        let mut sweep = Sweep::new(rule.clone(), &setup, &load, &objectives);
        sweep.coarse(Allowed {
            objective,
            late_share_max: 0.0,
        });
        for point in sweep.points.values() {
            for (late_share, bound) in point.late_shares.iter().zip(bounds) {
                let is_in_time = *late_share <= 0.0;
                in_time += usize::from(is_in_time);
                assert!(
                    !is_in_time || point.billed_hours >= bound,
                    "{rule:?} {point:?} under {bound}"
                );
            }
        }
    }
    assert!(in_time > 100, "nearly nobody was in time: {in_time}");
    for (objective, bound) in objectives.into_iter().zip(bounds) {
        let policy = policy(objective);
        let ours = run(&setup, &load, &mut Judged::new(&policy));
        assert!(ours.billed_hours >= bound || ours.late_share(objective) > 0.0);
    }
}

/// The home-made function with the third of its holds, ten minutes.
fn patient() -> Setting {
    Peer::Proportional.rules(&facts(300.0)).swap_remove(2)
}

#[test]
fn a_tuned_peer_keeps_what_is_allowed_and_a_larger_target_would_not() {
    let (setup, load, objectives) = (setup(), bursty(3), [60.0, 300.0]);
    let mut sweep = Sweep::new(patient(), &setup, &load, &objectives);
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

/// Hours of a rule with a value of what is swept, where at most a fiftieth waits for 10 minutes.
fn kept_hours((setup, load): (&Setup, &Load), rule: &Setting, value: f64) -> Option<f64> {
    let score = run(setup, load, rule.with_swept(value).scaler().as_mut());
    (score.late_share(600.0) <= 0.02).then_some(score.billed_hours)
}

#[test]
fn the_quick_search_finds_what_trying_everything_finds() {
    let (setup, load) = (setup(), bursty(3));
    for peer in [
        Peer::TargetTracking,
        Peer::Keda,
        Peer::Nomad,
        Peer::Proportional,
    ] {
        let rule = &peer.rules(&facts(600.0))[0];
        let values = (0..40).map(|step| 0.5 * 1.15_f64.powi(step));
        let hours = values.filter_map(|value| kept_hours((&setup, &load), rule, value));
        let brute = hours
            .min_by(f64::total_cmp)
            .unwrap_or_else(|| panic!("{} never keeps it", peer.name()));
        let mut sweep = Sweep::new(rule.clone(), &setup, &load, &[600.0]);
        let allowed = Allowed {
            objective: 0,
            late_share_max: 0.02,
        };
        let quick = sweep.coarse(allowed).expect("a setting");
        let runs = sweep.points.len();
        assert!(runs <= 14, "{} took {runs} runs", peer.name());
        let over = quick.billed_hours / brute;
        assert!(over < 1.08, "{}: {over}, {quick:?}", peer.name());
        assert!(quick.late_shares[0] <= 0.02);
    }
}

#[test]
fn a_fixed_fleet_is_the_smallest_that_keeps_the_objective() {
    let (setup, load) = (setup(), bursty(3));
    let rule = &Peer::StaticPeak.rules(&facts(600.0))[0];
    let smallest = (1..200)
        .map(f64::from)
        .find(|size| kept_hours((&setup, &load), rule, *size).is_some());
    let mut sweep = Sweep::new(rule.clone(), &setup, &load, &[600.0]);
    let best = sweep.coarse(Allowed {
        objective: 0,
        late_share_max: 0.02,
    });
    assert_eq!(
        best.map(|best| best.target.to_bits()),
        smallest.map(f64::to_bits)
    );
    let tried = sweep.tried(0);
    let sizes = sweep::frontier(&tried).len();
    assert!(sizes > 3, "a frontier of {sizes}");
}

#[test]
fn a_search_ends_where_nothing_arrives_and_where_nothing_keeps_the_objective() {
    let setup = setup();
    let nothing = Load {
        seconds: 600.0,
        arrivals: Vec::new(),
        service_seconds: Vec::new(),
    };
    let bursts = bursty(3);
    for rule in rules(300.0) {
        let never = Allowed {
            objective: 0,
            late_share_max: -1.0,
        };
        let mut sweep = Sweep::new(rule.clone(), &setup, &nothing, &[300.0]);
        assert_eq!(sweep.coarse(never), None);
        if rule.peer() == Peer::Nomad {
            let mut sweep = Sweep::new(rule, &setup, &bursts, &[0.0]);
            assert_eq!(sweep.coarse(never), None);
            assert!(!sweep.tried(0).is_empty() && sweep.points.len() <= 12);
        }
    }
}
