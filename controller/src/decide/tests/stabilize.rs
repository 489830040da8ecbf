//! Capacity is not let go too early. The hold by itself: 90 s boot and a look of 15 s, 105 s.

use super::*;

/// The size after each look at an idle fleet, 15 s apart.
fn idle(rounds: &mut Rounds, from: f64, looks: u32, mut size: u32) -> Vec<u32> {
    let look = |i| {
        size = desired(&rounds.see(see(from + f64::from(i) * 15.0, (0, 0), size)));
        size
    };
    (0..looks).map(look).collect()
}

#[test]
fn a_new_history_lets_nothing_go_before_the_hold_has_passed() {
    let sizes = idle(&mut Rounds::new(policy()), 0.0, 9, 8);
    assert_eq!(sizes, [8, 8, 8, 8, 8, 8, 8, 0, 0]);
}

#[test]
fn keeps_what_was_needed_within_the_hold() {
    let mut rounds = Rounds::new(policy());
    for i in 0..20 {
        rounds.see(see(f64::from(i) * 15.0, (600, 32), 8));
    }
    // At 285 s six were needed for what waited.
    rounds.see(see(300.0, (200, 32), 8));
    let verdict = rounds.see(see(315.0, (0, 4), 8));
    let kept = desired(&verdict);
    assert!((5..=8).contains(&kept), "{:?}", verdict.trail);
    let text = text_of(&verdict, Stage::Stabilize);
    assert!(
        text.contains("were needed 30 s ago, and spare capacity is held for 105 s"),
        "{text}"
    );
    let sizes = idle(&mut rounds, 330.0, 30, kept);
    assert_eq!(sizes.first(), Some(&kept));
    assert_eq!(sizes.last(), Some(&0));
}

#[test]
fn a_policy_hold_replaces_the_weighing() {
    let mut rounds = Rounds::new(policy_with("scale_in: { hold: 30s }"));
    assert_eq!(idle(&mut rounds, 0.0, 4, 5), [5, 5, 0, 0]);
    let mut rounds = Rounds::new(policy_with("scale_in: { hold: 10m }"));
    assert!(idle(&mut rounds, 0.0, 40, 5).iter().all(|size| *size == 5));
}

#[test]
fn zero_takes_two_empty_looks() {
    let mut rounds = Rounds::new(policy_with("scale_in: { hold: 0s }"));
    let verdict = rounds.see(see(0.0, (0, 0), 4));
    assert_eq!(
        (desired(&verdict), codes(&verdict)[1].as_str()),
        (1, "zero_unconfirmed")
    );
    assert_eq!(desired(&rounds.see(see(15.0, (0, 0), 1))), 0);
}

#[test]
fn the_same_look_twice_is_one_look() {
    let mut rounds = Rounds::new(policy_with("scale_in: { hold: 0s }"));
    rounds.see(see(0.0, (0, 0), 4));
    assert_eq!(desired(&rounds.see(see(0.0, (0, 0), 1))), 1);
}

#[test]
fn booting_instances_are_not_cancelled() {
    let mut rounds = Rounds::new(policy_with("scale_in: { hold: 0s }"));
    for i in 0..10 {
        let verdict = rounds.see(See {
            pending: 3,
            ..see(f64::from(i) * 15.0, (0, 0), 5)
        });
        assert_eq!(desired(&verdict), 3, "{:?}", verdict.trail);
    }
}

#[test]
fn capacity_that_was_never_launched_may_be_given_up() {
    let mut rounds = Rounds::new(policy());
    let mut last = 40;
    for i in 0..13 {
        let mut observation = see(f64::from(i) * 15.0, (0, 0), 40).observation();
        observation.fleet.in_service = Some(Instances(0));
        last = desired(&rounds.round(&observation));
    }
    assert_eq!(last, 0);
}

#[test]
fn a_gap_in_observation_starts_the_hold_anew() {
    let mut rounds = Rounds::new(policy());
    for i in 0..20 {
        rounds.see(see(f64::from(i) * 15.0, (0, 0), 0));
    }
    let verdict = rounds.see(see(4000.0, (0, 0), 8));
    assert_eq!(
        (desired(&verdict), codes(&verdict)[1].as_str()),
        (8, "hold_young")
    );
}

#[test]
fn a_slow_schedule_of_rounds_still_lets_go() {
    let mut rounds = Rounds::new(policy());
    let mut size = 8;
    for i in 0..8 {
        size = desired(&rounds.see(see(f64::from(i) * 300.0, (0, 0), size)));
    }
    assert_eq!(size, 0);
}

#[test]
fn long_jobs_keep_the_instances_they_run_on() {
    let mut rounds = Rounds::new(policy_with("scale_in: { hold: 0s }"));
    let long = |at, in_flight| {
        let mut observation = see(at, (0, in_flight), 10).observation();
        observation.workers = Some(workers(40, 10, 3600.0));
        observation.workers.as_mut().unwrap().completed_total = Some(1_000_000);
        observation
    };
    rounds.round(&long(0.0, 40));
    let verdict = rounds.round(&long(15.0, 30));
    assert_eq!(desired(&verdict), 8);
    assert_eq!(
        text_of(&verdict, Stage::Demand),
        "8 instances occupied: 30 messages in flight on 4 slots an instance, for 63.2 min each"
    );
}
