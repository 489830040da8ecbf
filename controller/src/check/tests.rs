//! Verdicts that break a guarantee become holds; good ones pass unchanged.

use super::*;
use crate::model::{FleetObservation, Messages, QueueObservation, UnixSeconds};
use crate::policy;
use crate::reason::Reason;

fn policy() -> Policy {
    let text = "version: 1\nname: t\nqueues: [{ name: q }]\n\
                fleet: { auto_scaling_group: g, min: 2, max: 20 }\n\
                objective: { start_within: 60s }\n\
                scale_out: { max_step: 50% }\nscale_in: { max_step: 3 }\n";
    policy::parse("test", text).unwrap()
}

fn observation(size: u32) -> Observation {
    Observation {
        at: UnixSeconds(1e9),
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

fn verdict(action: Action, desired: u32) -> Verdict {
    Verdict {
        at: UnixSeconds(1e9),
        fleet: "t".to_owned(),
        action,
        desired: Some(Instances(desired)),
        backlog_per_instance: Some(1.0),
        backlog_per_instance_target: 10.0,
        trail: Vec::new(),
    }
}

#[test]
fn good_verdicts_pass_unchanged() {
    let cases = [
        (10, Action::Hold, 10),
        (10, Action::Grow, 15),
        (10, Action::Shrink, 7),
        (30, Action::Shrink, 27),
        (30, Action::Hold, 30),
        (0, Action::Grow, 1),
    ];
    for (from, action, to) in cases {
        let verdict = verdict(action, to);
        assert_eq!(
            check(&policy(), &observation(from), verdict.clone()),
            verdict,
            "{from} to {to}"
        );
    }
}

#[test]
fn broken_verdicts_become_holds() {
    let cases = [
        ("above max", 18, Action::Grow, 21),
        ("further above max", 30, Action::Grow, 31),
        ("below min", 3, Action::Shrink, 1),
        ("too large a step up", 10, Action::Grow, 16),
        ("too large a step down", 10, Action::Shrink, 6),
        ("says hold and grows", 10, Action::Hold, 11),
        ("says grow and shrinks", 10, Action::Grow, 9),
    ];
    for (name, from, action, to) in cases {
        let checked = check(&policy(), &observation(from), verdict(action, to));
        assert_eq!(checked.action, Action::Hold, "{name}");
        assert_eq!(checked.desired, Some(Instances(from)), "{name}");
        let last = checked.trail.last().expect("a reason");
        assert!(matches!(last.reason, Reason::Breach(_)), "{name}");
    }
}

#[test]
fn nothing_shrinks_on_what_is_not_known() {
    type Blank = fn(&mut Observation);
    let blanks: [(&str, Blank); 5] = [
        ("visible", |o| o.queues[0].visible = None),
        ("in flight", |o| o.queues[0].in_flight = None),
        ("queue", |o| o.queues.clear()),
        ("in service", |o| o.fleet.in_service = None),
        ("time", |o| o.at = UnixSeconds(f64::NAN)),
    ];
    for (name, blank) in blanks {
        let mut observation = observation(10);
        blank(&mut observation);
        let checked = check(&policy(), &observation, verdict(Action::Shrink, 9));
        assert_eq!(checked.action, Action::Hold, "{name}");
    }
}

#[test]
fn numbers_that_are_none_are_mended() {
    for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        let broken = Verdict {
            backlog_per_instance_target: bad,
            ..verdict(Action::Grow, 12)
        };
        let checked = check(&policy(), &observation(10), broken);
        assert_eq!(checked.action, Action::Hold, "{bad}");
        assert!(checked.backlog_per_instance_target.is_finite());
    }
    let broken = Verdict {
        backlog_per_instance: Some(f64::NAN),
        ..verdict(Action::Grow, 12)
    };
    assert_eq!(
        check(&policy(), &observation(10), broken).backlog_per_instance,
        None
    );
}

#[test]
fn a_size_from_nowhere_is_refused() {
    let mut unknown = observation(10);
    unknown.fleet = FleetObservation::default();
    let checked = check(&policy(), &unknown, verdict(Action::Grow, 12));
    assert_eq!((checked.action, checked.desired), (Action::Hold, None));
}
