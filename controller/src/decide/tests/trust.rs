//! Doubt holds.

use super::*;
use crate::model::Action;

/// Each takes one number away; the fleet stays, whatever else is seen.
#[test]
fn holds_when_a_needed_number_is_unknown() {
    type Blank = fn(&mut Observation);
    let cases: [(&str, Blank, &str); 7] = [
        ("visible", |o| o.queues[0].visible = None, "queue_unknown"),
        (
            "in flight",
            |o| o.queues[0].in_flight = None,
            "queue_unknown",
        ),
        ("the queue", |o| o.queues.clear(), "queue_unknown"),
        (
            "another queue only",
            |o| o.queues[0].name = "other".to_owned(),
            "queue_unknown",
        ),
        ("in service", |o| o.fleet.in_service = None, "fleet_unknown"),
        ("pending", |o| o.fleet.pending = None, "fleet_unknown"),
        ("time", |o| o.at = UnixSeconds(f64::NAN), "time_unknown"),
    ];
    for (name, blank, code) in cases {
        for backlog in [(0, 0), (100_000, 40)] {
            let mut rounds = Rounds::new(policy());
            for i in 0..40 {
                rounds.see(see(f64::from(i) * 15.0, (0, 0), 10));
            }
            let mut observation = see(600.0, backlog, 10).observation();
            blank(&mut observation);
            let verdict = rounds.round(&observation);
            assert_eq!(verdict.action, Action::Hold, "{name} {backlog:?}");
            assert_eq!(desired(&verdict), 10, "{name}");
            assert_eq!(codes(&verdict), [code], "{name}");
        }
    }
}

#[test]
fn nothing_known_is_a_hold_without_a_size() {
    let observation: Observation = serde_json::from_str(r#"{"at":1700000000}"#).unwrap();
    let verdict = Rounds::new(policy()).round(&observation);
    assert_eq!((verdict.action, verdict.desired), (Action::Hold, None));
    assert_eq!(verdict.backlog_per_instance, None);
    assert!(verdict.backlog_per_instance_target > 0.0);
}

#[test]
fn the_size_of_a_hold_is_what_there_is_when_desired_is_unknown() {
    let mut observation = See {
        pending: 2,
        ..see(0.0, (10_000, 0), 10)
    }
    .observation();
    observation.fleet.desired = None;
    let verdict = Rounds::new(policy()).round(&observation);
    assert_eq!((verdict.action, desired(&verdict)), (Action::Hold, 10));
}

#[test]
fn doubt_does_not_keep_a_fleet_below_its_minimum() {
    let text = "fleet: { auto_scaling_group: g, min: 3, max: 9 }";
    let policy = policy::parse(
        "test",
        &format!(
            "version: 1\nname: t\nqueues: [{{ name: thumbs }}]\n{text}\n\
             objective: {{ start_within: 60s }}\nscale_out: {{ max_step: 1 }}\n"
        ),
    )
    .unwrap();
    let mut observation = see(0.0, (0, 0), 0).observation();
    observation.queues[0].visible = None;
    let verdict = Rounds::new(policy).round(&observation);
    assert_eq!(desired(&verdict), 1, "one step towards the minimum");
    assert_eq!(
        codes(&verdict),
        ["queue_unknown", "fleet_min", "step_limited"]
    );
}

#[test]
fn time_that_runs_backwards_holds() {
    let mut rounds = Rounds::new(policy());
    rounds.see(see(100.0, (0, 40), 10));
    let verdict = rounds.see(see(40.0, (100_000, 40), 10));
    assert_eq!((verdict.action, desired(&verdict)), (Action::Hold, 10));
    assert_eq!(
        text_of(&verdict, Stage::Trust),
        "keep 10: the observation is 60 s older than the last one"
    );
}

#[test]
fn a_clock_that_was_put_back_is_believed_after_three_observations() {
    let mut rounds = Rounds::new(policy());
    rounds.see(see(1e6, (0, 40), 10));
    for at in [0.0, 15.0] {
        assert_eq!(
            codes(&rounds.see(see(at, (100_000, 40), 10))),
            ["time_backwards"]
        );
    }
    assert_eq!(
        rounds.see(see(30.0, (100_000, 40), 10)).action,
        Action::Grow
    );
}

#[test]
fn a_message_or_two_on_an_empty_queue_takes_a_second_look() {
    for visible in [1, 2] {
        let mut rounds = Rounds::new(policy());
        rounds.see(see(0.0, (0, 0), 0));
        let verdict = rounds.see(see(15.0, (visible, 0), 0));
        assert_eq!(
            (desired(&verdict), codes(&verdict)),
            (0, vec!["unconfirmed".to_owned()])
        );
        assert_eq!(
            desired(&rounds.see(see(30.0, (visible, 0), 0))),
            1,
            "confirmed"
        );
    }
}

#[test]
fn a_miscount_that_passes_wakes_nobody() {
    let mut rounds = Rounds::new(policy());
    for i in 0..20 {
        let visible = u64::from(i % 2 == 0);
        assert_eq!(
            desired(&rounds.see(see(f64::from(i) * 15.0, (visible, 0), 0))),
            0,
            "{i}"
        );
    }
}

#[test]
fn an_age_or_more_messages_wake_a_fleet_at_once() {
    let mut aged = see(0.0, (1, 0), 0).observation();
    aged.queues[0].oldest_age_seconds = Some(3.0);
    assert_eq!(desired(&Rounds::new(policy()).round(&aged)), 1);
    assert_eq!(desired(&first(policy(), see(0.0, (3, 0), 0))), 1);
}

#[test]
fn a_single_queue_may_go_unnamed() {
    let mut observation = see(0.0, (5000, 0), 1).observation();
    observation.queues[0].name = String::new();
    assert_eq!(
        Rounds::new(policy()).round(&observation).action,
        Action::Grow
    );
}

/// A look that misses most of a queue; the fleet ends at most 3 × 40 × (1 + 15/8.1) = 340.
#[test]
fn a_fall_that_nobody_can_have_worked_off_is_looked_at_again() {
    let mut rounds = Rounds::new(policy());
    for i in 0..8 {
        rounds.see(see(f64::from(i) * 15.0, (1000, 40), 10));
    }
    let missed = rounds.see(see(120.0, (20, 40), 10));
    assert_eq!((missed.action, desired(&missed)), (Action::Hold, 10));
    assert_eq!(codes(&missed), ["fall_impossible"]);
    assert_eq!(
        text_of(&missed, Stage::Trust),
        "keep 10: 1,040 messages in queue thumbs became 60 in 15 s, and its workers end 340 at \
         most; a second look decides"
    );
    let back = rounds.see(see(135.0, (1000, 40), 10));
    assert_ne!(codes(&back), ["fall_impossible"]);
}

#[test]
fn falls_are_believed_where_they_can_be() {
    let cases = [
        ("worked off", (1000, 40), (760, 40), 15.0),
        ("counted with noise", (10_000, 40), (7800, 40), 15.0),
        ("hours later", (1000, 40), (0, 0), 7200.0),
        ("a handful on a small fleet", (9, 0), (0, 0), 15.0),
    ];
    for (name, before, now, elapsed) in cases {
        let mut rounds = Rounds::new(policy());
        for i in 0..8 {
            rounds.see(see(f64::from(i) * 15.0, before, 10));
        }
        let verdict = rounds.see(see(105.0 + elapsed, now, 10));
        assert_ne!(codes(&verdict), ["fall_impossible"], "{name}");
    }
}

#[test]
fn a_purged_queue_is_believed_at_the_second_look() {
    let mut rounds = Rounds::new(policy());
    for i in 0..40 {
        rounds.see(see(f64::from(i) * 15.0, (5000, 40), 10));
    }
    let purged = |at| see(at, (0, 0), 10);
    assert_eq!(codes(&rounds.see(purged(600.0))), ["fall_impossible"]);
    let second = rounds.see(purged(615.0));
    assert_ne!(codes(&second), ["fall_impossible"]);
    let mut size = 10;
    for i in 0..20 {
        size = desired(&rounds.see(purged(630.0 + f64::from(i) * 15.0)));
    }
    assert_eq!(size, 0);
}
