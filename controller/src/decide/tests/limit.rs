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

pub(super) fn at(zoned: &str) -> f64 {
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

#[test]
fn the_budget_binds_little_by_little() {
    // 40 wanted all day, 100 instance-hours: full size first, then fewer and fewer, never a fall.
    let mut rounds = Rounds::new(policy_with("budget: { instance_hours_per_day: 100 }"));
    let mut size = 40;
    let mut sizes = Vec::new();
    for i in 0..(4 * 60) {
        let backlog = (100_000, u64::from(size) * 4);
        size = desired(&rounds.see(see(f64::from(i) * 60.0, backlog, size)));
        sizes.push(size);
    }
    assert_eq!(sizes[60], 40, "two and a half hours at full size");
    for pair in sizes.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        assert!(after <= before, "{sizes:?}");
        // What is left must last a quarter of an hour: a fifteenth of it goes in a minute.
        assert!(before - after <= before.div_ceil(15) + 1, "{sizes:?}");
    }
    assert!(sizes.last().is_some_and(|last| *last <= 1), "{sizes:?}");
}

#[test]
fn what_was_spent_a_day_ago_is_free_again() {
    let mut rounds = Rounds::new(policy_with("budget: { instance_hours_per_day: 40 }"));
    let mut size = 40;
    for i in 0..(23 * 60) {
        let backlog = (100_000, u64::from(size) * 4);
        size = desired(&rounds.see(see(f64::from(i) * 60.0, backlog, size)));
    }
    assert_eq!(size, 0, "the day's hours are spent");
    let day_later = 26.0 * 3600.0;
    let verdict = rounds.see(see(day_later, (100_000, 0), 0));
    assert!(desired(&verdict) > 20, "{:?}", verdict.desired);
}

/// Each limit sees what the one before it left, and says what it did to it.
#[test]
fn limits_speak_in_their_order_and_hand_the_size_on() {
    let sets = "budget: { instance_hours_per_day: 100 }\nscale_out: { max_step: 2 }\nschedule: \
                [{ cron: \"0 0 * * *\", for: 24h, min: 30 }]";
    let mut rounds = Rounds::new(policy_with(sets));
    // All but two hours and a half of the day's budget are spent: it carries ten for a while.
    rounds.see(see(0.0, (0, 160), 40));
    rounds.see(see(2.0 * 3600.0, (0, 70), 40));
    rounds.see(see(2.0 * 3600.0 + 1575.0, (0, 8), 5));
    let verdict = rounds.see(see(2.0 * 3600.0 + 1590.0, (0, 8), 5));
    let said: Vec<(String, u64, u64)> = verdict
        .trail
        .iter()
        .filter(|step| step.step == Stage::Limit)
        .map(|step| {
            let said = serde_json::to_value(step).unwrap();
            let number = |key: &str| said[key].as_u64().unwrap();
            let code = said["reason"].as_str().unwrap().to_owned();
            (code, number("wanted"), number("allowed"))
        })
        .collect();
    let codes: Vec<&str> = said.iter().map(|(code, ..)| code.as_str()).collect();
    assert_eq!(
        codes,
        ["schedule_min", "budget_limited", "step_limited"],
        "{:?}",
        verdict.trail
    );
    for pair in said.windows(2) {
        assert_eq!(
            pair[0].2, pair[1].1,
            "what one allows the next is asked: {said:?}"
        );
    }
    assert_eq!(said[0].2, 30);
    assert_eq!(said[2].2, 7);
    assert_eq!(desired(&verdict), 7);
}
