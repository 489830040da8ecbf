//! How many the backlog asks for. The policy's worker: 4 slots, 8 s a job, 90 s to boot; the
//! objective is 300 s and the margin 15 s. Where workers report so, one instance carries
//! 4 + 4 × 285/8.4 = 139 messages, and one that is to be launched starts work 105 s late and
//! 4 + 4 × 180/8.4 = 89. A guess that nothing confirms is planned at twice: 75 and 49.

use super::*;

#[test]
fn sizes_by_what_starts_in_time() {
    // (name, (visible, in flight), desired, pending, wanted)
    let cases = [
        ("nothing to do", (0, 0), 0, 0, 0),
        (
            "new ones start 49 each, 470 and 11 for safety",
            (470, 0),
            0,
            0,
            10,
        ),
        ("twenty more", (490, 0), 0, 0, 11),
        ("what runs starts 1350", (1300, 40), 10, 0, 10),
        (
            "what runs does not, the rest is for new ones",
            (1500, 40),
            10,
            0,
            12,
        ),
        (
            "what boots is counted: no more is ordered",
            (90, 0),
            2,
            2,
            2,
        ),
        (
            "what boots is counted and more is ordered",
            (130, 0),
            2,
            2,
            3,
        ),
        (
            "in flight with nobody there will come back by itself",
            (0, 50),
            0,
            0,
            0,
        ),
        ("the maximum holds", (1_000_000, 0), 10, 0, 40),
    ];
    for (name, backlog, size, pending, wanted) in cases {
        let verdict = first(
            policy(),
            See {
                pending,
                ..see(0.0, backlog, size)
            },
        );
        assert_eq!(desired(&verdict), wanted, "{name}: {:?}", verdict.trail);
    }
}

#[test]
fn the_target_is_what_one_instance_carries() {
    let verdict = first(policy(), see(0.0, (600, 40), 10));
    let target = verdict.backlog_per_instance_target;
    assert!((target - 139.0).abs() < 0.1, "{target}");
    assert_eq!(verdict.backlog_per_instance, Some(64.0));
}

#[test]
fn the_target_is_never_below_the_slots() {
    let policy = policy_with("").clone();
    let slow = Policy {
        worker: policy::parse(
            "slow",
            "version: 1\nname: s\nqueues: [{ name: q }]\nfleet: { auto_scaling_group: g, max: 9 }\n\
             objective: { start_within: 1s }\nworker: { slots: 4, service_time: 12h }\n",
        )
        .unwrap()
        .worker,
        ..policy
    };
    assert!(first(slow, see(0.0, (10, 0), 1)).backlog_per_instance_target >= 4.0);
}

#[test]
fn measured_service_time_and_slots_replace_the_guess() {
    let mut observation = see(0.0, (1400, 40), 10).observation();
    observation.workers = Some(workers(20, 10, 16.0));
    let mut rounds = Rounds::new(policy());
    rounds.round(&observation);
    observation.at.0 += 15.0;
    let verdict = rounds.round(&observation);
    let target = verdict.backlog_per_instance_target;
    // 2 + 2 × 285/16 each, a little less for so few jobs seen.
    assert!((27.0..37.7).contains(&target), "{target}");
    assert!(desired(&verdict) > 30, "{:?}", verdict.trail);
}

#[test]
fn numbers_that_no_worker_can_have_are_not_learned() {
    for service in [0.0, f64::NAN, f64::INFINITY, -3.0] {
        let mut observation = see(0.0, (600, 40), 10).observation();
        observation.workers = Some(workers(0, 0, service));
        let verdict = Rounds::new(policy()).round(&observation);
        let target = verdict.backlog_per_instance_target;
        assert!(target.is_finite() && target > 0.0, "{service}: {target}");
    }
}

#[test]
fn a_slow_deploy_is_learned_within_minutes() {
    let mut rounds = Rounds::new(policy());
    let mut target = 0.0;
    for i in 0..40 {
        let mut observation = see(f64::from(i) * 15.0, (0, 20), 10).observation();
        observation.workers = Some(workers(40, 10, if i < 20 { 8.0 } else { 32.0 }));
        target = rounds.round(&observation).backlog_per_instance_target;
    }
    let settled = 4.0 * (1.0 + 285.0 / 32.0);
    assert!(
        (target - settled).abs() < 3.0,
        "{target} is not near {settled}"
    );
}

#[test]
fn a_stream_beyond_what_runs_grows_the_fleet_before_the_backlog_is_due() {
    // 1.6 a second come, two instances start one a second.
    let mut rounds = Rounds::new(policy());
    let mut visible = 0;
    for i in 0..32_u32 {
        let verdict = rounds.see(see(f64::from(i) * 15.0, (visible, 8), 2));
        if desired(&verdict) > 2 {
            assert!(visible < 278, "two carry 278 messages in time: {visible}");
            return;
        }
        visible += 9;
    }
    panic!("never grew: {visible}");
}

/// Answered when it has come, work is always a lead late there: what arrives counts as it arrives.
#[test]
fn without_a_forecast_an_objective_shorter_than_the_boot_counts_the_present_rate() {
    let rounds = |objective: f64| {
        let mut policy = policy_with("forecast: off");
        policy.objective.start_within = Seconds(objective);
        policy.queues[0].objective = policy.objective;
        let mut rounds = Rounds::new(policy);
        // One a second comes and starts at once, on four instances that are half busy.
        let mut verdict = rounds.see(see(0.0, (0, 8), 4));
        for i in 1..40 {
            verdict = rounds.see(see(f64::from(i) * 15.0, (0, 8), 4));
        }
        assert!(desired(&verdict) <= 4, "{:?}", verdict.trail);
        // Then more than four a second.
        rounds.see(see(600.0, (40, 16), 4));
        rounds.see(see(615.0, (75, 16), 4));
        rounds.see(see(630.0, (110, 16), 4))
    };
    let short = rounds(60.0);
    assert!((6..=16).contains(&desired(&short)), "{:?}", short.trail);
    let text = text_of(&short, Stage::Demand);
    assert!(text.contains("yet to come at the present rate"), "{text}");
    let long = rounds(300.0);
    assert!(desired(&long) <= 4, "time to see: {:?}", long.trail);
}

/// The mean of what came fades slowly: taken for work to come, it would start an instance in each
/// round after the hold, and find nothing for it to do in the next.
#[test]
fn without_a_forecast_an_emptied_fleet_does_not_come_and_go() {
    let mut policy = policy_with("forecast: off\nscale_in: { hold: 15s }");
    policy.objective.start_within = Seconds(10.0);
    policy.queues[0].objective = policy.objective;
    let mut rounds = Rounds::new(policy);
    let mut size = 2;
    let mut grown = 0;
    for i in 0..120 {
        let (visible, in_flight) = if i < 40 { (30, 8) } else { (0, 0) };
        let verdict = rounds.see(see(f64::from(i) * 15.0, (visible, in_flight), size));
        grown += u32::from(i > 42 && desired(&verdict) > size);
        size = desired(&verdict);
    }
    assert_eq!((size, grown), (0, 0));
}

/// One instance fewer would let the backlog grow for as long as arrivals go on: it is not let go
/// for good.
#[test]
fn arrivals_keep_the_instances_that_keep_up() {
    let mut rounds = Rounds::new(policy());
    // 5 a second on 10 instances that start 5 a second.
    let mut size = 10;
    let mut backlog = 0.0_f64;
    let mut least = size;
    for i in 0..400_u32 {
        let capacity = f64::from(size) * 0.5 * 15.0;
        backlog = (backlog + 75.0 - capacity).max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let visible = backlog as u64;
        let mut observation =
            see(f64::from(i) * 15.0, (visible, u64::from(size) * 4), size).observation();
        observation.workers = Some(workers(size * 4, size, 8.0));
        size = desired(&rounds.round(&observation));
        if i > 200 {
            least = least.min(size);
            assert!(backlog < 5.0 * 300.0, "late at {i}: {backlog}");
        }
    }
    assert!((8..=10).contains(&least), "{least}");
}

#[test]
fn a_burst_is_not_taken_for_a_stream() {
    let mut rounds = Rounds::new(policy());
    rounds.see(see(0.0, (0, 0), 10));
    rounds.see(see(15.0, (1000, 40), 10));
    let verdict = rounds.see(see(30.0, (970, 40), 10));
    assert_eq!(desired(&verdict), 10);
}

#[test]
fn a_late_backlog_is_recovered_without_a_spike() {
    let mut observation = see(0.0, (2000, 40), 10).observation();
    observation.queues[0].oldest_age_seconds = Some(4000.0);
    let verdict = Rounds::new(policy()).round(&observation);
    assert_eq!(codes(&verdict)[0], "backlog_late");
    // Ten start 497 in the 105 s until others could; the rest is spread over the boot, 46.6 each.
    let wanted = serde_json::to_value(&verdict.trail[0]).unwrap()["wanted"].as_u64();
    assert_eq!(wanted, Some(34));
}

#[test]
fn what_waits_longer_is_due_sooner() {
    let sizes = [0.0, 60.0, 120.0].map(|age| {
        let mut observation = see(0.0, (1600, 40), 10).observation();
        observation.queues[0].oldest_age_seconds = Some(age);
        desired(&Rounds::new(policy()).round(&observation))
    });
    assert!(sizes.is_sorted() && sizes[0] < sizes[2], "{sizes:?}");
}

#[test]
fn an_age_of_what_runs_is_not_taken_for_waiting() {
    // Jobs run for hours; a message came a moment ago.
    let mut rounds = Rounds::new(policy());
    rounds.see(see(0.0, (0, 4), 2));
    let mut observation = see(15.0, (1, 4), 2).observation();
    observation.queues[0].oldest_age_seconds = Some(9000.0);
    let verdict = rounds.round(&observation);
    assert_ne!(codes(&verdict)[0], "backlog_late", "{:?}", verdict.trail);
    assert_eq!(desired(&verdict), 2);
}

#[test]
fn repeated_looks_at_the_same_backlog_order_nothing_twice() {
    let mut rounds = Rounds::new(policy());
    let mut size = desired(&rounds.see(see(0.0, (1000, 0), 0)));
    let ordered = size;
    for i in 1..6 {
        let at = f64::from(i) * 15.0;
        size = desired(&rounds.see(See {
            pending: size,
            ..see(at, (1000, 0), size)
        }));
    }
    // The backlog grows older meanwhile; what boots has less of its boot before it.
    assert!(size <= ordered + 1, "{ordered} became {size}");
}

#[test]
fn an_instance_that_has_not_reported_is_counted_as_booting() {
    let size_with = |reporting| {
        let mut rounds = Rounds::new(policy());
        rounds.see(see(0.0, (0, 0), 0));
        let mut observation = see(15.0, (700, 0), 5).observation();
        observation.workers = Some(workers(4 * reporting, reporting, 8.0));
        desired(&rounds.round(&observation))
    };
    let (none_works, all_work) = (size_with(0), size_with(5));
    assert!(none_works > all_work, "{none_works}, {all_work}");
}

#[test]
fn a_stream_that_is_seen_to_have_ended_needs_nothing() {
    let mut rounds = Rounds::new(policy());
    for i in 0..200 {
        rounds.see(see(f64::from(i) * 15.0, (0, 32), 8));
    }
    let asked = [3000.0, 3015.0].map(|at| {
        let verdict = rounds.see(see(at, (0, 0), 8));
        codes(&verdict)[0].clone()
    });
    assert_eq!(asked, ["backlog_covered", "queue_empty"]);
}

#[test]
fn a_delayed_message_keeps_the_last_instance() {
    let mut rounds = Rounds::new(policy());
    for i in 0..60 {
        let mut observation = see(f64::from(i) * 15.0, (0, 0), 1).observation();
        observation.queues[0].delayed = Some(Messages(1));
        assert_eq!(desired(&rounds.round(&observation)), 1);
    }
}
