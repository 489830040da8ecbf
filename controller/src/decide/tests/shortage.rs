//! Capacity that does not come, through the whole judgement.

use super::*;
use crate::policy::StepLimit;

/// A fleet of which `running` are in service and nothing boots: what is missing was not launched.
fn stuck(at: f64, visible: u64, (desired, running): (u32, u32)) -> Observation {
    let mut observation = see(at, (visible, u64::from(running) * 4), desired).observation();
    observation.fleet.in_service = Some(Instances(running));
    observation.fleet.pending = Some(Instances(0));
    observation
}

/// A growing backlog for so many looks while the group stays at `running`; the sizes set.
fn starve(rounds: &mut Rounds, looks: u32, running: u32) -> Vec<u32> {
    let mut size = running;
    let mut sizes = Vec::new();
    for i in 0..looks {
        let backlog = u64::from(i) * 40;
        size = desired(&rounds.round(&stuck(f64::from(i) * 15.0, backlog, (size, running))));
        sizes.push(size);
    }
    sizes
}

fn large() -> Policy {
    let mut policy = policy();
    policy.fleet.max = Instances(600);
    policy
}

/// Desired was ratcheted to 600 while 100 ran (atlassian/escalator#294).
#[test]
fn desired_does_not_run_away_from_what_runs() {
    let mut rounds = Rounds::new(large());
    let sizes = starve(&mut rounds, 24 * 60 * 4, 5);
    let opened = sizes[(10 * 60 / 15) as usize];
    let last = *sizes.last().expect("sizes");
    assert!(opened < 100, "ten minutes in: {opened}");
    // A day of tries, an hour apart at most.
    assert!(
        last <= opened + 30,
        "{opened} after ten minutes, then {last}"
    );
    let verdict = rounds.round(&stuck(86_400.0, 1_000_000, (last, 5)));
    assert!(codes(&verdict).contains(&"capacity_short".to_owned()));
    let text = text_of(&verdict, Stage::Limit);
    for word in ["quota", "instance types", "zones", "activity history"] {
        assert!(text.contains(word), "{text}");
    }
}

/// A shortage lost the events that asked for capacity, and work hung for ever
/// (terraform-aws-github-runner#2925): here demand is judged anew with every look.
#[test]
fn once_capacity_comes_the_whole_backlog_is_served() {
    let mut rounds = Rounds::new(large());
    let sizes = starve(&mut rounds, 240, 5);
    let size = *sizes.last().expect("sizes");
    let at = 240.0 * 15.0;
    let all_came = see(at, (100_000, u64::from(size) * 4), size);
    let verdict = rounds.see(all_came);
    assert!(desired(&verdict) > size, "{size} and {:?}", verdict.desired);
    assert!(!codes(&verdict).contains(&"capacity_short".to_owned()));
}

/// Instances that were not placed yet were ordered again at each poll (kedacore/keda#1323).
#[test]
fn what_was_asked_for_and_is_not_launched_is_not_asked_for_again() {
    let mut rounds = Rounds::new(large());
    let mut size = 2;
    let mut sizes = Vec::new();
    for i in 0..8 {
        let mut observation = stuck(f64::from(i) * 15.0, 3000, (size, 2));
        // As much arrives as is started: the backlog grows no older.
        observation.queues[0].oldest_age_seconds = Some(10.0);
        size = desired(&rounds.round(&observation));
        sizes.push(size);
    }
    assert!(sizes[0] > 2, "{sizes:?}");
    assert_eq!(sizes[7], sizes[0], "{sizes:?}");
}

#[test]
fn a_minimum_is_asked_for_whether_it_comes_or_not() {
    let mut rounds = Rounds::new(large());
    starve(&mut rounds, 240, 5);
    rounds.policy.fleet.min = Instances(500);
    let verdict = rounds.round(&stuck(3600.0, 1_000_000, (60, 5)));
    assert_eq!(desired(&verdict), 500);
}

/// What the policy allows, then what can be had, then how far one round goes.
#[test]
fn a_shortage_speaks_between_the_bounds_and_the_step() {
    let mut policy = large();
    policy.fleet.max = Instances(60);
    policy.scale_out = StepLimit::Count(Instances(2));
    let mut rounds = Rounds::new(policy);
    let sizes = starve(&mut rounds, 240, 5);
    let size = *sizes.last().expect("sizes");
    assert!(size > 20, "{size}");
    // Someone sets a smaller size by hand.
    let verdict = rounds.round(&stuck(3600.0, 1_000_000, (12, 5)));
    let codes = codes(&verdict);
    let limits = &codes[codes.len() - 3..];
    assert_eq!(limits, ["fleet_max", "capacity_short", "step_limited"]);
    assert_eq!(desired(&verdict), 14);
}
