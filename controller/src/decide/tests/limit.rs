//! Schedule, bounds, budget, step; each says so only when it bites.

use super::*;

#[test]
fn steps_bound_growth_and_shrinkage() {
    // (name, limit, present, backlog, size after one round)
    let cases = [
        ("unlimited", "unlimited", 4, 100_000, 40),
        ("a count", "3", 4, 100_000, 7),
        ("a percentage", "50%", 10, 100_000, 15),
        ("a percentage of little is one", "10%", 4, 100_000, 5),
        ("a percentage of nothing is one", "100%", 0, 100_000, 1),
        ("doubling", "100%", 4, 100_000, 8),
    ];
    for (name, limit, present, backlog, after) in cases {
        let policy = policy_with(&format!("scale_out: {{ max_step: {limit} }}"));
        let verdict = first(policy, see(0.0, (backlog, 0), present));
        assert_eq!(desired(&verdict), after, "{name}");
        let bites = codes(&verdict).contains(&"step_limited".to_owned());
        assert_eq!(bites, after != 40, "{name}");
    }
    let mut rounds = Rounds::new(policy_with("scale_in: { max_step: 25%, hold: 0s }"));
    rounds.see(see(0.0, (0, 0), 20));
    assert_eq!(desired(&rounds.see(see(15.0, (0, 0), 20))), 15);
}

#[test]
fn a_fleet_outside_its_bounds_is_moved_towards_them() {
    let policy = policy_with("scale_in: { max_step: 5 }\nscale_out: { max_step: 2 }");
    let verdict = first(policy.clone(), see(0.0, (1_000_000, 0), 50));
    assert_eq!(desired(&verdict), 45);
    let mut low = policy;
    low.fleet.min = Instances(10);
    assert_eq!(desired(&first(low, see(0.0, (0, 0), 3))), 5);
}

/// 8:00 on Monday to Friday in Berlin, for 10 hours.
const OFFICE: &str = "schedule:\n  - { cron: \"0 8 * * MON-FRI\", timezone: Europe/Berlin, \
                      for: 10h, min: 5 }";

fn at(zoned: &str) -> f64 {
    zoned.parse::<jiff::Timestamp>().unwrap().as_second() as f64 - NOW
}

#[test]
fn a_schedule_holds_its_minimum_while_it_is_open() {
    let cases = [
        ("a minute before", "2026-01-12T07:59:00+01:00", 0),
        ("on the hour", "2026-01-12T08:00:00+01:00", 5),
        ("shortly before the end", "2026-01-12T17:59:59+01:00", 5),
        ("at the end", "2026-01-12T18:00:00+01:00", 0),
        ("on Saturday", "2026-01-17T09:00:00+01:00", 0),
        ("in summer time", "2026-07-13T08:00:00+02:00", 5),
        ("an hour early in summer", "2026-07-13T08:00:00+03:00", 0),
        (
            "the Monday after the clocks go forward",
            "2026-03-30T08:00:00+02:00",
            5,
        ),
        (
            "the Monday after the clocks go back",
            "2026-10-26T08:00:00+01:00",
            5,
        ),
    ];
    for (name, time, size) in cases {
        let verdict = first(policy_with(OFFICE), see(at(time), (0, 0), 0));
        assert_eq!(desired(&verdict), size, "{name}");
        let bites = codes(&verdict).contains(&"schedule_min".to_owned());
        assert_eq!(bites, size > 0, "{name}");
    }
}

#[test]
fn a_window_across_a_daylight_saving_change_keeps_its_length() {
    let nightly =
        "schedule:\n  - { cron: \"0 1 * * *\", timezone: Europe/Berlin, for: 3h, min: 2 }";
    // 2026-03-29: 02:00 becomes 03:00. Open from 01:00 (+01:00) for three hours: to 05:00 (+02:00).
    for (time, size) in [
        ("2026-03-29T04:59:00+02:00", 2),
        ("2026-03-29T05:00:00+02:00", 0),
    ] {
        let verdict = first(policy_with(nightly), see(at(time), (0, 0), 0));
        assert_eq!(desired(&verdict), size, "{time}");
    }
}

#[test]
fn a_time_outside_the_calendar_opens_no_window() {
    let verdict = first(policy_with(OFFICE), see(9e11, (0, 0), 0));
    assert_eq!(desired(&verdict), 0);
}

#[test]
fn the_budget_is_never_overdrawn_and_lands_softly() {
    let mut rounds = Rounds::new(policy_with("budget: { instance_hours_per_day: 20 }"));
    let (mut size, mut spent, mut peak) = (0_u32, 0.0, 0);
    let mut day = std::collections::VecDeque::new();
    for i in 0..(3 * 24 * 60) {
        let verdict = rounds.see(see(
            f64::from(i) * 60.0,
            (100_000, u64::from(size) * 4),
            size,
        ));
        size = desired(&verdict);
        peak = peak.max(size);
        day.push_back(f64::from(size) / 60.0);
        spent += f64::from(size) / 60.0;
        if day.len() > 24 * 60 {
            spent -= day.pop_front().unwrap();
        }
        assert!(
            spent <= 20.0 + 1e-6,
            "{spent} hours in the 24 h to minute {i}"
        );
    }
    assert!(spent > 17.0, "most of it is used: {spent}");
    assert_eq!(peak, 40, "while there is plenty, it does not bind");
}

#[test]
fn the_budget_leaves_the_minimum() {
    let mut policy = policy_with("budget: { instance_hours_per_day: 60 }");
    policy.fleet.min = Instances(2);
    let mut rounds = Rounds::new(policy);
    let mut size = 40;
    for i in 0..(24 * 60) {
        size = desired(&rounds.see(see(f64::from(i) * 60.0, (100_000, 160), size)));
        assert!(size >= 2, "minute {i}");
    }
    assert_eq!(size, 2);
}
