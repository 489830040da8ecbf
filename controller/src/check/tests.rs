//! Verdicts that break a guarantee become holds; good ones pass unchanged.

use super::*;
use crate::decide::{History, decide};
use crate::model::{FleetObservation, Instances, Messages, QueueObservation, UnixSeconds};
use crate::policy;
use crate::reason::{Doubt, Limit, Need, Steadiness};

/// Tuesday, 14 November 2023, 22:13:20 UTC.
const NOW: f64 = 1_700_000_000.0;

fn policy() -> Policy {
    policy_with("scale_out: { max_step: 50% }\nscale_in: { max_step: 3 }\n")
}

fn policy_with(more: &str) -> Policy {
    let text = format!(
        "version: 1\nname: t\nqueues: [{{ name: q }}]\n\
         fleet: {{ auto_scaling_group: g, min: 2, max: 20 }}\n\
         objective: {{ start_within: 60s }}\n{more}"
    );
    policy::parse("test", &text).unwrap()
}

fn observation(size: u32) -> Observation {
    Observation {
        at: UnixSeconds(NOW),
        queues: vec![QueueObservation {
            name: "q".to_owned(),
            visible: Some(Messages(10)),
            in_flight: Some(Messages(0)),
            ..QueueObservation::default()
        }],
        fleet: FleetObservation {
            desired: Some(Instances(size)),
            in_service: Some(Instances(size)),
            pending: Some(Instances(0)),
            terminating: None,
        },
        workers: None,
    }
}

fn step(step: Stage, reason: impl Into<Reason>) -> Step {
    Step {
        step,
        reason: reason.into(),
    }
}

fn limited(desired: u32) -> Step {
    let reason = Limit::StepLimited {
        wanted: Instances(99),
        allowed: Instances(desired),
    };
    step(Stage::Limit, reason)
}

fn verdict(action: Action, desired: u32) -> Verdict {
    Verdict {
        at: UnixSeconds(NOW),
        fleet: "t".to_owned(),
        action,
        desired: Some(Instances(desired)),
        backlog_per_instance: Some(1.0),
        backlog_per_instance_target: 10.0,
        trail: vec![limited(desired)],
    }
}

/// Towards `to` from `from`, by its proper name.
fn change(from: u32, to: u32) -> Verdict {
    let action = match to.cmp(&from) {
        std::cmp::Ordering::Greater => Action::Grow,
        std::cmp::Ordering::Less => Action::Shrink,
        std::cmp::Ordering::Equal => Action::Hold,
    };
    verdict(action, to)
}

/// Asserts that the verdict is refused for `why` and held at the size there is.
fn assert_refused(checked: &Verdict, present: u32, why: &str) {
    assert_eq!(checked.action, Action::Hold, "{why}");
    assert_eq!(checked.desired, Some(Instances(present)), "{why}");
    let Some(Breach::CheckFailed { broken, .. }) = checked.refused() else {
        panic!("not refused for: {why}");
    };
    assert!(broken.iter().any(|b| b.contains(why)), "{why}: {broken:?}");
    let last = checked.trail.last().expect("a reason");
    assert_eq!(last.step, Stage::Check, "{why}");
}

#[test]
fn good_verdicts_pass_unchanged() {
    let cases = [
        (10, 10),
        (10, 15),
        (10, 7),
        (30, 27),
        (30, 30),
        (0, 1),
        (1, 2),
        (2, 2),
    ];
    for (from, to) in cases {
        let verdict = change(from, to);
        let checked = check(&policy(), &observation(from), verdict.clone());
        assert_eq!(checked, verdict, "{from} to {to}");
        assert_eq!(checked.refused(), None, "{from} to {to}");
    }
}

#[test]
fn sizes_out_of_bounds_or_steps_are_refused() {
    let cases = [
        ("21 is above max (20)", 18, 21),
        ("31 is above max (20)", 30, 31),
        ("1 is below min (2)", 3, 1),
        ("1 is below min (2)", 1, 1),
        ("0 is below min (2)", 1, 0),
        ("grows by more than 5", 10, 16),
        ("shrinks by more than 3", 10, 6),
    ];
    for (why, from, to) in cases {
        let checked = check(&policy(), &observation(from), change(from, to));
        assert_refused(&checked, from, why);
    }
}

#[test]
fn an_action_that_is_not_the_sizes_is_refused() {
    let cases = [
        ("says hold and goes from 10 to 11", Action::Hold, 11),
        ("says grow and goes from 10 to 9", Action::Grow, 9),
        ("says grow and goes from 10 to 10", Action::Grow, 10),
        ("says shrink and goes from 10 to 10", Action::Shrink, 10),
    ];
    for (why, action, to) in cases {
        let checked = check(&policy(), &observation(10), verdict(action, to));
        assert_refused(&checked, 10, why);
    }
}

#[test]
fn nothing_shrinks_on_what_is_not_known() {
    type Blank = fn(&mut Observation);
    let blanks: [(&str, Blank); 6] = [
        ("visible", |o| o.queues[0].visible = None),
        ("in flight", |o| o.queues[0].in_flight = None),
        ("queue", |o| o.queues.clear()),
        ("another queue", |o| o.queues[0].name = "p".to_owned()),
        ("in service", |o| o.fleet.in_service = None),
        ("time", |o| o.at = UnixSeconds(f64::NAN)),
    ];
    for (name, blank) in blanks {
        let mut observation = observation(10);
        blank(&mut observation);
        let mut shrinks = change(10, 9);
        shrinks.at = observation.at;
        let checked = check(&policy(), &observation, shrinks);
        assert_refused(&checked, 10, "shrinks on what is not known");
        let mut grows = change(10, 11);
        grows.at = observation.at;
        let checked = check(&policy(), &observation, grows);
        assert_eq!(checked.refused(), None, "{name}: a step of growth may be");
    }
}

#[test]
fn nothing_shrinks_on_what_is_in_doubt() {
    let doubts = |kept: u32| {
        let reason = Doubt::TimeBackwards {
            wanted: Some(Instances(kept)),
            behind_seconds: 30.0,
        };
        step(Stage::Trust, reason)
    };
    let mut shrinks = change(10, 9);
    shrinks.trail.insert(0, doubts(10));
    let checked = check(&policy(), &observation(10), shrinks);
    assert_refused(&checked, 10, "shrinks on what is in doubt");
    let mut holds = change(10, 10);
    holds.trail = vec![doubts(10)];
    assert_eq!(
        check(&policy(), &observation(10), holds.clone()),
        holds,
        "a hold is what doubt is for"
    );
}

#[test]
fn a_size_without_a_present_one_is_refused() {
    let mut unknown = observation(10);
    unknown.fleet = FleetObservation::default();
    let checked = check(&policy(), &unknown, change(10, 10));
    assert!(checked.refused().is_some());
    assert_eq!((checked.desired, checked.action), (None, Action::Hold));

    let mut nothing = change(10, 10);
    nothing.desired = None;
    let checked = check(&policy(), &observation(10), nothing);
    assert_refused(
        &checked,
        10,
        "names no size though the present one is known",
    );
}

#[test]
fn an_open_schedules_minimum_is_kept() {
    // Open from 22:00 for an hour; it is 22:13.
    let open = "schedule: [{ cron: \"0 22 * * *\", for: 1h, min: 8 }]\n";
    let shut = "schedule: [{ cron: \"0 22 * * *\", for: 10m, min: 8 }]\n";
    let berlin = "schedule: [{ cron: \"0 23 * * *\", timezone: Europe/Berlin, for: 1h, min: 8 }]\n";
    let cases = [
        ("kept", open.to_owned(), (10, 8), true),
        ("missed by a hold", open.to_owned(), (5, 5), false),
        ("missed by a shrink", open.to_owned(), (9, 7), false),
        ("in its own clock", berlin.to_owned(), (9, 7), false),
        ("not open any more", shut.to_owned(), (9, 7), true),
        (
            "as far as a step goes",
            format!("{open}scale_out: {{ max_step: 1 }}\n"),
            (5, 6),
            true,
        ),
        (
            "not as far as a step goes",
            format!("{open}scale_out: {{ max_step: 1 }}\n"),
            (5, 5),
            false,
        ),
        (
            "a budget comes before it",
            format!("{open}budget: {{ instance_hours_per_day: 48 }}\n"),
            (5, 5),
            true,
        ),
    ];
    for (name, more, (from, to), passes) in cases {
        let checked = check(&policy_with(&more), &observation(from), change(from, to));
        assert_eq!(checked.refused().is_none(), passes, "{name}");
    }
}

/// Two independent ways of asking a window's clock must not disagree, or good verdicts would be
/// refused where clocks change.
#[test]
fn the_schedule_is_read_as_decide_reads_it_through_both_clock_changes() {
    let days = ["2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"];
    let crons = ["0 1 * * *", "30 2 * * *", "0 3 * * *", "*/20 * * * *"];
    for (day, cron) in days.iter().flat_map(|day| crons.map(|cron| (day, cron))) {
        let policy = policy_with(&format!(
            "schedule: [{{ cron: \"{cron}\", timezone: Europe/Berlin, for: 10m, min: 8 }}]\n"
        ));
        let begin = day.parse::<jiff::Timestamp>().unwrap().as_second() as f64;
        let mut opened = 0;
        for minute in 0..(24 * 60) {
            let mut observation = observation(2);
            observation.at = UnixSeconds(begin + f64::from(minute) * 60.0);
            let decided = decide(&policy, &observation, &History::default());
            opened += u32::from(decided.verdict.desired == Some(Instances(8)));
            let checked = check(&policy, &observation, decided.verdict);
            assert_eq!(checked.refused(), None, "{cron} at {:?}", observation.at);
            // And the other way: what decide does not open, a hold does not miss.
            let mut hold = change(2, 2);
            hold.at = observation.at;
            let refused = check(&policy, &observation, hold).refused().is_some();
            assert_eq!(refused, checked.desired == Some(Instances(8)), "{cron}");
        }
        assert!(opened >= 10, "{cron} from {day}: {opened} minutes");
    }
}

fn budgeted(allowed: u32, (used_hours, budget_hours): (f64, f64)) -> Step {
    let reason = Limit::BudgetLimited {
        wanted: Instances(20),
        allowed: Instances(allowed),
        used_hours,
        budget_hours,
    };
    step(Stage::Limit, reason)
}

#[test]
fn what_the_budget_allows_is_kept() {
    let policy = policy_with("budget: { instance_hours_per_day: 100 }\n");
    let slow = policy_with("budget: { instance_hours_per_day: 100 }\nscale_in: { max_step: 1 }\n");
    let cases = [
        ("", &policy, (10, 5), budgeted(5, (99.0, 100.0))),
        (
            "above what the budget allows (5)",
            &policy,
            (10, 6),
            budgeted(5, (99.0, 100.0)),
        ),
        ("", &slow, (10, 9), budgeted(5, (99.0, 100.0))),
        (
            "above what the budget allows (5)",
            &slow,
            (10, 10),
            budgeted(5, (99.0, 100.0)),
        ),
        ("", &policy, (10, 2), budgeted(2, (100.0, 100.0))),
        (
            "of a budget that is spent",
            &policy,
            (10, 3),
            budgeted(3, (100.0, 100.0)),
        ),
        (
            "is not the policy's",
            &policy,
            (10, 5),
            budgeted(5, (99.0, 120.0)),
        ),
    ];
    for (why, policy, (from, to), said) in cases {
        let mut verdict = change(from, to);
        verdict.trail.insert(0, said);
        let checked = check(policy, &observation(from), verdict);
        if why.is_empty() {
            assert_eq!(checked.refused(), None, "{from} to {to}");
        } else {
            assert_refused(&checked, from, why);
        }
    }
}

#[test]
fn a_trail_that_does_not_lead_to_the_size_is_refused() {
    let held = |allowed: u32| {
        let reason = Steadiness::BootingKept {
            wanted: Instances(1),
            allowed: Instances(allowed),
        };
        step(Stage::Stabilize, reason)
    };
    let empty = step(
        Stage::Demand,
        Need::QueueEmpty {
            wanted: Instances(0),
        },
    );
    let cases = [
        ("it gives no reason", vec![]),
        ("reasons end with 11 and it names 12", vec![limited(11)]),
        (
            "reasons end with 0 and it names 12",
            vec![held(12), empty.clone()],
        ),
        (
            "demand speaks after stabilize",
            vec![held(12), empty.clone(), limited(12)],
        ),
    ];
    for (why, trail) in cases {
        let mut verdict = change(10, 12);
        verdict.trail = trail;
        assert_refused(&check(&policy(), &observation(10), verdict), 10, why);
    }
    let mut good = change(10, 12);
    good.trail = vec![empty, held(10), limited(12)];
    assert_eq!(check(&policy(), &observation(10), good.clone()), good);
}

#[test]
fn a_reason_whose_number_is_none_is_refused() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut verdict = change(10, 12);
        let reason = Steadiness::HoldYoung {
            wanted: Instances(12),
            allowed: Instances(12),
            for_seconds: bad,
            hold_seconds: 60.0,
        };
        verdict.trail = vec![step(Stage::Stabilize, reason)];
        let why = "for_seconds is no number in what stabilize says";
        assert_refused(&check(&policy(), &observation(10), verdict), 10, why);
    }
}

#[test]
fn numbers_that_are_none_are_mended() {
    for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        let broken = Verdict {
            backlog_per_instance_target: bad,
            ..change(10, 12)
        };
        let checked = check(&policy(), &observation(10), broken);
        assert_refused(&checked, 10, "the target backlog per instance is");
        assert!(checked.backlog_per_instance_target > 0.0, "{bad}");
    }
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        let broken = Verdict {
            backlog_per_instance: Some(bad),
            ..change(10, 12)
        };
        let checked = check(&policy(), &observation(10), broken);
        assert_refused(&checked, 10, "the backlog per instance is");
    }
}

#[test]
fn a_verdict_on_another_fleet_or_moment_is_refused() {
    let mut elsewhere = change(10, 12);
    elsewhere.fleet = "u".to_owned();
    let checked = check(&policy(), &observation(10), elsewhere);
    assert_refused(&checked, 10, "about the fleet u");
    assert_eq!(checked.fleet, "t");

    let mut earlier = change(10, 12);
    earlier.at = UnixSeconds(NOW - 15.0);
    let checked = check(&policy(), &observation(10), earlier);
    assert_refused(&checked, 10, "the observation it rests on");
    assert_eq!(checked.at, UnixSeconds(NOW));
}
